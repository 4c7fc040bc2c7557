"""Backups made and restored, and archives that nobody should restore."""

import contextlib
import gzip
import hashlib
import io
import sqlite3
import stat
import tarfile
import threading
from pathlib import Path

import msgspec
import pytest

from pbx.configuration import Configuration, load_configuration
from pbx.journal import Journal, recover
from pbx.kept import write_kept
from pbx.node.backup import BackupError, create, restore
from pbx.people.directory import Person, device_credentials, read_directory
from pbx.plans.history import PlanHistory
from pbx.records import CallRecord, Record
from pbx.store.calls import list_calls
from pbx.store.database import SqliteDatabase
from pbx.store.people import add_person
from pbx.voicemail.mailboxes import KeptMailbox, Message, read_messages
from pbx.worker import Worker
from recording.keys import KeyStore
from recording.proof.journal import Journal as RecordingsJournal
from recording.proof.journal import entries
from tests.pbx.sample_records import bindings, call
from tests.recording.sealed import NODE


class Town:
    """A configuration, a plan, and a node that has worked: calls in the database and in the journal."""

    def __init__(self, folder: Path, text: str = "domain: valmont.example\n") -> None:
        folder.mkdir()
        (folder / "beffroi.yaml").write_text(text)
        self.configuration = load_configuration(folder / "beffroi.yaml")
        self.configuration.plan.parent.mkdir(exist_ok=True)
        self.configuration.plan.write_text("plan: 1\n")
        self.journal = Journal(self.configuration.journal_dir)
        self.worker = Worker(self.configuration)
        self.now = 0.0
        self.write(call(1), bindings(1, 2))
        self.step()
        person = Person("1001", "Alice Martin", "national", devices=[device_credentials("1001", "v", "p")])
        database = SqliteDatabase(self.configuration.sqlite_file)
        database.write(lambda connection: add_person(connection, person))
        database.close()
        self.step()
        self.write(call(2))

    def write(self, *records: Record) -> None:
        for record in records:
            self.journal.append(record)
        self.journal.flush()

    def step(self) -> None:
        self.now += 10.0
        self.worker.step(self.now, self.now)

    def close(self) -> None:
        self.worker.close(self.now)
        self.journal.close()


@pytest.fixture
def town(tmp_path):
    town = Town(tmp_path / "town")
    yield town
    town.close()


@pytest.fixture
def archive(town, tmp_path: Path) -> Path:
    create(town.configuration, tmp_path / "town.tar.gz")
    return tmp_path / "town.tar.gz"


def calls_of(configuration: Configuration) -> list[CallRecord]:
    """The calls after a start on this data_dir: the worker first imports what the journal still holds."""
    worker = Worker(configuration)
    worker.step(100.0, 100.0)
    worker.close(100.0)
    database = SqliteDatabase(configuration.sqlite_file)
    calls = database.read(lambda connection: list_calls(connection, limit=100_000))
    database.close()
    return calls


def test_a_running_node_is_backed_up_and_restored_whole(archive, tmp_path):
    restored = restore(archive, tmp_path / "new")
    configuration = load_configuration(restored.configuration)
    assert configuration.domain == "valmont.example"
    assert configuration.plan.read_text() == "plan: 1\n"
    assert recover(configuration.journal_dir).bindings["sip:1@valmont.example"] == bindings(1, 2).bindings
    assert read_directory(configuration.directory_file).people[0].name == "Alice Martin"
    assert calls_of(configuration) == [call(2), call(1)]


def test_the_history_of_the_plan_comes_back(town, tmp_path):
    history = PlanHistory(town.configuration.data_dir, town.configuration.plan)
    history.enter("plan: 1\n", at=0.0, author="alice", reason="start")
    (entry,) = history.entries()
    create(town.configuration, tmp_path / "town.tar.gz")
    configuration = load_configuration(restore(tmp_path / "town.tar.gz", tmp_path / "new").configuration)
    restored = PlanHistory(configuration.data_dir, configuration.plan)
    assert [told.version for told in restored.entries()] == [entry.version]
    assert restored.text(entry.version) == "plan: 1\n"


def test_a_folder_told_by_a_detour_is_the_folder(archive, tmp_path):
    (tmp_path / "here").mkdir()
    restored = restore(archive, tmp_path / "here" / ".." / "new")
    assert restored.notes == ()
    assert load_configuration(restored.configuration).plan.read_text() == "plan: 1\n"


def test_only_the_owner_reads_the_archive_and_what_is_restored(archive, tmp_path):
    restored = restore(archive, tmp_path / "new")
    files = [archive, restored.configuration, restored.data_dir / "beffroi.sqlite3"]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 3


def test_voice_messages_and_greetings_come_back(town, tmp_path):
    folder = town.configuration.voicemail_dir / "2010"
    message = Message("0a1b", 1.7e9, "1001", "Alice", 2.0)
    write_kept(folder / "mailbox.json", KeptMailbox(name="2010", messages=(message,)))
    for name in ("0a1b.wav", "greeting-busy.wav", ".greeting-0c.wav"):
        (folder / name).write_bytes(b"sound")
    create(town.configuration, tmp_path / "b.tar.gz")
    restored = restore(tmp_path / "b.tar.gz", tmp_path / "restored")
    assert read_messages(restored.data_dir / "voicemail") == {"2010": (message,)}
    found = sorted(path.name for path in (restored.data_dir / "voicemail" / "2010").glob("*.wav"))
    assert found == ["0a1b.wav", "greeting-busy.wav"]


def test_a_backup_leaves_nothing_behind_in_data_dir(town, tmp_path):
    before = sorted(town.configuration.data_dir.iterdir())
    create(town.configuration, tmp_path / "town.tar.gz")
    assert sorted(town.configuration.data_dir.iterdir()) == before


def test_a_backup_takes_keys_along_and_leaves_out_what_only_a_running_node_means(town, tmp_path):
    (town.configuration.data_dir / "node.key").write_text("secret")
    (town.configuration.data_dir / "processes.json").write_text("[]")
    names = {member.name for member in create(town.configuration, tmp_path / "town.tar.gz").members}
    assert "data/node.key" in names
    assert not names & {"data/processes.json", "data/directory.lock", "data/beffroi.sqlite3-wal"}


def test_a_backup_says_what_it_does_not_hold(town, tmp_path):
    assert create(town.configuration, tmp_path / "t.tar.gz").notes == (
        "recordings are not in a backup: export them, or have them copied (`recordings: copy_to`)",
        "nor are their keys: `beffroi recording keys backup`",
    )


def recorded(town: Town) -> None:
    """The node has recorded a call, and its journal was stamped."""
    directory = town.configuration.recordings.directory
    (directory / "202611").mkdir(parents=True)
    (directory / "202611" / "202611-1.sealed").write_bytes(b"sealed")
    (directory / "stamps").mkdir()
    (directory / "stamps" / "0.tsr").write_bytes(b"stamp")
    with contextlib.closing(RecordingsJournal(town.configuration.recordings_journal, NODE)) as journal:
        journal.append(1.0, "begun", "202611-1", "node")
    KeyStore(town.configuration.recording_keys_dir).put("202611-1", b"wrapped")
    (town.configuration.data_dir / "recording.key").write_bytes(b"private")


@pytest.mark.parametrize("where", ["recordings", "../kept"])
def test_a_backup_has_the_journal_of_recordings_and_no_recording_and_no_key_of_one(where, tmp_path):
    town = Town(tmp_path / "town", f"recordings: {{dir: {where}}}\n")
    recorded(town)
    made = create(town.configuration, tmp_path / "t.tar.gz")
    names = {member.name for member in made.members}
    assert {"data/recordings/journal", "data/recordings/stamps/0.tsr"} <= names
    assert not [name for name in names if "sealed" in name or "recording-keys" in name]
    assert made.notes[-1] == "recording.key is in it, which opens recordings: move it off this node"
    configuration = load_configuration(restore(tmp_path / "t.tar.gz", tmp_path / "new").configuration)
    (entry,) = entries(configuration.recordings_journal, NODE.public_key())
    assert entry.recording == "202611-1"
    assert (configuration.recordings.directory / "stamps" / "0.tsr").read_bytes() == b"stamp"
    town.close()


def test_a_backup_made_while_calls_come_in_holds_each_of_them_once(town, tmp_path):
    written = 3

    def work() -> None:
        nonlocal written
        for _ in range(30):
            town.write(*(call(number) for number in range(written, written + 20)))
            written += 20
            town.step()

    working = threading.Thread(target=work)
    working.start()
    archives = [tmp_path / f"{number}.tar.gz" for number in range(4)]
    for path in archives:
        create(town.configuration, path)
    working.join()
    for path in archives:
        restored = load_configuration(restore(path, tmp_path / f"new-{path.stem}").configuration)
        calls = calls_of(restored)
        assert calls == [call(number) for number in range(len(calls), 0, -1)]
    everything = calls_of(load_configuration(restore(archives[-1], tmp_path / "last").configuration))
    assert len(everything) <= written


def test_an_archive_that_cannot_be_written_leaves_no_half_of_it(town, tmp_path):
    with pytest.raises(BackupError):
        create(town.configuration, tmp_path / "absent" / "town.tar.gz")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BackupError):
        create(town.configuration, tmp_path / "folder")
    assert {path.name for path in tmp_path.iterdir()} == {"town", "folder"}


def test_a_backup_replaces_the_former_archive_as_a_whole(town, archive):
    before = archive.read_bytes()
    town.write(call(3))
    create(town.configuration, archive)
    assert archive.read_bytes() != before
    assert [path.name for path in archive.parent.iterdir() if path.name.startswith(".")] == []


def test_a_data_dir_that_holds_something_is_not_overwritten(archive, tmp_path):
    restore(archive, tmp_path / "new")
    with pytest.raises(BackupError, match="is there already"):
        restore(archive, tmp_path / "new")


def test_force_moves_aside_what_was_there(archive, tmp_path):
    restore(archive, tmp_path / "new")
    (tmp_path / "new" / "data" / "mine").write_text("kept")
    restored = restore(archive, tmp_path / "new", force=True)
    aside = restored.data_dir / "before-restore-1"
    assert (aside / "mine").read_text() == "kept"
    assert (aside / "beffroi.yaml").exists()
    assert calls_of(load_configuration(restored.configuration)) == [call(2), call(1)]
    restore(archive, tmp_path / "new", force=True)
    assert (restored.data_dir / "before-restore-2" / "directory.json").exists()


def test_a_running_node_is_not_restored_onto(town, archive):
    with pytest.raises(BackupError, match="stop it first"):
        restore(archive, town.configuration.path.parent, force=True)
    assert town.configuration.directory_file.exists()


def test_what_the_configuration_names_elsewhere_is_restored_here_with_a_note(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    text = f"data_dir: {elsewhere}/data\nplan: {elsewhere}/town.yaml\n"
    town = Town(tmp_path / "town", text)
    create(town.configuration, tmp_path / "town.tar.gz")
    town.close()
    before = sorted(elsewhere.rglob("*"))
    restored = restore(tmp_path / "town.tar.gz", tmp_path / "new")
    assert sorted(elsewhere.rglob("*")) == before
    assert restored.data_dir == tmp_path / "new" / "data"
    assert (tmp_path / "new" / "data" / "beffroi.sqlite3").exists()
    assert (tmp_path / "new" / "plan" / "town.yaml").exists()
    assert [note.split(" is ")[0] for note in restored.notes] == ["plan", "data_dir"]


def test_a_database_with_a_name_of_its_own_is_restored_under_it(tmp_path):
    town = Town(tmp_path / "town", "database: sqlite:///db/calls.db\n")
    create(town.configuration, tmp_path / "town.tar.gz")
    town.close()
    restored = restore(tmp_path / "town.tar.gz", tmp_path / "new")
    assert restored.notes == ()
    database = sqlite3.connect(tmp_path / "new" / "db" / "calls.db")
    assert database.execute("SELECT count(*) FROM calls").fetchone() == (1,)
    database.close()


# Archives that nobody should restore


def unpacked(archive: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(archive) as tar:
        return [(header, tar.extractfile(header).read()) for header in tar]


def packed(archive: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(archive, "w:gz") as tar:
        for header, data in members:
            tar.addfile(header, io.BytesIO(data) if header.isreg() else None)
    return archive


def plain(name: str, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    header = tarfile.TarInfo(name)
    header.size = len(data)
    return header, data


def with_member(archive: Path, name: str, data: bytes, *, listed: bool = True) -> Path:
    """The archive with one more file, honestly listed in the manifest or not."""
    (_, manifest_data), *rest = unpacked(archive)
    manifest = msgspec.json.decode(manifest_data)
    if listed:
        digest = hashlib.sha256(data).hexdigest()
        manifest["members"].append({"name": name, "size": len(data), "sha256": digest})
    return packed(archive, [plain("manifest.json", msgspec.json.encode(manifest)), *rest, plain(name, data)])


def refused(archive: Path, tmp_path: Path, message: str) -> None:
    into = tmp_path / "new"
    with pytest.raises(BackupError, match=message):
        restore(archive, into)
    assert not into.exists() or list(into.iterdir()) == []
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize(
    "name",
    [
        "../escaped",
        "data/../../escaped",
        "/tmp/escaped",
        "data/a/b",
        "plan/..",
        "data/.",
        "data//x",
        "other",
        "",
    ],
)
def test_a_name_that_leads_out_of_the_folder_is_refused(archive, tmp_path, name):
    refused(with_member(archive, name, b"x"), tmp_path, "no part of a backup")


def test_a_file_that_the_manifest_does_not_list_is_refused(archive, tmp_path):
    refused(with_member(archive, "data/extra", b"x", listed=False), tmp_path, "not in its manifest")


def test_a_file_that_is_missing_is_told(archive, tmp_path):
    refused(packed(archive, unpacked(archive)[:-1]), tmp_path, "is missing")


def test_a_file_that_was_changed_is_told(archive, tmp_path):
    members = unpacked(archive)
    header, data = members[-1]
    refused(packed(archive, [*members[:-1], (header, data[:-1] + b"?")]), tmp_path, "damaged")


def test_a_file_of_another_size_is_refused(archive, tmp_path):
    members = unpacked(archive)
    header, data = members[-1]
    refused(packed(archive, [*members[:-1], plain(header.name, data + b"more")]), tmp_path, "plain file")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_a_link_or_a_device_in_the_place_of_a_file_is_refused(archive, tmp_path, kind):
    members = unpacked(archive)
    header = tarfile.TarInfo(members[-1][0].name)
    header.type, header.linkname = kind, "../../escaped"
    refused(packed(archive, [*members[:-1], (header, b"")]), tmp_path, "plain file")


def test_an_archive_that_does_not_begin_with_a_manifest_is_refused(archive, tmp_path):
    refused(packed(archive, unpacked(archive)[1:]), tmp_path, "no backup of Beffroi")


def test_a_manifest_that_lists_more_than_the_disk_holds_is_refused(archive, tmp_path):
    (_, data), *rest = unpacked(archive)
    manifest = msgspec.json.decode(data)
    manifest["members"][0]["size"] = 1 << 60
    members = [plain("manifest.json", msgspec.json.encode(manifest)), *rest]
    refused(packed(archive, members), tmp_path, "room")


@pytest.mark.parametrize("data", [b"{}", b"[", b"\xff", b'{"format": 2, "plan": "plan/x", "members": []}'])
def test_a_manifest_that_is_not_one_is_refused(archive, tmp_path, data):
    refused(packed(archive, [plain("manifest.json", data)]), tmp_path, "manifest|format 2")


def test_a_header_that_declares_gigabytes_is_not_read_into_memory(tmp_path):
    header = tarfile.TarInfo("long")
    header.type, header.size = tarfile.XHDTYPE, (1 << 33) - 1
    archive = tmp_path / "bomb.tar.gz"
    archive.write_bytes(gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + bytes(1 << 20)))
    refused(archive, tmp_path, "header")


def refused_or_the_same(archive: Path, into: Path, originals: dict[str, bytes]) -> bool:
    """Restore a spoilt archive: False when it was refused, else True, every byte checked."""
    try:
        restore(archive, into)
    except BackupError:
        assert not into.exists() or list(into.iterdir()) == []
        return False
    restored = {path.relative_to(into).as_posix(): path for path in into.rglob("*") if path.is_file()}
    for name, data in originals.items():
        place = "plan.yaml" if name.startswith("plan/") else name
        assert restored.pop(place).read_bytes() == data
    assert not restored
    return True


def test_an_archive_cut_at_any_place_is_refused_or_nothing_of_it_is_missing(archive, tmp_path):
    whole = archive.read_bytes()
    originals = {header.name: data for header, data in unpacked(archive)[1:]}
    taken = []
    for size in range(0, len(whole), max(1, len(whole) // 40)):
        archive.write_bytes(whole[:size])
        taken.append(refused_or_the_same(archive, tmp_path / f"new{size}", originals))
    # Only the padding at the very end may be missing.
    assert not any(taken[: len(taken) * 9 // 10])


def test_an_archive_with_any_byte_changed_is_refused_or_restores_the_same(archive, tmp_path):
    whole = archive.read_bytes()
    originals = {header.name: data for header, data in unpacked(archive)[1:]}
    for position in range(0, len(whole), max(1, len(whole) // 40)):
        archive.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        refused_or_the_same(archive, tmp_path / f"new{position}", originals)


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    archive = tmp_path / "town.tar.gz"
    for data in (b"", b"PK\x03\x04", gzip.compress(b"hello")):
        archive.write_bytes(data)
        refused(archive, tmp_path, "town.tar.gz|no backup")
    refused(tmp_path / "absent.tar.gz", tmp_path, "No such file")
