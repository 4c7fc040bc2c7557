"""Why the messages of calls aren't kept, for whoever asks: the doctor, and the API's state of the node.

The scribe leaves a word beside the segments as long as it can't write them. A disk that takes not even that
word is seen by looking at it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dialplan.finding import Finding
from pbx.configuration import Configuration
from pbx.messages.segments import ROOM_BYTES

NAME = "trouble"
MOST_BYTES = 200


def leave_word(folder: Path, trouble: str) -> None:
    """Say why nothing is kept, "" once it is again. A disk that takes no word takes none."""
    with suppress(OSError):
        if trouble:
            (folder / NAME).write_text(trouble[:MOST_BYTES], "utf-8")
        else:
            (folder / NAME).unlink(missing_ok=True)


def trouble_of(settings: Configuration) -> str:
    """Return why messages of calls aren't kept now, "" where they are, or aren't to be."""
    kept, folder = settings.messages, settings.messages_dir
    if not kept.are_kept or not os.path.isdir(settings.data_dir):
        return ""
    with suppress(OSError):
        word = (folder / NAME).read_bytes()[:MOST_BYTES].decode(errors="replace").strip()
        return word if word.isprintable() else "its word can't be read"
    there = folder if folder.is_dir() else settings.data_dir
    if not os.access(there, os.W_OK | os.X_OK):
        return f"{there} can't be written"
    free = shutil.disk_usage(there).free
    return f"{free >> 20} MB are free, {ROOM_BYTES >> 20} are left to others" if free < ROOM_BYTES else ""


def messages_state(settings: Configuration) -> str:
    """Say how long they are kept, on one line."""
    kept = settings.messages
    if not kept.are_kept:
        return "not kept"
    return f"kept for {kept.keep_days} days, in {kept.most_mb} MB at the most"


def messages_findings(settings: Configuration) -> Iterator[Finding]:
    """Yield what is to be mended."""
    if trouble := trouble_of(settings):
        message = f"the messages of calls aren't kept: {trouble}"
        hint = "make room, or let the node's user write there; calls go on, their ladders are missing"
        yield Finding("messages_not_kept", "warning", str(settings.messages_dir), 0, 0, message, hint)
