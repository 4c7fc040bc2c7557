"""How a person's telephones ring: all devices together, or by turns with the mobile.

The plan says it (`ring:` of a person), and the person may say something else by code, for all of it: one of
WAYS, while they have a mobile.
"""

from __future__ import annotations

from dialplan.decision import Conditions
from dialplan.plan import Person, RingTurn

MOBILE = "mobile"
ALL_DEVICES = "all"
TOGETHER, IN_TURN, DEVICES = WAYS = ("together", "in_turn", "devices")
FIRST_TURN_SECONDS = 20
TURN_SECONDS = 40


def turns_by(way: str, line: int = 0) -> tuple[RingTurn, ...]:
    """The turns of one of WAYS; none for DEVICES, which is how telephones ring by themselves."""
    if way == TOGETHER:
        return (RingTurn((ALL_DEVICES, MOBILE), 0, TURN_SECONDS, line),)
    if way == IN_TURN:
        first = RingTurn((ALL_DEVICES,), 0, FIRST_TURN_SECONDS, line)
        return first, RingTurn((MOBILE,), FIRST_TURN_SECONDS, TURN_SECONDS, line)
    return ()


def turns_of(person: Person, conditions: Conditions) -> tuple[RingTurn, ...]:
    """How a person's telephones ring now; empty where all devices ring together, and the mobile doesn't."""
    own = conditions.forwards.get(person.extension)
    if own is not None and own.ring and person.mobile is not None:
        return turns_by(own.ring)
    return person.turns
