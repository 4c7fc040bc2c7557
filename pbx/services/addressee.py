"""Which person of the plan a request that is no call is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialplan.plan import Person
from sip.core.errors import RemoteProtocolError
from sip.core.uri import SipUri

if TYPE_CHECKING:
    from pbx.exchange import Exchange


def addressee(exchange: Exchange, uri: str, asker: str = "") -> Person:
    """The person that a Request-URI names, by extension or by the sign-in of one of their devices.

    asker: the device that asks. It knows its person, who may use it for a while only, by its own sign-in.
    Raises RemoteProtocolError 404 for anybody else: numbers outside aren't reached this way.
    """
    user = SipUri.parse(uri).user or ""
    device = exchange.devices.find(user)
    people = exchange.plan.people
    person = people.get(user) if user != asker else None
    if person is None and device is not None:
        person = people.get(device.extension)
    if person is None:
        raise RemoteProtocolError(404, "Not Found")
    return person
