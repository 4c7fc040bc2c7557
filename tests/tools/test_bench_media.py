"""How scripts/bench media speaks to rtpengine, weighs a relay, and finds what sanitizers find."""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from tests.tools.places import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benches import media
from benches.load import Load, compile_sipload
from benches.process import BenchError
from benches.signalling import Bench


def test_a_command_is_bencoded_with_its_keys_in_order():
    command = {"sdp": b"v=0", "command": "offer"}
    assert media._bencoded(command) == b"d7:command5:offer3:sdp3:v=0e"


def test_an_answer_is_read_whatever_is_in_it():
    answer, end = media._bdecoded(b"d6:resultli7e2:oke5:totald5:callsi-1eee", 0)
    assert answer == {"result": [7, b"ok"], "total": {"calls": -1}}
    assert end == 39


def engine_that_answers(body: bytes) -> tuple[socket.socket, threading.Thread]:
    """An rtpengine that says the same to one command, after something for another one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def answer() -> None:
        with theirs:
            cookie = theirs.recv(65_535).partition(b" ")[0]
            theirs.send(b"old d6:result5:errore")
            theirs.send(cookie + b" " + body)

    answering = threading.Thread(target=answer)
    answering.start()
    return ours, answering


def test_an_answer_to_another_command_is_passed_over():
    engine, answering = engine_that_answers(b"d6:result4:ponge")
    with engine:
        assert media._asked(engine, {"command": "ping"}) == {"result": b"pong"}
    answering.join()


def test_a_refusal_ends_the_bench_in_words():
    engine, answering = engine_that_answers(b"d6:result5:errore")
    with engine, pytest.raises(BenchError, match="refused"):
        media._asked(engine, {"command": "offer"})
    answering.join()


def test_the_time_of_every_thread_is_counted():
    before = media._cpu_us(os.getpid())
    working = threading.Thread(target=lambda: sum(range(2_000_000)))
    working.start()
    working.join()
    sum(range(200_000))
    assert media._cpu_us(os.getpid()) > before


@pytest.mark.peer
@pytest.mark.xdist_group("rtpload")  # whose ports are always the same
def test_the_load_talks_to_itself_without_a_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # Needs gcc, which scripts/setup test installs.
    monkeypatch.setattr(media, "SECONDS", 1)
    program = media.phones(tmp_path)
    ports = [media.PHONE_PORT + 2 * (number ^ 1) for number in range(10)]
    talk = media._talk(program, 0, [os.getpid()], ports)
    assert talk.report["sent"] == talk.report["received"] > 0
    keys = (media.PHONES_KEY, media.PHONES_KEY)
    talk = media._talk(program, 0, [os.getpid()], ports, keys)
    assert talk.report["sent"] == talk.report["received"] > 0


@pytest.mark.peer
@pytest.mark.xdist_group("rtpload")
def test_calls_at_once_are_set_up_over_sip_and_their_sound_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # Needs gcc and the console script, which scripts/setup test makes.
    monkeypatch.setattr(media, "PHONE_PORT", 14_900)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said: list[str] = []
    load = Load(compile_sipload(tmp_path), 0, f"127.0.0.1:{port}", 17_300)
    values = {one.name: one.value for one in media._at_once(Bench(0, load, port, said.append), 5, 1)}
    assert values["calls_1000"] == 5
    assert values["calls_1000_lost"] == 0
    assert values.keys() == {name for name in media.MEANINGS if name.startswith("calls_1000")}
    assert said[-1].startswith("5 of 5 calls at once lasted, 0 of 500 packets lost")


@pytest.mark.peer
def test_sanitizers_find_no_fault_in_the_c_data_plane():
    from benches import plane_fuzz

    said: list[str] = []
    found = list(plane_fuzz.figures(Bench(0, Load(Path(), 0, ""), 0, said.append)))
    values = {one.name: one.value for one in found}
    assert (values["plane_fuzz_faults"], values["plane_threads_faults"]) == (0, 0), said
    assert values["plane_fuzz_packets"] == 100_000
