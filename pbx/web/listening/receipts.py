"""Receipts of erasures, checked for whoever brings one: signed by this node, and borne out by its journal."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel

from pbx.web.problems import Problem
from recording.archive.subject import NotSigned, hashed, read
from recording.proof.journal import JournalDamage, entries


class Receipt(BaseModel):
    """What a receipt says that holds. given_at: as it is written there; stay: what wasn't erased, and why."""

    number: str
    given_at: str
    by: str
    erased: list[str]
    stay: dict[str, str]
    calls_found: int
    calls_erased: int


def checked(text: str, journal: Path, node_key: bytes) -> Receipt:
    """Return what a receipt says. It waits for a disk. Raises Problem (422) for one that doesn't hold."""
    key = Ed25519PublicKey.from_public_bytes(node_key)
    try:
        said = read(text, key)
        entry = next((one for one in entries(journal, key) if one.number == said["entry"]), None)
        number_hash = hashed(bytes.fromhex(said["salt"]), said["number"])
        told = Receipt(
            number=said["number"],
            given_at=said["at"],
            by=said["by"],
            erased=said["erased"],
            stay=said["stay"],
            calls_found=said["calls_found"],
            calls_erased=said["calls_erased"],
        )
    except (NotSigned, KeyError, TypeError, ValueError):
        raise Problem(
            422, "receipt_not_signed", "this node has signed no such receipt", where="receipt"
        ) from None
    except (JournalDamage, OSError):
        raise Problem(503, "journal_unreadable", "the journal of recordings can't be read") from None
    if entry is None or entry.digest != said["digest"] or entry.about.get("number_hash") != number_hash:
        detail = "this node has signed it, and its journal doesn't have the entry"
        raise Problem(422, "receipt_not_journalled", detail, where="receipt")
    return told
