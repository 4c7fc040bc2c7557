"""The area `instructions`: what a digest call and a registration take of the processor, counted, not timed.

A count is the same on a busy machine as on a quiet one. Phones of ours speak with an exchange in one process,
without sockets; what they say is kept. The same words are then said again to a new exchange, which answers
with the same bytes, as its clock and its secret are the same: so the phones cost nothing where instructions
are counted. Everything is run twice, with few and with many; the difference is theirs alone.
"""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeVar

import msgspec

from benches import beffroi
from benches.figure import Figure, Meaning
from benches.process import BenchError
from benches.signalling import Bench, Peer
from dialplan.loading import parse_plan
from media.engines.passthrough import PassthroughEngine
from pbx.exchange import Exchange
from pbx.journal import Journal
from pbx.messages.tap import BATCH, MOST_BATCH_BYTES, Tap
from pbx.node.sockets import tapped
from pbx.people.directory import Directory
from pbx.signalling import tune_collector
from sip.core.digest import authorization
from sip.core.flow import Flow
from sip.net.driver import TIMER_GRAIN_SECONDS

MEANINGS = {
    "registration_instructions": Meaning("instructions of a digest registration", "thousands", "lower"),
    "call_instructions": Meaning("instructions of a digest call", "thousands", "lower"),
}
ROOT = Path(__file__).resolve().parents[2]
FEW, MANY = 50, 250
WARMING = 50  # calls and registrations before those that count: caches are filled, code is specialised
PEOPLE = 2 * (WARMING + MANY)
FIRST_CALLER, FIRST_CALLEE = 10_000, 10_000 + WARMING + MANY
CALLERS, CALLEES, OURS = ("127.0.0.1", 17_000), ("127.0.0.1", 17_001), ("127.0.0.1", 17_100)
SECONDS_BETWEEN = 1 / 2000
SECRET = bytes(range(32))
MOST_TURNS = 20
REST_SECONDS = 70.0  # after the last: every timer of a call has had its turn
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 20000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    b"a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)

Result = TypeVar("Result")


class Said(NamedTuple):
    """One message of a phone, and how many turns of the loop the exchange has after it."""

    port: int
    data: bytes
    turns: int


class StillLoop(asyncio.SelectorEventLoop):
    """A loop whose clock moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__()

    def time(self) -> float:
        """Seconds."""
        return self.now


class KeptFlow(Flow):
    """A way to a phone: what is sent is kept."""

    __slots__ = ("_line",)

    def __init__(self, line: "Line", remote: tuple[str, int]) -> None:
        super().__init__("UDP", OURS, remote)
        self._line = line

    def send(self, data: bytes) -> None:
        """Keep a datagram."""
        self._line.sent.append(data)

    def toward(self, remote: tuple[str, int]) -> Flow:
        """The flow to another phone."""
        return self._line.flows[remote]


class Line:
    """An exchange and the phones' end of the line. sent: what it said and no phone has taken.

    directory: for its journal.
    """

    def __init__(self, plan: str, directory: Path) -> None:
        self.sent: list[bytes] = []
        self.flows = {remote: KeptFlow(self, remote) for remote in (CALLERS, CALLEES)}
        self._by_port = {remote[1]: flow for remote, flow in self.flows.items()}
        loop = asyncio.get_running_loop()
        assert isinstance(loop, StillLoop)
        self.loop = loop
        self.exchange = Exchange(
            domain="localhost",
            plan=parse_plan(plan, "plan.yaml"),
            directory=Directory(),
            engine=PassthroughEngine(),
            journal=Journal(directory / "journal"),
            clock=lambda: 1_800_000_000.0 + loop.now,
            flow=lambda transport, remote, local, identity=None: self.flows[remote],
            secret=SECRET,
        )
        self._tap_end, self._scribe = tapped()
        self._batch = bytearray(2 * MOST_BATCH_BYTES)  # it costs signalling nothing to be read
        self.tap = Tap(self._tap_end, self.exchange.clock, loop.time)
        self.tap.attach(self.exchange.driver)

    def give(self, port: int, data: bytes) -> None:
        """A message comes from the phones at a port."""
        driver = self.exchange.driver
        driver.receive(data, self._by_port[port], self.loop.now)
        driver.batch_over()

    async def replay(self, script: Sequence[Sequence[Said]]) -> None:
        """Say everything again."""
        for conversation in script:
            for port, data, turns in conversation:
                self.give(port, data)
                for _ in range(turns):
                    await asyncio.sleep(0)
            if len(self.tap) >= BATCH:  # as often as a busy node does it
                self.tap.pass_on(BATCH)
                self._scribe.recv_into(self._batch)
            self.loop.now += SECONDS_BETWEEN

    def close(self) -> None:
        """Let go of what the messages went through."""
        self._tap_end.close()
        self._scribe.close()

    async def rest(self) -> None:
        """Let all timers come that a call leaves behind, as often as the driver lets them come."""
        loop, end = self.loop, self.loop.now + REST_SECONDS
        while (deadline := self.exchange.core.stack.next_deadline() or end) < end:
            loop.now = max(deadline, loop.now + TIMER_GRAIN_SECONDS)
            await asyncio.sleep(0)
            await asyncio.sleep(0)


class Phones:
    """Who calls and is called on a line. said: every message, to be said again."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.said: list[Said] = []

    async def register(self, number: int) -> None:
        """One phone of the callees signs in."""
        extension = FIRST_CALLEE + number
        uri = "sip:localhost"

        def request(sequence: int, credentials: str = "") -> bytes:
            return (
                f"REGISTER {uri} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:17001;rport;branch=z9hG4bK-r{number}-{sequence}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:{extension}@localhost>;tag=r{number}\r\n"
                f"To: <sip:{extension}@localhost>\r\nCall-ID: r{number}\r\nCSeq: {sequence} REGISTER\r\n"
                f"Contact: <sip:{extension}@127.0.0.1:17001>\r\nExpires: 3600\r\n{credentials}"
                "Content-Length: 0\r\n\r\n"
            ).encode()

        challenge = await self._say(CALLEES, request(1), b"SIP/2.0 401")
        credentials = _credentials(challenge, extension, "REGISTER", uri)
        await self._say(CALLEES, request(2, credentials), b"SIP/2.0 200")

    async def call(self, number: int) -> None:
        """One phone of the callers calls one of the callees, and hangs up."""
        caller, callee = FIRST_CALLER + number, FIRST_CALLEE + number
        uri = f"sip:{callee}@localhost"

        def request(
            method: str,
            sequence: int,
            *,
            target: str = uri,
            tag: str = "",
            lines: str = "",
            body: bytes = b"",
        ) -> bytes:
            branch = f"z9hG4bK-c{number}-{sequence}-{'i' if method == 'ACK' and not tag else method[0]}"
            content_type = "Content-Type: application/sdp\r\n" if body else ""
            return (
                f"{method} {target} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:17000;rport;branch={branch}\r\nMax-Forwards: 70\r\n"
                f"From: <sip:{caller}@localhost>;tag=c{number}\r\nTo: <{uri}>{tag}\r\n"
                f"Call-ID: c{number}\r\nCSeq: {sequence} {method}\r\n"
                f"Contact: <sip:{caller}@127.0.0.1:17000>\r\n{lines}{content_type}"
                f"Content-Length: {len(body)}\r\n\r\n"
            ).encode() + body

        challenge = await self._say(CALLERS, request("INVITE", 1, body=SDP), b"SIP/2.0 401")
        await self._say(CALLERS, request("ACK", 1, tag=_tag(challenge)), b"")
        credentials = _credentials(challenge, caller, "INVITE", uri)
        ringing = await self._say(CALLERS, request("INVITE", 2, lines=credentials, body=SDP), b"INVITE ")
        await self._say(CALLEES, _response(ringing, callee, "180 Ringing"), b"SIP/2.0 180")
        answer = await self._say(CALLEES, _response(ringing, callee, "200 OK", SDP), b"SIP/2.0 200")
        target, tag = _header(answer, "Contact").strip("<>"), _tag(answer)
        await self._say(CALLERS, request("ACK", 2, target=target, tag=tag), b"")
        self._line.sent.clear()  # the ACK of the 200 above
        await self._say(CALLERS, request("BYE", 3, target=target, tag=tag), b"SIP/2.0 200")
        (farewell,) = [data for data in self._line.sent if data.startswith(b"BYE ")]
        await self._say(CALLEES, _response(farewell, callee, "200 OK"), b"")
        self._line.sent.clear()

    async def _say(self, at: tuple[str, int], data: bytes, expected: bytes) -> bytes:
        """Say something and wait for what begins as `expected`, which may be nothing."""
        self._line.give(at[1], data)
        for turns in range(MOST_TURNS):
            for index, answer in enumerate(self._line.sent):
                if not expected or answer.startswith(expected):
                    self.said.append(Said(at[1], data, turns))
                    return self._line.sent.pop(index)
            if not expected:
                self.said.append(Said(at[1], data, turns))
                return b""
            await asyncio.sleep(0)
        raise BenchError(f"{data[:40]!r} got no {expected.decode()}: {self._line.sent}")


def _header(message: bytes, name: str) -> str:
    found = re.search(rf"\r\n{name}: ([^\r]*)", message.decode())
    if found is None:
        raise BenchError(f"no {name} in {message[:80]!r}")
    return found[1]


def _tag(response: bytes) -> str:
    """The To tag with its `;tag=`."""
    return _header(response, "To").partition(">")[2]


def _credentials(challenge: bytes, extension: int, method: str, uri: str) -> str:
    """The Authorization line, by MD5 as most phones do it."""
    values = re.findall(r"WWW-Authenticate: ([^\r]*algorithm=MD5[^\r]*)", challenge.decode())
    return authorization(values, str(extension), f"pw{extension}", method, uri, "c0ffee")


def _response(request: bytes, callee: int, status: str, body: bytes = b"") -> bytes:
    tag = "" if ";tag=" in _header(request, "To") else f";tag=d{callee}"
    content_type = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"SIP/2.0 {status}\r\nVia: {_header(request, 'Via')}\r\nFrom: {_header(request, 'From')}\r\n"
        f"To: {_header(request, 'To')}{tag}\r\nCall-ID: {_header(request, 'Call-ID')}\r\n"
        f"CSeq: {_header(request, 'CSeq')}\r\nContact: <sip:{callee}@127.0.0.1:17001>\r\n{content_type}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


class Script(msgspec.Struct):
    """All that the phones say, by registration and by call."""

    registrations: list[list[Said]]
    calls: list[list[Said]]

    def part(self, kind: str, number: int) -> list[list[Said]]:
        """What is said before and while `number` calls or registrations are counted."""
        if kind == "registration":
            return self.registrations[: WARMING + number]
        return [*self.registrations, *self.calls[: WARMING + number]]


async def _record(directory: Path) -> Script:
    line = Line(beffroi.plan_text(PEOPLE), directory)
    found: dict[str, list[list[Said]]] = {"register": [], "call": []}
    for verb, conversations in found.items():
        for number in range(WARMING + MANY):
            phones = Phones(line)
            await getattr(phones, verb)(number)
            line.loop.now += SECONDS_BETWEEN
            conversations.append(phones.said)
    line.close()
    return Script(found["register"], found["call"])


async def _replay(script: Script, kind: str, number: int, directory: Path) -> Line:
    line = Line(beffroi.plan_text(PEOPLE), directory)
    tune_collector()
    await line.replay(script.part(kind, number))
    await line.rest()
    line.close()
    return line


def run(work: Callable[[Path], Coroutine[object, object, Result]]) -> Result:
    """Run it on a loop whose clock stands still. It is given a folder that goes with it."""
    with TemporaryDirectory(prefix="bench-") as directory, asyncio.Runner(loop_factory=StillLoop) as runner:
        return runner.run(work(Path(directory)))


def record(path: Path) -> None:
    """Write down what the phones say. Raises BenchError where a call fails."""

    path.write_bytes(msgspec.msgpack.encode(run(_record)))


def replay(path: Path, kind: str, number: int) -> None:
    """Say again what was written down: a number of calls, or of registrations. Raises BenchError where they
    don't come to the same end."""
    script = msgspec.msgpack.decode(path.read_bytes(), type=Script)

    async def work(directory: Path) -> None:
        line = await _replay(script, kind, number, directory)
        status = line.exchange.status()
        ended = status["ended_calls"] if kind == "call" else status["bindings"]
        left = line.exchange.inventory()
        if ended != WARMING + number or left["calls"] or left["sessions"]:
            raise BenchError(f"the {kind}s went another way this time: {status}, {left}")

    run(work)


def count(command: Sequence[str]) -> int:
    """The instructions of a command and its libraries, without the kernel's. Raises BenchError.

    Valgrind counts them, a hundred times slower than they run; a virtual machine seldom has a counter.
    """
    if shutil.which("valgrind") is None:
        raise BenchError("valgrind counts instructions, and isn't there: install it")
    counting = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    done = _finished([*counting, *command])
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if found is None:
        raise BenchError(f"no count in: {done.stderr.strip()[-300:]}")
    return int(found[1].replace(",", ""))


def _finished(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        ["env", "PYTHONHASHSEED=0", *command],
        cwd=ROOT / "scripts",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"instructions could not be counted: {done.stderr.strip()[-400:]}")
    return done


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """Every figure of MEANINGS; a peer plays no part."""
    with TemporaryDirectory(prefix="bench-") as directory:
        script = Path(directory) / "script"
        python = [sys.executable, "-m", "benches.instructions", str(script)]
        _finished(python)
        for kind in ("registration", "call"):
            bench.say(f"a {kind}")
            few, many = (count([*python, kind, str(number)]) for number in (FEW, MANY))
            name = f"{kind}_instructions"
            yield Figure(name, (many - few) / (MANY - FEW) / 1000, MEANINGS[name])


def main(words: Sequence[str]) -> None:
    """`SCRIPT` writes it, `SCRIPT KIND NUMBER` says it again."""
    path = Path(words[0])
    work = partial(record, path) if len(words) == 1 else partial(replay, path, words[1], int(words[2]))
    work()


if __name__ == "__main__":
    main(sys.argv[1:])
