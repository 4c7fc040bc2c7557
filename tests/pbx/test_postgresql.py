"""The store, the worker and telephones on a real PostgreSQL server (Debian's `postgresql`), started here.

The server refuses to run as root: under root it runs as the user `postgres` that its package makes.
"""

import asyncio
import os
import pwd
import shutil
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path

import msgspec
import pytest

from pbx.accounts import factors, links, records, sessions
from pbx.accounts.account import AccountError
from pbx.accounts.factors import Passkey
from pbx.configuration import parse_configuration
from pbx.control import every_device
from pbx.journal import CALLS, Journal, segments
from pbx.people.directory import PeopleError, Person, device_credentials, read_directory
from pbx.records import CallRecord
from pbx.store.calls import list_calls
from pbx.store.database import Database, DatabaseUnavailableError, open_database
from pbx.store.people import add_person, list_people, remove_person
from pbx.store.position import positions
from pbx.store.revision import upgrade
from pbx.worker import Worker
from sip.user_agent import Account
from tests.browser.town import phone
from tests.cli.conftest import Town, free_port
from tests.interop.patience import until
from tests.pbx.sample_records import call

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("postgresql")]


def as_postgres(*command: str) -> None:
    """Run one of the server's programs as a user that it accepts."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    assert programs, "PostgreSQL is missing: apt-get install postgresql"
    drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    arguments = [*drop, str(programs[-1] / command[0]), *command[1:]]
    subprocess.run(arguments, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/")


@pytest.fixture(scope="module")
def server():
    """The folder with a running server's socket."""
    # Not pytest's own folder, which only root may enter; a socket's path is short anyway.
    folder = Path(tempfile.mkdtemp(prefix="beffroi-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, pwd.getpwnam("postgres").pw_uid)
    try:
        as_postgres("initdb", "--auth=trust", "--username=postgres", "--no-sync", f"--pgdata={folder}/data")
        start(folder)
        yield folder
        stop(folder)
    finally:
        shutil.rmtree(folder)


def start(folder: Path) -> None:
    """Start the server of a folder, and wait until it answers."""
    options = f"-c listen_addresses= -c fsync=off -k {folder}"
    log = f"--log={folder}/log"
    as_postgres("pg_ctl", "start", "--wait", f"--pgdata={folder}/data", log, f"--options={options}")


def stop(folder: Path) -> None:
    """Stop it at once, whoever is connected."""
    as_postgres("pg_ctl", "stop", "--mode=immediate", f"--pgdata={folder}/data")


@pytest.fixture
def url(server, request):
    """The URL of an empty database of the test's own."""
    name = f"test{zlib.crc32(request.node.name.encode())}"
    as_postgres("createdb", f"--host={server}", "--username=postgres", name)
    return f"postgresql+asyncpg://postgres@/{name}?host={server}"


@pytest.fixture
def database(url):
    database = open_database(url)
    upgrade(database)
    yield database
    database.close()


@pytest.fixture
def configuration(url, tmp_path):
    return parse_configuration(f"database: {url}", tmp_path / "beffroi.yaml")


def calls_in(database: Database) -> list[CallRecord]:
    return database.read(list_calls)


def test_a_database_is_migrated_once(database):
    assert upgrade(database) is False


def test_calls_are_imported_once_and_their_segments_deleted(database, configuration):
    journal = Journal(configuration.journal_dir, segment_bytes=1000)
    worker = Worker(configuration)
    for number in range(20):
        journal.append(call(number))
        journal.flush()
    worker.step(100.0, 100.0)
    worker.close(100.0)
    worker = Worker(configuration)
    worker.step(200.0, 200.0)
    assert calls_in(database) == [call(number) for number in range(19, -1, -1)]
    assert len(segments(configuration.journal_dir, CALLS)) == len(database.read(positions)) == 1
    worker.close(200.0)
    journal.close()


def test_a_character_that_postgresql_refuses_and_a_number_twice_keep_no_call_out(database, configuration):
    journal = Journal(configuration.journal_dir)
    worker = Worker(configuration)
    for record in (msgspec.structs.replace(call(1), from_name="Al\0ce"), call(2), call(2)):
        journal.append(record)
    journal.close()
    worker.step(100.0, 100.0)
    worker.close(100.0)
    assert [record.from_name for record in calls_in(database)] == ["Alice Martin", "Al\ufffdce"]


def test_people_are_stored_exported_and_removed(database, configuration):
    device = device_credentials("1001", "valmont.example", "pw1001", md5_only=True)
    alice = Person("1001", "Alice Martin", "national", "mairie", ["accueil"], None, [device])
    database.write(lambda connection: add_person(connection, alice))
    with pytest.raises(PeopleError, match="taken"):
        database.write(lambda connection: add_person(connection, alice))
    worker = Worker(configuration)
    worker.step(100.0, 100.0)
    worker.close(100.0)
    assert read_directory(configuration.directory_file).people == [alice]
    database.write(lambda connection: remove_person(connection, "1001"))
    assert database.read(list_people) == []


def test_a_database_or_a_role_that_is_not_there_is_unavailable(server):
    for user, name in (("postgres", "absent"), ("nobody", "postgres")):
        database = open_database(f"postgresql://{user}@/{name}?host={server}")
        with pytest.raises(DatabaseUnavailableError, match="does not exist"):
            database.read(list_people)
        database.close()


# Accounts


def test_accounts_their_factors_and_sessions_are_kept_as_in_sqlite(database):
    def work(connection):
        records.add(connection, "alice", "Alice", now=1.0, roles=["agent"], extension="1001")
        records.add(connection, "bruno", "Bruno", now=1.0)
        records.add(connection, "chef", "Chef", now=1.0, roles=["administrator"])
        factors.set_totp(connection, "alice", b"\0sealed", 5)
        factors.set_recovery_codes(connection, "alice", ["abcd-efgh-jkmn-pqrs"])
        factors.add_passkey(connection, Passkey("id", "alice", "Key", b"\0key", 0, ("usb",), 1.0, None))
        alice = records.find(connection, "alice")
        assert (alice.has_totp, alice.passkeys, alice.recovery_codes) == (True, 1, 1)
        assert bytes(records.secrets_of(connection, "alice").totp_sealed) == b"\0sealed"
        assert not factors.take_totp_step(connection, "alice", 5)
        assert factors.take_totp_step(connection, "alice", 6)
        assert factors.take_recovery_code(connection, "alice", "ABCDEFGHJKMNPQRS")
        session = sessions.new_session(alice, "password", "needed", 1.0, "192.0.2.7", "Firefox")
        sessions.begin(connection, "token", session)
        assert sessions.find(connection, sessions.hash_of("token"), 2.0) == [session]
        secret = links.make_link(connection, "password", "alice", 100.0)
        assert links.use_link(connection, secret, "password", 2.0).account == "alice"
        records.change(connection, "alice", disabled=True)
        assert sessions.list_of(connection, "alice", 2.0) == []
        records.remove(connection, "alice")
        return [account.account for account in records.list_accounts(connection, after="\0")]

    assert database.write(work) == ["bruno", "chef"]


@pytest.mark.parametrize("name", ["a\0b", "\0"])
def test_a_name_that_postgresql_cannot_hold_is_nobodys(database, name):
    assert database.read(lambda connection: records.matching(connection, name)) == []
    with pytest.raises(AccountError):
        database.read(lambda connection: records.find(connection, name))


MAC = "805ec0aa0071"


def fetched(url: str) -> tuple[int, str, bytes]:
    """What a telephone gets: the status, when it is to ask again, and the file."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # whom it trusts isn't what is tested here
    request = urllib.request.Request(url, headers={"User-Agent": "Yealink SIP-T54W 96.86.0.23"})
    try:
        with urllib.request.urlopen(request, timeout=45, context=context) as answer:
            return answer.status, "", answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Retry-After", ""), error.read()


async def test_telephones_wait_while_the_server_is_away_and_register_all_the_same(server, url, tmp_path):
    """RFC 9110 section 15.6.4: who asks meanwhile is told to wait, and served when it is back."""
    town, port = Town(tmp_path), free_port()
    more = f"provisioning: {{https: '127.0.0.1:{port}', networks: [127.0.0.0/8]}}"
    town.change_configuration("web: []", f"web: []\ndatabase: {url}\n{more}")
    with town.serving():
        for words in (
            ("user", "add", "2071", "Zoé Faure"),
            ("phone", "add", MAC, "--brand", "yealink", "--model", "T54W", "--extension", "2071"),
        ):
            done = await asyncio.to_thread(town.run, *words)
            assert done.status == 0, done.err
        invited = await asyncio.to_thread(town.run, "phone", "invite", MAC, "--json")
        link = invited.json["url"]
        status, _, content = fetched(f"{link}{MAC}.cfg")
        assert status == 200
        said = dict(line.split(" = ", 1) for line in content.decode().splitlines() if " = " in line)
        own = f"{said['static.auto_provision.server.url']}{MAC}.cfg"
        account = Account(said["account.1.user_name"], said["account.1.password"], "localhost")
        telephone, transport = phone(account, ("127.0.0.1", town.port))
        try:
            await until(lambda: knows(town, account.user), "signalling to know the telephone", 45.0)
            await telephone.register()
            stop(server)
            try:
                assert fetched(own) == (503, "30", b"try again in a moment\n")
                await telephone.register()
            finally:
                start(server)
            assert fetched(own) == (200, "", content)
        finally:
            telephone.close()
            transport.close()


async def knows(town: Town, sign_in: str) -> bool:
    """Whether signalling has read a device."""
    return any(one.device == sign_in for one in every_device(town.settings.data_dir))
