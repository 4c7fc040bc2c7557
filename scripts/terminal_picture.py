"""A command's real output in a terminal, as an SVG picture.

    python scripts/terminal_picture.py docs/images/demo-call.svg beffroi demo --call

The command runs on a terminal of its own, so that it prints its colours. The picture loads nothing from
elsewhere: it uses the fonts of whoever looks at it.
"""

from __future__ import annotations

import argparse
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from fcntl import ioctl
from html import escape
from pathlib import Path

from rich.cells import cell_len
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

COLUMNS = 106
LINES = 100
SECONDS = 120.0

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE, MARGIN = 9.03, 20, 15, 16  # pixels; a letter is 0.602 of its size wide
DIM = 0.65
THEME = TerminalTheme(
    (24, 27, 32),
    (214, 218, 223),
    [  # black, red, green, yellow, blue, magenta, cyan, white
        *((60, 64, 72), (230, 110, 110), (130, 200, 120), (225, 185, 90)),
        *((110, 165, 235), (200, 145, 225), (95, 195, 205), (214, 218, 223)),
    ],
)
_WORDS = re.compile(r"\S+(?: \S+)*")  # drawn from where they begin, so that no space is ever counted


class CommandFailedError(Exception):
    """The command ended with another status than 0: there is nothing to show."""


def printed_on_a_terminal(words: list[str]) -> str:
    """Run a command on a terminal and return what it printed, colours included. Raises CommandFailedError."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(LINES)}
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        printed = bytearray()
        while chunk := _read(ours):
            printed += chunk
        status = process.wait(SECONDS)
    os.close(ours)
    if status:
        raise CommandFailedError(f"{' '.join(words)} ended with status {status}")
    return printed.decode("utf-8", "replace").replace("\r\n", "\n").strip("\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side is closed: Linux says so with EIO
        return b""


def picture(title: str, printed: str) -> str:
    """The SVG of what a command printed."""
    lines = [Text.from_ansi(line) for line in printed.splitlines()]
    columns = max((line.cell_len for line in lines), default=0)
    width, height = round(columns * CELL_WIDTH) + 2 * MARGIN, len(lines) * CELL_HEIGHT + 2 * MARGIN
    drawn = "".join(f"{words}\n" for row, line in enumerate(lines) for words in _line(line, row))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' font-family="ui-monospace, DejaVu Sans Mono, monospace" font-size="{FONT_SIZE}">\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="{THEME.background_color.hex}"/>\n'
        f"{drawn}</svg>\n"
    )


def _line(line: Text, row: int) -> Iterator[str]:
    """A line's words, each run of one style drawn at its column."""
    column = 0
    for text, style, _ in line.render(Console(file=io.StringIO())):
        for words in _WORDS.finditer(text):
            x = MARGIN + (column + cell_len(text[: words.start()])) * CELL_WIDTH
            y = MARGIN + (row + 0.75) * CELL_HEIGHT
            length = cell_len(words[0]) * CELL_WIDTH
            yield (
                f'<text x="{x:.1f}" y="{y:.1f}" textLength="{length:.1f}"{_look(style or Style())}>'
                f"{escape(words[0])}</text>"
            )
        column += cell_len(text)


def _look(style: Style) -> str:
    fill = (style.color or Color.default()).get_truecolor(THEME)
    return (
        f' fill="{fill.hex}"'
        + (' font-weight="bold"' if style.bold else "")
        + (' font-style="italic"' if style.italic else "")
        + (f' opacity="{DIM}"' if style.dim else "")
    )


def main() -> None:
    """Write one picture; the exit status is 1 when the command fails."""
    parser = argparse.ArgumentParser(description="A command's real output in a terminal, as an SVG picture.")
    parser.add_argument("picture", type=Path, help="the file to write")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the command, with its words")
    options = parser.parse_args()
    try:
        printed = printed_on_a_terminal(options.command)
    except (CommandFailedError, OSError) as error:
        sys.exit(f"terminal_picture: {error}")
    title = " ".join(Path(word).name if "/" in word else word for word in options.command)
    options.picture.write_text(picture(title, printed), encoding="utf-8")


if __name__ == "__main__":
    main()
