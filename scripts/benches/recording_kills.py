"""Recorders that are killed (`kill -9`) at random moments while packets flow through real media processes.

    phones ──RTP──> media process ──tape──> recorder's process  <── kill -9, once, at a random moment
                         engine, client <── this process

Some scenes run at once, each with processes of its own and one call that is recorded. When all is over every
recording must verify, and of all packets that came to the media process only some may be missing which came
in the last two seconds before the kill.
"""

import asyncio
import json
import logging
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from media import rtp
from media.engine import NO_TRACK
from media.engines import relay
from media.engines.python import PythonEngine
from media.engines.reel import Reel
from pbx import control
from pbx.configuration import Configuration, parse_configuration
from pbx.events import Events
from pbx.node.keys import private_of
from pbx.recorder_process import run_recorder
from pbx.recordings.client import RecorderClient
from recording import keys
from recording.keys import KeyStore
from recording.live.wire import Facts
from recording.proof.entries import read
from recording.proof.sealed_file import segments, unseal
from recording.proof.verifier import verify
from tests.media.phone import Phone, target

PACKET_SECONDS = 0.02
FIRST_KILL_SECONDS = 0.3
LAST_KILL_SECONDS = 3.5
SECONDS = 4.5
PATIENCE_SECONDS = 20.0
PORTS = 20  # of each scene
PARTIES = ("1001", "1002")


class Loss(NamedTuple):
    """What one kill cost. lost: packets; oldest_seconds: how long before the kill the first of them was sent.

    stalled_seconds: the longest that the machine kept this process from sending when it was due, and others
    from doing what they do; after: packets that were sent after the kill and aren't there; recordings: that
    the call came to be; findings: of the verifier.
    """

    lost: int
    oldest_seconds: float
    stalled_seconds: float
    after: int
    kept: int
    recordings: int
    findings: list[str]


class Scene:
    """One call, its media process, and its recorder, which is started again when it is killed."""

    def __init__(self, directory: Path, first_port: int, kill_at: float) -> None:
        """kill_at: seconds after the beginning."""
        directory.mkdir(parents=True)
        self.kill_at = kill_at
        self.killed_at = 0.0
        self.stalled_seconds = 0.0
        self.configuration: Configuration = parse_configuration("data_dir: .", directory / "beffroi.yaml")
        self._directory = directory
        self._reel = Reel()
        self._ports = first_port, first_port + PORTS - 1
        self._media = control.listen(directory / "media.sock")
        self._signalling = control.listen(self.configuration.recorder_socket)
        self._requests = control.listen(self.configuration.recordings_socket)
        self._processes = [_forked(self._relay), _forked(self._keep_recorder)]
        self._phones = [Phone(), Phone()]
        self._sent: list[dict[int, float]] = [{}, {}]

    def _relay(self) -> None:
        prompts = self._directory / "prompts"
        prompts.mkdir()
        relay.main(None, ("127.0.0.1",), self._ports, prompts=prompts, listening=self._media, reel=self._reel)

    def _keep_recorder(self) -> None:
        """Start a recorder whenever one is killed, as the supervisor does, until one ends by itself."""
        logging.basicConfig(filename=self._directory / "log", level=logging.INFO, force=True)
        while True:
            recorder = _forked(
                lambda: run_recorder(self.configuration, self._signalling, self._requests, self._reel)
            )
            (self._directory / "pid").write_text(str(recorder))
            _, status = os.waitpid(recorder, 0)
            if not os.WIFSIGNALED(status):
                return

    @property
    def _recorder(self) -> int:
        return int((self._directory / "pid").read_text())

    async def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Join the phones, and have both recorded."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self._directory / "media.sock"))
        self._engine = engine = PythonEngine(connection, ("127.0.0.1",), lambda _: None)
        await engine.start()
        events = Events(time.time)
        self._client = RecorderClient(self.configuration.recorder_socket, events, time.time, engine)
        self._following = tasks.create_task(self._client.run())
        offered = await engine.offer("c", "a", "b", self._phones[0].sdp())
        answered = await engine.answer("c", "b", "a", self._phones[1].sdp())
        self._targets = [target(answered), target(offered)]
        recording = self._client.begin(Facts("police", "c"))
        self._slot = recording.slot
        self._client.restored()
        for track, (leg, party) in enumerate(zip("ab", PARTIES, strict=True)):
            await engine.tape("c", leg, self._slot, track, NO_TRACK)
            self._client.track(self._slot, track, party, leg, {"8": "PCMA/8000/1"}, "c")
        await engine.query("c")  # the media process has done all that was said
        await _until(lambda: self._client.is_connected)

    def speak(self, now: float) -> None:
        """Let both phones send a packet, and kill when it is time. now: seconds since the beginning."""
        if now >= self.kill_at and not self.killed_at:
            self.killed_at = time.monotonic()
            os.kill(self._recorder, signal.SIGKILL)
        for phone, to, sent in zip(self._phones, self._targets, self._sent, strict=True):
            sent[phone.sequence] = time.monotonic()
            phone.send(to)

    async def end(self) -> None:
        """End the call, and its processes in order."""
        self._client.end(self._slot, "hung up")
        await _until(lambda: not self._client.unfinished)
        self._following.cancel()
        self._engine.close()
        for phone in self._phones:
            phone.close()

    def loss(self) -> Loss:
        """End the processes in order, and return what is missing."""
        for process in (self._recorder, self._processes[0]):
            os.kill(process, signal.SIGTERM)
        for process in self._processes:
            os.waitpid(process, 0)
        configuration = self.configuration
        directory = configuration.recordings.directory
        node = load_pem_private_key(configuration.node_key_file.read_bytes(), None)
        assert isinstance(node, Ed25519PrivateKey)
        verified = verify(directory, configuration.recordings_journal, node.public_key())
        kept = self._kept(directory)
        missing = [at for sent, there in zip(self._sent, kept, strict=True) for at in _without(sent, there)]
        before = [self.killed_at - at for at in missing if at <= self.killed_at]
        return Loss(
            lost=len(missing),
            oldest_seconds=max(before, default=0.0),
            stalled_seconds=self.stalled_seconds,
            after=len(missing) - len(before),
            kept=sum(map(len, kept)),
            recordings=verified.whole + verified.running,
            findings=[f"{one.path}: {one.what}" for one in verified.findings],
        )

    def _kept(self, directory: Path) -> list[set[int]]:
        """The sequence numbers of what is in the recordings, by track."""
        store = KeyStore(self.configuration.recording_keys_dir)
        private = keys.read_private(private_of(self.configuration.recordings.key_file))
        kept: list[set[int]] = [set(), set()]
        for path in directory.rglob("*.sealed"):
            key = keys.unwrap(store.get(path.stem), path.stem, private)
            for segment in segments(path):
                for entry in read(unseal(segment, key, path), segment.begun):
                    if entry.packet:
                        kept[entry.track].add(rtp.parse(entry.packet).sequence)
        return kept


def killed(directory: Path, scenes: int, seed: int, first_port: int) -> list[Loss]:
    """Return what each of some kills cost. first_port: of PORTS for each scene. directory: is made."""
    chance = random.Random(seed)
    made = [
        Scene(
            directory / str(number),
            first_port + number * PORTS,
            chance.uniform(FIRST_KILL_SECONDS, LAST_KILL_SECONDS),
        )
        for number in range(scenes)
    ]
    asyncio.run(_play(made))
    return [scene.loss() for scene in made]


async def _play(scenes: list[Scene]) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as tasks:
        for scene in scenes:
            await scene.begin(tasks)
        began = loop.time()
        for number in range(round(SECONDS / PACKET_SECONDS)):
            late = loop.time() - began - number * PACKET_SECONDS
            for scene in scenes:
                scene.stalled_seconds = max(scene.stalled_seconds, late)
                scene.speak(loop.time() - began)
            await asyncio.sleep(max(0.0, began + (number + 1) * PACKET_SECONDS - loop.time()))
        for scene in scenes:
            await scene.end()


async def _until(condition: Callable[[], bool]) -> None:
    """Return when this is so. Raises TimeoutError when it isn't in time."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 (what other processes do sets no event here)
            await asyncio.sleep(PACKET_SECONDS)


def _without(sent: dict[int, float], there: set[int]) -> list[float]:
    return [at for sequence, at in sent.items() if sequence not in there]


def _forked(run: Callable[[], None]) -> int:
    """Return the process that runs this; it ends with this one's death."""
    made = os.fork()
    if made:
        return made
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        run()
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    where, number_of_scenes, chosen_seed, port = sys.argv[1:]
    losses = killed(Path(where), int(number_of_scenes), int(chosen_seed), int(port))
    sys.stdout.write(json.dumps([loss._asdict() for loss in losses]))
