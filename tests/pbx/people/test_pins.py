"""PINs: which are taken, how often a wrong one may be entered, and that nobody locks others out."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.events import Events, PinRefused
from pbx.exchange import Exchange
from pbx.people.pins import MOST_TRIES, MOST_TRIES_OF_A_PERSON, TRIES_SECONDS, Pins, Verdict
from pbx.people.settings import SettingRefused
from pbx.records import Personal, PinRecord

PIN = "8027"


class Node:
    """What Pins need of an exchange: a clock that is set by hand, people, a journal."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.plan = self
        self.people = {"1001": None, "1002": None}
        self.events = Events(self.clock)
        self.journal = self
        self.exhausted = False
        self.written: list[Personal] = []

    def clock(self) -> float:
        return self.now

    def write(self, record: Personal) -> None:
        self.written.append(record)

    def pins(self) -> Pins:
        return Pins(cast(Exchange, cast(Any, self)))


def node_with_pin() -> tuple[Node, Pins]:
    node = Node()
    pins = node.pins()
    pins.set("1001", PIN, "root")
    return node, pins


def test_the_right_pin_is_right_and_every_other_one_wrong() -> None:
    _, pins = node_with_pin()
    assert pins.check("1001", PIN, "device 2020") is Verdict.RIGHT
    for wrong in ("", "802", "80270", "8027" * 10, "8072", "é027"):
        assert pins.check("1001", wrong, f"device {wrong[:8]}") is Verdict.WRONG


def test_who_has_no_pin_has_none_that_is_right() -> None:
    _, pins = node_with_pin()
    assert pins.check("1002", PIN, "device 2020") is Verdict.NONE
    pins.clear("1001", "root")
    assert pins.check("1001", PIN, "device 2020") is Verdict.NONE
    with pytest.raises(SettingRefused, match="1001 has no PIN"):
        pins.clear("1001", "root")


def test_a_full_disk_takes_no_pin() -> None:
    node, pins = node_with_pin()
    node.exhausted = True
    with pytest.raises(SettingRefused, match="the disk is full"):
        pins.set("1001", "7413", "root")
    assert pins.check("1001", PIN, "device 2020") is Verdict.RIGHT


def test_the_same_pin_of_two_people_is_written_differently() -> None:
    node, pins = node_with_pin()
    pins.set("1002", PIN, "root")
    one, other = [record for record in node.written if isinstance(record, PinRecord)]
    assert one.hash != other.hash
    assert PIN.encode() not in one.hash


def test_a_person_is_locked_after_twenty_on_all_devices_and_forgiven_with_a_new_pin() -> None:
    node, pins = node_with_pin()
    told: list[PinRefused] = []
    node.events.subscribe(told.append, PinRefused)
    for number in range(MOST_TRIES_OF_A_PERSON):
        assert pins.check("1001", "1111", f"device {number}", "person 1001") is Verdict.WRONG
    assert [event.locked for event in told].count(True) == 1
    assert pins.check("1001", PIN, "device 99", "person 1001") is Verdict.LOCKED
    pins.set("1001", "7413", "root")
    assert pins.check("1001", "7413", "device 99", "person 1001") is Verdict.RIGHT


def test_a_right_pin_forgives_the_device_but_not_the_guesses_at_a_person() -> None:
    """Else whoever has a PIN of their own could guess for ever between two right ones."""
    node, pins = node_with_pin()
    pins.set("1002", PIN, "root")
    wrong = 0
    while pins.check("1001", "1111", "device 2020", "person 1001") is Verdict.WRONG:
        wrong += 1
        if wrong % 4 == 0:
            assert pins.check("1002", PIN, "device 2020", "person 1002") is Verdict.RIGHT
    assert wrong == MOST_TRIES_OF_A_PERSON
    assert node.now == 1_700_000_000.0


steps = st.lists(
    st.tuples(
        st.sampled_from(["device 1", "device 2", "callthrough 1001"]),
        st.booleans(),
        st.sampled_from([0.0, 1.0, 600.0, TRIES_SECONDS / 2]),
        st.booleans(),
    ),
    max_size=25,
)


@settings(max_examples=15, deadline=None)
@given(steps)
def test_no_name_ever_has_more_wrong_ones_in_an_hour_than_it_may(
    steps: list[tuple[str, bool, float, bool]],
) -> None:
    """Whatever is tried where and when, and however often the process dies in between."""
    node, pins = node_with_pin()
    wrong: dict[str, list[float]] = {}
    for name, is_right, seconds, dies in steps:
        node.now += seconds
        if dies:
            pins = node.pins()
            pins.restore({record.key: record for record in node.written}.values())
        recent = [at for at in wrong.get(name, []) if at > node.now - TRIES_SECONDS]
        verdict = pins.check("1001", PIN if is_right else "1111", name)
        if len(recent) >= MOST_TRIES:
            assert verdict is Verdict.LOCKED
        elif is_right:
            assert verdict is Verdict.RIGHT
            wrong[name] = []
        else:
            assert verdict is Verdict.WRONG
            wrong[name] = [*recent, node.now]
