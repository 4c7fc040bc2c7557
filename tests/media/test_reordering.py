"""Packets that overtook each other (RFC 3550 appendix A.1)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from media.reordering import HELD_PACKETS, Reordering
from media.rtp import Packet


def packet(number: int, ssrc: int = 1) -> Packet:
    return Packet(0, number & 0xFFFF, 0, ssrc, b"")


def given_back(order: Reordering, *numbers: int) -> list[int]:
    return [one.sequence for number in numbers for one in order.put(packet(number))]


def test_packets_in_order_wait_for_nothing():
    assert [given_back(order, 5) for order in [Reordering()]] == [[5]]
    assert given_back(Reordering(), 65534, 65535, 65536) == [65534, 65535, 0]


def test_packet_that_was_overtaken_takes_its_place():
    order = Reordering()
    assert given_back(order, 10, 12, 13) == [10]
    assert given_back(order, 11) == [11, 12, 13]


def test_missing_packet_holds_the_others_back_only_so_long():
    assert given_back(Reordering(), 10, 12, 13, 14, 15) == [10, 12, 13, 14, 15]


def test_packet_after_its_turn_is_dropped_and_so_is_a_second_one():
    order = Reordering()
    assert given_back(order, 10, 11, 10, 12, 14, 14) == [10, 11, 12]
    assert order.dropped == 2


def test_another_sender_begins_at_once_behind_what_was_held():
    order = Reordering()
    given_back(order, 10, 12)
    assert [one.sequence for one in order.put(packet(500, ssrc=2))] == [12, 500]


def test_jump_of_the_senders_numbers_begins_anew():
    assert given_back(Reordering(), 10, 5000, 5001) == [10, 5000, 5001]


@given(st.lists(st.integers(0, 70_000), max_size=60))
@settings(max_examples=200, deadline=None)
def test_whatever_comes_nothing_comes_twice_and_little_is_held(numbers: list[int]):
    order = Reordering()
    back = given_back(order, *numbers)
    assert len(back) + order.dropped <= len(numbers)
    assert len(numbers) - len(back) - order.dropped < HELD_PACKETS
