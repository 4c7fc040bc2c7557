"""Recordings for the tests of reading, verifying and repairing."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recording.proof.journal import Journal
from recording.proof.sealed_file import Header, SealedFile
from recording.proof.verifier import SUFFIX

BEGUN = 1_795_339_800_000_000  # 22 November 2026, Unix microseconds
KEY = bytes(range(32))
NODE = Ed25519PrivateKey.from_private_bytes(bytes(32))


def header(recording: str) -> Header:
    return Header(recording, BEGUN, "0011223344556677")


def sealed(directory: Path, recording: str, plains: list[bytes]) -> SealedFile:
    """A recording of these segments, a second each."""
    file = SealedFile(directory / f"{recording}{SUFFIX}", header(recording), KEY)
    for number, plain in enumerate(plains):
        file.write(plain, BEGUN + number * 1_000_000)
    file.close()
    return file


def plains(count: int) -> list[bytes]:
    """What differs from segment to segment."""
    return [bytes([number]) * (40 + number) for number in range(count)]


def ended(journal: Journal, file: SealedFile) -> None:
    """Tell the journal of a recording, from its begin to its end."""
    recording = file.path.name.removesuffix(SUFFIX)
    journal.append(1.0, "begun", recording, "node")
    journal.append(2.0, "ended", recording, "node", head=file.head.hex())
