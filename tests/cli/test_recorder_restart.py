"""`kill -9` under a recorded call, with a real node: the call goes on, and so does its recording."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from media import rtp
from pbx.node.keys import private_of
from recording import keys
from recording.keys import KeyStore
from recording.proof.entries import About, Entry, Track, read
from recording.proof.journal import entries
from recording.proof.sealed_file import segments, unseal
from recording.proof.verifier import Finding, verify
from sip.net.udp import UdpTransport
from sip.user_agent import Account, UserAgent
from tests.cli.conftest import Town
from tests.cli.line import Line

ECHO = "9196"
PACKET_SECONDS = 0.02


class Recorded:
    """What a node has recorded. sent: packets of the caller."""

    def __init__(self, town: Town, sent: int) -> None:
        self.configuration = town.settings
        self._sent = sent

    def node_key(self) -> Ed25519PublicKey:
        key = load_pem_public_key(self.configuration.node_key_file.with_suffix(".pub").read_bytes())
        assert isinstance(key, Ed25519PublicKey)
        return key

    def said(self) -> list[tuple[str, str]]:
        """What the journal says of recordings, in order."""
        return [
            (one.what, one.recording)
            for one in entries(self.configuration.recordings_journal, self.node_key())
            if one.recording
        ]

    def entries(self) -> list[list[Entry]]:
        """What each recording holds, the oldest first."""
        store = KeyStore(self.configuration.recording_keys_dir)
        private = keys.read_private(private_of(self.configuration.recordings.key_file))
        paths = self.configuration.recordings.directory.rglob("*.sealed")
        return [self._opened(path, store, private) for path in sorted(paths)]

    def missing(self) -> list[int]:
        """Which of the packets that a telephone has sent are in no recording."""
        packets = [one for part in self.entries() for one in part if one.packet and not one.track]
        return sorted(set(range(self._sent)) - {rtp.parse(one.packet).sequence for one in packets})

    def verified(self) -> tuple[int, int, list[Finding]]:
        """How many recordings are whole, how many go on, and what is wrong."""
        configuration = self.configuration
        journal = configuration.recordings_journal
        found = verify(configuration.recordings.directory, journal, self.node_key())
        return found.whole, found.running, found.findings

    def _opened(self, path: Path, store: KeyStore, private: X25519PrivateKey) -> list[Entry]:
        key = keys.unwrap(store.get(path.stem), path.stem, private)
        return [entry for one in segments(path) for entry in read(unseal(one, key, path), one.begun)]


def process(town: Town, role: str) -> int:
    found = town.run("status", "--json").json["processes"]
    return int(next(one["pid"] for one in found if one["role"] == role))


async def speak(line: Line, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(round(seconds / PACKET_SECONDS)):
        line.say()
        await asyncio.sleep(max(0.0, began + (number + 1) * PACKET_SECONDS - loop.time()))


@pytest.fixture
async def recorded(town: Town) -> Recorded:
    """A call with the echo, whose line is recorded; the recorder is killed in it, and signalling later."""
    town.change_plan(f'number: "{ECHO}", type: echo', f'number: "{ECHO}", type: echo, record: police')
    password = town.run("user", "add", "2011", "Claire", "--json").json["password"]
    line = Line()
    with town.serving() as log_until:
        agent = UserAgent(Account("2011", password, "localhost"), secrets.token_bytes(16))
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("127.0.0.1", 0))
        transport = UdpTransport(agent.driver, bound)
        agent.outbound = transport.flow_to(("127.0.0.1", town.port))
        async with asyncio.timeout(60):
            await agent.register()
            call = agent.invite(ECHO, line.offer())
            line.take_answer(await call.answered())
            await speak(line, 2.0)
            os.kill(process(town, "recorder"), signal.SIGKILL)
            await speak(line, 2.0)
            os.kill(process(town, "signalling"), signal.SIGKILL)
            await speak(line, 1.5)
            call.hang_up()
            await agent.unregister()
        line.socket.close()
        agent.close()
        transport.close()
        await asyncio.to_thread(log_until, "ended packets")
    return Recorded(town, line.sent)


async def test_recorder_killed_in_a_call_is_continued_by_the_next_one_and_signalling_killed_changes_nothing(
    recorded: Recorded,
):
    first, second = (name for what, name in recorded.said() if what == "begun")
    assert [what for what, name in recorded.said() if name == first] == ["begun", "repaired"]
    assert [what for what, name in recorded.said() if name == second] == ["begun", "ended"]
    found = recorded.entries()
    about = [entry.statement for part in found for entry in part if isinstance(entry.statement, About)]
    assert [one.continues for one in about] == ["", first]
    assert all(any(isinstance(entry.statement, Track) for entry in part) for part in found)
    assert recorded.verified() == (2, 0, [])
    missing = recorded.missing()
    assert len(missing) <= 2.0 / PACKET_SECONDS
    assert max(missing, default=0) <= 100  # all that came after the first kill is there
