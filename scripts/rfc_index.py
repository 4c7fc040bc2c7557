"""The index of RFC sections: which code follows each, which test shows it, and how that test ended.

A reference is written where the section decides, in a comment or a docstring:

    RFC 3261 section 17.1.1.2        also: sections 8.2.6 and 12.1.1; RFC 3261 17.1.1.2; RFC 3581 alone
    # 17.1.1.2: Timer A doubles      in a module whose docstring names an RFC: the first one named there

In a test module, a reference inside a test belongs to that test, and any other to all the tests of the
module. The states come from the outcomes that tests/conftest.py left in pytest's cache. The index names
functions and not lines, so that it changes only when what it says does.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CODE_FOLDERS = ("pbx", "sip", "media", "dialplan", "recording", "softphone_web", "provisioning")
TEST_FOLDER = "tests"
INDEX = Path("docs/rfc.md")
OUTCOMES = Path(".pytest_cache/v/beffroi/outcomes")

TITLES = {
    1321: "The MD5 Message-Digest Algorithm",
    2046: "MIME Part Two: Media Types",
    2069: "HTTP Digest (the version before 7616, without qop)",
    2119: "Key words for use in RFCs",
    2131: "DHCP",
    2543: "SIP (the version before 3261)",
    2782: "DNS SRV",
    2833: "RTP Payload for DTMF Digits (the version before 4733)",
    3246: "DiffServ: Expedited Forwarding",
    3261: "SIP: Session Initiation Protocol",
    3262: "Reliability of Provisional Responses (PRACK)",
    3263: "Locating SIP Servers",
    3264: "An Offer/Answer Model with SDP",
    3265: "SIP-Specific Event Notification (the version before 6665)",
    3311: "The SIP UPDATE Method",
    3323: "A Privacy Mechanism for SIP",
    3325: "P-Asserted-Identity",
    3326: "The Reason Header Field for SIP",
    3327: "The Path Header Field",
    3339: "Date and Time on the Internet: Timestamps",
    3389: "RTP Payload for Comfort Noise",
    3420: "message/sipfrag",
    3428: "SIP Extension for Instant Messaging",
    3489: "STUN (the version before 8489)",
    3515: "The SIP REFER Method",
    3550: "RTP: A Transport Protocol for Real-Time Applications",
    3551: "RTP Profile for Audio and Video Conferences",
    3581: "Symmetric Response Routing (rport)",
    3605: "The RTCP attribute in SDP",
    3665: "SIP Basic Call Flow Examples",
    3711: "SRTP",
    3842: "Message Waiting Indication Event Package",
    3856: "Presence Event Package",
    3863: "Presence Information Data Format (PIDF)",
    3891: "The Replaces Header",
    3892: "The SIP Referred-By Mechanism",
    3903: "SIP Extension for Event State Publication",
    3911: "The Join Header",
    3960: "Early Media and Ringing Tone Generation",
    3966: "The tel URI",
    3986: "URI: Generic Syntax",
    4028: "Session Timers in SIP",
    4235: "Dialog Event Package",
    4291: "IPv6 Addressing Architecture",
    4475: "SIP Torture Test Messages",
    4488: "Suppression of the REFER Implicit Subscription",
    4566: "SDP (the version before 8866)",
    4568: "SDP Security Descriptions",
    4585: "RTP/AVPF",
    4733: "RTP Payload for DTMF Digits",
    4787: "NAT Behavioral Requirements for UDP",
    4961: "Symmetric RTP and RTCP",
    5031: "A URN for Emergency and Other Well-Known Services",
    5104: "Codec Control Messages in AVPF (FIR)",
    5118: "SIP Torture Test Messages for IPv6",
    5124: "RTP/SAVPF",
    5234: "ABNF",
    5245: "ICE (the version before 8445)",
    5359: "SIP Service Examples",
    5393: "Amplification in Forking Proxies (Max-Breadth, loop detection)",
    5589: "SIP Call Control: Transfer",
    5626: "Managing Client-Initiated Connections (outbound)",
    5627: "GRUU",
    5761: "Multiplexing RTP and RTCP on One Port",
    5763: "SRTP Security Context by DTLS",
    5764: "DTLS Extension for SRTP",
    5769: "Test Vectors for STUN",
    5806: "The Diversion Header",
    5876: "Updates to P-Asserted-Identity",
    5922: "Domain Certificates in SIP",
    5923: "Connection Reuse in SIP",
    6026: "Correct Transaction Handling for 2xx to INVITE",
    6044: "Mapping between Diversion and History-Info",
    6086: "SIP INFO Method and Package Framework",
    6141: "Re-INVITE and Target-Refresh Handling",
    6177: "IPv6 Address Assignment to End Sites",
    6228: "199 Early Dialog Terminated",
    6337: "SIP Usage of the Offer/Answer Model",
    6347: "DTLS 1.2",
    6442: "Location Conveyance for SIP",
    6665: "SIP-Specific Event Notification",
    6716: "The Opus Audio Codec",
    6881: "Best Current Practice for Emergency Calling",
    7044: "History-Info",
    7118: "WebSocket as a Transport for SIP",
    7339: "SIP Overload Control",
    7587: "RTP Payload for Opus",
    7616: "HTTP Digest Access Authentication",
    7675: "STUN Usage for Consent Freshness",
    7714: "AES-GCM in SRTP",
    7865: "SIP Recording Metadata",
    7866: "Session Recording Protocol",
    7983: "Telling STUN, DTLS and RTP Apart on One Port",
    8122: "Fingerprints in SDP",
    8259: "JSON",
    8285: "Header Extensions of RTP",
    8445: "ICE",
    8489: "STUN",
    8643: "Opportunistic SRTP",
    8760: "Digest with SHA-256 in SIP",
    8842: "DTLS Associations in SDP",
    8843: "BUNDLE",
    8839: "SDP for ICE",
    8866: "SDP: Session Description Protocol",
    9110: "HTTP Semantics",
    9512: "YAML Media Type",
}

_NUMBER = r"(?:\d{1,3}|[A-H])(?:\.\d{1,3})*"
_DOTTED = r"(?:\d{1,3}|[A-H])(?:\.\d{1,3})+"
_NAMED = re.compile(
    r"\bRFC[ -]?(?P<rfc>\d{3,5})"
    rf"(?:,?\s+(?:(?P<plural>sections|appendices)|section|appendix)\s+(?P<first>{_NUMBER})(?P<rest>(?:(?:,\s+and|,|\s+and|\s+or|\s+to)\s+{_NUMBER})*)"
    rf"|,?\s+(?P<bare>{_DOTTED}))?",
)
# No appendix here: "E.164: ..." is a recommendation, not a section.
_LIST = r"\d{1,3}(?:\.\d{1,3})+"
_LEADING = re.compile(rf"#\s*(?P<list>{_LIST}(?:(?:,\s+and|,|\s+and|\s+or|\s+to)\s+{_LIST})*)\s*(?::|$)")


@dataclass(frozen=True, order=True)
class Reference:
    """One section cited in one place; `section` is empty for a whole RFC, `scope` for a whole module."""

    rfc: int
    section: str
    path: str
    scope: str


class UnnamedRfc(ValueError):
    """A section number that belongs to no RFC; the message says where and what to write."""


def named_sections(text: str) -> Iterator[tuple[int, str]]:
    """The (RFC, section) pairs that a comment or a docstring names in full."""
    for found in _NAMED.finditer(" ".join(text.split())):
        rfc = int(found["rfc"])
        yield rfc, found["first"] or found["bare"] or ""
        # "section 10.3 and 4 more": only a plural, or a dotted number, goes on with the list.
        for section in re.findall(_NUMBER, found["rest"] or ""):
            if found["plural"] or "." in section:
                yield rfc, section


def leading_sections(comment: str) -> list[str]:
    """The section numbers that a comment like `# 8.2.6, 12.1.1: why` starts with."""
    found = _LEADING.match(comment)
    return re.findall(_LIST, found["list"]) if found else []


@dataclass(frozen=True)
class _Scope:
    """The lines of a function or a class."""

    first: int
    last: int
    name: str


def _scopes(node: ast.AST, prefix: str = "") -> Iterator[_Scope]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}{child.name}"
            first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
            yield _Scope(first, child.end_lineno or child.lineno, name)
            # What is inside a function has no name of its own for a reader.
            if isinstance(child, ast.ClassDef):
                yield from _scopes(child, f"{name}.")
        else:
            yield from _scopes(child, prefix)


def _texts(source: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every comment and docstring, with its first line. Neighbouring comment lines are one text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            docstring = ast.get_docstring(node)
            if docstring is not None:
                yield node.body[0].lineno, docstring
    block: list[str] = []
    first = last = -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        row = token.start[0]
        if row == last + 1 and not leading_sections(token.string):
            block.append(token.string.lstrip("# "))
        else:
            if block:
                yield first, " ".join(block)
            block, first = [token.string], row
        last = row
    if block:
        yield first, " ".join(block)


def references_in(source: str, path: str) -> set[Reference]:
    """The references of one Python module.

    Raises UnnamedRfc when a comment starts with a section number and the module names no RFC.
    """
    tree = ast.parse(source)
    scopes = list(_scopes(tree))
    own_rfc = next((rfc for rfc, _ in named_sections(ast.get_docstring(tree) or "")), None)
    found = set()
    complaints = []
    for line, text in _texts(source, tree):
        inner = max((s for s in scopes if s.first <= line <= s.last), key=lambda s: s.first, default=None)
        scope = inner.name if inner else ""
        found |= {Reference(rfc, section, path, scope) for rfc, section in named_sections(text)}
        for section in leading_sections(text):
            if own_rfc is None:
                complaints.append(f"{path}:{line}: section {section} of which RFC?")
                continue
            found.add(Reference(own_rfc, section, path, scope))
    if complaints:
        raise UnnamedRfc("\n".join(complaints))
    return found


def names_of_tests(source: str) -> list[str]:
    """The names of a module's test functions, as pytest has them: `test_x` or `TestGroup.test_x`."""
    return [
        scope.name for scope in _scopes(ast.parse(source)) if scope.name.rpartition(".")[2].startswith("test")
    ]


@dataclass(frozen=True)
class Row:
    """One section: the places in the code, the tests, and how these ended together.

    A place is a path and a name in it; no name means the whole module, and in a test module all its tests.
    """

    rfc: int
    section: str
    code: tuple[tuple[str, str], ...]
    tests: tuple[tuple[str, str], ...]
    state: str


def state_of(names: Iterable[str], outcomes: Mapping[str, str]) -> str:
    """The state that several tests make together: failed, not run, passed, or no test."""
    states = {outcomes.get(name, "not run") for name in names}
    for state in ("failed", "not run", "passed"):
        if state in states:
            return state
    return "no test"


def index(modules: Mapping[str, str], outcomes: Mapping[str, str]) -> list[Row]:
    """The rows of the index, by RFC and section.

    modules: source by path; outcomes: state by pytest's node id, without parameters.
    Raises UnnamedRfc like references_in, with all that is wrong in all the modules.
    """
    references: set[Reference] = set()
    complaints = []
    for path, source in modules.items():
        try:
            references |= references_in(source, path)
        except UnnamedRfc as error:
            complaints.append(str(error))
    if complaints:
        raise UnnamedRfc("\n".join(complaints))
    rows = []
    for rfc, section in sorted({(r.rfc, r.section) for r in references}, key=_section_order):
        places = sorted((r.path, r.scope) for r in references if (r.rfc, r.section) == (rfc, section))
        code = tuple(place for place in places if not _is_test(place[0]))
        tests = tuple(sorted({(path, _test_of(scope)) for path, scope in places if _is_test(path)}))
        names = {
            (path, name)
            for path, test in tests
            for name in ([test] if test else names_of_tests(modules[path]))
        }
        node_ids = [f"{path}::{name.replace('.', '::')}" for path, name in names]
        rows.append(Row(rfc, section, code, tests, state_of(node_ids, outcomes)))
    return rows


def _is_test(path: str) -> bool:
    return path.startswith(f"{TEST_FOLDER}/")


def _test_of(scope: str) -> str:
    """The test that holds a reference; empty, which is all the tests of the module, outside of any."""
    return scope if scope.rpartition(".")[2].startswith("test") else ""


def _section_order(pair: tuple[int, str]) -> tuple[int, list[tuple[int, str]]]:
    rfc, section = pair
    return rfc, [(int(part), "") if part.isdigit() else (1000, part) for part in section.split(".") if part]


_HEAD = """# RFC index

Written by `scripts/rfc` from the section comments in code and tests; don't edit it. The state is that of the
tests when `scripts/test` last ran them: *passed*, *failed*, *not run*, or *no test* where the code cites a
section that no test does. A section without a number is the RFC as a whole.
"""


def render(rows: list[Row]) -> str:
    """The index as Markdown, the same for the same rows."""
    by_rfc: dict[int, list[Row]] = {}
    for row in rows:
        by_rfc.setdefault(row.rfc, []).append(row)
    lines = [
        _HEAD,
        "| RFC | title | sections in code | sections in tests | state |",
        "| --- | --- | --- | --- | --- |",
    ]
    for rfc, own in by_rfc.items():
        in_code, in_tests = sum(bool(row.code) for row in own), sum(bool(row.tests) for row in own)
        counts = {
            state: sum(row.state == state for row in own)
            for state in ("passed", "failed", "not run", "no test")
        }
        states = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        lines.append(f"| [{rfc}](#rfc-{rfc}) | {TITLES.get(rfc, '')} | {in_code} | {in_tests} | {states} |")
    for rfc, own in by_rfc.items():
        lines += (
            ["", f"## RFC {rfc}", "", TITLES.get(rfc, ""), ""] if rfc in TITLES else ["", f"## RFC {rfc}", ""]
        )
        lines += ["| section | code | tests | state |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {row.section} | {_places(row.code)} | {_places(row.tests)} | {row.state} |" for row in own
        ]
    return "\n".join(lines) + "\n"


def _places(places: tuple[tuple[str, str], ...]) -> str:
    by_path: dict[str, list[str]] = {}
    for path, name in places:
        by_path.setdefault(path, []).append(name)
    cells = []
    for path, names in by_path.items():
        # In a test module, no name means all of them: the others would say nothing more.
        shown = [] if _is_test(path) and "" in names else [f"`{name}`" for name in names if name]
        cells.append(f"[{path}](../{path}) {', '.join(shown)}".rstrip())
    return "<br>".join(cells)


def without_states(document: str) -> str:
    """The index with the column of states left out: what doesn't depend on which tests ran."""
    return re.sub(r"\| [^|\n]* \|$", "|", document, flags=re.MULTILINE)


def read_modules(root: Path) -> dict[str, str]:
    """The source of every module of the program and of every test module, by path from the root."""
    code = [path for folder in CODE_FOLDERS for path in (root / folder).rglob("*.py")]
    tests = list((root / TEST_FOLDER).rglob("test_*.py"))
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in sorted(code + tests)
    }


def read_outcomes(root: Path) -> dict[str, str]:
    """What the tests that ran came to, by node id; empty when none ran."""
    if not (root / OUTCOMES).exists():
        return {}
    recorded: dict[str, str] = json.loads((root / OUTCOMES).read_text(encoding="utf-8"))
    return recorded


def main(arguments: list[str], root: Path) -> str:
    """Write or check the index under `root`. Returns the complaint, empty when all is well."""
    parser = argparse.ArgumentParser(
        prog="scripts/rfc", description="Write docs/rfc.md, the index of RFC sections"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the index is stale")
    parser.add_argument("--complete", action="store_true", help="with --check: compare the states too")
    options = parser.parse_args(arguments)
    try:
        fresh = render(index(read_modules(root), read_outcomes(root)))
    except UnnamedRfc as error:
        return f"{error}\nName it there, or in the module's docstring for all its comments."
    target = root / INDEX
    if not options.check:
        target.write_text(fresh, encoding="utf-8")
        return ""
    written = target.read_text(encoding="utf-8") if target.exists() else ""
    if without_states(written) != without_states(fresh):
        return f"{INDEX} is stale: run scripts/rfc and commit what it writes"
    if options.complete and written != fresh:
        return (
            f"{INDEX} tells other states than those of the tests that just ran: run scripts/rfc and commit it"
        )
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()) or 0)
