"""What the program says of a plan, and of what can't be done with a call, has its French in the pages.

dialplan is the one source of these sentences; the pages' catalogue has a pattern for each. They are read out
of the code: literal texts and f-strings that are given to what makes findings and steps, or that are called
`message`, `hint`, `outcome`, `why` or the like before that.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from dialplan import decision
from pbx.api import calls

ROOT = Path(__file__).parents[2]
CATALOGUE = [ROOT / "softphone_web/src/pages/plan" / name for name in ("sentences.ts", "faults.ts")]
SAYING = {"step", "Step", "Finding", "finding", "_finding", "error", "add", "_unexpected", "warn", "_absent"}
NAMES = {"message", "hint", "outcome", "why", "what", "mend", "detail", "costs", "rule"}
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
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            for begin in texts_of(left):
                for end in texts_of(right):
                    yield begin + end


def said(path: Path) -> Iterator[tuple[int, str]]:
    """The sentences of a module, with their lines."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        found: list[ast.expr] = []
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in SAYING:
                found = args
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in NAMES:
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
