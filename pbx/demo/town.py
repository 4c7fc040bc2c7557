"""The sample town as a node of its own: on loopback, in a temporary folder that is gone afterwards.

    with running_town(5060) as town:
        ...                             # beffroi answers on town.server

The node is a child process, forked before any loop or thread exists, and ends when we do, whatever ends us.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from dialplan.loading import load_plan
from dialplan.plan import Person, Plan
from pbx.configuration import Configuration, load_configuration
from pbx.demo import FIRST_LINE
from pbx.settings.values import Listen
from pbx.supervisor import StartError, Supervisor, bound
from sip.net.udp import UdpTransport
from sip.user_agent import Account, UserAgent

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
USUAL_PORT = 5060
LAST_PORT = USUAL_PORT + 100
USUAL_WEB_PORT = 8080
LAST_WEB_PORT = USUAL_WEB_PORT + 100
ANSWER_SECONDS = 10.0
SAMPLE_PLAN = Path(__file__).with_name("valmont.yaml")

# Every listener is written, so that what a later version adds by default stays off the network here.
_CONFIGURATION = """\
data_dir: ./data
domain: {host}
plan: ./valmont.yaml
sip: {{udp: "{host}:{port}", tcp: "{host}:{port}", tls: [], ws: []}}
web: {web}
media: {{address: {host}, ports: 20000-20999, rtc: "{host}:0"}}
"""
# No operator is there: their hosts become addresses of loopback, so that nothing is ever looked up or sent.
_NO_OPERATORS = {
    "host: sip.operateur-a.example": "host: 127.255.255.254",
    "host: sip.operateur-b.example": "host: 127.255.255.253",
    "transport: udp": "transport: tls",
}
_PR_SET_PDEATHSIG = 1


class DemoError(Exception):
    """The demonstration can't go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Town:
    """A running town. pid: of its supervisor; log: the file that its processes write to.

    links: by role, each opens the pages signed in, once; none where no pages are served.
    """

    configuration: Configuration
    plan: Plan
    pid: int
    log: Path
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def server(self) -> tuple[str, int]:
        """Where SIP is heard, over UDP and TCP alike."""
        listen = self.configuration.sip.udp[0]
        return listen.host, listen.port

    @property
    def people(self) -> list[Person]:
        """Who can sign in, by extension."""
        people = [person for person in self.plan.people.values() if person.password is not None]
        return sorted(people, key=lambda person: person.extension)

    def account(self, extension: str) -> Account:
        """What a phone of this extension is set up with. Raises DemoError for a stranger."""
        for person in self.people:
            if person.extension == extension:
                return Account(extension, person.password or "", self.configuration.domain, person.name)
        raise DemoError(f"nobody has extension {extension} in {self.configuration.plan}")

    def last_words(self) -> str:
        """The end of what its processes wrote."""
        return _last_words(self.log)

    def wait(self) -> None:
        """Return when the town has ended by itself, which it shouldn't. Raises DemoError then."""
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        raise DemoError(f"the town has ended by itself; its last words:\n{self.last_words()}")


@contextmanager
def running_town(port: int | None = None, *, with_pages: bool = False) -> Iterator[Town]:
    """The town for the length of the block, from its first answer to its end.

    port: to listen on; None takes 5060, or the next one that is free. with_pages: whether its pages are
    served, from port 8080, or the next one that is free. Raises DemoError.
    """
    with tempfile.TemporaryDirectory(prefix="beffroi-demo-", ignore_cleanup_errors=True) as folder:
        web_port = free_web_port() if with_pages else None
        configuration = write_configuration(Path(folder), port if port is not None else free_port(), web_port)
        links = _signed_in_links(configuration) if with_pages else {}
        town = replace(_start(configuration, load_plan(configuration.plan)), links=links)
        try:
            asyncio.run(_until_it_answers(town))
            yield town
        finally:
            _stop(town.pid)


def write_configuration(folder: Path, port: int, web_port: int | None = None) -> Configuration:
    """Write the demonstration's configuration and plan into a folder and return the configuration.

    web_port: where its pages are; None for none.
    """
    plan = SAMPLE_PLAN.read_text(encoding="utf-8")
    for real, harmless in _NO_OPERATORS.items():
        plan = plan.replace(real, harmless)
    (folder / "valmont.yaml").write_text(plan, encoding="utf-8")
    file = folder / "beffroi.yaml"
    web = "[]" if web_port is None else f"{HOST}:{web_port}"
    text = _CONFIGURATION.format(host=HOST, port=port, web=web)
    file.write_text(FIRST_LINE + text, encoding="utf-8")
    return load_configuration(file)


def free_port() -> int:
    """The usual port, or the next one on which nobody listens over UDP and TCP. Raises DemoError."""
    for port in range(USUAL_PORT, LAST_PORT, 2):  # 5061 is for TLS: phones take it for that
        with suppress(StartError):
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                bound(Listen(HOST, port), kind).close()
            return port
    raise DemoError(f"every port from {USUAL_PORT} to {LAST_PORT} is taken; name a free one with --port")


def free_web_port() -> int:
    """The usual port of the pages, or the next one on which nobody listens. Raises DemoError."""
    for port in range(USUAL_WEB_PORT, LAST_WEB_PORT):
        with suppress(StartError):
            bound(Listen(HOST, port), socket.SOCK_STREAM).close()
            return port
    raise DemoError(f"every port from {USUAL_WEB_PORT} to {LAST_WEB_PORT} is taken")


def _signed_in_links(configuration: Configuration) -> dict[str, str]:
    """Make the sample accounts; returns a link that is signed in for each role. Raises DemoError."""
    # Imported here: two phones that call each other need no database in this process.
    from pbx.accounts.demonstration import add_sample_accounts
    from pbx.accounts.links import link_url
    from pbx.store.database import DatabaseUnavailableError, open_database
    from pbx.store.revision import upgrade

    origin = f"http://{configuration.web.listen[0]}"
    try:
        database = open_database(configuration.database)
        upgrade(database)
        now = time.time()  # noqa: TID251 (the demonstration's own composition root)
        language = "en" if os.environ.get("LANG", "").startswith("en") else "fr"
        secrets_of = database.write(
            lambda connection: add_sample_accounts(connection, now, language), durable=True
        )
        database.close()
    except DatabaseUnavailableError as error:
        raise DemoError(str(error)) from None
    return {role: link_url(origin, "demo", secret) for role, secret in secrets_of.items()}


def _start(configuration: Configuration, plan: Plan) -> Town:
    """Fork the node and wait until its sockets are bound. Raises DemoError."""
    log_file = configuration.path.with_name("beffroi.log")
    ready, bound_now = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(ready)
        _be_node(configuration, log_file, bound_now, parent)
    os.close(bound_now)
    with os.fdopen(ready, "rb") as pipe:
        if pipe.read(1):
            return Town(configuration, plan, pid, log_file)
    os.waitpid(pid, 0)
    raise DemoError(f"the town doesn't start: {_last_words(log_file)}")


def _be_node(configuration: Configuration, log_file: Path, bound_now: int, parent: int) -> None:
    """Be the supervisor until the end, writing to the log instead of the screen; never returns."""
    status = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
        os.setsid()  # a terminal's Ctrl-C is for the demonstration, which tells us with SIGTERM
        output = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        supervisor = Supervisor(configuration)
        os.write(bound_now, b"\n")
        os.close(bound_now)
        status = supervisor.run()
    except StartError as error:
        os.write(2, f"{error}\n".encode())
    except BaseException:
        log.critical("the town failed", exc_info=True)
    finally:
        os._exit(status)


async def _until_it_answers(town: Town) -> None:
    """Ask once: the sockets are bound, so the question waits there until somebody reads it."""
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asking.bind((HOST, 0))
    agent = UserAgent(Account("demo", "", town.configuration.domain), secrets.token_bytes(16))
    transport = UdpTransport(agent.driver, asking)
    agent.outbound = transport.flow_to(town.server)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            status = await agent.options()
    except TimeoutError:
        status = 408
    finally:
        agent.close()
        transport.close()
    if status != 200:
        raise DemoError(f"the town answers {status}; its last words:\n{town.last_words()}")


def _stop(pid: int) -> None:
    """End the node: it waits for calls in progress, unless a second Ctrl-C says not to."""
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGTERM)
        try:
            os.waitpid(pid, 0)
        except KeyboardInterrupt:
            os.kill(pid, signal.SIGKILL)  # its processes end with it
            os.waitpid(pid, 0)


def _last_words(log_file: Path) -> str:
    try:
        return "\n".join(log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
    except OSError:
        return "(it said nothing)"
