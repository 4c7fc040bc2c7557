"""Many lamps in one subscription: the people of a group or of a site, by its name in the plan (RFC 4662).

What changes while a NOTIFY is under way is told together in the next one, of at most PARTS people each: so
hundreds of changes at once are a few messages, and none is too large for a datagram of a local network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from dialplan.plan import Members, Plan
from pbx.apps.group import members_of
from sip.core import dialog_info, event_list
from sip.core.errors import RemoteProtocolError
from sip.core.event_list import Member, list_document
from sip.core.uri import SipUri

if TYPE_CHECKING:
    from pbx.services.lamps import Lamp

PARTS = 20
MAX_MEMBERS = 200  # their names alone are in one message when the list is told whole


def people_of(plan: Plan, resource: str) -> list[str]:
    """The extensions of a group or a site that a Request-URI names; empty where it names none.

    Raises RemoteProtocolError 403 for a list too long.
    """
    name = SipUri.parse(resource).user or ""
    if not name or name in plan.people:
        return []
    if name in plan.sites:
        members = Members((), (name,), (), 0, 0)
    elif any(name in person.groups for person in plan.people.values()):
        members = Members((name,), (), (), 0, 0)
    else:
        return []
    people = members_of(plan, members)
    if len(people) > MAX_MEMBERS:
        raise RemoteProtocolError(403, "List Too Long")
    return people


class LampList:
    """One telephone's view of several people (sip.core.subscription.Watched).

    uri: of the list. names: of its people, by extension. lamp: makes one person's lamp, which tells its
    changes to the function that it is given.
    """

    content_type = event_list.CONTENT_TYPE
    require = event_list.OPTION

    def __init__(
        self,
        uri: str,
        names: Mapping[str, str],
        lamp: Callable[[str, Callable[[float], None]], Lamp],
        changed: Callable[[float], None],
        now: Callable[[], float],
    ) -> None:
        self._uri = uri
        self._names = names
        self._changed = changed
        self._now = now
        self._lamps = {extension: lamp(extension, partial(self._note, extension)) for extension in names}
        self._waiting: dict[str, None] = {}  # whose state is to be told, the longest first

    def document(self, number: int, *, full: bool) -> bytes:
        """Everybody's name and the state of the first, or the state of some that changed."""
        if full:
            self._waiting = dict.fromkeys(self._lamps)
        told = list(self._waiting)[:PARTS]
        for extension in told:
            del self._waiting[extension]
        members = [
            self._member(extension, number, told=extension in told)
            for extension in (self._lamps if full else told)
        ]
        if self._waiting:
            self._changed(self._now())  # the others follow
        return list_document(self._uri, number, members, dialog_info.CONTENT_TYPE, full=full)

    def close(self) -> None:
        """The telephone watches no more."""
        for lamp in self._lamps.values():
            lamp.close()

    def _member(self, extension: str, number: int, *, told: bool) -> Member:
        lamp = self._lamps[extension]
        document = lamp.document(number, full=True) if told else None
        return Member(lamp.entity, self._names[extension], document)

    def _note(self, extension: str, now: float) -> None:
        self._waiting[extension] = None
        self._changed(now)
