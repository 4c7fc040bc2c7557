"""What the media process pays for sound that it works on, packets in and out included.

Telephones on the load's core send a packet each 20 ms to a media process on the programs' core: a
conference of 100 in which three speak and the others' lines hum, one in which all speak at once, then legs of
G.711 whose peers have Opus. Each counts only if the telephones heard what they were to hear.
"""

import math
import selectors
import socket
import struct
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benches.figure import Figure, Meaning
from benches.process import BenchError

ROOT = Path(__file__).resolve().parents[2]
PARTIES, SPEAKERS, PAIRS = 100, 3, 20
SECONDS, WARM_UP_SECONDS = 10, 2
LEAST_HEARD = 0.95  # of the packets that are to be heard
RELAY_PORTS = (24_000, 24_999)
MEANINGS = {
    "conference_100": Meaning("a conference of 100, a participant and second", "ms", "lower", 0.7),
    "conference_babble": Meaning("the same while all 100 speak at once", "ms", "lower"),
    "converted_frame": Meaning("a leg of G.711 to one of Opus, a frame with its packets", "us", "lower", 90),
}


def figures(core: int) -> Iterator[Figure]:
    """All figures; core: of the media process. Raises BenchError."""
    for name, speakers in (("conference_100", SPEAKERS), ("conference_babble", PARTIES)):
        yield Figure(name, _conference(core, speakers), MEANINGS[name])
    yield Figure("converted_frame", _conversion(core), MEANINGS["converted_frame"])


class _Process:
    """A media process, and what it is told. ports: those that it has announced."""

    def __init__(self, pid: int, control: socket.socket) -> None:
        from media import frames
        from media.engines import wire

        self.pid = pid
        self._control = control
        reader = frames.FrameReader()
        self.say(wire.Grow(2 * PARTIES))
        self.ports: list[int] = []
        while not self.ports:
            for body in reader.receive(control.recv(frames.READ_BYTES)):
                for report in wire.reports(body):
                    if isinstance(report, wire.Ports):
                        self.ports = list(report.ports)

    def say(self, *commands: object) -> None:
        from media import frames

        self._control.sendall(frames.frame(commands))  # type: ignore[arg-type]

    def cpu_us(self) -> float:
        """What all of its threads have run, user and system."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) / 1000 for task in tasks)


@contextmanager
def _process(core: int) -> Iterator[_Process]:
    sys.path.insert(0, str(ROOT))
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    with TemporaryDirectory(prefix="bench-") as directory, ours:
        command = ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", str(core), sys.executable]
        command += ["-m", "media.engines.relay", f"--control={theirs.fileno()}", "--prompts", directory]
        command += ["--ports", "-".join(map(str, RELAY_PORTS))]
        with theirs:
            child = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=ROOT)
        try:
            yield _Process(child.pid, ours)
        except OSError as error:
            raise BenchError(f"the media process can't be used: {error}") from None
        finally:
            ours.close()
            child.wait(10)


def _conference(core: int, speakers: int = SPEAKERS) -> float:
    """CPU milliseconds of one participant and second."""
    from media.engines import wire

    with _process(core) as process, _phones(PARTIES) as phones:
        targets = process.ports[:PARTIES]
        for port, phone in zip(targets, phones, strict=True):
            process.say(_route(port, phone, 0), wire.Join(port, "bench", True, True))
        spent = _talk(process, phones, targets, speakers, hearers=PARTIES)
    return spent / 1000 / SECONDS / PARTIES


def _conversion(core: int) -> float:
    """CPU microseconds of one frame."""
    with _process(core) as process, _phones(2 * PAIRS) as phones:
        targets = process.ports[: 2 * PAIRS]
        for one in range(0, 2 * PAIRS, 2):
            process.say(
                _route(targets[one], phones[one], targets[one + 1], converts=True),
                _route(targets[one + 1], phones[one + 1], targets[one], opus=True),
            )
        spent = _talk(process, phones, targets, PAIRS, hearers=PAIRS, step=2)
    return spent / SECONDS / 50 / PAIRS


def _route(
    port: int, phone: socket.socket, peer: int, *, converts: bool = False, opus: bool = False
) -> object:
    from media.engines import wire
    from media.sdp import Codec

    at = phone.getsockname()[1]
    name, number, rate = ("opus", 96, 48000) if opus else ("PCMA", 8, 8000)
    pcma = (Codec(8, "PCMA", 8000, 1, "pcma/8000/1"),)
    numbers = {number: wire.NOT_RELAYED if converts else number}
    return wire.Route(
        port, peer, "127.0.0.1", at, at + 1, False, False, False, numbers, (), name, number, rate, -1,
        converts=pcma if converts else (),
    )  # fmt: skip


@contextmanager
def _phones(count: int) -> Iterator[list[socket.socket]]:
    made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    try:
        for phone in made:
            phone.bind(("127.0.0.1", 0))
            phone.setblocking(False)
        yield made
    finally:
        for phone in made:
            phone.close()


def _payloads(loud: bool) -> list[bytes]:
    """One second of a voice's tone, or of a line's hum."""
    from media import codecs

    hertz, amplitude = (300, 8000) if loud else (50, 20)
    turn = 2 * math.pi * hertz / 8000
    pcm = array("h", [round(amplitude * math.sin(turn * place)) for place in range(8000)])
    encoded = codecs.encode("PCMA", pcm)
    return [encoded[start : start + 160] for start in range(0, 8000, 160)]


def _talk(
    process: _Process,
    phones: Sequence[socket.socket],
    targets: Sequence[int],
    speakers: int,
    *,
    hearers: int,
    step: int = 1,
) -> float:
    """Let each phone, or each second one, send; return what CPU microseconds SECONDS of it took the process.

    hearers: how many of the phones are to hear something. Raises BenchError when they heard too little.
    """
    sounds = _payloads(loud=False), _payloads(loud=True)
    heard = selectors.EpollSelector()
    for phone in phones:
        heard.register(phone, selectors.EVENT_READ)
    begun = time.monotonic()
    before, packets = 0.0, 0
    for turn in range((WARM_UP_SECONDS + SECONDS) * 50):
        if turn == WARM_UP_SECONDS * 50:
            before, packets = process.cpu_us(), 0
        for place, (phone, port) in enumerate(zip(phones[::step], targets[::step], strict=True)):
            payload = sounds[place < speakers][turn % 50]
            phone.sendto(
                struct.pack(">BBHII", 0x80, 8, turn, turn * 160, place) + payload, ("127.0.0.1", port)
            )
        for key, _ in heard.select(0):
            packets += _drain(key.fileobj)
        time.sleep(max(0.0, begun + (turn + 1) * 0.02 - time.monotonic()))
    heard.close()
    spent = process.cpu_us() - before
    if packets < LEAST_HEARD * hearers * SECONDS * 50:
        raise BenchError(
            f"telephones heard {packets} packets of {hearers * SECONDS * 50}: what was it paid for?"
        )
    return spent


def _drain(phone: object) -> int:
    """Read what has come to a phone; return how many packets."""
    assert isinstance(phone, socket.socket)
    count = 0
    try:
        while phone.recv(4096):
            count += 1
    except BlockingIOError:
        pass
    return count
