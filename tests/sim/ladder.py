"""Ladders: what SIP messages crossed the network, drawn as RFC 3665 draws them.

    Alice                    Beffroi
      |                         |
      |-- INVITE (sdp) -------->|
      |<----------- 100 INVITE -|
      |-- INVITE (sdp) ---x     |         lost on the way

A message is drawn where it was sent in time, so that two that cross are seen to cross: the one above was
sent first. A ladder is text without ports, tags or branches: the same scenario gives the same lines.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from tests.sim.network import Fate, Network, Passage

GOLDEN_FOLDER = Path(__file__).parent.parent / "scenarios" / "ladders"
WRITE_VARIABLE = "BEFFROI_WRITE_LADDERS"
COLUMN_WIDTH = 28

_STATUS_LINE = re.compile(rb"SIP/2\.0 ([1-6]\d\d) ")
_REQUEST_LINE = re.compile(rb"([A-Z]+) \S+ SIP/2\.0\r\n")
_CSEQ = re.compile(rb"\r\nCSeq[ \t]*:[ \t]*(\d+)[ \t]+([A-Z]+)", re.IGNORECASE)
_SDP = re.compile(rb"\r\n(?:Content-Type|c)[ \t]*:[ \t]*application/sdp", re.IGNORECASE)


@dataclass(frozen=True)
class Rung:
    """One line of a ladder: a message, a note over the whole width, or media between two parties."""

    seconds: float
    sender: str
    receiver: str
    label: str
    passage: Passage | None = None
    double: bool = False

    @property
    def lost(self) -> bool:
        return self.passage is not None and self.passage.fate not in (Fate.ARRIVED, Fate.TRAVELS)


class Ladder:
    """Records the SIP messages of a network from its making on; everything else on the wire is left out."""

    def __init__(self, network: Network) -> None:
        self.rungs: list[Rung] = []
        self._network = network
        self._parties: list[str] = []
        self._seen: set[tuple[str, str, bytes]] = set()
        network.watchers.append(self._watch)

    def order(self, *parties: str) -> None:
        """The columns from left to right; others are added as they appear."""
        self._parties = list(parties)

    def note(self, text: str) -> None:
        """Write a line of text between the messages, at the present instant."""
        self.rungs.append(Rung(self._network.loop.time(), "", "", text))

    def media(self, one: str, other: str, label: str = "RTP") -> None:
        """Draw media between two parties, at the present instant."""
        self.rungs.append(Rung(self._network.loop.time(), one, other, label, double=True))

    def labels(self) -> list[str]:
        """`alice > pbx: INVITE (sdp)` for every message, as tests compare them when no drawing is needed."""
        return [f"{rung.sender} > {rung.receiver}: {rung.label}" for rung in self.rungs if rung.passage]

    def clear(self) -> None:
        """Forget what was recorded: registrations before a call, say."""
        self.rungs.clear()

    def render(self, *, times: bool = False) -> str:
        """The ladder as text that ends with a newline; with times, each line begins with seconds."""
        columns = self._columns()
        places = {party: 2 + number * COLUMN_WIDTH for number, party in enumerate(columns)}
        start = self.rungs[0].seconds if self.rungs else 0.0
        lines = [_heading(places), _bars(places)]
        lines += [_draw(rung, places) for rung in self.rungs]
        stamps = ["", "", *(f"{rung.seconds - start:.3f}" for rung in self.rungs)]
        if times:
            lines = [f"{stamp:>8}  {line}" for stamp, line in zip(stamps, lines, strict=True)]
        return "\n".join(line.rstrip() for line in lines) + "\n"

    def _columns(self) -> list[str]:
        columns = list(self._parties)
        for rung in self.rungs:
            columns += [party for party in (rung.sender, rung.receiver) if party and party not in columns]
        present = {party for rung in self.rungs for party in (rung.sender, rung.receiver)}
        return [party for party in columns if party in present]

    def _watch(self, passage: Passage) -> None:
        for message in split(passage.data):
            # The same bytes between the same two are a retransmission (17.1.1.2), and the ladder says so.
            key = (passage.sender, passage.receiver, message)
            again = " again" if key in self._seen else ""
            self._seen.add(key)
            label = describe(message) + again
            self.rungs.append(Rung(passage.sent_at, passage.sender, passage.receiver, label, passage))


def split(data: bytes) -> list[bytes]:
    """The SIP messages that one datagram or one write to a stream holds; what isn't SIP is left out."""
    messages = []
    while _STATUS_LINE.match(data) or _REQUEST_LINE.match(data):
        head, _, rest = data.partition(b"\r\n\r\n")
        length = re.search(rb"\r\n(?:Content-Length|l)[ \t]*:[ \t]*(\d+)", head, re.IGNORECASE)
        body_bytes = int(length[1]) if length else len(rest)
        messages.append(head + b"\r\n\r\n" + rest[:body_bytes])
        data = rest[body_bytes:]
    return messages


def describe(message: bytes) -> str:
    """`INVITE (sdp)` for a request, `200 INVITE (sdp)` for a response: the method is the CSeq's."""
    status = _STATUS_LINE.match(message)
    if status:
        cseq = _CSEQ.search(message)
        label = f"{status[1].decode()} {cseq[2].decode() if cseq else '?'}"
    else:
        request = _REQUEST_LINE.match(message)
        label = request[1].decode() if request else "?"
    head, _, body = message.partition(b"\r\n\r\n")
    return f"{label} (sdp)" if body and _SDP.search(head) else label


def assert_golden(name: str, ladder: Ladder, *, times: bool = False, folder: Path = GOLDEN_FOLDER) -> None:
    """Compare a ladder with FOLDER/NAME.txt; AssertionError shows what differs.

    With BEFFROI_WRITE_LADDERS=1 in the environment the file is written instead, to be reviewed like code.
    """
    drawn = ladder.render(times=times)
    path = folder / f"{name}.txt"
    if os.environ.get(WRITE_VARIABLE) == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(drawn, encoding="utf-8")
        return
    mend = f"if it is right, run again with {WRITE_VARIABLE}=1 and review the file"
    if not path.exists():
        raise AssertionError(f"there is no golden ladder {path.name}; {mend}\n{drawn}")
    golden = path.read_text(encoding="utf-8")
    if golden != drawn:
        diff = difflib.unified_diff(
            golden.splitlines(), drawn.splitlines(), f"{path.name}, golden", f"{path.name}, now", lineterm=""
        )
        raise AssertionError(f"the ladder changed; {mend}\n" + "\n".join(diff))


def _heading(places: dict[str, int]) -> str:
    line = ""
    for party, place in places.items():
        line = line.ljust(max(0, place + 1 - (len(party) + 1) // 2)) + party
    return line


def _bars(places: dict[str, int]) -> str:
    line = ""
    for place in places.values():
        line = line.ljust(place) + "|"
    return line


def _draw(rung: Rung, places: dict[str, int]) -> str:
    bars = _bars(places)
    if not rung.sender:
        return f"{bars}   {rung.label}"
    start, end = places[rung.sender], places[rung.receiver]
    left, right = min(start, end), max(start, end)
    if left == right:
        return f"{bars}   {rung.sender} to itself: {rung.label}"
    arrow = _arrow(rung, right - left - 1, to_the_right=end > start)
    return bars[: left + 1] + arrow + bars[right:]


def _arrow(rung: Rung, width: int, *, to_the_right: bool) -> str:
    """What stands between the two bars, `width` characters."""
    label = f" {rung.label[: width - 10]} "
    if rung.double:
        return "<" + label.center(width - 2, "=") + ">"
    if rung.lost:
        # The line stops short of the other side.
        shaft = f"--{label}".ljust(width - 7, "-") if to_the_right else f"{label}--".rjust(width - 7, "-")
        return f"{shaft}x".ljust(width) if to_the_right else f"x{shaft}".rjust(width)
    return (
        f"--{label}".ljust(width - 1, "-") + ">" if to_the_right else "<" + f"{label}--".rjust(width - 1, "-")
    )
