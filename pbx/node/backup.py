"""A backup: one archive with everything that a node needs to be itself again, made while it runs.

It holds the configuration, the plan and its history, the database (SQLite's own backup of it), the journal,
the audit journal, voice messages, the journal of recordings with its stamps, and the other files at the top
of data_dir. It doesn't hold recordings, which have their own export, nor their keys, which have a backup of
their own (one that outlives a recording would bring it back), nor a PostgreSQL database; `Made.notes` says
so.

    manifest.json        format, SHA-256 and size of every other member; always first
    beffroi.yaml         the configuration, whatever its name was
    plan/NAME            the plan
    data/…               data_dir; the database is data/beffroi.sqlite3, whatever its name was

The archive is as secret as data_dir: mode 0600. Restoring trusts nothing in it before its manifest agrees,
writes beside the target first, and moves it into place when all is there.
"""

import contextlib
import gzip
import hashlib
import io
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from dialplan.finding import PlanError
from pbx.configuration import Configuration, parse_configuration
from pbx.journal import BINDINGS, CALLS, JournalInUseError, live, lock, segments
from pbx.node.keys import private_of
from pbx.plans.history import FOLDER as PLANS
from pbx.voicemail.mailboxes import FOLDER as VOICEMAIL
from pbx.voicemail.mailboxes import INDEX
from recording.proof.stamp import FOLDER as STAMPS
from recording.proof.stamp import SUFFIX as STAMP_SUFFIX

MANIFEST = "manifest.json"
CONFIGURATION = "beffroi.yaml"
FORMAT = 1
MOST_MANIFEST_BYTES = 16 * 1024 * 1024
MOST_MEMBERS = 100_000
MOST_NAME_BYTES = 1024
COPY_BYTES = 1024 * 1024
MOST_TRIES = 10
SQLITE_NAME = "beffroi.sqlite3"
RECORDINGS = "recordings"
ASIDE = "before-restore-"

Progress = Callable[[float], None]

_NAME = re.compile(
    r"beffroi\.yaml|plan/[^/\0]+|data/"
    r"((journal|plans|audit|recordings(/stamps)?|voicemail/[A-Za-z0-9][A-Za-z0-9_-]{0,63})/)?[^/\0]+"
)


class BackupError(Exception):
    """A backup can't be made or restored; the message says why, and nothing was changed."""


class Member(Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the archive."""

    name: str
    size: int
    sha256: str


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """What the archive holds."""

    format: int
    plan: str
    members: list[Member]


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made: its members, and what it doesn't hold."""

    archive: Path
    members: tuple[Member, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup that was restored, and what remains to be done by hand."""

    configuration: Path
    data_dir: Path
    notes: tuple[str, ...]


def create(configuration: Configuration, target: Path, progress: Progress = lambda _: None) -> Made:
    """Write the archive; the node may run meanwhile. Raises BackupError, with no half archive left.

    progress: told again and again which share of the archive is written, from 0 to 1.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=configuration.data_dir) as folder:
            staged = Path(folder)
            notes = _stage(configuration, staged)
            plan = f"plan/{configuration.plan.name}"
            members = [_described(staged, path) for path in sorted(staged.rglob("*")) if path.is_file()]
            _write_archive(target, staged, Manifest(FORMAT, plan, members), progress)
            return Made(target, tuple(members), tuple(notes))
    except (OSError, sqlite3.Error, tarfile.TarError) as error:
        raise BackupError(f"{target}: {error}") from None


def _stage(configuration: Configuration, staged: Path) -> list[str]:
    """Copy everything into a folder and return what is left out, in words."""
    for folder in ("plan", "data/journal"):
        (staged / folder).mkdir(parents=True)
    shutil.copyfile(configuration.path, staged / CONFIGURATION)
    shutil.copyfile(configuration.plan, staged / "plan" / configuration.plan.name)
    # The journal first: a call that the worker imports meanwhile is then in both, never in neither, and the
    # database's own position says that it isn't to be imported again.
    _copy_journal(configuration.journal_dir, staged / "data" / "journal")
    notes = [
        "recordings are not in a backup: export them, or have them copied (`recordings: copy_to`)",
        "nor are their keys: `beffroi recording keys backup`",
    ]
    private = private_of(configuration.recordings.key_file)
    if private.parent == configuration.data_dir and private.exists():
        notes.append(f"{private.name} is in it, which opens recordings: move it off this node")
    database = configuration.sqlite_file
    if database is None:
        notes.append("the PostgreSQL database is not in this backup: use pg_dump")
    elif database.exists():
        _copy_sqlite(database, staged / "data" / SQLITE_NAME)
    _copy_plans(configuration.data_dir / PLANS, staged / "data" / PLANS)
    _copy_audit(configuration.audit_journal.parent, staged / "data" / "audit")
    _copy_voicemail(configuration.voicemail_dir, staged / "data" / VOICEMAIL)
    _copy_recordings_journal(configuration.recordings_journal, staged / "data" / RECORDINGS)
    for path in sorted(configuration.data_dir.iterdir()):
        if path.is_file() and not path.is_symlink() and not _is_left_out(path, database):
            shutil.copyfile(path, staged / "data" / path.name)
    return notes


def _is_left_out(path: Path, database: Path | None) -> bool:
    """True for the database's own files (copied by SQLite), locks, unfinished writes, and who runs now."""
    of_database = database is not None and path.name in {database.name + end for end in ("", "-wal", "-shm")}
    passing = path.suffix in (".lock", ".new") or path.name.startswith(".") or path.name == "processes.json"
    return of_database or passing or path.name == SQLITE_NAME


def _copy_journal(source: Path, into: Path) -> None:
    """Copy both chains. A segment of calls that vanishes meanwhile is imported; bindings start again."""
    for segment in segments(source, CALLS):
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(segment.path, into / segment.path.name)
    for _ in range(MOST_TRIES):
        copied: list[Path] = []
        try:
            for segment in live(segments(source, BINDINGS)):
                copied.append(into / segment.path.name)
                shutil.copyfile(segment.path, copied[-1])
        except FileNotFoundError:
            # The worker folded what was being copied into a snapshot that the next list holds.
            for path in copied:
                path.unlink(missing_ok=True)
        else:
            return
    raise OSError(0, "the journal changes faster than it can be copied")


def _copy_plans(source: Path, into: Path) -> None:
    """Copy the plan's history. What it tells first: the texts of what it names are there already."""
    if not source.is_dir():
        return
    into.mkdir()
    for name in ("history", "next"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(source / name, into / name)
    for text in sorted(source.glob("*.yaml")):
        shutil.copyfile(text, into / text.name)


def _copy_audit(source: Path, into: Path) -> None:
    """Copy who did what, with what was set aside; what lacks of a last line, its next writer cuts off."""
    for path in sorted(source.glob("[!.]*")):
        if path.is_file() and not path.is_symlink():
            into.mkdir(exist_ok=True)
            shutil.copyfile(path, into / path.name)


def _copy_voicemail(source: Path, into: Path) -> None:
    """Copy what each mailbox holds. Its index first: what it names was whole before, but for what is deleted
    meanwhile, or still spoken, which the next start finds out."""
    for index in sorted(source.glob(f"*/{INDEX}")):
        folder = into / index.parent.name
        folder.mkdir(parents=True)
        shutil.copyfile(index, folder / INDEX)
        for sound in sorted(index.parent.glob("[!.]*.wav")):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(sound, folder / sound.name)


def _copy_recordings_journal(source: Path, into: Path) -> None:
    """Copy what was recorded, heard and purged, in which nobody's number stands, and what stamps it.

    The stamps first: each is of an entry that the journal has by then. A line that is being written is cut
    off at the next start.
    """
    if not source.exists():
        return
    (into / STAMPS).mkdir(parents=True)
    for stamp in sorted((source.parent / STAMPS).glob(f"*{STAMP_SUFFIX}")):
        shutil.copyfile(stamp, into / STAMPS / stamp.name)
    shutil.copyfile(source, into / source.name)


def _copy_sqlite(source: Path, target: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as original,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        original.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")


def _described(staged: Path, path: Path) -> Member:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Member(path.relative_to(staged).as_posix(), path.stat().st_size, digest)


def _write_archive(target: Path, staged: Path, manifest: Manifest, progress: Progress) -> None:
    descriptor, unfinished = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # mode 0600
    try:
        with (
            open(descriptor, "wb") as file,
            tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as archive,
        ):
            data = msgspec.json.format(msgspec.json.encode(manifest))
            _add(archive, MANIFEST, len(data), io.BytesIO(data))
            total = sum(member.size for member in manifest.members)
            written = 0
            for member in manifest.members:
                with (staged / member.name).open("rb") as source:
                    _add(archive, member.name, member.size, source)
                written += member.size
                progress(written / total)
        os.replace(unfinished, target)
    except BaseException:
        os.unlink(unfinished)
        raise


def _add(archive: tarfile.TarFile, name: str, size: int, source: IO[bytes]) -> None:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o600
    archive.addfile(header, source)


def verify(archive: Path, progress: Progress = lambda _: None) -> Manifest:
    """Read an archive whole, as `restore` would, and return what it holds; nothing is written.

    Raises BackupError for one that couldn't be restored: no backup, damaged, or a part of it missing.
    """
    try:
        return _extract(archive, None, progress)
    except (OSError, EOFError, ValueError, zlib.error, tarfile.TarError) as error:
        raise BackupError(f"{archive}: {error}") from None


def restore(archive: Path, into: Path, *, force: bool = False) -> Restored:
    """Restore the configuration as `into`/beffroi.yaml, plan and data_dir where it says, if that is in
    `into`.

    What the configuration names elsewhere goes to `into`/plan and `into`/data, and a note tells. A data_dir
    that holds anything is refused; with force its content is moved into a folder beside. Raises BackupError.
    """
    try:
        into = Path(os.path.normpath(into.absolute()))  # places are told apart by their text
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=into) as folder:
            staged = Path(folder)
            manifest = _extract(archive, staged)
            text = (staged / CONFIGURATION).read_text("utf-8")
            configuration = parse_configuration(text, into / CONFIGURATION)
            places = _places(configuration, into, manifest)
            _make_room(configuration.path, places, force=force)
            for member in manifest.members:
                target = places.of(member.name)
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                shutil.move(staged / member.name, target)
            return Restored(configuration.path, places.data_dir, places.notes)
    except (OSError, EOFError, ValueError, zlib.error, tarfile.TarError) as error:
        raise BackupError(f"{archive}: {error}") from None
    except PlanError as error:
        raise BackupError(f"{archive}: its configuration can't be used: {error}") from None


@dataclass(frozen=True, slots=True)
class _Places:
    """Where each part of an archive goes."""

    configuration: Path
    plan: Path
    data_dir: Path
    database: Path
    recordings: Path
    notes: tuple[str, ...]

    def of(self, name: str) -> Path:
        """Return a member's place."""
        folder, _, rest = name.partition("/")
        if name == f"data/{SQLITE_NAME}":
            return self.database
        if name.startswith(f"data/{RECORDINGS}/"):
            return self.recordings / rest.removeprefix(f"{RECORDINGS}/")
        if folder == "data":
            return self.data_dir / rest
        return self.plan if folder == "plan" else self.configuration


def _places(configuration: Configuration, into: Path, manifest: Manifest) -> _Places:
    """Choose the places: what the configuration says, as long as that is inside the folder restored into."""
    notes = []

    def inside(what: str, wanted: Path, otherwise: Path) -> Path:
        normal = Path(os.path.normpath(wanted))
        if normal.is_relative_to(into):
            return normal
        notes.append(
            f"{what} is {normal} in the configuration and was restored as {otherwise}: move it there"
        )
        return otherwise

    plan = inside("plan", configuration.plan, into / manifest.plan)
    data_dir = inside("data_dir", configuration.data_dir, into / "data")
    # A database inside a data_dir that goes elsewhere goes with it: one move, one note.
    database = data_dir / SQLITE_NAME
    file = configuration.sqlite_file
    if file is not None and file != configuration.data_dir / SQLITE_NAME:
        database = inside("database", file, database)
    recordings = data_dir / RECORDINGS
    directory = configuration.recordings.directory
    recorded = any(member.name.startswith(f"data/{RECORDINGS}/") for member in manifest.members)
    if recorded and directory != configuration.data_dir / RECORDINGS:
        recordings = inside("the journal of recordings", directory, recordings)
    return _Places(configuration.path, plan, data_dir, database, recordings, tuple(notes))


def _make_room(configuration: Path, places: _Places, *, force: bool) -> None:
    """Refuse to overwrite anything; with force, move it aside. Raises BackupError."""
    journal = places.data_dir / "journal"
    if journal.is_dir():
        try:
            os.close(lock(journal))
        except JournalInUseError:
            raise BackupError(f"Beffroi is running on {places.data_dir}: stop it first") from None
    held = list(places.data_dir.iterdir()) if places.data_dir.is_dir() else []
    held = [path for path in held if not path.name.startswith((".restore-", ASIDE))]
    alone = (configuration, places.plan, places.database, places.recordings / "journal")
    single = [path for path in alone if path.exists()]
    if not held and not single:
        return
    if not force:
        taken = places.data_dir if held else single[0]
        raise BackupError(f"{taken} is there already: restore elsewhere, or use --force to move it aside")
    aside = _aside(places.data_dir)
    for path in dict.fromkeys((*held, *single)):
        if path.exists():
            shutil.move(path, aside / path.name)


def _aside(data_dir: Path) -> Path:
    """Make and return a folder for what was there before. It stays inside data_dir, which may be a mount."""
    for number in range(1, 1000):
        aside = data_dir / f"{ASIDE}{number}"
        if not aside.exists():
            aside.mkdir(mode=0o700, parents=True)
            return aside
    raise BackupError(f"{data_dir}: too many {ASIDE}… folders, remove some")


class _BoundedReads:
    """A file whose single reads are bounded, since tarfile reads a header of any declared size at once."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MOST_MANIFEST_BYTES:
            raise tarfile.ReadError("a header is too long")
        return self._file.read(size)


def _extract(archive: Path, staged: Path | None, progress: Progress = lambda _: None) -> Manifest:
    """Extract into a folder what the manifest lists, no more and no less, each byte checked.

    staged: None to check alone.
    """
    with gzip.open(archive, "rb") as file, tarfile.open(fileobj=_BoundedReads(file), mode="r:") as tar:  # type: ignore[call-overload]  # read, seek and tell are all it asks for
        manifest = _read_manifest(tar)
        expected = {member.name: member for member in manifest.members}
        total, done = sum(member.size for member in manifest.members), 0
        if staged is not None and total > shutil.disk_usage(staged).free:
            raise BackupError(f"{archive}: there isn't room for it on the disk")
        while (header := tar.next()) is not None:
            # Forget the header: a list of all that were read would grow with a hostile archive.
            tar.members = []
            member = expected.pop(header.name, None)
            if member is None:
                raise BackupError(f"{archive}: {header.name[:60]!r} is not in its manifest, or twice in it")
            _extract_member(tar, header, member, staged / member.name if staged is not None else None)
            done += member.size
            progress(done / max(total, 1))
    if expected:
        raise BackupError(f"{archive}: {next(iter(expected))!r} is missing")
    return manifest


def _read_manifest(tar: tarfile.TarFile) -> Manifest:
    header = tar.next()
    if header is None or header.name != MANIFEST or not _is_plain(header):
        raise BackupError("this is no backup of Beffroi: it doesn't begin with a manifest")
    if header.size > MOST_MANIFEST_BYTES:
        raise BackupError("the manifest is too long")
    source = tar.extractfile(header)
    assert source is not None
    try:
        manifest = msgspec.json.decode(source.read(header.size), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BackupError(f"the manifest can't be read: {error}") from None
    names = [member.name for member in manifest.members]
    if manifest.format != FORMAT:
        raise BackupError(f"format {manifest.format} isn't {FORMAT}, which this version restores")
    if len(names) > MOST_MEMBERS or len(set(names)) != len(names):
        raise BackupError("the manifest lists a file twice, or too many")
    for name in (*names, manifest.plan):
        if (
            not _NAME.fullmatch(name)
            or {".", ".."} & set(name.split("/"))
            or len(name.encode()) > MOST_NAME_BYTES
        ):
            raise BackupError(f"the manifest names {name[:60]!r}, which is no part of a backup")
    if any(member.size < 0 for member in manifest.members) or not {CONFIGURATION, manifest.plan} <= set(
        names
    ):
        raise BackupError("the manifest lists no configuration, or no plan, or a size that can't be")
    return manifest


def _is_plain(header: tarfile.TarInfo) -> bool:
    """True for a plain file; no link, device, folder or sparse file has anything to do in a backup."""
    return header.type == tarfile.REGTYPE and header.sparse is None


def _extract_member(
    tar: tarfile.TarFile, header: tarfile.TarInfo, member: Member, target: Path | None
) -> None:
    if not _is_plain(header) or header.size != member.size:
        raise BackupError(f"{member.name!r} is not the plain file that the manifest says")
    source = tar.extractfile(header)
    assert source is not None
    digest, size = hashlib.sha256(), 0
    with _written(target) as file:
        while data := source.read(COPY_BYTES):
            digest.update(data)
            size += file.write(data)
    if digest.hexdigest() != member.sha256 or size != member.size:
        raise BackupError(f"{member.name!r} is damaged: its SHA-256 isn't the manifest's")


def _written(target: Path | None) -> IO[bytes]:
    """A new file that its owner alone may read; nowhere for None."""
    if target is None:
        return open(os.devnull, "wb")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return open(target, "xb", opener=lambda name, flags: os.open(name, flags, 0o600))
