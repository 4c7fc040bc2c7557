"""Which mailboxes somebody listens to: their own, and those of services that name them in the plan."""

from __future__ import annotations

from typing import NamedTuple

from dialplan.plan import Members, Plan
from pbx.accounts.actor import Actor
from pbx.web.membership import Place, place_of
from pbx.web.node import Node


class Listened(NamedTuple):
    """A mailbox. mailbox: its name in the store; name: of whom; is_own: one's own, else a service's."""

    mailbox: str
    name: str
    is_own: bool


async def mailboxes_of(node: Node, actor: Actor) -> list[Listened]:
    """Return one's own mailbox, where one has an extension, and then those of services. Raises Problem."""
    own = [Listened(actor.extension, actor.name, True)] if actor.extension else []
    return [*own, *_of_services(node.plan(), await place_of(node, actor.extension))]


def _of_services(plan: Plan, place: Place) -> list[Listened]:
    found = []
    for service in plan.services.values():
        listeners = service.settings.get("listeners")
        is_listener = isinstance(listeners, Members) and place.is_of(listeners)
        if service.type == "voicemail" and is_listener:
            name = service.settings.get("mailbox") or service.name
            assert isinstance(name, str)
            found.append(Listened(name, service.name, False))
    return found
