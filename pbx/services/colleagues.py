"""What people are doing, in one word each, for the pages of their colleagues.

    ringing         a telephone of theirs rings: a colleague may pick it up
    in_call         they call or talk
    do_not_disturb  they don't want to be rung
    away            their devices, or they themselves, say so
    not_there       no telephone of theirs can be reached
    free            none of that

The first that holds counts. It is looked at when it is asked for, and costs a call nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pbx.api.views import ColleagueState, ColleagueStatus
from pbx.control import ColleagueList, ListColleagues
from pbx.services.availability import availability_of
from sip.core.presence_document import ON_THE_PHONE

if TYPE_CHECKING:
    from pbx.exchange import Exchange

MOST_ASKED = 500


def answer_about_colleagues(exchange: Exchange, question: ListColleagues) -> ColleagueList:
    """Tell what those asked about are doing, and those who use the devices asked about; strangers are left
    out."""
    users = (exchange.devices.find(device) for device in question.devices[:MOST_ASKED])
    asked = {*question.extensions[:MOST_ASKED], *(user.extension for user in users if user is not None)}
    people = sorted(asked & exchange.plan.people.keys())
    on_the_phone = _on_the_phone(exchange, people)
    return ColleagueList([_status(exchange, extension, on_the_phone.get(extension)) for extension in people])


def _on_the_phone(exchange: Exchange, people: Iterable[str]) -> dict[str, ColleagueState]:
    """Who of these people is rung, calls or talks."""
    found: dict[str, ColleagueState] = {}
    wanted = frozenset(people)
    for leg in exchange.legs():
        device = exchange.devices.find(leg.device)
        if device is None or device.extension not in wanted:
            continue
        if leg.answered_at is None and leg.reached != "calls":
            if leg.rang:
                found[device.extension] = "ringing"
        else:
            found.setdefault(device.extension, "in_call")
    return found


def _status(exchange: Exchange, extension: str, on_the_phone: ColleagueState | None) -> ColleagueStatus:
    settings = availability_of(exchange, extension)
    presence = exchange.subscriptions.presences.of(extension)
    state: ColleagueState = "free"
    if on_the_phone is not None:
        state = on_the_phone
    elif ON_THE_PHONE in presence.activities:  # a device of theirs says so: their mobile, say
        state = "in_call"
    elif "do-not-disturb" in settings:
        state = "do_not_disturb"
    elif not exchange.devices.bindings_of(extension):
        state = "not_there"
    elif not presence.open or presence.activities:
        state = "away"
    return ColleagueStatus(extension, state, "forward" in settings)
