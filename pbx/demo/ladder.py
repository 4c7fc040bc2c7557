"""The ladder of a call, drawn while it happens: a line for each SIP message that the phones send and receive.

      1001                       Beffroi                       1002
0.000   │── INVITE (sdp) ──────────▶│                            │
0.001   │◀────────── 100 Trying ────│                            │

It listens on the logger `sip.trace`, where drivers show each message as it crosses.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from sip.core.errors import ParseError
from sip.core.flow import Flow
from sip.core.message import REASONS, Request
from sip.core.parser import parse_message

SERVER = "Beffroi"
CELL = 28  # characters between two of the three lines
TIME = 7


@dataclass(frozen=True, slots=True)
class Strokes:
    """What lines are made of: bar, shaft, the two heads, and a shaft for sound."""

    bar: str
    shaft: str
    left: str
    right: str
    sound: str


FINE = Strokes("│", "─", "◀", "▶", "═")
PLAIN = Strokes("|", "-", "<", ">", "=")


class Ladder(logging.Handler):
    """Draws on a console. left and right: the phones' names, known by their local address from `place` on."""

    def __init__(self, console: Console, left: str, right: str) -> None:
        super().__init__()
        self._console = console
        self._strokes = PLAIN if console.options.ascii_only else FINE
        self._names = (left, right)
        self._phones: dict[tuple[str, int], str] = {}
        self._seen: set[tuple[str, str]] = set()
        self._loop = asyncio.get_running_loop()
        self._start = -1.0
        self._received: dict[tuple[str, str], asyncio.Event] = {}
        self._logger = logging.getLogger("sip.trace")
        self._level = self._logger.level

    def place(self, name: str, local: tuple[str, int]) -> None:
        """Say which phone has a local address."""
        self._phones[local] = name

    def __enter__(self) -> Ladder:
        """Draw the heading, and every message from here on."""
        left, right = self._names
        places = ((left, 0), (SERVER, CELL + 1), (right, 2 * (CELL + 1)))
        heading = " " * (TIME + 3)
        for name, place in places:
            heading = heading.ljust(TIME + 3 + place - len(name) // 2) + name
        self._console.print(Text(heading, "bold"))
        self._logger.addHandler(self)
        self._logger.setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        """Draw one message: the record's arguments are its flow and its text."""
        match record.args:
            case (Flow() as flow, str() as text) if flow.local in self._phones:
                self._message(self._phones[flow.local], text, sent=str(record.msg).startswith("%s sent"))
            case _:
                pass  # not a phone's

    def _message(self, phone: str, text: str, *, sent: bool) -> None:
        label, style = describe(text)
        if (phone, text) in self._seen:
            label += " again"  # RFC 3261 17.1.1.2
        self._seen.add((phone, text))
        self._rung(phone, label, style, self._strokes.shaft, toward_server=sent)
        if not sent:
            self._received.setdefault((phone, label), asyncio.Event()).set()

    def sound(self, phone: str, label: str) -> None:
        """Draw sound that arrives at a phone."""
        self._rung(phone, label, "bold magenta", self._strokes.sound, toward_server=False)

    def note(self, text: str) -> None:
        """Write what happens next across the ladder."""
        bar = Text(self._strokes.bar, "dim")
        line = Text(" " * (TIME + 3)) + bar + Text(f"  {text}".ljust(2 * CELL + 1), "italic dim") + bar
        self._console.print(line)

    async def received(self, phone: str, label: str) -> None:
        """Wait until a phone has received a message with this label."""
        await self._received.setdefault((phone, label), asyncio.Event()).wait()

    def _rung(self, phone: str, label: str, style: str, shaft: str, *, toward_server: bool) -> None:
        now = self._loop.time()
        if self._start < 0:
            self._start = now
        on_the_left = phone == self._names[0]
        arrow = self._arrow(label, shaft, to_the_right=toward_server is on_the_left)
        bar, blank = Text(self._strokes.bar, "dim"), Text(" " * CELL)
        cells = (Text(arrow, style), blank) if on_the_left else (blank, Text(arrow, style))
        stamp = Text(f"{now - self._start:{TIME}.3f}   ", "dim")
        self._console.print(stamp + bar + cells[0] + bar + cells[1] + bar)

    def _arrow(self, label: str, shaft: str, *, to_the_right: bool) -> str:
        words = f" {label[: CELL - 6]} "
        if to_the_right:
            return f"{shaft * 2}{words}".ljust(CELL - 1, shaft) + self._strokes.right
        return self._strokes.left + f"{words}{shaft * 2}".rjust(CELL - 1, shaft)


def describe(text: str) -> tuple[str, str]:
    """A message's label (`INVITE (sdp)`, `180 Ringing`, `200 OK to BYE`) and the style to draw it in."""
    try:
        message = parse_message(text.encode())
        body = " (sdp)" if message.body else ""
        if isinstance(message, Request):
            return f"{message.method}{body}", "bold cyan"
        status, method = message.status, message.cseq[1]
    except ParseError:
        return "?", "bold red"
    if status < 200:
        return f"{status} {REASONS.get(status, message.reason)}{body}", "yellow"
    if status < 300:
        return f"{status} OK to {method}{body}", "green"
    return f"{status} {REASONS.get(status, message.reason)}", "yellow" if status in {401, 407} else "bold red"
