"""What parties send becomes segments; silence and what was missed are stated."""

import pytest

from media.engines.tape import Taped
from recording.live.capture import Capture, Plain
from recording.proof import entries as entry_bytes
from recording.proof.entries import NO_TRACK, About, Clock, Ended, Entry, Missed, Part, Silent, Track, read

START = 1_795_339_800_000_000
CLOCK = Clock("ntp", 15)
ABOUT = About("police", "c1", "police", "", "+33612345678", "17", "in", "mairie", "")
PCMA = {"8": "PCMA/8000/1"}


def entries(made: Plain | None) -> list[Entry]:
    assert made is not None
    return list(read(made.plain, made.begun))


def second(number: float) -> int:
    return START + int(number * 1_000_000)


def taped(track: int, data: bytes, at: int, missed: int = 0) -> Taped:
    """A packet as the tape gives it."""
    return Taped(1, entry_bytes.packet(track, at, data), 1, missed, 1 << track, at, at)


def test_packets_are_kept_whole_in_order_and_with_the_moment_they_came():
    capture = Capture(ABOUT, CLOCK, START)
    alice, bruno = 0, 1
    capture.track(alice, "1001", "a", PCMA, START)
    capture.track(bruno, "1002", "b0", PCMA, START)
    capture.take(taped(alice, b"one", second(0.02)))
    capture.take(taped(bruno, b"two", second(0.03)))
    said = entries(capture.due(second(1)))
    assert [entry.statement for entry in said[:4]] == [
        ABOUT,
        CLOCK,
        Track("1001", "a", PCMA),
        Track("1002", "b0", PCMA),
    ]
    assert said[4:] == [Entry(second(0.02), 0, b"one", None), Entry(second(0.03), 1, b"two", None)]


def test_segment_is_a_second_long_and_the_next_begins_with_its_first_packet():
    capture = Capture(ABOUT, CLOCK, START)
    alice = 0
    capture.track(alice, "1001", "a", PCMA, START)
    assert capture.due(second(0.99)) is None
    made = capture.due(second(1))
    assert made is not None
    assert (made.begun, made.packets) == (START, 0)
    assert capture.due(second(1.5)) is None
    capture.take(taped(alice, b"late", second(1.7)))
    assert capture.due(second(2.6)) is None
    made = capture.due(second(2.7))
    assert made is not None
    assert (made.begun, made.packets) == (second(1.7), 1)


def test_party_that_sends_nothing_is_stated_to_be_silent_once():
    capture = Capture(ABOUT, CLOCK, START)
    alice = 0
    capture.track(alice, "1001", "a", PCMA, START)
    capture.take(taped(alice, b"one", second(0.5)))
    assert entries(capture.due(second(1)))[-1].packet == b"one"
    assert capture.due(second(2.49)) is None
    capture.due(second(2.5))
    (silent,) = entries(capture.due(second(3.5)))
    assert silent == Entry(second(2.5), alice, b"", Silent(second(0.5)))
    assert capture.due(second(60)) is None
    capture.take(taped(alice, b"two", second(61)))
    capture.due(second(62))
    capture.due(second(63))
    assert entries(capture.due(second(64)))[-1].statement == Silent(second(61))


def test_parts_and_what_was_missed_are_stated_where_they_happened():
    capture = Capture(ABOUT, CLOCK, START)
    capture.part("ringing", ["a"], second(0.1))
    capture.missed(7, "disk", second(0.2), second(0.9))
    said = entries(capture.end("hung up", second(0.95)))
    assert [(entry.at, entry.track, entry.statement) for entry in said[2:]] == [
        (second(0.1), NO_TRACK, Part("ringing", ["a"])),
        (second(0.9), NO_TRACK, Missed(7, "disk", second(0.2))),
        (second(0.95), NO_TRACK, Ended("hung up", 0, 0)),
    ]


def test_end_says_how_much_there_must_be():
    capture = Capture(ABOUT, CLOCK, START)
    alice = 0
    capture.track(alice, "1001", "a", PCMA, START)
    for number in range(3):
        capture.take(taped(alice, bytes(172), second(number * 0.02)))
        capture.due(second(number * 0.02 + 1))
    assert entries(capture.end("hung up", second(5)))[-1].statement == Ended("hung up", 3, 3 * 180)


def test_clock_that_is_set_back_is_what_it_was_then():
    capture = Capture(ABOUT, CLOCK, START)
    alice = 0
    capture.track(alice, "1001", "a", PCMA, START)
    capture.take(taped(alice, b"one", second(-1)))
    said = entries(capture.end("hung up", second(-1)))
    assert [entry.at for entry in said] == [START, START, START, second(-1), second(-1)]


def test_packets_that_the_tape_had_no_room_for_are_stated_before_the_next():
    capture = Capture(ABOUT, CLOCK, START)
    alice = 0
    capture.track(alice, "1001", "a", PCMA, START)
    capture.take(taped(alice, b"one", second(0.5), missed=12))
    said = entries(capture.end("hung up", second(0.6)))
    assert said[3].statement == Missed(12, "busy", second(0.5))
    assert said[4].packet == b"one"


def test_what_is_said_again_is_stated_once():
    capture = Capture(ABOUT, CLOCK, START)
    for _ in range(2):
        capture.track(0, "1001", "a", PCMA, START)
        capture.part("talk", ["1001"], START)
    capture.track(0, "1001", "a", {"9": "G722/8000/1"}, START)
    capture.part("hold", [], START)
    said = entries(capture.end("hung up", START))
    assert [entry.statement for entry in said[2:-1]] == [
        Track("1001", "a", PCMA),
        Part("talk", ["1001"]),
        Track("1001", "a", {"9": "G722/8000/1"}),
        Part("hold", []),
    ]


def test_tracks_are_signallings_and_each_says_when_it_was_heard_last():
    capture = Capture(ABOUT, CLOCK, START)
    capture.track(7, "1001", "a", PCMA, START)
    capture.track(63, "1002", "b0", PCMA, START)
    capture.take(taped(7, b"one", second(0.5)))
    assert capture.tracks == {7: second(0.5), 63: 0}
    for beyond in (-1, 64):
        with pytest.raises(ValueError, match="a track"):
            capture.track(beyond, "1003", "c", PCMA, START)


@pytest.mark.parametrize("hours", [-1, 1])
def test_clock_that_is_set_begins_a_segment_that_says_so(hours: int):
    capture = Capture(ABOUT, CLOCK, START)
    capture.track(0, "1001", "a", PCMA, START)
    capture.take(taped(0, b"one", second(0.5)))
    step = hours * 3_600_000_000
    before = entries(capture.clock_set(Clock("ntp", 3), step, second(0.6) + step))
    assert before[-1] == Entry(second(0.5), 0, b"one", None)
    capture.take(taped(0, b"two", second(0.7) + step))
    assert capture.due(second(1.5) + step) is None
    said = entries(capture.due(second(1.6) + step))
    assert said == [
        Entry(second(0.6) + step, NO_TRACK, b"", Clock("ntp", 3, step)),
        Entry(second(0.7) + step, 0, b"two", None),
    ]
