"""A node with the sample town and the web process, on ports of loopback that the kernel chose.

Accounts of every role are there, and `session` signs one of them in as a browser would be: with a row in the
database and its cookie, whatever the page of signing in asks for.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from pbx.accounts import records, sessions
from pbx.accounts.passwords import hash_password
from pbx.accounts.rights import Role
from pbx.configuration import Configuration, load_configuration
from pbx.demo.town import SAMPLE_PLAN
from pbx.store.database import Database, open_database
from pbx.store.revision import upgrade
from sip.net.udp import UdpTransport
from sip.user_agent import Account, UserAgent

HOST = "127.0.0.1"
START_SECONDS = 120.0
PATIENCE_SECONDS = 45.0
"""For one thing that a page or a process does on a slow machine with other work; most take a hundredth."""
TEST_SECONDS = 200.0
"""For all that people say to one another in a test."""
PASSWORD = "quatre mots sans lien"
STOP_SECONDS = 60.0

ACCOUNTS: dict[Role, tuple[str, str]] = {
    "agent": ("1001", "Alice Martin"),
    "operator": ("1002", "Bruno Petit"),
    "supervisor": ("2010", "Claire Robert"),
    "listener": ("2301", "Denis Moreau"),
    "administrator": ("2020", "Élise Bernard"),
    "auditor": ("", "Farid Haddad"),
}
"""The sign-in name of each is that of the role; extension and name."""

_CONFIGURATION = """\
data_dir: ./data
domain: {host}
plan: ./valmont.yaml
sip: {{udp: "{host}:{sip}", tcp: "{host}:{sip}", tls: [], {more}}}
web: "{host}:{web}"
media: {{address: {host}, ports: {first}-{last}, rtc: "{host}:0", {engine}}}
provisioning: {{https: "{host}:{phones}", networks: [127.0.0.0/8]}}
"""
# Their hosts become addresses of loopback where nobody is: nothing is looked up, nothing leaves.
_NO_OPERATORS = {
    "host: sip.operateur-a.example": "host: 127.255.255.254",
    "host: sip.operateur-b.example": "host: 127.255.255.253",
    "transport: udp": "transport: tls",
}
# Claire Robert has her calls recorded where she asks for it.
_ASKED = {
    "password: pw2010, site: mairie,": "password: pw2010, site: mairie, record: notes,",
    "\nrecording:\n": "\nrecording:\n  notes: {legal_basis: consentement, keep: 30 days, start: asked, "
    'listeners: ["2010"], export: one_person}\n',
}
_SECRETS = {"OPERATEUR_A_SECRET": "secret-a", "OPERATEUR_B_SECRET": "secret-b", "CONSEIL_PIN": "1234"}


@dataclass(frozen=True)
class Town:
    """A running node. url: of its pages; log: what its processes say."""

    configuration: Configuration
    url: str
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def database(self) -> Database:
        """Its database, opened anew: the caller closes it."""
        return open_database(self.configuration.database)

    @property
    def sip(self) -> tuple[str, int]:
        """Where it hears SIP, over UDP."""
        return self.configuration.sip.udp[0].host, self.configuration.sip.udp[0].port

    def session(self, role: Role) -> str:
        """Sign the account of a role in; returns what its cookie holds."""
        return session_of(self.configuration, role)

    def end_sessions(self, role: Role) -> None:
        """End all sessions of the account of a role, as an administrator would."""
        with closing(self.database) as database:
            database.write(lambda connection: sessions.end_all(connection, role))

    def phone(self, extension: str) -> tuple[UserAgent, UdpTransport]:
        """A telephone of somebody of the sample plan, not registered yet. Close both, the phone first."""
        account = Account(extension, f"pw{extension}", self.configuration.domain)
        return phone(account, self.sip)

    def command(self, *words: str) -> str:
        """Run an administrative command on it; returns what it prints."""
        command = [_program(), *words, "-c", str(self.configuration.path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


def session_of(configuration: Configuration, role: Role) -> str:
    """Sign the account of a role in on a node; returns what its cookie holds."""
    token, now = sessions.new_token(), time.time()
    with closing(open_database(configuration.database)) as database:
        account = database.read(lambda connection: records.find(connection, role))
        factor = "done" if account.needs_second_factor else "none"
        session = sessions.new_session(account, "password", factor, now, HOST, "Chromium")
        database.write(lambda connection: sessions.begin(connection, token, session))
    return token


def phone(account: Account, server: tuple[str, int]) -> tuple[UserAgent, UdpTransport]:
    """A telephone on loopback, set up for this account. Close both, the phone first."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind((HOST, 0))
    agent = UserAgent(account, os.urandom(16))
    transport = UdpTransport(agent.driver, bound)
    agent.outbound = transport.flow_to(server)
    return agent, transport


@contextmanager
def running_town(
    folder: Path, sip_more: str = "ws: []", more: str = "", engine: str = "engine: auto"
) -> Iterator[Town]:
    """The sample town for the length of the block: web process ready, and a clean stop.

    sip_more: of that section of its configuration; engine: of `media`. more: further sections.
    """
    plan = SAMPLE_PLAN.read_text(encoding="utf-8")
    for said, ours in (_NO_OPERATORS | _ASKED).items():
        assert said in plan, f"the sample plan has no {said}"
        plan = plan.replace(said, ours)
    (folder / "valmont.yaml").write_text(plan, encoding="utf-8")
    sip, web, phones = free_port(), free_port(), free_port()
    first = 20_000 + sip % 90 * 400  # towns of several workers, each with its ports of sound
    ports = {"sip": sip, "web": web, "phones": phones, "first": first, "last": first + 399}
    text = _CONFIGURATION.format(host=HOST, more=sip_more, engine=engine, **ports)
    file = folder / "beffroi.yaml"
    file.write_text(text + more, encoding="utf-8")
    configuration = load_configuration(file)
    with closing(open_database(configuration.database)) as database:
        upgrade(database)
        add_accounts(database)
    with running_node(file, f"http://{HOST}:{web}") as (process, log):
        yield Town(configuration, f"http://{HOST}:{web}", log, process)


def add_accounts(database: Database) -> None:
    """One account a role, of the same password: what needs no second factor can sign in by it."""
    hashed = hash_password(PASSWORD)

    def work(connection: sa.Connection) -> None:
        for role, (extension, name) in ACCOUNTS.items():
            records.add(
                connection,
                role,
                name,
                now=time.time(),
                roles=[role],
                extension=extension,
                password_hash=hashed,
            )

    database.write(work)


@contextmanager
def running_node(configuration: Path, url: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """`beffroi serve` for the length of the block; what it says goes beside its configuration."""
    log = configuration.with_name("serve.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [_program(), "serve", "-c", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **_SECRETS},
        )
    try:
        _wait_until_ready(process, url, log)
        yield process, log
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Calls in progress may end first, unless a second signal says not to; two at once may count as one."""
    for _ in range(int(STOP_SECONDS)):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            continue
        return
    process.kill()
    process.wait()
    raise AssertionError(f"the town didn't stop within {STOP_SECONDS} seconds")


def free_port() -> int:
    """A port on which nobody listens now, over UDP and TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind((HOST, 0))
            port: int = tcp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind((HOST, port))
                except OSError:
                    continue
                return port


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"the node isn't ready; its last words:\n{log.read_text(errors='replace')[-4000:]}")


def _program() -> str:
    return str(Path(sys.executable).with_name("beffroi"))
