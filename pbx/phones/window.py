"""The window in which new desk telephones are taken: opened by somebody for a while, closed by itself.

One small file with the instant at which it closes, so that the web process and commands may open it and the
process that hands out settings sees it at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from pbx.kept import KeptError, read_kept, write_kept

FILE: Final = "phones-window.json"
MOST_SECONDS: Final = 8 * 3600.0


class Window(msgspec.Struct, frozen=True):
    """until: when it closes, Unix seconds; 0.0 for one that is closed."""

    until: float = 0.0


def open_until(data_dir: Path, now: float) -> float:
    """When the window closes, Unix seconds; 0.0 for one that is closed, or that can't be read."""
    try:
        until = read_kept(data_dir / FILE, Window).until
    except KeptError:
        return 0.0
    # A clock that was set back doesn't keep it open for years.
    return until if 0.0 < until - now <= MOST_SECONDS else 0.0


def open_window(data_dir: Path, until: float, now: float) -> float:
    """Open it until then, at most MOST_SECONDS from now; a time that is over closes it. Returns when it
    closes.

    Raises KeptError.
    """
    until = min(until, now + MOST_SECONDS) if until > now else 0.0
    write_kept(data_dir / FILE, Window(until))
    return until
