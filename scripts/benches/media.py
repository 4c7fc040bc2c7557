"""The area `media`: what a relayed packet costs, how many are lost, how much later they arrive.

1,000 phones that only send and receive sound (rtpload.c, on the load's core) talk in pairs through one
relay on the programs' core, where a Beffroi that sets up 100 calls a second runs beside it. The relays are
ours with its packets moved by C and by Python, and Debian's rtpengine in user space; one after the other.
Then come phones with keys (SRTP), on our relay with its packets moved by C, and last a whole Beffroi with
1,000 calls at once, each set up over SIP: signalling and relay share the programs' core.
"""

import asyncio
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benches import beffroi, plane_fuzz, process
from benches.figure import BEFFROI, Figure, Meaning
from benches.load import FIRST_CALLEE, FIRST_EXTENSION, compiled
from benches.plane_fuzz import PLANE
from benches.process import BenchError
from benches.signalling import Bench, Peer

if TYPE_CHECKING:
    from sip.net.udp import UdpTransport
    from sip.user_agent import OutgoingCall, UserAgent

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("rtpload.c")
STREAMS = (100, 500, 1000)
MOST = STREAMS[-1]
SECONDS = 10
WARM_UP_SECONDS = 1.0  # rtpload counts from then on
CALL_RATE = 100
PHONE_PORT = 13_000
RELAY_PORTS = (24_000, 31_999)
NG_PORT = 17_110
NG_SECONDS = 20.0
STALL_MS = 10
CALLS_AT_ONCE = 1000
AT_ONCE_SECONDS = 20
SET_UP_SECONDS = 120.0
MEANINGS = {
    **{
        name: meaning
        for streams in STREAMS
        for name, meaning in {
            f"packet_cpu_{streams}": Meaning(
                f"CPU of a relayed packet, {streams} streams", "us", "lower", 5 if streams == MOST else None
            ),
            f"lost_{streams}": Meaning(
                f"packets lost, {streams} streams", "%", "lower", 0 if streams == MOST else None
            ),
            f"delay_p50_{streams}": Meaning(f"added delay, 50 %, {streams} streams", "us", "lower"),
            f"delay_p99_{streams}": Meaning(
                f"added delay, 99 %, {streams} streams", "us", "lower", 1000 if streams == MOST else None
            ),
        }.items()
    },
    f"packet_cpu_srtp_{MOST}": Meaning(f"CPU of a packet, SRTP on both legs, {MOST} streams", "us", "lower"),
    f"srtp_cost_{MOST}": Meaning("of it what SRTP adds", "us", "lower", 5),
    f"lost_srtp_{MOST}": Meaning(f"packets lost, SRTP on both legs, {MOST} streams", "%", "lower", 0),
    "share_of_rtpengine": Meaning("CPU of a packet, of rtpengine's in this run", "%", "lower", 65),
    "memory_a_call": Meaning("memory of the relay for a call (PSS)", "kB", "lower", 20),
    "calls_1000": Meaning(
        f"calls at once, set up over SIP, that last for {AT_ONCE_SECONDS} s of sound", "calls", "higher", 1000
    ),
    "calls_1000_lost": Meaning("packets lost in them", "%", "lower", 0),
    "calls_1000_p99": Meaning("added delay in them, 99 %", "us", "lower"),
    "calls_1000_cpu": Meaning("CPU of all processes in them", "%", "lower"),
    "calls_1000_memory": Meaning("memory of signalling and media for each (PSS)", "kB", "lower", 20),
    **plane_fuzz.MEANINGS,
}

Join = Callable[[int], list[int]]  # so many phones: where each is to send


class Relay(NamedTuple):
    """A relay that runs. join: makes calls of so many phones and returns the port that each sends to."""

    pid: int
    join: Join


class Talk(NamedTuple):
    """What came of some seconds of sound. report: what rtpload printed."""

    cpu_us: float
    report: dict[str, float]


# What the phones encrypt with, and what they are sent with: AES_CM_128_HMAC_SHA1_80 (rtpload.c has them too).
PHONES_KEY = bytes(range(30))
OUR_KEY = bytes(range(30, 60))


def _body(port: int) -> bytes:
    # With telephone-event: nobody listens for keys in the sound.
    lines = (
        "v=0", "o=phone 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
        f"m=audio {port} RTP/AVP 8 101", "a=rtpmap:8 PCMA/8000", "a=rtpmap:101 telephone-event/8000",
        "a=sendrecv", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode()


def _port(body: bytes) -> int:
    found = re.search(rb"m=audio (\d+) ", body)
    if found is None:
        raise BenchError(f"no audio in {body[:200]!r}")
    return int(found[1])


@contextmanager
def ours(plane: str, core: int) -> Iterator[Relay]:
    """Our media process, with the signalling half of the engine in this one."""
    sys.path.insert(0, str(ROOT))
    from media.engines.python import PythonEngine

    ours, theirs = socket.socketpair()
    with TemporaryDirectory(prefix="bench-") as directory:
        with theirs:
            child = _media_process(theirs, plane, core, directory)
        with asyncio.Runner() as runner:
            engine = PythonEngine(ours, ["127.0.0.1"])

            async def join(phones: int) -> list[int]:
                ports = []
                for first in range(0, phones, 2):
                    one, other = (PHONE_PORT + 2 * number for number in (first, first + 1))
                    call = secrets.token_hex(8)
                    offered = await engine.offer(call, "a", "b", _body(one))
                    answered = await engine.answer(call, "b", "a", _body(other))
                    ports += [_port(answered), _port(offered)]
                await engine.query(call)
                return ports

            async def close() -> None:
                engine.close()

            try:
                runner.run(engine.start())
                yield Relay(child.pid, lambda phones: runner.run(join(phones)))
            finally:
                runner.run(close())
                child.wait(10)


@contextmanager
def secured(core: int) -> Iterator[Relay]:
    """Our media process with its packets moved by C, told by this process that all legs have keys."""
    sys.path.insert(0, str(ROOT))
    from media import frames
    from media.engines import wire
    from media.sdes import Crypto, Security

    suite: Final = "AES_CM_128_HMAC_SHA1_80"
    security = Security(Crypto(1, suite, OUR_KEY), Crypto(1, suite, PHONES_KEY))
    ours, theirs = socket.socketpair()

    def join(phones: int) -> list[int]:
        ours.sendall(frames.frame([wire.Grow(phones)]))
        reader, ports = frames.FrameReader(), list[int]()
        while len(ports) < phones:
            for body in reader.receive(ours.recv(frames.READ_BYTES)):
                for report in wire.reports(body):
                    ports += report.ports if isinstance(report, wire.Ports) else ()
        for number, port in enumerate(ports):
            at = PHONE_PORT + 2 * number
            route = wire.Route(
                port, ports[number ^ 1], "127.0.0.1", at, at + 1, False, False, False, {8: 8}, (), "PCMA", 8,
                8000, -1, security=security,
            )  # fmt: skip
            ours.sendall(frames.frame([route]))
        return ports

    with ours, TemporaryDirectory(prefix="bench-") as directory:
        with theirs:
            child = _media_process(theirs, "native", core, directory)
        ours.settimeout(10)
        try:
            yield Relay(child.pid, join)
        finally:
            ours.close()
            child.wait(10)


def _media_process(control: socket.socket, plane: str, core: int, prompts: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "media.engines.relay", f"--control={control.fileno()}"]
    command += ["--ports", "-".join(map(str, RELAY_PORTS)), "--prompts", prompts, "--plane", plane]
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", str(core), *command],
        pass_fds=[control.fileno()],
        cwd=ROOT,
    )


@contextmanager
def rtpengine(core: int) -> Iterator[Relay]:
    """Debian's rtpengine in user space. Raises BenchError when it doesn't answer."""
    low, high = RELAY_PORTS
    command = [
        "rtpengine", "--config-file=none", "--table=-1", "--interface=127.0.0.1",
        f"--listen-ng=127.0.0.1:{NG_PORT}", "--foreground", "--log-stderr", "--log-level=3",
        f"--port-min={low}", f"--port-max={high}",
    ]  # fmt: skip
    with (
        TemporaryDirectory(prefix="bench-") as directory,
        _ng() as ng,
        process.started(command, core, Path(directory) / "log", {}) as child,
    ):
        _until_answered(ng)
        yield Relay(child.pid, partial(_ng_join, ng))


@contextmanager
def _ng() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ng:
        ng.connect(("127.0.0.1", NG_PORT))
        ng.settimeout(0.5)
        yield ng


def _until_answered(ng: socket.socket) -> None:
    until = time.monotonic() + NG_SECONDS
    while time.monotonic() < until:
        try:
            if _asked(ng, {"command": "ping"})["result"] == b"pong":
                return
        except OSError:
            time.sleep(0.1)
    raise BenchError(f"rtpengine didn't answer within {NG_SECONDS:.0f} s")


def _ng_join(ng: socket.socket, phones: int) -> list[int]:
    ports = []
    for first in range(0, phones, 2):
        one, other = (PHONE_PORT + 2 * number for number in (first, first + 1))
        said: dict[str, Any] = {"call-id": secrets.token_hex(8), "from-tag": "a", "ICE": "remove"}
        offered = _asked(ng, {**said, "command": "offer", "sdp": _body(one)})
        answered = _asked(ng, {**said, "command": "answer", "to-tag": "b", "sdp": _body(other)})
        ports += [_port(answered["sdp"]), _port(offered["sdp"])]
    return ports


def _asked(ng: socket.socket, command: dict[str, Any]) -> dict[str, Any]:
    """One round trip of the ng protocol: a cookie, a space, a bencoded dictionary."""
    cookie = secrets.token_hex(6).encode()
    ng.send(cookie + b" " + _bencoded(command))
    while True:
        heard, _, body = ng.recv(65_535).partition(b" ")
        if heard == cookie:
            answer, _ = _bdecoded(body, 0)
            if answer.get("result") == b"error":
                raise BenchError(f"rtpengine refused: {answer}")
            return dict(answer)


def _bencoded(value: Any) -> bytes:
    match value:
        case bytes():
            return b"%d:%s" % (len(value), value)
        case str():
            return _bencoded(value.encode())
        case _:
            return b"d" + b"".join(_bencoded(key) + _bencoded(value[key]) for key in sorted(value)) + b"e"


def _bdecoded(data: bytes, at: int) -> tuple[Any, int]:
    match data[at : at + 1]:
        case b"i":
            end = data.index(b"e", at)
            return int(data[at + 1 : end]), end + 1
        case b"d" | b"l" as kind:
            values = []
            at += 1
            while data[at : at + 1] != b"e":
                value, at = _bdecoded(data, at)
                values.append(value)
            if kind == b"l":
                return values, at + 1
            return {key.decode(): value for key, value in zip(values[::2], values[1::2], strict=True)}, at + 1
        case _:
            colon = data.index(b":", at)
            end = colon + 1 + int(data[at:colon])
            return data[colon + 1 : end], end


def _cpu_us(pid: int) -> float:
    """What all threads of a process have run, user and system."""
    return sum(
        int((task / "schedstat").read_text().split()[0]) / 1000
        for task in Path(f"/proc/{pid}/task").iterdir()
    )


def _talk(
    program: Path,
    core: int,
    pids: Sequence[int],
    ports: Sequence[int],
    keys: Sequence[bytes] = (),
    seconds: int = 0,
) -> Talk:
    """Let phones talk, for SECONDS unless told. pids: the relay; keys: the phones' and ours.

    Raises BenchError when the load fails.
    """
    seconds = seconds or SECONDS
    command = ["taskset", "-c", str(core), str(program), str(PHONE_PORT), str(seconds)]
    command += [key.hex() for key in keys]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdin is not None and load.stdout is not None
        load.stdin.write("".join(f"{number} {port}\n" for number, port in enumerate(ports)))
        load.stdin.close()
        time.sleep(WARM_UP_SECONDS)
        before = sum(map(_cpu_us, pids))
        time.sleep(seconds)
        spent = sum(map(_cpu_us, pids)) - before
        printed = load.stdout.read()
    if load.returncode:
        raise BenchError(f"rtpload stopped with status {load.returncode}")
    return Talk(spent, json.loads(printed))


@contextmanager
def _calls(bench: Bench, roles: Sequence[int], seconds: float) -> Iterator[None]:
    """Set up CALL_RATE calls a second meanwhile."""
    reports = []
    calling = threading.Thread(
        target=lambda: reports.append(bench.load.calls(CALL_RATE, round(seconds), roles))
    )
    calling.start()
    yield
    calling.join()
    for report in reports:
        if not report.clean:
            bench.say(f"the calls beside it: {report.in_words()}")


def phones(directory: Path = ROOT / ".venv" / "cache") -> Path:
    """Return rtpload, compiled. Raises BenchError."""
    flags = (f"-I{PLANE}", str(PLANE / "keys.c"), "-DPLANE_SRTP", "-lcrypto")
    return compiled(SOURCE, directory, *flags, also=[PLANE / "keys.c", PLANE / "keys.h", PLANE / "plane.h"])


def _srtp_weighed(bench: Bench, busy: Sequence[int], plain_us: float) -> Iterator[Figure]:
    """The figures of SRTP on both legs. plain_us: what a packet in clear costs."""
    with secured(bench.core) as relay, _calls(bench, busy, SECONDS + 4):
        talk = _talk(phones(), bench.load.core, [relay.pid], relay.join(MOST), (PHONES_KEY, OUR_KEY))
    sent, received = talk.report["sent"], talk.report["received"]
    cost = talk.cpu_us / max(received, 1)
    bench.say(f"SRTP: {MOST} streams: {cost:.2f} us a packet, {sent - received:.0f} of {sent:.0f} lost")
    for name, value in (
        (f"packet_cpu_srtp_{MOST}", cost),
        (f"srtp_cost_{MOST}", cost - plain_us),
        (f"lost_srtp_{MOST}", 100 * (sent - received) / max(sent, 1)),
    ):
        yield Figure(name, value, MEANINGS[name])


def _weighed(
    bench: Bench, name: str, start: Callable[[], AbstractContextManager[Relay]], busy: Sequence[int]
) -> list[Figure]:
    """All figures of one relay. busy: the processes of the Beffroi that sets up calls beside it."""
    figures = []

    def note(key: str, value: float) -> None:
        figures.append(Figure(key, value, MEANINGS[key], name))

    program = phones()
    for streams in STREAMS:
        with start() as relay, _calls(bench, busy, SECONDS + 4):
            before = process.memory([relay.pid]).pss_mb
            talk = _talk(program, bench.load.core, [relay.pid], relay.join(streams))
            grown = process.memory([relay.pid]).pss_mb - before
        sent, received = talk.report["sent"], talk.report["received"]
        note(f"packet_cpu_{streams}", talk.cpu_us / max(received, 1))
        note(f"lost_{streams}", 100 * (sent - received) / max(sent, 1))
        note(f"delay_p50_{streams}", talk.report["p50_us"])
        note(f"delay_p99_{streams}", talk.report["p99_us"])
        if streams == MOST:
            note("memory_a_call", 1000 * grown / (streams / 2))
        stalled = talk.report["own_stall_us"] / 1000
        bench.say(
            f"{name}: {streams} streams: {talk.cpu_us / max(received, 1):.2f} us a packet, "
            f"{sent - received:.0f} of {sent:.0f} lost, p99 {talk.report['p99_us']:.0f} us"
            + (f"; the load itself stalled for {stalled:.0f} ms" if stalled > STALL_MS else "")
        )
    return figures


@contextmanager
def _on_core(core: int) -> Iterator[None]:
    """Have this thread, and those that it starts, run on the load's core meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _agent(extension: int, port: int) -> tuple["UserAgent", "UdpTransport"]:
    """A telephone of the bench's plan with any number of lines. port: of the Beffroi."""
    from sip.net.udp import UdpTransport
    from sip.user_agent import Account, UserAgent

    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    agent = UserAgent(Account(str(extension), f"pw{extension}", "localhost"), secrets.token_bytes(16))
    transport = UdpTransport(agent.driver, bound)
    agent.outbound = transport.flow_to(("127.0.0.1", port))
    return agent, transport


async def _joined(
    caller: "UserAgent", callee: "UserAgent", calls: int
) -> tuple[list["OutgoingCall"], list[int]]:
    """Make calls, one after the other; returns them, and the port that each phone sends to."""
    made: list[OutgoingCall] = []
    ports = []
    for number in range(calls):
        call = caller.invite(callee.account.user, _body(PHONE_PORT + 4 * number))
        incoming = await callee.incoming()
        incoming.answer(_body(PHONE_PORT + 4 * number + 2))
        ports += [_port(await call.answered()), _port(incoming.offer)]
        made.append(call)
    return made, ports


async def _talk_at_once(
    bench: Bench, pids: Sequence[int], calls: int, seconds: int
) -> tuple[Talk, int, float]:
    """Make calls and talk in all of them: what came of it, how many lasted, and what each weighs in kB.

    pids: all processes of the Beffroi. Raises BenchError.
    """
    from sip.core.errors import SipError

    (caller, way), (callee, way_back) = (_agent(user, bench.port) for user in (FIRST_EXTENSION, FIRST_CALLEE))
    try:
        async with asyncio.timeout(SET_UP_SECONDS):
            await caller.register()
            await callee.register()
            before = process.memory(pids).pss_mb
            made, ports = await _joined(caller, callee, calls)
        talk = await asyncio.to_thread(_talk, phones(), bench.load.core, pids, ports, (), seconds)
        weight = 1000 * (process.memory(pids).pss_mb - before) / calls
        lasted = sum(not call.over for call in made)
        for call in made:
            call.hang_up()
        await caller.unregister()
    except (TimeoutError, SipError) as error:
        raise BenchError(f"{calls} calls at once couldn't be set up: {error!r}") from error
    finally:
        for agent in (caller, callee):
            agent.close()
        for transport in (way, way_back):
            transport.close()
    return talk, lasted, weight


def _at_once(bench: Bench, calls: int = CALLS_AT_ONCE, seconds: int = AT_ONCE_SECONDS) -> Iterator[Figure]:
    """The figures of a Beffroi with many calls at once. Raises BenchError."""
    sys.path.insert(0, str(ROOT))
    with TemporaryDirectory(prefix="bench-") as directory:
        running = beffroi.running(Path(directory), bench.core, bench.load, bench.port, "auto")
        with running as node, _on_core(bench.load.core), asyncio.Runner() as runner:
            talk, lasted, weight = runner.run(_talk_at_once(bench, list(node.roles), calls, seconds))
    sent, received = talk.report["sent"], talk.report["received"]
    bench.say(
        f"{lasted} of {calls} calls at once lasted, {sent - received:.0f} of {sent:.0f} packets lost; "
        f"the load itself stalled for {talk.report['own_stall_us'] / 1000:.0f} ms"
    )
    for name, value in (
        ("calls_1000", lasted),
        ("calls_1000_lost", 100 * (sent - received) / max(sent, 1)),
        ("calls_1000_p99", talk.report["p99_us"]),
        ("calls_1000_cpu", talk.cpu_us / seconds / 1e4),
        ("calls_1000_memory", weight),
    ):
        yield Figure(name, value, MEANINGS[name])


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """Our relay's figures, Python's and rtpengine's, and what sanitizers say of the C; no other peer.

    Raises BenchError if one of them can't start, or the load fails.
    """
    with TemporaryDirectory(prefix="bench-") as directory:
        running = beffroi.running(Path(directory), bench.core, bench.load, bench.port, "passthrough")
        with running as node:
            bench.load.register(node.roles)
            busy = list(node.roles)
            relays = {
                BEFFROI: partial(ours, "native", bench.core),
                "python": partial(ours, "python", bench.core),
                "rtpengine": partial(rtpengine, bench.core),
            }
            found = [one for name, start in relays.items() for one in _weighed(bench, name, start, busy)]
            plain = next(one for one in found if one.name == f"packet_cpu_{MOST}" and one.peer == BEFFROI)
            found += _srtp_weighed(bench, busy, plain.value or 0.0)
    costs = {one.peer: one.value or 0.0 for one in found if one.name == f"packet_cpu_{MOST}"}
    share = 100 * costs[BEFFROI] / costs["rtpengine"] if costs["rtpengine"] else None
    yield from found
    yield Figure("share_of_rtpengine", share, MEANINGS["share_of_rtpengine"])
    yield from _at_once(bench)
    yield from plane_fuzz.figures(bench)
