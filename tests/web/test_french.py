"""What the program says, and pages show, has its French there: of a plan, a call, desk telephones, backups,
deliveries.

The code is the one source of these sentences; the pages' catalogues have a pattern for each. They are read
out of the code: literal texts and f-strings that are given to what makes findings and steps or is raised, or
that are called `message`, `hint`, `outcome`, `why` or the like before that.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dialplan import decision
from pbx.api import calls

ROOT = Path(__file__).parents[2]
CATALOGUE = [ROOT / "softphone_web/src/pages/plan" / name for name in ("sentences.ts", "faults.ts")]
SAYING = {"step", "Step", "Finding", "finding", "_finding", "error", "add", "_unexpected", "warn", "_absent"}
NAMES = {"message", "hint", "outcome", "why", "what", "mend", "detail", "costs", "rule", "problem", "stopped"}
# What other modules say in the same way of what goes wrong: raised, or told as what became of it.
TROUBLES = {"append", "BackupError", "ReadError", "AddressRefused", "FirmwareError", "KeptError", "Outcome"}
TROUBLES |= {"OSError", "SealBroken"}
PAGES = ROOT / "softphone_web/src/pages"
# Said in the log alone, by restoring alone, or in a backup's notes, for which the page has words of its own.
ELSEWHERE = {
    "firmware isn't handed out: %s",
    "firmware not handed out: %s",
    "can't be written: Xx1",
    "there isn't room for it on the disk",
    "its configuration can't be used: Xx1",
    "too many Xx1… folders, remove some",
    "Beffroi is running on Xx1: stop it first",
    "Xx1 is there already: restore elsewhere, or use --force to move it aside",
    "Xx1 is Xx1 in the configuration and was restored as Xx1: move it there",
    "Xx1 is in it, which opens recordings: move it off this node",
    "the PostgreSQL database is not in this backup: use pg_dump",
}
PLACE = "Xx1"  # stands for whatever is named in a sentence


def texts_of(node: ast.expr | None) -> Iterator[str]:
    """The sentences that an expression may be, a place in each for what is named."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else PLACE for part in parts)
        case ast.IfExp(body=one, orelse=other):
            yield from texts_of(one)
            yield from texts_of(other)
        case ast.BoolOp(values=values):
            for one in values:
                yield from texts_of(one)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            for begin in texts_of(left):
                for end in texts_of(right):
                    yield begin + end


def said(path: Path, saying: set[str] = SAYING) -> Iterator[tuple[int, str]]:
    """The sentences of a module, with their lines."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        found: list[ast.expr] = []
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in saying:
                found = args
            case ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)], value=value) if (
                name in NAMES
            ):
                found = [value]
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                pairs = zip(names, values, strict=True)
                found = [value for one, value in pairs if isinstance(one, ast.Name) and one.id in NAMES]
        for expression in found:
            for text in texts_of(expression):
                if re.search(r"[A-Za-z]{2}.* .*[A-Za-z]|^[a-z]+ [a-z]", text.replace(PLACE, "")):
                    yield getattr(node, "lineno", 0), text


def patterns(catalogue: list[Path]) -> list[re.Pattern[str]]:
    """The English of a catalogue's patterns."""
    made = []
    for path in catalogue:
        for english in re.findall(r'^  \[\s*"((?:[^"\\]|\\.)*)",', path.read_text("utf-8"), re.MULTILINE):
            parts = re.split(r"\{\w+\*?\}", english.replace('\\"', '"'))
            made.append(re.compile("(.+?)".join(map(re.escape, parts)), re.DOTALL))
    return made


def test_every_sentence_about_a_plan_is_known_in_french():
    known = patterns(CATALOGUE)
    assert len(known) > 300
    unknown = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sorted((ROOT / "dialplan").rglob("*.py"))
        for line, whole in said(path)
        # What may follow a sentence (", because …") is a pattern of its own.
        for text in [re.sub(rf"(?<=[a-z]){PLACE}$", "", whole)]
        if not any(pattern.fullmatch(text) for pattern in known)
    ]
    assert unknown == []


def reasons() -> Iterator[str]:
    """Why something can't be done with a call now, as the program says it."""
    for path in sorted((ROOT / "pbx" / "api").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name("NotPossibleNow"), args=[said]):
                    yield from texts_of(said)
    yield from calls._REFUSED.values()
    for one in vars(decision).values():
        if isinstance(one, decision.Reject):
            yield one.text["en"]


def test_every_reason_why_a_call_cant_be_changed_is_known_in_french():
    known = patterns([ROOT / "softphone_web" / "src" / "language" / "reasons.ts"])
    told = list(reasons())
    assert len(told) > 40
    assert [text for text in told if not any(pattern.fullmatch(text) for pattern in known)] == []


@pytest.mark.parametrize(
    ("catalogue", "modules", "least"),
    [
        (
            "phones/findings.ts",
            [
                "pbx/phones/doctor.py",
                "pbx/phones/lan.py",
                "pbx/phones/images.py",
                "pbx/kept.py",
                "provisioning/firmware.py",
                "provisioning/waves.py",
            ],
            60,
        ),
        ("backup/troubles.ts", ["pbx/node/backup.py", "pbx/node/backups.py"], 15),
        (
            "webhooks/troubles.ts",
            ["pbx/webhooks/sending.py", "pbx/webhooks/addresses.py", "pbx/node/sealing.py"],
            9,
        ),
    ],
)
def test_every_trouble_that_a_page_shows_is_known_in_french(catalogue: str, modules: list[str], least: int):
    known = patterns([PAGES / catalogue, PAGES.parent / "language/system_errors.ts"])
    found = [text for module in modules for _, text in said(ROOT / module, SAYING | TROUBLES)]
    assert len(found) >= least
    # Where it is, before what it is, is a pattern of its own.
    told = {text.removeprefix(f"{PLACE}: ") for text in found} - ELSEWHERE
    assert [
        one for one in told if not any(k.fullmatch(one) or k.fullmatch(f"{PLACE}: {one}") for k in known)
    ] == []
