"""A plan's text edited: it says what was asked, and no other line of it is another."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialplan.finding import PlanError
from dialplan.loading import parse_plan
from pbx.plans.editing import (
    EditingError,
    Value,
    entry_of,
    key_at,
    read_value,
    with_entry,
    without_entry,
)
from pbx.plans.masking import MASK, masked

VALMONT = (Path(__file__).parents[3] / "examples" / "valmont.yaml").read_text("utf-8")


def said(value: Value) -> object:
    """A value as `entry_of` tells it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return {key: said(item) for key, item in value.items()}
    return [said(item) for item in value] if isinstance(value, list) else str(value)


# Texts in every way that a person writes them.

NAMES = st.sampled_from(["a", "operateur-a", "b2", "true", "9", "nul"])
WORDS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20)
SCALARS: st.SearchStrategy[Value] = st.one_of(
    WORDS.filter(lambda word: word.strip() not in ("", "~", "null")), st.integers(0, 10**9), st.booleans()
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.fixed_dictionaries({"env": SCALARS}))
KEYS = st.sampled_from(["host", "channels", "owns", "secret", "options"])
ENTRIES = st.dictionaries(KEYS, VALUES, min_size=1, max_size=4)
COMMENTS = st.sampled_from(["", "   # why", " # with: colon, [and] {more}"])
PLAIN = st.sampled_from(["x", "10", "[a, b]", '"+33383000100"', "{env: A}", "'it''s'", '"#no comment"'])


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A plan with trunks as blocks, on one line or both, with comments and empty lines anywhere."""
    feed, step = draw(st.sampled_from(["\n", "\r\n"])), draw(st.sampled_from([2, 4]))
    lines = ["# a plan", "plan: 1", *[""] * draw(st.integers(0, 2))]
    names = draw(st.lists(NAMES, unique=True, min_size=1, max_size=3))
    if draw(st.booleans()):
        lines.append(f"trunks:{draw(COMMENTS)}")
        for name in names:
            keys = draw(st.lists(KEYS, unique=True, min_size=1, max_size=3))
            if draw(st.booleans()):
                inside = ", ".join(f"{key}: {draw(PLAIN)}" for key in keys)
                lines.append(f'{" " * step}"{name}": {{{inside}}}{draw(COMMENTS)}')
                continue
            lines.append(f'{" " * step}"{name}":{draw(COMMENTS)}')
            for key in keys:
                if key == "owns" and draw(st.booleans()):
                    lines += [f"{' ' * 2 * step}{key}:", f"{' ' * 2 * step}- x{draw(COMMENTS)}"]
                else:
                    lines.append(f"{' ' * 2 * step}{key}: {draw(PLAIN)}{draw(COMMENTS)}")
                if draw(st.integers(0, 4)) == 0:
                    lines.append(draw(st.sampled_from(["", f"{' ' * 2 * step}# between", "# at the edge"])))
    else:
        inside = ", ".join(f'"{name}": {{host: x, owns: [a, b]}}' for name in names)
        lines.append(f"trunks: {{{inside}}}{draw(COMMENTS)}")
    lines += draw(st.sampled_from([[], [""], ["", "routes: []"], ["# the end"]]))
    return feed.join(lines) + (feed if draw(st.booleans()) else "")


@given(texts(), NAMES, ENTRIES)
def test_an_entry_says_what_was_asked_and_the_others_what_they_said(
    text: str, name: str, values: dict[str, Value]
):
    edited = with_entry(text, "trunks", name, values)
    assert entry_of(edited, "trunks", name) == said(values)


@given(texts(), ENTRIES)
def test_a_new_entry_adds_lines_and_changes_none(text: str, values: dict[str, Value]):
    edited = with_entry(text, "trunks", "quite-new", values)
    one_line = "trunks: {" in text
    before, after = text.splitlines(), edited.splitlines()
    kept = [line for line in before if not (one_line and line.startswith("trunks:"))]
    position = 0
    for line in kept:
        position = after.index(line, position) + 1
    if not one_line:
        assert len(after) >= len(before) + 2


@given(texts(), ENTRIES)
def test_what_was_added_and_taken_away_again_leaves_the_text_as_it_was(text: str, values: dict[str, Value]):
    text = text if text.endswith("\n") else f"{text}\n"
    added = with_entry(text, "trunks", "quite-new", values)
    assert without_entry(added, "trunks", "quite-new") == text


def test_a_section_that_isn_t_there_comes_at_the_end():
    edited = with_entry("plan: 1\ncountry: FR\n", "trunks", "a", {"host": "x"})
    assert edited == "plan: 1\ncountry: FR\n\ntrunks:\n  a:\n    host: x\n"


@pytest.mark.parametrize("empty", ["trunks:", "trunks: {}", "trunks: ~", "trunks:   # none yet"])
def test_an_empty_section_is_filled(empty: str):
    edited = with_entry(f"plan: 1\n{empty}\nroutes: []\n", "trunks", "a", {"host": "x"})
    assert entry_of(edited, "trunks", "a") == {"host": "x"}
    assert edited.startswith("plan: 1\n")
    assert edited.endswith("\nroutes: []\n")


def test_the_sample_plan_stays_a_plan():
    values = {"host": "sip.example", "owns": ["+33383000500"], "register": False, "channels": 3}
    plan = parse_plan(with_entry(VALMONT, "trunks", "operateur-c", values), "plan.yaml")
    assert plan.trunks["operateur-c"].channels == 3


def test_only_the_key_that_changes_is_another():
    values = {**entry_of(VALMONT, "trunks", "operateur-a"), "emergency_channels": 3}
    edited = with_entry(VALMONT, "trunks", "operateur-a", values)
    pairs = zip(VALMONT.splitlines(), edited.splitlines(), strict=True)
    assert [(old, new) for old, new in pairs if old != new] == [
        (
            "    emergency_channels: 2               # kept free for emergency calls".replace(
                "2               ", "2                   "
            ),
            "    emergency_channels: 3                   # kept free for emergency calls",
        )
    ]


def test_a_text_in_a_block_that_is_folded_is_refused_rather_than_spoilt():
    text = "plan: 1\ntrunks:\n  a:\n    host: |+\n      x\n\n\n"
    try:
        edited = with_entry(text, "trunks", "b", {"host": "y"})
    except EditingError:
        return
    assert entry_of(edited, "trunks", "a") == entry_of(text, "trunks", "a")


@pytest.mark.parametrize("text", ["a: &x 1\ntrunks: {b: *x}\n", "trunks: [", "trunks: {a: {host: !x y}}\n"])
def test_a_text_that_can_t_be_read_isn_t_edited(text: str):
    with pytest.raises(PlanError):
        with_entry(text, "trunks", "a", {"host": "x"})


def test_what_isn_t_there_can_t_be_taken_away():
    with pytest.raises(EditingError, match='`trunks:` has no "z"'):
        without_entry(VALMONT, "trunks", "z")


def test_a_value_that_is_no_text_is_refused():
    with pytest.raises(EditingError, match="no character"):
        with_entry(VALMONT, "trunks", "a", {"host": "\ud800"})


def test_the_key_at_a_line_is_known():
    lines = VALMONT.splitlines()
    channels = next(number for number, line in enumerate(lines, 1) if "channels: 30" in line)
    assert key_at(VALMONT, "trunks", "operateur-a", channels) == "channels"
    assert key_at(VALMONT, "trunks", "operateur-b", channels) == ""
    assert key_at("trunks:\n  a:\n    owns:\n    - x\n    - y\n", "trunks", "a", 5) == "owns"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("true", True),
        ('"true"', "true"),
        ("0612345678", "0612345678"),
        ("[a, +33383000100]", ["a", "+33383000100"]),
        ("{env: NAME}", {"env": "NAME"}),
        ("sip.operator.example", "sip.operator.example"),
    ],
)
def test_a_value_is_read_as_a_plan_has_it(text: str, value: Value):
    assert read_value(text) == value


@pytest.mark.parametrize("text", ["[a", "x\nother: y", "*x", "{a: 1, a: 2}"])
def test_what_is_no_value_is_refused(text: str):
    with pytest.raises(EditingError):
        read_value(text)


def test_passwords_are_masked_and_nothing_else():
    shown, hidden = masked(VALMONT)
    assert hidden
    for old, new in zip(VALMONT.splitlines(), shown.splitlines(), strict=True):
        if old != new:
            number = old.split('"')[1]
            assert new == old.replace(f"pw{number}", MASK)
    assert "pw" not in "".join(parse_plan(shown, "x").people["1001"].password or "")


def test_a_text_that_can_t_be_read_is_masked_whole():
    assert masked("users: [{password: pw") == ("", True)


def test_a_text_without_passwords_is_as_it_is():
    assert masked("plan: 1\n") == ("plan: 1\n", False)
