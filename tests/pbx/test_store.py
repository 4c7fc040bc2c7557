"""The database on SQLite: schema, calls, people, positions, and the exported directory."""

import hashlib
import importlib
import importlib.resources
import os
import sqlite3
import stat
import subprocess
import sys
import threading

import msgspec
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from media.engine import LegQuality
from pbx.people.directory import (
    Directory,
    DirectoryError,
    PeopleError,
    Person,
    device_credentials,
    digest_hashes,
    generate_password,
    read_directory,
    write_directory,
)
from pbx.records import Interval, LegRecord, printable
from pbx.store.calls import count_calls, erase_number, insert_calls, list_calls
from pbx.store.database import DatabaseUnavailableError, SqliteDatabase, open_database
from pbx.store.people import (
    add_device,
    add_person,
    export_directory,
    list_people,
    remove_device,
    remove_person,
    revision,
)
from pbx.store.position import Position, forget_positions, positions, set_position
from pbx.store.revision import MIGRATIONS, SchemaTooNewError, migrate, upgrade
from pbx.store.schema import SCHEMA_REVISION, call_terms, metadata
from tests.pbx.sample_records import call


@pytest.fixture
def database(tmp_path):
    database = SqliteDatabase(tmp_path / "beffroi.sqlite3")
    upgrade(database)
    yield database
    database.close()


def alice(**changes: object) -> Person:
    device = device_credentials("1001", "valmont.example", "pw1001")
    person = Person("1001", "Alice Martin", "national", "mairie", ["accueil"], "+33612345601", [device])
    return msgspec.structs.replace(person, **changes)


# The schema


def test_a_new_database_is_migrated_once(tmp_path):
    database = SqliteDatabase(tmp_path / "new" / "beffroi.sqlite3")
    assert upgrade(database) is True
    assert upgrade(database) is False
    database.close()


def test_the_migrations_end_where_the_schema_says(database):
    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_REVISION


def test_the_migrated_tables_are_those_that_a_new_database_gets(database, tmp_path):
    migrated = SqliteDatabase(tmp_path / "migrated.sqlite3")
    migrated.write(lambda connection: migrate(connection, ""))
    assert migrated.read(schema_of) == database.read(schema_of)
    assert set(metadata.tables) < set(database.read(schema_of))
    rows = [one.read(list_first_rows) for one in (migrated, database)]
    migrated.close()
    assert rows[0] == rows[1]


def schema_of(connection):
    """All of a database's tables: columns, keys, indexes and how SQLite keeps them."""
    inspector = sa.inspect(connection)
    found = {}
    for name in inspector.get_table_names():
        columns = {
            column["name"]: (str(column["type"]), column["nullable"], column["default"])
            for column in inspector.get_columns(name)
        }
        indexes = {
            index["name"]: (index["column_names"], index["unique"]) for index in inspector.get_indexes(name)
        }
        foreign = [
            (key["constrained_columns"], key["referred_table"], key["options"])
            for key in inspector.get_foreign_keys(name)
        ]
        unique = sorted(key["column_names"] for key in inspector.get_unique_constraints(name))
        key = inspector.get_pk_constraint(name)["constrained_columns"]
        made = connection.execute(
            sa.text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": name}
        ).scalar_one()
        found[name] = (columns, indexes, sorted(foreign, key=str), unique, key, "WITHOUT ROWID" in made)
    return found


def list_first_rows(connection):
    """What every table of a database that nobody has used holds."""
    names = sa.inspect(connection).get_table_names()
    return {name: connection.execute(sa.text(f"SELECT * FROM {name}")).all() for name in names}


def test_a_database_of_a_newer_version_is_left_alone(database):
    database.write(
        lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num='9999'")
    )
    with pytest.raises(SchemaTooNewError, match="9999"):
        upgrade(database)
    assert database.read(lambda c: MigrationContext.configure(c).get_current_revision()) == "9999"


def test_a_database_migrated_apart_is_at_the_newest_schema_and_leaves_no_alembic(tmp_path):
    script = (
        "import sys; from pathlib import Path; from pbx.store.database import SqliteDatabase;"
        "from pbx.store.migrate import migrate_apart; from pbx.store.revision import upgrade;"
        "migrate_apart(f'sqlite:///{sys.argv[1]}');"
        "sys.exit(upgrade(SqliteDatabase(Path(sys.argv[1]))) or 'alembic' in sys.modules)"
    )
    older = SqliteDatabase(tmp_path / "db")
    older.write(lambda connection: migrate_to("0004", connection))
    older.close()
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "db")], check=False)
    assert done.returncode == 0


def migrate_to(wanted, connection):
    """What a version of Beffroi of then made."""
    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, wanted)


def test_two_processes_may_migrate_at_once(tmp_path):
    script = (
        "import sys; from pathlib import Path; from pbx.store.database import SqliteDatabase;"
        "from pbx.store.revision import upgrade; upgrade(SqliteDatabase(Path(sys.argv[1])))"
    )
    path = str(tmp_path / "beffroi.sqlite3")
    started = [subprocess.Popen([sys.executable, "-c", script, path]) for _ in range(2)]
    assert [process.wait() for process in started] == [0, 0]


def test_only_the_owner_reads_the_database_and_its_journal(database, tmp_path):
    database.write(lambda connection: insert_calls(connection, [call(1)]))
    for end in ("", "-wal"):
        mode = (tmp_path / f"beffroi.sqlite3{end}").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600, end


def test_a_locked_database_is_unavailable_and_works_again(database, tmp_path):
    other = sqlite3.connect(tmp_path / "beffroi.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    impatient = SqliteDatabase(tmp_path / "beffroi.sqlite3", busy_seconds=0.01)
    with pytest.raises(DatabaseUnavailableError, match="locked"):
        impatient.write(lambda connection: insert_calls(connection, [call(1)]))
    other.execute("ROLLBACK")
    impatient.write(lambda connection: insert_calls(connection, [call(1)]))
    assert database.read(count_calls) == 1
    impatient.close()
    other.close()


def test_a_file_that_is_no_database_is_unavailable(tmp_path):
    path = tmp_path / "beffroi.sqlite3"
    path.write_bytes(b"not a database" * 1000)
    database = SqliteDatabase(path)
    with pytest.raises(DatabaseUnavailableError, match="not a database"):
        database.read(count_calls)
    database.close()


def test_a_postgresql_server_that_is_away_is_unavailable():
    database = open_database("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(DatabaseUnavailableError):
        database.read(count_calls)
    database.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "postgresql://h:port/x", ""])
def test_another_kind_of_database_is_refused(url):
    with pytest.raises(ValueError, match=r"database|not known"):
        open_database(url)


def test_work_that_fails_leaves_nothing_behind(database):
    def work(connection):
        insert_calls(connection, [call(1)])
        raise PeopleError("changed my mind")

    with pytest.raises(PeopleError):
        database.write(work)
    assert database.read(count_calls) == 0


# Calls


def test_a_stored_call_reads_back_as_it_was(database):
    database.write(lambda connection: insert_calls(connection, [call(1)]))
    assert database.read(list_calls) == [call(1)]


def test_a_call_without_legs_is_stored_too(database):
    record = msgspec.structs.replace(call(1), legs=[])
    database.write(lambda connection: insert_calls(connection, [record]))
    assert database.read(list_calls) == [record]


def test_how_a_leg_was_heard_is_stored_with_it(database):
    caller, callee = call(1).legs
    heard = msgspec.structs.replace(caller, quality=LegQuality(4.3, 0.5, 7.1, 82.0))
    record = msgspec.structs.replace(call(1), legs=[heard, callee])
    database.write(lambda connection: insert_calls(connection, [record]))
    assert database.read(list_calls) == [record]
    assert printable(record)["legs"][0]["quality"] == {
        "mos": 4.3,
        "loss_percent": 0.5,
        "jitter_ms": 7.1,
        "round_trip_ms": 82.0,
    }
    assert printable(record)["legs"][1]["quality"] is None


def test_calls_of_a_database_without_qualities_are_kept(database):
    folder = importlib.resources.files("pbx.store.migrations.versions")
    files = (file.name.removesuffix(".py") for file in folder.iterdir() if file.name[:4].isdigit())
    later = [f"pbx.store.migrations.versions.{name}" for name in sorted(files, reverse=True)[:-1]]

    def as_it_was(connection):
        insert_calls(connection, [call(1)])
        with Operations.context(MigrationContext.configure(connection)):
            for name in later:
                importlib.import_module(name).downgrade()
        connection.exec_driver_sql("UPDATE alembic_version SET version_num='0001'")

    database.write(as_it_was)
    upgrade(database)
    assert database.read(list_calls) == [call(1)]


def test_legs_intervals_parents_and_plan_lines_are_stored_with_a_call(database):
    caller, callee = call(2).legs
    started = call(2).started
    reached = msgspec.structs.replace(callee, name="b1", number="1002", reached="group", via="standard")
    record = msgspec.structs.replace(
        call(2),
        legs=[caller, reached],
        intervals=(
            Interval("talk", started, started + 3, ("a", "b1")),
            Interval("held", started + 3, started + 5, ("a",)),
            Interval("room", started + 5, started + 9, ("a",), "conseil municipal"),
        ),
        parents=(call(1).id, call(3).id),
        plan_lines=(41, 12, 41),
    )
    database.write(lambda connection: insert_calls(connection, [call(1), record]))
    assert database.read(list_calls) == [record, call(1)]
    made_for = database.read(lambda connection: list_calls(connection, parent=call(1).id))
    assert made_for == [record]


def test_inserting_a_call_twice_is_inserting_it_once(database):
    for _ in range(2):
        database.write(lambda connection: insert_calls(connection, [call(1), call(2)]))
    assert database.read(list_calls) == [call(2), call(1)]


def test_calls_are_listed_newest_first_up_to_a_limit(database):
    database.write(lambda connection: insert_calls(connection, [call(number) for number in range(700)]))
    listed = database.read(lambda connection: list_calls(connection, limit=600))
    assert listed == [call(number) for number in range(699, 99, -1)]


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({"since": 1_700_000_003.0}, [4, 3]),
        ({"until": 1_700_000_002.0}, [1, 0]),
        ({"since": 1_700_000_001.0, "until": 1_700_000_003.0}, [2, 1]),
        ({"number": "1003"}, [3]),
        ({"number": "1001"}, [4, 3, 2, 1, 0]),
        ({"direction": "outbound"}, [4]),
        ({"cause": "busy"}, [0]),
        ({"call_id": f"{2:016x}"}, [2]),
        ({"number": "100_"}, []),
        ({"limit": 0}, []),
        ({"limit": -5}, []),
    ],
)
def test_calls_are_filtered(database, filters, numbers):
    records = [call(number) for number in range(5)]
    records[0] = msgspec.structs.replace(records[0], cause="busy")
    records[3] = msgspec.structs.replace(records[3], to="1003")
    records[4] = msgspec.structs.replace(records[4], direction="outbound")
    database.write(lambda connection: insert_calls(connection, records))
    assert database.read(lambda c: list_calls(c, **filters)) == [records[number] for number in numbers]


# Positions


def test_calls_about_a_number_stay_and_lose_it(database):
    citizen = "+33699999999"
    theirs = LegRecord("", "+33699999999@192.0.2.1", "UDP", "PCMA", 1.0, 2.0, 3.0, "answered", number=citizen)
    came = msgspec.structs.replace(call(1), from_=citizen, from_name="M. Durand", legs=[theirs])
    went = msgspec.structs.replace(call(2), dialled="0699999999", to=citizen, legs=[*call(2).legs, theirs])
    forwarded = msgspec.structs.replace(call(3), legs=[*call(3).legs, theirs])
    other = call(4)
    database.write(lambda connection: insert_calls(connection, [came, went, forwarded, other]))
    assert database.write(lambda connection: erase_number(connection, citizen)) == 3
    stored = {one.id: one for one in database.read(list_calls)}
    assert "99999999" not in repr(stored)
    assert "Durand" not in repr(stored)
    assert (stored[came.id].from_, stored[came.id].to, stored[came.id].ended) == (
        "erased",
        "1002",
        came.ended,
    )
    assert (stored[went.id].from_, stored[went.id].dialled, stored[went.id].to) == (
        "1001",
        "erased",
        "erased",
    )
    assert stored[other.id] == other
    assert database.write(lambda connection: erase_number(connection, citizen)) == 0
    terms = {
        row.term for row in database.read(lambda connection: connection.execute(sa.select(call_terms)).all())
    }
    assert not {citizen, "0699999999", "name durand", "erased"} & terms
    assert {"1001", "1002"} <= terms


def test_a_position_is_remembered_moved_and_forgotten(database):
    for position in (Position(24, False), Position(900, True)):
        database.write(lambda connection, position=position: set_position(connection, "ab", position))
        assert database.read(positions) == {"ab": position}
    database.write(lambda connection: forget_positions(connection, ["ab", "cd"]))
    assert database.read(positions) == {}


def test_a_durable_write_syncs_fully_and_the_next_one_as_usual(database):
    def synchronous(connection):
        set_position(connection, "ab", Position(1, True))
        return connection.exec_driver_sql("PRAGMA synchronous").scalar()

    assert database.write(synchronous, durable=True) == 2  # FULL
    assert database.write(synchronous) == 1  # NORMAL


# People


def test_a_person_and_their_devices_read_back_as_they_were(database):
    database.write(lambda connection: add_person(connection, alice()))
    assert database.read(list_people) == [alice()]


def test_no_password_is_in_the_database(database, tmp_path):
    database.write(lambda connection: add_person(connection, alice()))
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Alice Martin" in data
    assert b"pw1001" not in data


def test_digest_hashes_give_the_responses_of_rfc_7616():
    """RFC 7616 section 3.9.1: the same request answered with either algorithm."""
    nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    md5, sha256 = digest_hashes("Mufasa", "http-auth@example.org", "Circle of Life")

    def response(algorithm, ha1):
        ha2 = hashlib.new(algorithm, b"GET:/dir/index.html").hexdigest()
        return hashlib.new(algorithm, f"{ha1}:{nonce}:00000001:{cnonce}:auth:{ha2}".encode()).hexdigest()

    assert response("md5", md5) == "8ca523f5e9506fed4657c9700eebdbec"
    assert response("sha256", sha256) == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


def test_a_second_device_signs_in_with_a_suffix(database):
    app = device_credentials("1001-app", "valmont.example", "x", site="caserne", md5_only=True)
    database.write(lambda connection: add_person(connection, alice()))
    database.write(lambda connection: add_device(connection, app))
    assert database.read(list_people)[0].devices == [*alice().devices, app]


def test_removing_a_person_removes_their_devices(database):
    database.write(lambda connection: add_person(connection, alice()))
    database.write(lambda connection: remove_person(connection, "1001"))
    assert database.read(list_people) == []
    database.write(lambda connection: add_person(connection, alice(devices=[])))
    assert database.read(list_people)[0].devices == []


def test_removing_a_device_leaves_its_person(database):
    database.write(lambda connection: add_person(connection, alice()))
    database.write(lambda connection: remove_device(connection, "1001"))
    assert database.read(list_people) == [alice(devices=[])]


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda c: add_person(c, alice()), "extension 1001 is taken"),
        (lambda c: remove_person(c, "1002"), "nobody has extension 1002"),
        (lambda c: add_device(c, device_credentials("1001", "r", "x")), "already signs in as 1001"),
        (lambda c: add_device(c, device_credentials("1002-app", "r", "x")), "nobody has extension 1002"),
        (lambda c: remove_device(c, "1001-app"), "no device signs in as 1001-app"),
        (lambda c: add_person(c, alice(extension="1002; DROP")), "extension: "),
        (lambda c: add_person(c, alice(extension="1002\n")), "extension: "),
        (lambda c: add_person(c, alice(extension="1002", name="")), "name: "),
        (lambda c: add_person(c, alice(extension="1002", mobile="06")), "mobile: "),
        (lambda c: device_credentials("../etc", "r", "x"), "sign_in: "),
        (lambda c: device_credentials("1001", 'r"', "x"), "realm: "),
    ],
)
def test_what_cannot_be_is_refused_in_words(database, work, message):
    database.write(lambda connection: add_person(connection, alice()))
    with pytest.raises(PeopleError, match=message):
        database.write(work)
    assert database.read(list_people) == [alice()]


def test_generated_passwords_differ_and_have_no_lookalikes():
    passwords = {generate_password() for _ in range(100)}
    assert len(passwords) == 100
    assert all(len(password) == 20 and not set(password) & set("lo01IO") for password in passwords)


# The exported directory


def test_the_exported_directory_reads_back_without_the_database(database, tmp_path):
    database.write(lambda connection: add_person(connection, alice()))
    exported = export_directory(database, tmp_path / "directory.json")
    assert read_directory(tmp_path / "directory.json") == exported
    assert exported.people == [alice()]
    assert exported.revision == database.read(revision) > 0


def test_only_the_owner_reads_the_directory(database, tmp_path):
    export_directory(database, tmp_path / "directory.json")
    assert stat.S_IMODE((tmp_path / "directory.json").stat().st_mode) == 0o600


def test_a_directory_that_was_never_exported_is_empty(tmp_path):
    assert read_directory(tmp_path / "directory.json") == Directory()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": 2}',
        b'{"format": 1, "people": [{"extension": "x", "name": "A", "class_name": "c"}]}',
        b'{"format": 1, "people": [{"extension": "1001", "name": "A", "class_name": "c", "password": "p"}]}',
    ],
)
def test_a_directory_that_is_not_one_is_refused_in_words(tmp_path, text):
    (tmp_path / "directory.json").write_bytes(text)
    with pytest.raises(DirectoryError, match=r"directory\.json: "):
        read_directory(tmp_path / "directory.json")


def test_a_directory_that_cannot_be_written_leaves_the_former_one(tmp_path):
    path = tmp_path / "directory.json"
    write_directory(path, Directory(revision=1))
    with pytest.raises(DirectoryError):
        write_directory(path / "directory.json", Directory(revision=2))  # its folder is a file
    assert read_directory(path).revision == 1
    assert os.listdir(tmp_path) == ["directory.json"]


def test_exports_at_the_same_time_end_with_the_newest_people(database, tmp_path):
    path = tmp_path / "directory.json"
    other = SqliteDatabase(tmp_path / "beffroi.sqlite3")
    exporting = threading.Thread(target=lambda: [export_directory(other, path) for _ in range(20)])
    exporting.start()
    for number in range(20):
        person = alice(extension=str(2000 + number), devices=[])
        database.write(lambda connection, person=person: add_person(connection, person))
        export_directory(database, path)
    exporting.join()
    assert len(read_directory(path).people) == 20
    other.close()


def test_the_journal_and_the_directory_never_import_sqlalchemy():
    script = (
        "import sys, pbx.journal, pbx.people.directory, pbx.records, pbx.configuration, pbx.node.backup;"
        "sys.exit('sqlalchemy' in sys.modules or 'alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
