"""An export of the audit journal: a .zip that anybody can check without this node.

```
journal         the journal, as the node wrote and signed it
entries.jsonl   the same as plain JSON, one entry a line, for other programs
node.pub        the node's public key (Ed25519, PEM)
README.txt      what is in it, how it is checked, and the hash that it ends with
```
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from pbx.audit.entry import Entry
from pbx.audit.journal import FIRST
from pbx.audit.reading import Fault, Verified, entries, verify
from recording.proof.custody import shown

JOURNAL: Final = "journal"
ENTRIES: Final = "entries.jsonl"
KEY: Final = "node.pub"
README: Final = "README.txt"
MOST_BYTES: Final = 4 << 30  # of the journal in an export

_README: Final = """Journal d'audit de Beffroi / Audit journal of Beffroi

{entries} entrées / entries, {first} – {last}
empreinte finale / last hash: {head}

Chaque ligne de « journal » est une entrée en JSON, une tabulation, puis sa signature Ed25519 (hexadécimal)
par la clé node.pub. Chaque entrée contient l'empreinte de la précédente :
Each line of `journal` is an entry in JSON, a tab, and its Ed25519 signature (hexadecimal) by the key
node.pub. Each entry has the hash of the one before in it:

  hash(n) = SHA-256( hash(n-1) || SHA-256(line n) )        hash(-1) = SHA-256("beffroi audit")

À vérifier par / check with:  beffroi audit verify THIS.zip
"""


class NoExport(Exception):
    """A file that is no export of an audit journal; the text says why."""


def write(target: Path, path: Path, key: Ed25519PublicKey) -> Verified:
    """Write the journal at `path` to a new file; returns what it holds. It may grow meanwhile.

    Raises JournalDamage where an entry isn't what was written, FileExistsError, or another OSError.
    """
    size = path.stat().st_size if path.exists() else 0
    last: Entry | None = None
    first_at = 0.0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            with archive.open(JOURNAL, "w", force_zip64=True) as lines:
                for line, last in entries(path, key, size):
                    first_at = first_at or last.at
                    lines.write(line)
            with archive.open(ENTRIES, "w", force_zip64=True) as plain:
                for _, entry in entries(path, key, size):
                    plain.write(_plain(entry))
            archive.writestr(KEY, key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
            held = (
                Verified(last.number + 1, last.digest, first_at, last.at, [])
                if last
                else Verified(0, FIRST, 0.0, 0.0, [])
            )
            archive.writestr(
                README,
                _README.format(
                    entries=held.entries, first=shown(first_at), last=shown(held.last_at), head=held.head
                ),
            )
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return held


def check(source: Path, key: Ed25519PublicKey | None, folder: Path) -> Verified:
    """Look at an export. key: the node's, where it is known; folder: an empty one to unpack in.

    Without a key the one in the export is taken: then nobody vouches for whose it is. Raises NoExport, or
    OSError.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            names = set(archive.namelist())
            if not {JOURNAL, KEY, ENTRIES} <= names:
                raise NoExport(f"{source}: is no export of an audit journal")
            if max(archive.getinfo(name).file_size for name in (JOURNAL, ENTRIES)) > MOST_BYTES:
                raise NoExport(f"{source}: is larger than any journal")
            if archive.getinfo(KEY).file_size > 4096:
                raise NoExport(f"{source}: its {KEY} is no key")
            found = _key(archive.read(KEY), source)
            with archive.open(JOURNAL) as packed, (folder / JOURNAL).open("wb") as plain:
                while block := packed.read(1 << 20):
                    plain.write(block)
            seen = verify(folder / JOURNAL, key or found)
            if not seen.faults:
                seen = seen._replace(faults=_differing(archive, folder / JOURNAL, key or found))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise NoExport(f"{source}: can't be unpacked: {error}") from None
    if key is not None and key != found:
        fault = Fault(KEY, -1, -1, "is the key of another node")
        seen = seen._replace(faults=[*seen.faults, fault])
    return seen


def _differing(archive: zipfile.ZipFile, path: Path, key: Ed25519PublicKey) -> list[Fault]:
    """Return where the plain entries don't say what the signed ones do."""
    offset, number = 0, 0
    with archive.open(ENTRIES) as plain:
        for _, entry in entries(path, key):
            wanted = _plain(entry)
            if plain.read(len(wanted)) != wanted:
                return [Fault(ENTRIES, number + 1, offset, "isn't what the journal says")]
            offset, number = offset + len(wanted), number + 1
        if plain.read(1):
            return [Fault(ENTRIES, number + 1, offset, "is more than the journal says")]
    return []


def _plain(entry: Entry) -> bytes:
    return json.dumps(entry.printable(), ensure_ascii=False).encode() + b"\n"


def _key(pem: bytes, source: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise NoExport(f"{source}: its {KEY} is no key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise NoExport(f"{source}: its {KEY} is no Ed25519 key")
    return key
