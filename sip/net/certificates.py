"""A certificate in PEM files and what it says (RFC 5280), whoever read it: `sip.net.x509` does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


class CertificateError(Exception):
    """A certificate or key can't be used; the message has the file and the reason."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate's file with its key's, and what it says.

    names: DNS names, SIP domains and addresses that it speaks for. not_before, not_after: aware, in UTC.
    stamp: changes when one of the files does.
    """

    path: Path
    key_path: Path
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    self_signed: bool
    stamp: tuple[tuple[int, int], ...] = ()


def files_stamp(path: Path, key_path: Path) -> tuple[tuple[int, int], ...]:
    """What `Certificate.stamp` is now; raises CertificateError when a file is away."""
    return file_stamp(path), file_stamp(key_path)


def file_stamp(path: Path) -> tuple[int, int]:
    """What changes when a file does. Raises CertificateError when it is away."""
    try:
        found = path.stat()
    except OSError as error:
        raise CertificateError(f"{path}: {error.strerror}") from error
    return found.st_mtime_ns, found.st_ino
