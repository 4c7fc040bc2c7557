"""Messages on their way to the disk, on it, and found again."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pbx.messages.erasure import erase_messages
from pbx.messages.index import kept_since, messages_of, write_index, write_missing
from pbx.messages.scribe import AGAIN_SECONDS, Scribe
from pbx.messages.segments import HEAD, MAGIC, NoRoomError, Segments, frames_of, segments, sweep
from pbx.messages.tap import MOST_WAITING_BYTES, Tap
from pbx.node.sockets import tapped
from tests.pbx.messages.talk import ALICE, BRUNO, PLENTY, Line, labels, request, response

EVER = (0.0, 1e12)


def test_what_crosses_is_found_by_its_call_in_order(tmp_path: Path):
    line = Line(tmp_path)
    line.received(request(call_id="one"))
    line.now += 0.02
    line.sent(response("100 Trying", call_id="one"), request(call_id="two"), flow=BRUNO)
    line.now += 1
    line.received(response(call_id="two"), BRUNO)
    one = messages_of(tmp_path, ["one"], *EVER)
    assert labels(one) == ["< INVITE sip:1", "> SIP/2.0 100 "]
    assert (one[0].at, one[0].transport, one[0].local, one[0].remote) == (
        1_800_000_100.0,
        "UDP",
        "10.54.0.10:5060",
        "192.0.2.1:5060",
    )
    assert one[0].data == request(call_id="one")
    assert labels(messages_of(tmp_path, ["two"], *EVER)) == ["> INVITE sip:1", "< SIP/2.0 200 "]
    assert messages_of(tmp_path, ["three", ""], *EVER) == []


@pytest.mark.parametrize("method", ["REGISTER", "OPTIONS", "SUBSCRIBE", "PUBLISH", "MESSAGE", "NOTIFY"])
def test_what_belongs_to_no_call_is_not_kept(tmp_path: Path, method: str):
    line = Line(tmp_path)
    line.received(request(method))
    line.sent(response(method=method), request(method), flow=BRUNO)
    assert not tmp_path.exists() or segments(tmp_path) == []


def test_what_a_transfer_tells_of_itself_is_kept(tmp_path: Path):
    """RFC 3515 section 2.4.4: a NOTIFY in the dialog of a REFER."""
    line = Line(tmp_path)
    line.received(request("REFER", "one"))
    line.sent(request("NOTIFY", "one"), request("NOTIFY", "lamp"))
    line.received(response(method="NOTIFY", call_id="one"))
    found = messages_of(tmp_path, ["one", "lamp"], *EVER)
    assert labels(found) == ["< REFER sip:10", "> NOTIFY sip:1", "< SIP/2.0 200 "]


def test_compact_and_folded_forms_are_found_as_well(tmp_path: Path):
    line = Line(tmp_path)
    message = request(call_id="one").replace(b"Call-ID:", b"i :").replace(b"CSeq: 1", b"cseq:\r\n 1")
    line.received(message)
    line.received(response().replace(b"Call-ID: c1", b"i:one").replace(b"CSeq:", b"CSEQ :"))
    assert len(messages_of(tmp_path, ["one"], *EVER)) == 2


def test_a_call_is_found_in_every_segment_and_only_in_its_time(tmp_path: Path):
    line = Line(tmp_path, segment_bytes=2000)
    for number in range(30):
        line.now += 10
        line.received(request(call_id=f"call {number % 3}"))
    files = segments(tmp_path)
    assert len(files) == 5
    found = messages_of(tmp_path, ["call 1"], *EVER)
    assert len(found) == 10
    assert found == sorted(found, key=lambda one: one.at)
    begun = 1_800_000_100.0
    assert len(messages_of(tmp_path, ["call 1"], begun + 95, begun + 205)) == 4
    assert kept_since(tmp_path) == begun + 10


def test_closed_segments_get_an_index_once_and_the_last_one_none(tmp_path: Path):
    line = Line(tmp_path, segment_bytes=2000)
    for number in range(30):
        line.received(request(call_id=f"call {number}"))
    for path in tmp_path.glob("*.index"):
        path.unlink()
    assert write_missing(tmp_path) == len(segments(tmp_path)) - 1
    assert write_missing(tmp_path) == 0
    assert len(messages_of(tmp_path, ["call 7"], *EVER)) == 1


@pytest.mark.parametrize("damage", [b"", b"beffroi\x05", b"beffroi\x05\xff\xff\xff\xff" + bytes(100)])
def test_an_index_that_nobody_can_read_is_done_without(tmp_path: Path, damage: bytes):
    line = Line(tmp_path, segment_bytes=2000)
    for number in range(30):
        line.received(request(call_id=f"call {number}"))
    for path in segments(tmp_path)[:-1]:
        path.with_suffix(".index").write_bytes(damage)
    assert len(messages_of(tmp_path, ["call 7"], *EVER)) == 1


def test_an_index_of_another_segment_finds_nothing_and_raises_nothing(tmp_path: Path):
    line = Line(tmp_path, segment_bytes=2000)
    for number in range(30):
        line.received(request(call_id=f"call {number}"))
    first, second, *_ = segments(tmp_path)
    write_index(second)
    second.with_suffix(".index").replace(first.with_suffix(".index"))
    assert messages_of(tmp_path, ["call 0"], *EVER) == []


def test_a_frame_that_was_cut_off_ends_its_segment_and_no_other(tmp_path: Path):
    line = Line(tmp_path)
    line.received(request(call_id="one"))
    line.received(request(call_id="two"))
    (path,) = segments(tmp_path)
    whole = path.read_bytes()
    first = len(MAGIC) + HEAD.size + next(iter(frames_of(whole))).length
    for cut in range(first, len(whole), 7):
        path.write_bytes(whole[:cut])
        assert len(messages_of(tmp_path, ["one", "two"], *EVER)) == 1
    again = Line(tmp_path)
    again.now += 5
    again.received(request(call_id="two"))
    assert len(segments(tmp_path)) == 2
    assert len(messages_of(tmp_path, ["one", "two"], *EVER)) == 2


@pytest.mark.parametrize(
    "junk", [b"", b"x", bytes(4000), b"\xff" * 4000, struct.pack("<IBBd", 3, 0, 9, 1.0) * 9]
)
def test_a_segment_of_anything_is_read_without_an_error(tmp_path: Path, junk: bytes):
    (tmp_path / "1800000000000.sip").write_bytes(MAGIC + junk if junk else b"")
    (tmp_path / "1800000000001.sip").write_bytes(junk)
    assert messages_of(tmp_path, ["one"], *EVER) == []


# Bounds


def test_the_oldest_segment_goes_first_and_the_whole_stays_within_its_bound(tmp_path: Path):
    scribe = Scribe(Segments(tmp_path, 1e9, 20_000, segment_bytes=2000, free_bytes=lambda _: PLENTY))
    line = Line(tmp_path)
    line.scribe = scribe
    for number in range(200):
        line.now += 1
        line.received(request(call_id=f"call {number}"))
        assert sum(path.stat().st_size for path in segments(tmp_path)) <= 20_000
    assert messages_of(tmp_path, ["call 0"], *EVER) == []
    assert len(messages_of(tmp_path, ["call 199"], *EVER)) == 1
    kept = {path.stem for path in tmp_path.iterdir()}
    assert {path.stem for path in tmp_path.glob("*.index")} <= kept


def test_what_is_too_old_goes_and_the_segment_of_the_moment_stays(tmp_path: Path):
    line = Line(tmp_path)
    line.received(request(call_id="old"))
    line.now += 8 * 86_400
    line.received(request(call_id="new"))
    assert len(segments(tmp_path)) == 2
    line.now += 120
    line.received(request(call_id="new"))
    assert len(segments(tmp_path)) == 2  # the first one's last message may be as young as the second
    assert sweep(tmp_path, 1_800_000_000.0 + line.now, PLENTY) == 1
    assert messages_of(tmp_path, ["old"], *EVER) == []
    assert sweep(tmp_path, 1e12, 0) == 0


def test_a_clock_that_was_put_back_overwrites_nothing(tmp_path: Path):
    first, second = Line(tmp_path), Line(tmp_path)
    first.received(request(call_id="one"))
    second.received(request(call_id="one"))
    assert len(messages_of(tmp_path, ["one"], *EVER)) == 2


# A disk that fails


def test_a_full_disk_is_told_once_and_messages_are_kept_again_afterwards(tmp_path: Path, caplog):
    full = [False]

    def write(descriptor: int, data: bytes) -> int:
        if full[0]:
            raise OSError(28, "No space left on device")
        return os.write(descriptor, data)

    line = Line(tmp_path, write=write)
    line.received(request(call_id="one"))
    full[0] = True
    for _ in range(5):
        line.now += 1
        line.received(request(call_id="two"))
    assert line.scribe.trouble == "No space left on device"
    assert line.scribe.lost == 5
    assert (tmp_path / "trouble").read_text() == "No space left on device"
    full[0] = False
    line.now += AGAIN_SECONDS
    line.received(request(call_id="three"))
    assert line.scribe.trouble == ""
    assert not (tmp_path / "trouble").exists()
    assert len(messages_of(tmp_path, ["one", "two", "three"], *EVER)) == 2
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_the_last_room_of_a_disk_is_left_to_the_journal(tmp_path: Path):
    narrow = Segments(tmp_path, 1e9, PLENTY, free_bytes=lambda _: 1000)
    with pytest.raises(NoRoomError):
        narrow.append(b"frame", 1_800_000_000.0)


def test_a_write_that_took_a_part_loses_that_batch_alone(tmp_path: Path):
    short = [False]

    def write(descriptor: int, data: bytes) -> int:
        return os.write(descriptor, data[:40] if short[0] else data)

    line = Line(tmp_path, write=write)
    line.received(request(call_id="one"))
    short[0] = True
    line.received(request(call_id="two"))
    short[0] = False
    line.now += AGAIN_SECONDS
    line.received(request(call_id="three"))
    assert len(messages_of(tmp_path, ["one", "two", "three"], *EVER)) == 2


# Between the processes


def test_a_tap_that_nobody_reads_holds_a_bounded_part_and_then_loses_the_oldest():
    class Stuck:
        def send(self, data: bytes, /) -> int:
            raise BlockingIOError

    tap = Tap(Stuck(), lambda: 0.0, lambda: 0.0)
    message = request(body="x" * 50_000)
    for _ in range(2 * MOST_WAITING_BYTES // 50_000):
        tap.crossed((0.0, ALICE, message))
        tap.pass_on()
    assert MOST_WAITING_BYTES * 0.9 < tap.lost_bytes < MOST_WAITING_BYTES * 1.2


def test_what_waited_comes_first_when_the_socket_takes_again(tmp_path: Path):
    line = Line(tmp_path)
    taken: list[bytes] = []
    room = [0]

    class Narrow:
        def send(self, data: bytes, /) -> int:
            if not room[0]:
                raise BlockingIOError
            room[0] -= 1
            taken.append(data)
            return len(data)

    tap = Tap(Narrow(), lambda: 0.0, lambda: 0.0)
    for name in ("one", "two", "three"):
        tap.crossed((0.0, ALICE, request(call_id=name)))
        tap.pass_on()
    room[0] = 9
    tap.pass_on()
    for batch in taken:
        line.scribe.take(batch)
    assert [labels(messages_of(tmp_path, [name], *EVER)) for name in ("one", "two", "three")] == [
        ["< INVITE sip:1"]
    ] * 3
    assert tap.lost_bytes == 0


def test_large_messages_go_in_several_batches(tmp_path: Path):
    line = Line(tmp_path)
    body = "x" * 40_000
    line.tap.crossed((line.now, [(ALICE, request(call_id=f"{n}", body=body)) for n in range(2)]))
    for number in range(2, 20):
        line.tap.crossed((line.now, ALICE, request(call_id=str(number), body=body)))
    line.tap.pass_on()
    assert len(messages_of(tmp_path, [str(number) for number in range(20)], *EVER)) == 20


def test_a_batch_of_anything_is_refused_and_raises_nothing(tmp_path: Path):
    scribe = Scribe(Segments(tmp_path, 1e9, PLENTY))
    for batch in (b"", b"\xff", b"\x92\xc0\x90"):
        scribe.take(batch)
    assert segments(tmp_path) == []


def test_a_scribe_reads_its_socket_to_the_end_before_it_stops(tmp_path: Path):
    ours, its = tapped()
    tap = Tap(ours, lambda: 1_800_000_000.0, lambda: 0.0)
    for number in range(50):
        tap.crossed((0.0, ALICE, request(call_id=str(number))))
        tap.pass_on()
    stopping = threading.Event()
    stopping.set()
    Scribe(Segments(tmp_path, 1e9, PLENTY, free_bytes=lambda _: PLENTY)).run(its, stopping)
    ours.close()
    its.close()
    assert len(messages_of(tmp_path, [str(number) for number in range(50)], *EVER)) == 50


KILLED = """
import sys
from pathlib import Path
from pbx.messages.segments import Segments
from tests.pbx.messages.talk import Line, request
line = Line(Path(sys.argv[1]), segment_bytes=20_000)
print("ready", flush=True)
number = 0
while True:
    line.now += 0.001
    line.received(request(call_id=str(number)))
    number += 1
    if number == 200:
        print("some", flush=True)
"""


def test_a_scribe_that_is_killed_leaves_messages_that_can_be_read(tmp_path: Path):
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert writer.stdout is not None
    assert [writer.stdout.readline().strip() for _ in range(2)] == ["ready", "some"]
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    found = messages_of(tmp_path, [str(number) for number in range(200)], *EVER)
    assert [message.data for message in found] == [request(call_id=str(number)) for number in range(200)]


# Erasure


def about(number: str, call_id: str) -> bytes:
    return request(
        call_id=call_id, lines=f'P-Asserted-Identity: "M. Durand" <sip:{number}@operateur.example>\r\n'
    )


@pytest.mark.parametrize("form", ["+33699999999", "0699999999", "0033699999999", "+33-6-99.99(99)99"])
def test_every_message_of_a_dialog_that_names_a_number_is_erased(tmp_path: Path, form: str):
    line = Line(tmp_path, segment_bytes=2000)
    line.received(about(form, "theirs"))
    for number in range(10):
        line.sent(response(call_id="theirs"), response(call_id=f"other {number}"))
    assert erase_messages(tmp_path, "+33699999999", []) == 11
    assert messages_of(tmp_path, ["theirs"], *EVER) == []
    assert len(messages_of(tmp_path, [f"other {number}" for number in range(10)], *EVER)) == 10
    assert all(b"Durand" not in path.read_bytes() for path in tmp_path.iterdir())
    assert erase_messages(tmp_path, "+33699999999", []) == 0


def test_dialogs_that_are_known_to_be_about_a_number_are_erased_whatever_they_say(tmp_path: Path):
    line = Line(tmp_path)
    line.received(request(call_id="one"))
    line.received(request(call_id="two"))
    assert erase_messages(tmp_path, "1001", ["two", ""]) == 1
    assert len(messages_of(tmp_path, ["one", "two"], *EVER)) == 1


def test_what_is_written_after_an_erasure_is_found_behind_it(tmp_path: Path):
    line = Line(tmp_path)
    line.received(about("+33699999999", "theirs"))
    erase_messages(tmp_path, "+33699999999", [])
    line.received(request(call_id="after"))
    assert len(messages_of(tmp_path, ["after"], *EVER)) == 1
