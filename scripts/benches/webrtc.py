"""The area `webrtc`: what a browser's call costs, how much later its sound arrives, what is lost.

Browsers that only send and receive sound (browsers.py shakes hands, rtcload.c speaks) call phones that do the
same, through a whole Beffroi where each call is set up over SIP: G.711 passed through, then Opus on the
browser's side and G.711 on the phone's. Everything of ours shares the programs' core, the load has the other.
Beside it aiortc's own peer connection with its tracks does the same work (aiortc_gateway.py).
"""

import asyncio
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, NamedTuple, Protocol

from benches import beffroi, process, webrtc_first_call, webrtc_page, webrtc_sound
from benches.browsers import PCMA_TYPE, Browser, Phone
from benches.figure import BEFFROI, Figure, Meaning
from benches.load import FIRST_CALLEE, FIRST_EXTENSION, compiled
from benches.media import _agent, _cpu_us, _on_core, _port
from benches.plane_fuzz import PLANE
from benches.process import BenchError
from benches.signalling import Bench, Peer
from sip.core.errors import SipError

ROOT = Path(__file__).resolve().parents[2]
AIORTC = "aiortc"
SECONDS, SOAK_SECONDS = 20, 600
WARM_UP_SECONDS = 1.0  # rtcload counts from then on
SET_UP_SECONDS = 120.0
PASSED_AT_ONCE, OPUS_AT_ONCE, AIORTC_CALLS = 100, 60, 8
STALL_MS = 10
RTC_PORT_ABOVE = 3  # what the Beffroi's SIP has
PCMA_STEP, OPUS_STEP = 160, 960

Codec = Literal["PCMA", "opus"]
CODECS: Final[Mapping[Codec, tuple[Codec, ...]]] = {"PCMA": ("PCMA", "opus"), "opus": ("opus",)}
"""What a browser offers for each: the other too where ours is to choose."""

MEANINGS: Final[Mapping[str, Meaning]] = {
    "passed_cpu": Meaning("CPU of a call passed through (G.711), of a core", "%", "lower", 0.4),
    "passed_delay_p50": Meaning("added delay in it, 50 %", "ms", "lower", 2),
    "passed_delay_p95": Meaning("added delay in it, 95 %", "ms", "lower", 2),
    "passed_at_once": Meaning("calls passed through at once", "calls", "higher", PASSED_AT_ONCE),
    "passed_lost": Meaning("packets lost in them", "packets", "lower", 0),
    "opus_cpu": Meaning("CPU of a call from Opus, of a core", "%", "lower", 1.0),
    "opus_delay_p50": Meaning("added delay in it, 50 %", "ms", "lower", 25),
    "opus_delay_p95": Meaning("added delay in it, 95 %", "ms", "lower", 25),
    "opus_at_once": Meaning("calls from Opus at once", "calls", "higher", OPUS_AT_ONCE),
    "opus_lost": Meaning("packets lost in them", "packets", "lower", 0),
    **webrtc_page.PAGE_MEANINGS,
    **webrtc_first_call.MEANINGS,
}


class Call(NamedTuple):
    """A browser and a phone that are connected. port: where the phone sends."""

    browser: Browser
    phone: Phone
    port: int


class Talk(NamedTuple):
    """What came of some seconds of sound. cpu_us: by role; report: what rtcload printed.

    lost: packets that didn't come out at the other end. Where they are transcoded, those that the gateway had
    no room for and those that its own numbers lack.
    p50_ms, p95_ms: how much later sound arrives, None where it wasn't heard.
    """

    cpu_us: Mapping[str, float]
    seconds: int
    report: Mapping[str, float]
    p50_ms: float | None
    p95_ms: float | None
    lost: float

    def cpu_of(self, calls: int) -> float:
        """Per cent of a core that one of these calls takes."""
        return sum(self.cpu_us.values()) / self.seconds / 1e4 / calls

    def in_words(self, calls: int) -> str:
        """A line for whoever follows the bench."""
        roles = ", ".join(
            f"{role} {spent / self.seconds / 1e4 / calls:.2f}"
            for role, spent in sorted(self.cpu_us.items(), key=lambda one: -one[1])
            if spent / self.seconds / 1e4 / calls >= 0.005
        )
        delay = "not heard" if self.p50_ms is None else f"{self.p50_ms:.1f} and {self.p95_ms:.1f} ms"
        return (
            f"{calls} calls: {self.cpu_of(calls):.2f} % of a core each ({roles}), {self.lost:.0f} of "
            f"{self.report['sent']:.0f} packets lost, delay {delay}"
        )


class Gateway(Protocol):
    """What is weighed. roles: what each of its processes does, by pid."""

    @property
    def roles(self) -> Mapping[int, str]: ...

    def join(self, calls: int, codec: Codec) -> list[Call]:
        """Set up calls, one after the other. Raises BenchError."""


class Ours:
    """A whole Beffroi: browsers and phones are two accounts with any number of calls."""

    def __init__(self, bench: Bench, roles: Mapping[int, str], runner: asyncio.Runner) -> None:
        self._bench, self.roles, self._runner = bench, roles, runner

    def join(self, calls: int, codec: Codec) -> list[Call]:
        """Set up calls, one after the other. Raises BenchError."""
        return self._runner.run(self._join(calls, codec))

    async def _join(self, calls: int, codec: Codec) -> list[Call]:
        (caller, _), (callee, _) = (
            _agent(user, self._bench.port) for user in (FIRST_EXTENSION, FIRST_CALLEE)
        )
        made = []
        try:
            async with asyncio.timeout(SET_UP_SECONDS):
                await caller.register()
                await callee.register()
                for _ in range(calls):
                    browser, phone = Browser(), Phone()
                    going = caller.invite(callee.account.user, browser.offer(*CODECS[codec]))
                    coming = await callee.incoming()
                    coming.answer(_phones_body(phone.port))
                    browser.take_answer(await going.answered())
                    await asyncio.to_thread(browser.connect)
                    made.append(Call(browser, phone, _port(coming.offer)))
        except (TimeoutError, SipError) as error:
            raise BenchError(f"{calls} calls of browsers couldn't be set up: {error!r}") from error
        return made


class Aiortc:
    """aiortc's peer connection with its tracks, one for each call, in a process of its own."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._child, self.roles = child, {child.pid: AIORTC}

    def join(self, calls: int, codec: Codec) -> list[Call]:
        """Set up calls, one after the other. Raises BenchError."""
        return [self._call(codec) for _ in range(calls)]

    def _call(self, codec: Codec) -> Call:
        browser, phone = Browser(), Phone()
        assert self._child.stdin is not None and self._child.stdout is not None
        asked = {"offer": browser.offer(codec).decode(), "phone": phone.port}
        self._child.stdin.write(json.dumps(asked) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise BenchError("aiortc's gateway has ended")
        said = json.loads(line)
        browser.take_answer(said["answer"].encode())
        browser.connect()
        return Call(browser, phone, said["port"])


@contextmanager
def ours(bench: Bench) -> Iterator[Gateway]:
    """A Beffroi on the programs' core. Raises BenchError where it has no process for browsers."""
    with TemporaryDirectory(prefix="bench-") as folder:
        directory = Path(folder)
        (directory / "plan.yaml").write_text(beffroi.plan_text())
        text = beffroi.configuration_text(bench.port, "auto")
        port = f"  rtc: 127.0.0.1:{bench.port + RTC_PORT_ABOVE}\n"
        (directory / "beffroi.yaml").write_text(text.replace("media:\n", f"media:\n{port}"))
        running = beffroi.started_from(directory, bench.core, bench.load)
        with running as node, _on_core(bench.load.core), asyncio.Runner() as runner:
            if "rtc" not in node.roles.values():
                raise BenchError("beffroi runs no process for browsers")
            yield Ours(bench, node.roles, runner)


@contextmanager
def aiortc(bench: Bench) -> Iterator[Gateway]:
    """aiortc on the programs' core."""
    program = Path(__file__).with_name("aiortc_gateway.py")
    pinned = ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", str(bench.core)]
    command = [*pinned, sys.executable, "-W", "ignore", str(program)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with _on_core(bench.load.core):
        try:
            yield Aiortc(child)
        finally:
            child.terminate()
            child.communicate(timeout=process.KILL_SECONDS)


def _phones_body(port: int) -> bytes:
    lines = (
        "v=0", f"o=phone {secrets.randbits(30)} 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
        f"m=audio {port} RTP/AVP 8 101", "a=rtpmap:8 PCMA/8000", "a=rtpmap:101 telephone-event/8000",
        "a=sendrecv", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode()


def _load() -> Path:
    """rtcload, compiled. Raises BenchError."""
    flags = (f"-I{PLANE}", str(PLANE / "keys.c"), "-DPLANE_SRTP", "-lcrypto")
    also = [PLANE / "keys.c", PLANE / "keys.h", PLANE / "plane.h"]
    return compiled(Path(__file__).with_name("rtcload.c"), ROOT / ".venv" / "cache", *flags, also=also)


def talk(bench: Bench, gateway: Gateway, calls: Sequence[Call], codec: Codec, seconds: int) -> Talk:
    """Let all speak. In Opus the sound says when it was said, in G.711 each packet. Raises BenchError."""
    with TemporaryDirectory(prefix="bench-") as directory:
        log, files = Path(directory) / "log", webrtc_sound.write_frames(Path(directory))
        command = ["taskset", "-c", str(bench.load.core), str(_load()), str(seconds), str(log)]
        sockets = [party.socket.fileno() for call in calls for party in (call.browser, call.phone)]
        with subprocess.Popen(
            [*command, *map(str, files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=sockets,
        ) as load:
            assert load.stdin is not None and load.stdout is not None
            for call in calls:
                load.stdin.writelines(_lines(call, codec))
            load.stdin.close()
            time.sleep(WARM_UP_SECONDS)
            before, dropped = {pid: _cpu_us(pid) for pid in gateway.roles}, process.udp_drops(gateway.roles)
            time.sleep(seconds)
            spent = {role: _cpu_us(pid) - before[pid] for pid, role in gateway.roles.items()}
            printed = load.stdout.read()
            dropped = process.udp_drops(gateway.roles) - dropped
        if load.returncode:
            raise BenchError(f"rtcload stopped with status {load.returncode}")
        report = json.loads(printed)
        delays = [report["p50_us"] / 1000, report["p95_us"] / 1000]
        if codec == "opus":
            delays = _shares(webrtc_sound.delays_ms(log))
    stalled = report["own_stall_us"] / 1000
    if stalled > STALL_MS:
        bench.say(f"the load itself stalled for {stalled:.0f} ms")
    p50, p95 = (one if one >= 0 else None for one in delays)
    lost = report["sent"] - report["received"] if codec == "PCMA" else report["missing"] + dropped
    return Talk(spent, seconds, report, p50, p95, lost)


def _shares(found: Sequence[float]) -> list[float]:
    """What half of these, and 95 % of them, don't exceed; −1 where there are none."""
    ordered = sorted(found)
    return [ordered[int(part * (len(ordered) - 1))] if ordered else -1.0 for part in (0.5, 0.95)]


def _lines(call: Call, codec: Codec) -> tuple[str, str]:
    """Both parties of a call for rtcload, the browser first."""
    browser, phone = call.browser.party(), call.phone.party(call.port)
    if codec == "PCMA":
        sound = webrtc_sound.TIMED
        return (
            browser.line(call.browser.payload_type, PCMA_STEP, sound, watched=False),
            phone.line(PCMA_TYPE, PCMA_STEP, sound, watched=False),
        )
    return (
        browser.line(call.browser.payload_type, OPUS_STEP, webrtc_sound.OPUS, watched=True),
        phone.line(PCMA_TYPE, PCMA_STEP, webrtc_sound.PCMA, watched=True),
    )


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """Ours and aiortc's, in turns; no other peer. Raises BenchError."""
    sys.path.insert(0, str(ROOT))
    seconds = SOAK_SECONDS if bench.soak else SECONDS
    kinds: tuple[tuple[str, Codec, int], ...] = (
        ("passed", "PCMA", PASSED_AT_ONCE),
        ("opus", "opus", OPUS_AT_ONCE),
    )
    for name, codec, calls in kinds:
        for peer, start, many, long in (
            (BEFFROI, ours, calls, seconds),
            (AIORTC, aiortc, AIORTC_CALLS, SECONDS),
        ):
            with start(bench) as gateway:
                made = gateway.join(many, codec)
                talked = talk(bench, gateway, made, codec, long)
            for call in made:
                call.browser.close()
                call.phone.close()
            bench.say(f"{peer}, {codec}: {talked.in_words(many)}")
            yield from _of(name, talked, many, peer)
    with TemporaryDirectory(prefix="bench-") as directory, _on_core(bench.load.core):
        yield from webrtc_page.page_figures(bench, Path(directory))
    yield from webrtc_first_call.figures()


def _of(name: str, talked: Talk, calls: int, peer: str) -> Iterator[Figure]:
    for key, value in (
        ("cpu", talked.cpu_of(calls)),
        ("delay_p50", talked.p50_ms),
        ("delay_p95", talked.p95_ms),
        ("at_once", calls),
        ("lost", talked.lost),
    ):
        yield Figure(f"{name}_{key}", value, MEANINGS[f"{name}_{key}"], peer)
