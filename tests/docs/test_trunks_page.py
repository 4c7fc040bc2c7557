"""The pages on trunks say what the program does: every key, option and cause."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dialplan.decision import NEXT_TRUNK_SECONDS
from dialplan.loading import parse_plan
from dialplan.number_formats import FORMATS, READINGS
from dialplan.trunk_section import _KEYS, CALLER_ID_IN, CALLER_ID_OUT, OPTIONS, TRANSPORTS
from pbx.apps import outside
from pbx.trunks.failover import OF_THE_CALLEE, OF_THE_NETWORK, STEPS, Step, step_after
from pbx.trunks.line import LONGEST_REFUSAL_SECONDS, MISSED_PERIOD_SECONDS, LineState
from sip.core.reason import Reason
from sip.core.registration import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, REFUSED_WAIT_SECONDS
from tests.docs.markdown import text_of

PAGES = (Path("docs/users/trunks.md"), Path("docs/utilisateurs/lignes-operateurs.md"))
HEAD = "plan: 1\norganization: X\ncountry: FR\ntrunks:\n"


def numbers(text: str) -> set[int]:
    """`1, 17 to 22, 28` as numbers."""
    found: set[int] = set()
    for first, last in re.findall(r"(\d+)(?: (?:to|à) (\d+))?", text):
        found |= set(range(int(first), int(last or first) + 1))
    return found


def causes(page: Path) -> list[tuple[str, str]]:
    """The rows of the table of causes."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", text_of(page), re.MULTILINE)
    start = next(
        number for number, row in enumerate(rows) if row[0] in {"the operator says", "l'opérateur dit"}
    )
    return rows[start + 2 : start + 8]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_key_option_and_value_is_there(page: Path) -> None:
    text = text_of(page)
    for word in (*_KEYS, *OPTIONS, *TRANSPORTS, *FORMATS, *READINGS, *CALLER_ID_IN, *CALLER_ID_OUT):
        assert f"`{word}`" in text or f"`{word}:" in text or f"  {word}:" in text, word
    for state in LineState:
        assert f"*{state.value}*" in text or state is LineState.UP or state.value in text


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_table_of_causes_is_the_programs(page: Path) -> None:
    elsewhere, next_trunk, simpler, callee, network, _ = (row[0] for row in causes(page))
    by_step = {step: {status for status, of in STEPS.items() if of is step} for step in Step}
    assert numbers(elsewhere) - {8, 4} == by_step[Step.NEXT_SERVER]
    assert numbers(next_trunk) == by_step[Step.NEXT_TRUNK]
    assert numbers(simpler) == by_step[Step.SIMPLER_OFFER]
    assert numbers(callee.partition("(")[2]) == OF_THE_CALLEE
    assert numbers(network.partition("(")[2]) == OF_THE_NETWORK


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_times_are_the_programs(page: Path) -> None:
    text = text_of(page)
    assert (outside.ORDINARY_TRYING_SECONDS, outside.NEXT_SERVER_SECONDS) == (8, 4)
    assert NEXT_TRUNK_SECONDS == 3
    assert "3 s" in text
    assert (FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, REFUSED_WAIT_SECONDS) == (10, 600, 300)
    assert (LONGEST_REFUSAL_SECONDS, MISSED_PERIOD_SECONDS) == (600, 10)
    for words in ("10 s", "10 minutes", "5 minutes", "8 s (4 s"):
        assert words in text


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_examples_are_trunks(page: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    parse_plan("plan: 1\norganization: X\ncountry: FR\n" + blocks[0], "plan.yaml")
    for block in blocks[1:]:
        assert len(parse_plan(HEAD + block, "plan.yaml").trunks) == 1


def test_a_busy_callee_is_busy_whatever_the_reason_says() -> None:
    assert step_after(486, Reason("Q.850", 34)) is Step.END
    assert step_after(603, Reason("Q.850", 41)) is Step.END
    assert step_after(503, Reason("Q.850", 17)) is Step.END
    assert step_after(404, Reason("SIP", 404)) is Step.END
