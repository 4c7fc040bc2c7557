"""A recording from its first packet to its tombstone, through all that the recorder's process is made of."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from recording.archive import requests
from recording.archive.archive import Archive
from recording.archive.housekeeping import PurgeChore
from recording.archive.recovery import numbers
from recording.live import wire
from recording.proof.verifier import verify
from recording.retention import DAY_SECONDS
from tests.recording.live.test_process import FACTS, RECORDING, Node
from tests.recording.sealed import NODE

POLICE = wire.Policy("police", "Délibération 2026-015", 30, ("2301",))
WHY = "dossier 12"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with closing(Node(tmp_path)) as made:
        made.process._archive.start()
        yield made


def found(archive: Archive) -> list[requests.Found]:
    query = requests.Query(number=FACTS.caller)
    answer = archive.answer(requests.Search(person="2301", why=WHY, query=query), "root")
    return answer.found if isinstance(answer, requests.Page) else []


def test_recording_is_found_while_it_goes_on_and_when_it_has_ended_and_is_gone_in_time(node: Node):
    archive = node.process._archive
    signalling = node.met()
    node.obey(wire.Policies((POLICE,)))
    node.begin()
    for _ in range(3_000):  # the clerk's thread takes its time
        if found(archive):
            break
        node.turn(0.0)
        time.sleep(0.01)
    (going,) = found(archive)
    assert (going.ended, going.caller, going.line, going.policy) == (None, FACTS.caller, "8200", "police")
    node.tape.put(5, 0, node.clocks.wall)
    node.turn(2.0)
    node.obey(wire.End(5, "answered"))
    node.turn_until(signalling, wire.Ended)
    for _ in range(3_000):
        if found(archive)[0].ended is not None:
            break
        time.sleep(0.01)
    (ended,) = found(archive)
    assert (ended.state, ended.packets, ended.bytes) == (
        "ended",
        1,
        next(node.files.rglob("*.sealed")).stat().st_size,
    )
    assert ended.over == pytest.approx(node.clocks.wall / 1e6 + 30 * DAY_SECONDS, abs=5)
    told = list(numbers(node.files, node.store, node.private))
    assert told == [(RECORDING, FACTS.caller, FACTS.called, True)]
    node.clocks.go_on(30 * DAY_SECONDS + 5)
    assert PurgeChore(archive).turn(0.0) == []
    assert found(archive) == []
    assert (node.store.recordings(), list(node.files.rglob("*.sealed"))) == (set(), [])
    verified = verify(node.files, node.files / "journal", NODE.public_key())
    assert (verified.purged, verified.findings) == (1, [])
    assert FACTS.caller.encode()[3:] not in b"".join(
        path.read_bytes() for path in node.files.iterdir() if path.is_file()
    )
