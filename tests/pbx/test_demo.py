"""`beffroi demo`: its parts, and the whole as a person runs it, on loopback."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from dialplan.loading import load_plan
from media import sdp
from pbx.demo import conversation, screen, town
from pbx.demo.conversation import Hearing, Verdict, converse
from pbx.demo.ladder import Ladder, describe
from pbx.demo.town import DemoError, Town, free_port, write_configuration
from pbx.demo.voice import Voice
from pbx.settings.values import Listen
from pbx.supervisor import bound
from sip.core.flow import Flow

EXAMPLE = Path(__file__).parents[2] / "examples" / "valmont.yaml"
BEFFROI = Path(sys.executable).with_name("beffroi")
SECONDS = 30.0
LOCAL = {"1001": ("127.0.0.1", 5071), "1002": ("127.0.0.1", 5072)}


def unused_port() -> int:
    """A port that nobody has, over UDP and TCP."""
    for _ in range(20):
        with bound(Listen("127.0.0.1", 0), socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            port: int = udp.getsockname()[1]
            with suppress(OSError):
                tcp.bind(("127.0.0.1", port))
                return port
    raise AssertionError("no port is free over UDP and TCP alike")


def paper() -> Console:
    """A console that keeps what is printed."""
    return Console(file=io.StringIO(), width=100, color_system=None)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def town_in(folder: Path) -> Town:
    """A town that is written down and doesn't run."""
    configuration = write_configuration(folder, 5060)
    return Town(configuration, load_plan(configuration.plan), os.getpid(), folder / "beffroi.log")


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BEFFROI, "demo", *words], capture_output=True, text=True, timeout=SECONDS)


@contextmanager
def running_demo(*words: str) -> Iterator[subprocess.Popen[str]]:
    """`beffroi demo` while it runs, on a free port."""
    # As in a terminal: what a shell starts in the background ignores Ctrl-C, and so does all that it starts.
    command = ["env", "--default-signal=INT", BEFFROI, "demo", *words, "--port", str(unused_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """What it prints up to the line with these words."""
    assert process.stdout is not None and process.stderr is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError(f"it ended without {words!r}: {lines} {process.stderr.read()}")


def configuration_in(words: str) -> Path:
    """The configuration that the screen names."""
    found = re.search(r"status -c (\S+)", words)
    assert found is not None, words
    return Path(found[1])


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def role(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


# The whole


def test_demo_call_is_heard_both_ways_and_recorded() -> None:
    ended = demo("--call", "--port", str(unused_port()))
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert any(line.startswith("1001 heard 1000 Hz  ") for line in lines)
    assert any(line.startswith("1002 heard 440 Hz  ") for line in lines)
    labels = [re.sub(r"^ *[0-9]+\.[0-9]{3} +", "", line) for line in lines]
    for label in ("INVITE (sdp)", "180 Ringing", "200 OK to INVITE (sdp)", "BYE", "200 OK to BYE"):
        for side in (0, 1):
            assert any(label in cell_of(line, side) for line in labels), (label, side, ended.stdout)
    assert "1001 Alice Martin" in lines[-2] and lines[-2].rstrip().endswith("completed"), ended.stdout


def cell_of(line: str, side: int) -> str:
    """The part of a rung that is left or right of Beffroi; empty for a line that is no rung."""
    cells = re.split("[│|]", line)
    return cells[1 + side] if len(cells) == 4 else ""


def test_a_call_without_sound_ends_with_status_1() -> None:
    with running_demo("--call") as process:
        read_until(process, "both speak")
        supervisor = children(process.pid)[0]
        media = next(pid for pid in children(supervisor) if role(pid) == "beffroi-media")
        os.kill(media, signal.SIGSTOP)
        words = read_until(process, "1002 heard")
        os.kill(media, signal.SIGCONT)
        process.communicate(timeout=SECONDS)
        assert process.returncode == 1
    assert "it should have heard 1000 Hz" in words
    assert "it should have heard 440 Hz" in words


def test_a_link_that_is_signed_in_is_printed_whole_for_each_role(tmp_path: Path) -> None:
    page = "http://127.0.0.1:8080/welcome"
    links = {"administrator": f"{page}#{43 * 'a'}", "agent": f"{page}#b"}
    console = paper()
    screen.show_town(console, replace(town_in(tmp_path), links=links))
    lines = [line.split() for line in printed(console).splitlines()]
    assert all([role, link] in lines for role, link in links.items())


def test_demo_says_what_to_register_and_dial_answers_and_stops_when_told() -> None:
    with running_demo() as process:
        words = read_until(process, "Ctrl-C")
        for expected in ("127.0.0.1:", "1001", "pw1001", "9196", "15, 17, 18 and 112 reach nobody"):
            assert expected in words
        configuration = configuration_in(words)
        status = subprocess.run(
            [BEFFROI, "status", "-c", configuration],
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert status.returncode == 0 and "signalling" in status.stdout, status.stderr
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=SECONDS)
        assert (process.returncode, errors) == (0, "")
    assert not configuration.parent.exists()


def test_a_demo_that_is_killed_leaves_no_process() -> None:
    with running_demo() as process:
        configuration = configuration_in(read_until(process, "Ctrl-C"))
        watched = os.pidfd_open(children(process.pid)[0])
        process.kill()
        process.wait()
        assert ended_within(watched, SECONDS)
    shutil.rmtree(configuration.parent)  # nobody was left to do it


def ended_within(watched: int, seconds: float) -> bool:
    """Whether a process ends in that time; `watched` is its pidfd, which is closed."""
    try:
        return bool(select.select([watched], [], [], seconds)[0])
    finally:
        os.close(watched)


def test_a_port_that_is_taken_and_was_asked_for_ends_the_demo_with_a_sentence() -> None:
    with bound(Listen("127.0.0.1", 0), socket.SOCK_DGRAM) as taken:
        ended = demo("--port", str(taken.getsockname()[1]))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "cannot listen on 127.0.0.1" in ended.stderr


# The town


def test_the_plan_is_the_one_of_the_examples() -> None:
    assert town.SAMPLE_PLAN.read_text() == EXAMPLE.read_text()


def test_the_town_listens_on_loopback_only(tmp_path: Path) -> None:
    configuration = write_configuration(tmp_path, 5070)
    sip = configuration.sip
    listens = (*sip.udp, *sip.tcp, *sip.tls, *sip.ws, *sip.wss, *configuration.web.listen)
    assert listens == (Listen("127.0.0.1", 5070), Listen("127.0.0.1", 5070))
    assert configuration.media.rtc == (Listen("127.0.0.1", 0),)
    assert [str(address) for address in configuration.media.addresses] == ["127.0.0.1"]


def test_the_town_has_no_operator_that_could_be_reached(tmp_path: Path) -> None:
    plan = town_in(tmp_path).plan
    assert plan.trunks
    for trunk in plan.trunks.values():
        assert trunk.host.startswith("127.255.255.")
        assert trunk.transport == "tls"


def test_the_usual_port_is_taken_where_it_is_free_and_the_next_but_one_where_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = unused_port()
    monkeypatch.setattr(town, "USUAL_PORT", usual)
    monkeypatch.setattr(town, "LAST_PORT", usual + 20)
    assert free_port() == usual
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with bound(Listen("127.0.0.1", usual), kind):
            assert usual < free_port() < usual + 20


def test_no_free_port_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with bound(Listen("127.0.0.1", 0), socket.SOCK_DGRAM) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(town, "USUAL_PORT", port)
        monkeypatch.setattr(town, "LAST_PORT", port + 1)
        with pytest.raises(DemoError, match="--port"):
            free_port()


def test_a_stranger_has_no_account(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="nobody has extension 4711"):
        town_in(tmp_path).account("4711")


def test_a_town_that_ends_by_itself_is_told_with_its_last_words(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(3)
    (tmp_path / "beffroi.log").write_text("first\nthe disk is gone\n")
    with pytest.raises(DemoError, match="the disk is gone"):
        replace(town_in(tmp_path), pid=child).wait()
    os.waitpid(child, 0)


# The conversation


async def test_a_town_that_doesnt_answer_makes_the_call_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "PATIENCE_SECONDS", 0.2)
    configuration = write_configuration(tmp_path, unused_port())
    silent = replace(town_in(tmp_path), configuration=configuration)
    console = paper()
    with Ladder(console, "1001", "1002") as ladder:
        verdict = await converse(silent, ladder)
    assert not verdict.good
    assert "wasn't over" in verdict.failure
    assert "REGISTER" in printed(console)


HEARD = Hearing("1001", 1000, 1001.0, 3.0, 150, "PCMA")


@pytest.mark.parametrize(
    "hearing",
    [replace(HEARD, hz=440.0), replace(HEARD, hz=0.0), replace(HEARD, seconds=0.5)],
    ids=["the wrong tone", "no tone", "too little"],
)
def test_a_phone_that_heard_wrong_is_no_good_call_and_is_said(hearing: Hearing) -> None:
    verdict = Verdict((HEARD, hearing))
    console = paper()
    screen.show_verdict(console, verdict)
    assert not verdict.good
    assert "should have heard 1000 Hz" in printed(console)


def test_a_call_that_both_heard_is_good() -> None:
    assert Verdict((HEARD, HEARD)).good
    assert not Verdict((HEARD, HEARD), "486 Busy Here").good


# Voices


@contextmanager
def two_voices(first_expects_hz: int) -> Iterator[tuple[Voice, Voice]]:
    """Two voices that agreed; the second speaks with 1000 Hz and expects 440 Hz."""
    first, second = Voice("127.0.0.1", 440, first_expects_hz), Voice("127.0.0.1", 1000, 440)
    try:
        first.take_answer(second.answer(first.offer()))
        first.speak()
        second.speak()
        yield first, second
    finally:
        first.close()
        second.close()


async def test_two_voices_recognise_each_other() -> None:
    with two_voices(1000) as (first, second):
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(first.recognised, second.recognised)
        assert (first.codec, second.codec) == ("PCMA", "PCMA")
        assert abs(first.measured_hz() - 1000) <= 5
        assert abs(second.measured_hz() - 440) <= 5
        assert first.heard_seconds >= 0.2


async def test_another_tone_is_heard_and_not_recognised() -> None:
    with two_voices(700) as (first, second):
        async with asyncio.timeout(SECONDS):
            await second.recognised
        assert not first.recognised.done()
        assert first.heard_seconds > 0.1
        assert abs(first.measured_hz() - 1000) <= 5


async def test_a_stranger_is_not_heard() -> None:
    with two_voices(1000) as (first, second):
        port = sdp.parse(first.offer()).media[0].port
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"\x80\x08" + bytes(10) + b"\x55" * 160, ("127.0.0.1", port))
            stranger.sendto(b"no RTP", ("127.0.0.1", port))
        async with asyncio.timeout(SECONDS):
            await second.recognised
            await first.recognised
        assert first.heard_seconds == first.packets * 0.02
        assert abs(first.measured_hz() - 1000) <= 5


# The ladder


def sip(first_line: str, cseq: str, body: str = "") -> str:
    """A message's text, as the logger sip.trace shows it."""
    return (
        f"{first_line}\r\nVia: SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bK{cseq.replace(' ', '')}\r\n"
        f"From: <sip:1001@127.0.0.1>;tag=a\r\nTo: <sip:1002@127.0.0.1>\r\nCall-ID: c\r\nCSeq: {cseq}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


def trace(ladder: Ladder, phone: str, text: str, *, sent: bool) -> None:
    """What a driver logs."""
    flow = Flow("UDP", LOCAL[phone], ("127.0.0.1", 5060))
    logging.getLogger("sip.trace").debug("%s sent\n%s" if sent else "%s received\n%s", flow, text)


async def test_a_ladder_is_drawn_as_messages_cross() -> None:
    console = paper()
    invite = sip("INVITE sip:1002@127.0.0.1 SIP/2.0", "1 INVITE", "v=0")
    with Ladder(console, "1001", "1002") as ladder:
        for name, local in LOCAL.items():
            ladder.place(name, local)
        ladder.note("1001 dials 1002")
        trace(ladder, "1001", invite, sent=True)
        trace(ladder, "1001", invite, sent=True)
        trace(ladder, "1002", sip("SIP/2.0 180 Ringing", "1 INVITE"), sent=True)
        trace(ladder, "1001", sip("SIP/2.0 486 Busy Here", "1 INVITE"), sent=False)
        ladder.sound("1002", "440 Hz, PCMA")
        await ladder.received("1001", "486 Busy Here")
    trace(ladder, "1001", invite, sent=True)
    drawn = "\n".join(line[TIME_COLUMNS:] for line in printed(console).splitlines())
    assert drawn == GOLDEN


TIME_COLUMNS = 10
GOLDEN = """\
1001                      Beffroi                       1002
│  1001 dials 1002                                        │
│── INVITE (sdp) ───────────▶│                            │
│── INVITE (sdp) again ─────▶│                            │
│                            │◀──────────── 180 Ringing ──│
│◀────────── 486 Busy Here ──│                            │
│                            │══ 440 Hz, PCMA ═══════════▶│"""


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (sip("BYE sip:1002@127.0.0.1 SIP/2.0", "2 BYE"), "BYE"),
        (sip("SIP/2.0 200 OK", "2 BYE"), "200 OK to BYE"),
        (sip("SIP/2.0 183 Session Progress", "1 INVITE", "v=0"), "183 Session Progress (sdp)"),
        ("nonsense", "?"),
    ],
)
def test_a_message_has_a_label(text: str, label: str) -> None:
    assert describe(text)[0] == label


# The screen


def test_a_port_that_was_moved_is_said(tmp_path: Path) -> None:
    configuration = write_configuration(tmp_path, 5062)
    moved = replace(town_in(tmp_path), configuration=configuration)
    console = paper()
    screen.show_heading(console, moved, port_was_chosen=False)
    assert "Port 5060 is taken, so this town took 5062." in printed(console)
