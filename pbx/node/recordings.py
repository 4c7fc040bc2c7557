"""Whether recordings can be kept here: their disk, their copies, their stamps, and the key that opens them.

Nothing is changed, nobody is asked over the network: what the recorder's process found out it tells itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from math import inf
from pathlib import Path

from dialplan.finding import Finding, Severity
from pbx.configuration import Configuration
from pbx.node.keys import private_of
from pbx.node.secrets import secret_findings
from pbx.settings.recordings import Bucket, Timestamp
from recording.archive.clock import kept_doubt
from recording.proof.stamp import FOLDER as STAMPS
from recording.proof.stamp import SUFFIX as STAMP_SUFFIX
from recording.proof.stamp import StampError, authorities
from recording.safekeeping.disk import days_left, foretold, read_samples, room_of

LONGEST_UNSTAMPED_SECONDS = 86_400.0


def recordings_state(settings: Configuration, now: float) -> str:
    """Return where recordings are and how long their disk lasts, in a few words. now: Unix seconds."""
    directory = settings.recordings.directory
    days = _days_left(directory, now)
    return f"{directory}, its disk lasts {days:.0f} days at this pace" if days < inf else str(directory)


def recordings_findings(
    settings: Configuration, environment: Mapping[str, str], now: float
) -> Iterator[Finding]:
    """Yield what is to be mended. environment: where secrets may be; now: Unix seconds."""
    wanted = settings.recordings
    with suppress(OSError):
        room = room_of(wanted.directory)
        if why := foretold(room, _days_left(wanted.directory, now), wanted.warn_days):
            hint = (
                "add a disk, or keep recordings for less time; `when_full: oldest_first` lets the oldest go"
            )
            yield _finding("recordings_disk", "warning", wanted.directory, why, hint)
    if why := kept_doubt(wanted.directory):
        message = f"no recording is purged: {why}"
        hint = "compare it with another clock, then `beffroi recording vouch-for-clock`"
        yield _finding("clock_doubted", "warning", wanted.directory, message, hint)
    private = private_of(wanted.key_file)
    if os.path.exists(private):
        message = "the key that opens recordings is on this machine, with the recordings"
        hint = (
            "move it to where people listen, and keep a second copy in a safe: recording goes on without it"
        )
        yield _finding("private_key_here", "note", private, message, hint)
    if isinstance(wanted.copy_to, Path):
        yield from _folder_findings(wanted.directory, wanted.copy_to)
    elif wanted.copy_to is not None:
        yield from _bucket_findings(settings, wanted.copy_to, environment)
    if wanted.timestamp is not None:
        yield from _stamp_findings(settings, wanted.timestamp, now)


def _days_left(directory: Path, now: float) -> float:
    try:
        return days_left(read_samples(directory), room_of(directory), now)
    except OSError:
        return inf


def _folder_findings(directory: Path, copies: Path) -> Iterator[Finding]:
    if not os.path.isdir(copies):
        message = "recordings are to be copied there, and there is no such folder"
        yield _finding("no_copies", "warning", copies, message, "mount it, or correct `recordings: copy_to`")
        return
    with suppress(OSError):
        if copies.stat().st_dev == directory.stat().st_dev:
            message = "copies of recordings are on the same disk as these: both go with it"
            yield _finding("copies_beside", "warning", copies, message, "copy to another machine's disk")


def _bucket_findings(
    settings: Configuration, bucket: Bucket, environment: Mapping[str, str]
) -> Iterator[Finding]:
    whose, until = f"the secret key of {bucket}", "recordings are not copied"
    yield from secret_findings(settings, whose, bucket.secret, environment, until)


def _stamp_findings(settings: Configuration, stamping: Timestamp, now: float) -> Iterator[Finding]:
    try:
        authorities(stamping.ca_file)
    except StampError as error:
        hint = "put the authority's certificates there, in PEM: without them nothing is stamped"
        yield _finding("no_authority", "warning", stamping.ca_file, str(error), hint)
        return
    journal = settings.recordings_journal
    with suppress(OSError):
        stamps = (journal.parent / STAMPS).glob(f"*{STAMP_SUFFIX}")
        last = max((path.stat().st_mtime for path in stamps), default=0.0)
        oldest = now - max(LONGEST_UNSTAMPED_SECONDS, 3 * stamping.every_seconds)
        # A stamp's own entry is written right behind it.
        if last + 60.0 < journal.stat().st_mtime < oldest:
            message = f"{stamping.url} hasn't stamped the journal of recordings for more than a day"
            hint = "is it reachable from here? the log says more"
            yield _finding("not_stamped", "warning", journal, message, hint)


def _finding(code: str, severity: Severity, file: Path, message: str, hint: str) -> Finding:
    return Finding(code, severity, str(file), 0, 0, message, hint)
