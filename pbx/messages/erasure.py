"""A number that somebody has the right to have forgotten is taken out of the stored messages.

The messages of every dialog that names it go, whole: a name beside it may tell as much. They are overwritten
where they lie, so that the segment of the moment can be erased in as well, and no index changes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from pbx.messages.blanking import call_id_of
from pbx.messages.segments import ERASED, HEAD, Frame, frames_of, segments

_KIND_OFFSET = 4
LEAST_DIGITS = 6
MOST_DIGITS = 9
"""Of a number's end: what is the same in +33612345678, 0612345678 and 0033612345678."""

_BETWEEN_DIGITS = b"-.() "  # RFC 3966 section 3: visual separators


def erase_messages(folder: Path, number: str, call_ids: Collection[str]) -> int:
    """Erase the messages of dialogs in which a number occurs, and of these dialogs; return how many.

    number: E.164; one of fewer than LEAST_DIGITS digits is looked for in no text, as it is in too many.
    call_ids: of calls that are known to be about it. What is still on its way to the disk, for part of a
    second, isn't found. Raises OSError.
    """
    digits = "".join(one for one in number if one.isdecimal())[-MOST_DIGITS:].encode()
    wanted = {call_id.encode("utf-8", "surrogateescape") for call_id in call_ids} - {b""}
    files = segments(folder)
    if len(digits) >= LEAST_DIGITS:
        for path in files:
            wanted.update(call_id for _, call_id in _frames(path, digits))
    erased = 0
    for path in files:
        offsets = [frame for frame, call_id in _frames(path) if call_id in wanted]
        erased += len(offsets)
        _overwrite(path, offsets)
    return erased


def _frames(path: Path, digits: bytes = b"") -> Iterator[tuple[Frame, bytes]]:
    """The frames of a segment that aren't erased yet, with their Call-IDs; those with digits in them."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:  # it was too old meanwhile
        return
    for frame in frames_of(data):
        if frame.kind != ERASED:
            message = data[frame.begins : frame.ends]
            if digits in message.translate(None, _BETWEEN_DIGITS):
                yield frame, call_id_of(message)


def _overwrite(path: Path, frames: list[Frame]) -> None:
    if not frames:
        return
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            for frame in frames:
                begins = frame.offset + HEAD.size
                os.pwrite(descriptor, bytes(frame.ends - begins), begins)
                os.pwrite(descriptor, bytes([ERASED]), frame.offset + _KIND_OFFSET)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
