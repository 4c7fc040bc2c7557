"""A file of the data directory that is read and replaced as a whole: JSON of one type, mode 0600."""

import os
import tempfile
from pathlib import Path
from typing import TypeVar

import msgspec

MOST_BYTES = 16 << 20

Kept = TypeVar("Kept", bound=msgspec.Struct)


class KeptError(Exception):
    """A file of the data directory can't be read or written; the message says where and why."""


def read_kept(path: Path, kind: type[Kept], most_bytes: int = MOST_BYTES) -> Kept:
    """What a file of ours holds; its empty value when there is no file. Raises KeptError."""
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except FileNotFoundError:
        return kind()
    except OSError as error:
        raise KeptError(f"{path}: can't be read: {error.strerror}") from None
    if len(data) > most_bytes:
        raise KeptError(f"{path}: longer than {most_bytes >> 20} MB")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise KeptError(f"{path}: {error}") from None


def write_kept(path: Path, value: msgspec.Struct, *, durable: bool = False) -> None:
    """Replace a file of ours. Raises KeptError; the former one then stays.

    durable: what is written survives a power cut that comes right after.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, unfinished = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
        try:
            with open(descriptor, "wb") as file:
                file.write(msgspec.json.encode(value))
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(unfinished, path)
        except BaseException:
            os.unlink(unfinished)
            raise
    except OSError as error:
        raise KeptError(f"{path}: can't be written: {error.strerror}") from None
