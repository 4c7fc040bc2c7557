"""How often PINs may be wrong, over calls: by caller, and for all from outside together."""

from __future__ import annotations

from dataclasses import dataclass

from pbx.people.pin_attempts import OF_CALLER, OF_CALLER_SECONDS, OF_OUTSIDE, PinAttempts


@dataclass
class Caller:
    """What is looked at of a call."""

    from_number: str
    direction: str = "internal"


def outside(number: str) -> Caller:
    return Caller(number, "inbound")


def wrong(attempts: PinAttempts, caller: Caller, times: int, room: str = "council", now: float = 0.0) -> None:
    for _ in range(times):
        attempts.wrong(caller, room, now)


def test_a_caller_has_six_and_gets_one_back_with_time():
    attempts, alice = PinAttempts(), Caller("1001")
    wrong(attempts, alice, OF_CALLER - 1)
    assert not attempts.spent(alice, "council", 0.0)
    wrong(attempts, alice, 1)
    assert attempts.spent(alice, "council", 0.0)
    assert not attempts.spent(alice, "council", OF_CALLER_SECONDS / OF_CALLER + 1)


def test_another_room_and_another_caller_are_not_concerned():
    attempts, alice = PinAttempts(), Caller("1001")
    wrong(attempts, alice, OF_CALLER)
    assert not attempts.spent(alice, "meeting", 0.0)
    assert not attempts.spent(Caller("1002"), "council", 0.0)


def test_a_right_one_gives_all_back():
    attempts, alice = PinAttempts(), Caller("1001")
    wrong(attempts, alice, OF_CALLER)
    attempts.right(alice, "council")
    assert not attempts.spent(alice, "council", 0.0)


def test_changing_the_number_that_is_shown_gives_no_more_than_twenty():
    attempts = PinAttempts()
    for place in range(OF_OUTSIDE):
        assert not attempts.spent(outside(f"+336000000{place:02d}"), "council", 0.0)
        wrong(attempts, outside(f"+336000000{place:02d}"), 1)
    assert attempts.spent(outside("+33699999999"), "council", 0.0)


def test_nobody_inside_is_locked_out_by_those_outside():
    attempts = PinAttempts()
    wrong(attempts, outside("1001"), OF_OUTSIDE + OF_CALLER)
    assert not attempts.spent(Caller("1001"), "council", 0.0)
