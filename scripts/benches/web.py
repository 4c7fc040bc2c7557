"""The web process under load: reads of the API, event sockets, and what calls notice of a heavy report.

    reads      GET /api/v1/calls (signalling is asked), and a search of the directory
    sockets    1,000 of them are told each call, set up and ended, of a town with 5 calls a second
    report     the export of 10,000 people, again and again, beside 200 calls a second

All of Beffroi's processes have one core, the load has the other. The pages' own figures are in Chromium.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa

from benches import beffroi, process
from benches.figure import BEFFROI, Figure, Meaning
from benches.load import USERS, Load
from benches.process import BenchError
from benches.program import Running
from benches.signalling import Bench, Peer
from benches.web_pages import PAGE_MEANINGS, names, page_figures
from pbx.accounts import records, sessions, tokens
from pbx.configuration import load_configuration
from pbx.store.database import open_database
from pbx.store.revision import upgrade

WARMING_SECONDS = 5
READ_SECONDS = 8
CONNECTIONS = 16
CALLS_PATH = "/api/v1/calls"
SEARCH_PATH = "/api/v1/directory?search=chloe%20rous"
REPORT_PATH = "/api/v1/directory/export"
SOCKETS = 1000
SOCKET_CALLS = 5  # a second
SOCKET_SECONDS = 10
TOWN_CALLS = 200  # a second, beside the report
TOWN_SECONDS = 15
REPORTS_AT_ONCE = 2
ACCOUNTS = 25  # one may have 50 event sockets
KINDS = "CallStarted,LegStarted,CallRinging,CallAnswered,LegLeft,CallEnded"

MEANINGS = {
    "web_reads": Meaning("API reads a second (calls in progress)", "reads/s", "higher", 1500),
    "web_reads_p99": Meaning("one of these reads, 99 %", "ms", "lower"),
    "web_searches": Meaning("directory searches a second, of 10,000 people", "reads/s", "higher"),
    "web_sockets": Meaning("event sockets that were told every call", "sockets", "higher", SOCKETS),
    "web_event_p99": Meaning("from the event to the socket, 99 %", "ms", "lower"),
    "web_memory": Meaning("memory of the web process, after that", "MB", "lower"),
    "web_memory_idle": Meaning("memory of the web process that nobody asks", "MB", "lower"),
    "web_setup_p99": Meaning("call set-up without a report, 99 %", "ms", "lower"),
    "web_setup_p99_report": Meaning("call set-up beside a heavy report, 99 %", "ms", "lower"),
    "web_report_failures": Meaning("calls that failed beside it", "calls", "lower", 0),
    **PAGE_MEANINGS,
}


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """Measure Beffroi; no other server is asked. Raises BenchError."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        port = bench.port + 4
        held, session = prepared(directory, bench, port)
        with beffroi.started_from(directory, bench.core, bench.load) as node:
            web = {pid: role for pid, role in node.roles.items() if role == "web"}
            if not web:
                raise BenchError("beffroi runs no web process")
            yield _figure("web_memory_idle", process.memory(web).pss_mb)
            yield from _reads(bench, port, held)
            yield from _sockets(bench, node, port, held)
            yield _figure("web_memory", process.memory(web).pss_mb)
            yield from _report(bench, node, port, held)
            yield from page_figures(f"http://127.0.0.1:{port}", session)


def prepared(directory: Path, bench: Bench, port: int) -> tuple[list[str], str]:
    """Write a town with a web process, and accounts; returns their tokens, and a session of one of them."""
    called = iter(names(USERS))
    plan = re.sub(r"name: Agent \d+", lambda _: f"name: {next(called)}", beffroi.plan_text())
    (directory / "plan.yaml").write_text(plan)
    text = beffroi.configuration_text(bench.port, "passthrough")
    config = directory / "beffroi.yaml"
    config.write_text(text.replace("web: []", f"web: 127.0.0.1:{port}"))
    with closing(open_database(load_configuration(config).database)) as database:
        upgrade(database)
        return database.write(_add_accounts), database.write(_begin_session)


def _begin_session(connection: sa.Connection) -> str:
    account = records.find(connection, "bench0")
    token = sessions.new_token()
    session = sessions.new_session(account, "password", "done", time.time(), "127.0.0.1", "bench")
    sessions.begin(connection, token, session)
    return token


def _add_accounts(connection: sa.Connection) -> list[str]:
    now, made = time.time(), []
    for number in range(ACCOUNTS):
        name = f"bench{number}"
        records.add(connection, name, name, now=now, roles=["supervisor", "administrator"])
        wanted = tokens.Wanted(name="bench", ends_at=now + 86_400)
        _, secret = tokens.add(connection, name, wanted, now)
        made.append(secret)
    return made


def _reads(bench: Bench, port: int, held: list[str]) -> Iterator[Figure]:
    for path in (CALLS_PATH, SEARCH_PATH):  # the first use of each token is written down, the plan is read
        with _client(bench.load, held, "reads", port, WARMING_SECONDS, ACCOUNTS, path) as client:
            _last(client)
    for name, path in (("web_reads", CALLS_PATH), ("web_searches", SEARCH_PATH)):
        with _client(bench.load, held, "reads", port, READ_SECONDS, CONNECTIONS, path) as client:
            told = _last(client)
        bench.say(f"{BEFFROI}: {told['answered']:,} reads of {path}, {told['wrong']} refused")
        yield _figure(name, told["per_second"] if not told["wrong"] else None)
        if name == "web_reads":
            yield _figure("web_reads_p99", told["p99_ms"])


def _sockets(bench: Bench, node: Running, port: int, held: list[str]) -> Iterator[Figure]:
    bench.load.register(node.roles)
    with _client(bench.load, held, "sockets", port, SOCKET_SECONDS + 5, SOCKETS, KINDS) as client:
        assert client.stdout is not None
        opened = json.loads(client.stdout.readline())["open"]
        report = bench.load.calls(SOCKET_CALLS, SOCKET_SECONDS, node.roles)
        told = _last(client)
    said = f"{opened} sockets open, {told['told_all']} were told all of {told['told']:,} events"
    bench.say(f"{BEFFROI}: {said}; {report.cpu_share:.0f} % of a core")
    yield _figure("web_sockets", told["told_all"])
    yield _figure("web_event_p99", told["p99_ms"])


def _report(bench: Bench, node: Running, port: int, held: list[str]) -> Iterator[Figure]:
    quiet = bench.load.calls(TOWN_CALLS, TOWN_SECONDS, node.roles)
    with _client(bench.load, held, "reads", port, TOWN_SECONDS + 5, REPORTS_AT_ONCE, REPORT_PATH) as client:
        busy = bench.load.calls(TOWN_CALLS, TOWN_SECONDS, node.roles)
        told = _last(client)
    bench.say(
        f"{BEFFROI}: {told['answered']} reports beside {TOWN_CALLS} calls/s, {busy.failed} calls failed"
    )
    if told["wrong"] or not told["answered"]:
        raise BenchError(f"the report was refused {told['wrong']} times of {told['answered']}")
    yield _figure("web_setup_p99", quiet.fields["setup_ms"]["p99"])
    yield _figure("web_setup_p99_report", busy.fields["setup_ms"]["p99"])
    yield _figure("web_report_failures", busy.failed)


def _figure(name: str, value: float | None) -> Figure:
    return Figure(name, value, MEANINGS[name])


@contextmanager
def _client(load: Load, held: list[str], *words: object) -> Iterator[subprocess.Popen[str]]:
    """A client on the load's core, for the length of the block at most."""
    module = [sys.executable, "-m", "benches.web_client", *map(str, words)]
    with subprocess.Popen(
        ["taskset", "-c", str(load.core), *module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[1],
    ) as client:
        try:
            assert client.stdin is not None
            client.stdin.write("\n".join(held))
            client.stdin.close()
            yield client
        finally:
            client.terminate()


def _last(client: subprocess.Popen[str]) -> dict[str, float]:
    """What it has seen, when it has ended. Raises BenchError."""
    assert client.stdout is not None
    lines = client.stdout.read().splitlines()
    if not lines:
        raise BenchError("the client of the web process ended without a word")
    told: dict[str, float] = json.loads(lines[-1])
    return told
