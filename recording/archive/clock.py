"""Whether the clock can be trusted with a purge, and what a recording's times stand on.

```
trusted ──(not synchronised, stepped, off for long)──> in doubt ──(as it was again, or vouched for)──> trusted
```
A watch looks every few seconds. What it trusted last is kept on disk, so that a step is found after a restart
too, and a doubt isn't forgotten by one: until the clock agrees again with what was trusted, or somebody who
has looked at a clock on the wall vouches for this one. A clock that nothing synchronises may be vouched for
as well; as it drifts, that holds for VOUCHED_SECONDS.
"""

from __future__ import annotations

import ctypes
import json
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from recording.proof.entries import Clock
from recording.retention import DAY_SECONDS, ClockSeen, doubt

FILE_NAME: Final = "clock.json"
VOUCHED_SECONDS: Final = 30 * DAY_SECONDS  # a quartz drifts less than the step that is doubted
_STA_UNSYNC: Final = 0x0040  # of adjtimex(2), <sys/timex.h>
_STA_NANO: Final = 0x2000
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_MOST_BYTES: Final = 4096


class _Timeval(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("fraction", ctypes.c_long))


class _Timex(ctypes.Structure):
    """The head of `struct timex`; what follows has room in `rest`."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("most_error_us", ctypes.c_long),
        ("error_us", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", _Timeval),
        ("tick", ctypes.c_long),
        ("rest", ctypes.c_byte * 256),
    )


def look() -> ClockSeen:
    """Return the machine's clocks now (adjtimex(2), CLOCK_BOOTTIME, which goes on while it sleeps)."""
    asked = _asked()
    scale = 1e9 if asked.status & _STA_NANO else 1e6
    return ClockSeen(
        wall=asked.time.seconds + asked.time.fraction / scale,
        steady=time.clock_gettime(time.CLOCK_BOOTTIME),
        boot=_BOOT_ID.read_text().strip(),
        synchronised=not asked.status & _STA_UNSYNC,
    )


def standing() -> Clock:
    """Return what a recording's times stand on: the source, and how far the clock may be beside."""
    asked = _asked()
    return Clock("none" if asked.status & _STA_UNSYNC else "ntp", int(asked.most_error_us))


class _Known(NamedTuple):
    """What is kept. trusted: None before the first look that was; vouched_until: Unix seconds."""

    trusted: ClockSeen | None
    doubted: str
    vouched_until: float


class ClockWatch:
    """See the module. It is told what was seen, and reads no clock itself."""

    def __init__(self, directory: Path) -> None:
        """directory: where it keeps what it trusted. What can't be read there is a first day."""
        self._path = directory / FILE_NAME
        self._lock = Lock()
        self._known = _read(self._path)
        self._doubt = self._known.doubted or "nobody has looked at the clock yet"

    @property
    def doubt(self) -> str:
        """Why the clock can't be trusted, "" when it can, as it was seen last."""
        return self._doubt

    def seen(self, now: ClockSeen) -> str:
        """Compare what is seen now with what was trusted; returns the doubt. Raises OSError."""
        with self._lock:
            known = self._known
            is_vouched = now.wall < known.vouched_until
            judged = now._replace(synchronised=True) if is_vouched else now
            why = doubt(known.trusted, judged)
            restarted = known.trusted is not None and known.trusted.boot != now.boot
            if not why and known.doubted and restarted:
                why = known.doubted  # the machine's own clock began anew: nothing says that it is right again
            self._doubt = why
            if not why:
                self._keep(known._replace(trusted=now, doubted=""))
            elif (
                judged.synchronised and why != known.doubted
            ):  # a step; what isn't synchronised each look tells
                self._keep(known._replace(doubted=why))
            return why

    def vouch(self, now: ClockSeen) -> str:
        """Trust what is seen now; returns the doubt that there was. Raises OSError."""
        with self._lock:
            doubted, self._doubt = self._doubt, ""
            until = now.wall + VOUCHED_SECONDS if not now.synchronised else 0.0
            self._keep(_Known(now, "", until))
            return doubted

    def _keep(self, known: _Known) -> None:
        self._known = known
        fields = {
            "trusted": known.trusted._asdict() if known.trusted is not None else None,
            "doubted": known.doubted,
            "vouched_until": known.vouched_until,
        }
        unfinished = self._path.with_suffix(".new")
        unfinished.write_text(json.dumps(fields))
        unfinished.replace(self._path)


def kept_doubt(directory: Path) -> str:
    """Return what makes the clock doubted by the watch of a directory, "" where nothing does."""
    return _read(directory / FILE_NAME).doubted


def _read(path: Path) -> _Known:
    with suppress(OSError, ValueError, TypeError, KeyError):
        with path.open("rb") as file:
            fields = json.loads(file.read(_MOST_BYTES))
        trusted = ClockSeen(**fields["trusted"]) if fields["trusted"] is not None else None
        return _Known(trusted, str(fields["doubted"]), float(fields["vouched_until"]))
    return _Known(None, "", 0.0)


def _asked() -> _Timex:
    asked = _Timex()
    if _libc.adjtimex(ctypes.byref(asked)) < 0:
        raise OSError(ctypes.get_errno(), "adjtimex")
    return asked


_libc = ctypes.CDLL(None, use_errno=True)
