"""Log lines as JSON and for a log server, without a server that anybody waits for."""

from __future__ import annotations

import errno
import io
import json
import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dialplan.finding import PlanError
from pbx.configuration import parse_configuration
from pbx.node import syslog
from pbx.node.logs import JsonFormatter, start_logging
from pbx.node.syslog import SyslogFormatter, SyslogHandler, open_wire
from pbx.settings.log import Log

# RFC 5424 section 6

HERE = Path("/srv/town/beffroi.yaml")


def record(message: str, *arguments: object, level: int = logging.INFO) -> logging.LogRecord:
    made = logging.LogRecord("pbx.calls.router", level, "x.py", 1, message, arguments, None)
    made.created = 1_795_371_300.25
    return made


def syslog_of(message: str, level: int = logging.INFO) -> str:
    return SyslogFormatter("signalling", "pbx valmont", 4711).format(record(message, level=level))


class FakeWire:
    """A socket. takes: how many bytes of each `send` it takes, or the error that it fails by (negative)."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.takes: list[int] = []
        self.is_closed = False

    def send(self, data: bytes) -> int:
        take = self.takes.pop(0) if self.takes else len(data)
        if take < 0:
            raise OSError(-take, "no")
        self.sent.append(data[:take])
        return take

    def close(self) -> None:
        self.is_closed = True


class Server:
    """A log server that may be away, and a clock."""

    def __init__(self, transport: syslog.Transport = "tcp") -> None:
        self.wires: list[FakeWire] = []
        self.is_away = False
        self.now = 100.0
        self.tries = 0
        self.handler = SyslogHandler(transport, self._connect, lambda: self.now)
        self.handler.setFormatter(logging.Formatter("%(message)s"))

    def _connect(self) -> FakeWire:
        self.tries += 1
        if self.is_away:
            raise OSError(errno.ECONNREFUSED, "refused")
        self.wires.append(FakeWire())
        return self.wires[-1]

    def log(self, *messages: str) -> None:
        for message in messages:
            self.handler.emit(record(message))


def test_a_line_of_json_has_its_fields_apart():
    line = JsonFormatter("web").format(record("call=c1 leg=a rings"))
    told = json.loads(line)
    assert told["fields"] == {"call": "c1", "leg": "a"}
    assert (told["level"], told["process"], told["message"]) == ("info", "web", "call=c1 leg=a rings")
    assert told["at"] == "2026-11-22T18:15:00.250+00:00"


def test_a_line_of_json_is_one_line_whatever_it_says():
    assert "\n" not in JsonFormatter("web").format(record("a\nb\r\x00c"))


def test_a_trace_is_a_field_of_its_own():
    try:
        raise ValueError("wrong")
    except ValueError:
        told = record("failed")
        told.exc_info = sys.exc_info()
    assert "ValueError: wrong" in json.loads(JsonFormatter("web").format(told))["trace"]


def test_a_message_says_who_when_where_and_what():
    assert syslog_of("call=c1 rings").startswith(
        "<30>1 2026-11-22T18:15:00.250+00:00 pbx?valmont beffroi-signalling 4711 pbx.calls.router "
        '[beffroi@32473 call="c1"] \ufeffcall=c1 rings'
    )


@pytest.mark.parametrize(
    ("level", "priority"), [(logging.DEBUG, 31), (logging.WARNING, 28), (logging.ERROR, 27)]
)
def test_the_severity_is_in_the_priority(level: int, priority: int):
    assert syslog_of("x", level).startswith(f"<{priority}>1 ")


def test_without_fields_there_is_no_structured_data():
    assert " pbx.calls.router - \ufeffready" in syslog_of("ready")


@pytest.mark.parametrize("hostile", ['call=a"] [x y="z', "call=a\\", "call=a]"])
def test_nobody_writes_structured_data_of_their_own(hostile: str):
    structured = syslog_of(hostile).partition("\ufeff")[0]
    assert structured.count("[") <= 1
    assert structured.count('"') in (0, 2)


def test_over_a_stream_each_message_says_how_long_it_is():
    # RFC 6587 section 3.4.1
    server = Server()
    server.log("één", "b")
    assert server.wires[0].sent == ["5 één".encode(), b"1 b"]


def test_a_datagram_is_one_message_and_no_longer_than_receivers_take():
    # RFC 5426 sections 3.1 and 3.2
    server = Server("udp")
    server.log("x" * 5000, "b")
    assert [len(datagram) for datagram in server.wires[0].sent] == [2048, 1]


def test_what_a_full_socket_does_not_take_goes_with_the_next_line():
    server = Server()
    server.log("a")
    server.wires[0].takes = [-errno.EAGAIN]
    server.log("b")
    server.log("c")
    assert b"".join(server.wires[0].sent) == b"1 a1 b1 c"


def test_a_message_of_which_a_part_was_taken_is_finished():
    server = Server()
    server.log("a")
    server.wires[0].takes = [4]
    server.log("bcdef")
    server.log("g")
    assert b"".join(server.wires[0].sent) == b"1 a5 bcdef1 g"


def test_a_message_that_was_cut_by_a_lost_connection_is_not_finished_on_another():
    server = Server()
    server.log("a")
    server.wires[0].takes = [4, -errno.EPIPE]
    server.log("bcdef")
    server.log("g")
    server.now += syslog.AGAIN_SECONDS
    server.log("h")
    assert server.wires[0].is_closed
    assert b"".join(server.wires[1].sent) == b"1 g1 h"


def test_a_server_that_is_away_is_tried_now_and_then_and_told_what_it_missed():
    server = Server()
    server.is_away = True
    server.log("a", "b", "c")
    assert server.tries == 1
    server.is_away = False
    server.now += syslog.AGAIN_SECONDS
    server.log("d")
    assert b"".join(server.wires[0].sent) == b"1 a1 b1 c1 d"


def test_what_is_kept_for_a_server_is_bounded():
    server = Server()
    server.is_away = True
    server.log(*(str(number) for number in range(syslog.MOST_KEPT + 10)))
    server.is_away = False
    server.now += syslog.AGAIN_SECONDS
    server.log("last")
    assert server.wires[0].sent[0] == b"2 11"
    assert len(server.wires[0].sent) == syslog.MOST_KEPT


def test_a_real_socket_of_the_machine_takes_it(tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "log"))
        with open_wire("unix", str(tmp_path / "log")) as wire:
            wire.send(b"<30>1 x")
        assert listening.recv(100) == b"<30>1 x"


def test_over_udp_nobody_has_to_be_there():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        with open_wire("udp", listening.getsockname()) as wire:
            wire.send(b"<30>1 x")
        assert listening.recv(100) == b"<30>1 x"


@pytest.fixture
def handlers() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before, level
    logging.captureWarnings(False)


@pytest.mark.usefixtures("handlers")
def test_errors_are_on_standard_error_whatever_becomes_of_the_server(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", said := io.StringIO())
    start_logging(Log(format="syslog", syslog="/nowhere/log"), "web")
    logging.getLogger("pbx.x").info("quiet")
    logging.getLogger("pbx.x").error("loud")
    assert said.getvalue().count("\n") == 1
    assert "loud" in said.getvalue()


@pytest.mark.parametrize(
    ("written", "transport", "address"),
    [
        ("/dev/log", "unix", "/dev/log"),
        ("192.0.2.1:514", "udp", ("192.0.2.1", 514)),
        ("udp://192.0.2.1:514", "udp", ("192.0.2.1", 514)),
        ("tcp://[2001:db8::1]:601", "tcp", ("2001:db8::1", 601)),
    ],
)
def test_the_configuration_says_where(written: str, transport: str, address: object):
    log = parse_configuration(f'log: {{format: syslog, syslog: "{written}"}}', HERE).log
    assert (log.syslog_transport, log.syslog_address) == (transport, address)


@pytest.mark.parametrize("written", ["logs.valmont.example:514", "192.0.2.1", "tls://192.0.2.1:6514", "x"])
def test_what_is_no_log_server_is_an_error_with_its_place(written: str):
    with pytest.raises(PlanError) as refused:
        parse_configuration(f'log:\n  syslog: "{written}"', HERE)
    assert refused.value.findings[0].line == 2
