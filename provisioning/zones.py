"""Time zones as telephones want them: an offset, and the rule in POSIX form.

The rule is what the zone's own file says of the years to come, its last line (RFC 9636 section 3.3).
"""

import importlib.resources
import zoneinfo
from functools import lru_cache
from pathlib import Path

from provisioning.telephone import Zone

_MAGIC = b"TZif"
_MOST_BYTES = 65_536


class ZoneError(ValueError):
    """There is no such time zone, or nothing says what its rule is."""


@lru_cache(maxsize=16)  # listing all zones walks through 600 files
def zone(name: str) -> Zone:
    """The zone of an IANA name. Raises ZoneError."""
    if name not in zoneinfo.available_timezones():
        raise ZoneError(f'no time zone is called "{name[:60]}": write it as Europe/Paris')
    data = _file_of(name)
    if not data.startswith(_MAGIC) or not data.endswith(b"\n"):
        raise ZoneError(f"the file of {name} can't be read")
    posix = data[:-1].rpartition(b"\n")[2].decode("ascii")
    return Zone(name, _standard_minutes(posix), posix)


def _file_of(name: str) -> bytes:
    for folder in zoneinfo.TZPATH:
        path = Path(folder, name)
        if path.is_file():
            return path.read_bytes()[:_MOST_BYTES]
    return importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


def _standard_minutes(posix: str) -> int:
    """Minutes east of UTC that a rule begins with: "CET-1CEST,…" is 60, "<-03>3" is -180."""
    rest = posix.partition(">")[2] if posix.startswith("<") else posix.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    sign = -1 if rest.startswith("-") else 1
    digits = rest.lstrip("+-")
    end = next(
        (place for place, letter in enumerate(digits) if not (letter.isdigit() or letter == ":")), len(digits)
    )
    hours, _, minutes = digits[:end].partition(":")
    return -sign * (int(hours or 0) * 60 + int(minutes or 0))
