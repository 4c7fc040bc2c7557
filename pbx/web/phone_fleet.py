"""All desk telephones as they are now: from the database, the plan, the hosted firmware, and signalling."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from pbx import control
from pbx.phones import shelf
from pbx.phones.freshness import Freshness, all_freshness
from pbx.phones.images import Images
from pbx.phones.inventory import Item, item_of, site_of
from pbx.web.node import Node
from pbx.web.problems import Problem


@dataclass(frozen=True)
class Fleet:
    """The telephones, by name. reachable: whether signalling said who is registered."""

    items: list[Item]
    images: Images
    reachable: bool


async def fleet(node: Node) -> Fleet:
    """Return all of them. Raises Problem (503) without a database or a plan."""
    phones, fresh = await node.read(lambda c: (shelf.list_phones(c), all_freshness(c)))
    plan = (await node.directory.now()).plan
    images = Images(
        node.configuration.provisioning.firmware,
        node.clock,
        lambda: plan.timezone,
        node.configuration.data_dir,
    )
    await asyncio.to_thread(images.load)
    registered, busy, reachable = await _now(node, [line for phone in phones for line in phone.lines])
    items = []
    for phone in phones:
        wanted = images.wanted(phone, site_of(phone, plan))
        version = wanted.version if wanted is not None else ""
        items.append(
            item_of(phone, plan, fresh.get(phone.name, Freshness()), version, registered, frozenset(busy))
        )
    return Fleet(items, images, reachable)


async def _now(node: Node, lines: list[str]) -> tuple[Mapping[str, str], list[str], bool]:
    if not lines:
        return {}, [], True
    try:
        answer = await node.ask(control.AskPhones(lines))
    except Problem:
        return {}, [], False
    assert isinstance(answer, control.PhonesNow)
    return answer.registered, answer.busy, True
