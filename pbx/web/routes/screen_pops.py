"""Pages of other programs that open for one's calls (pbx.screen_pop)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pbx.accounts.open_sessions import SignedIn
from pbx.screen_pop import When
from pbx.web.access import address_of, by_page, own_extension
from pbx.web.node import TheNode
from pbx.web.people_rules import person_entry

router = APIRouter(prefix="/screen-pops", tags=["telephone"])


class ScreenPopShown(BaseModel):
    """A page that opens for calls that come in.

    url: with places for `{number}`, `{name}`, `{call}`, `{service}`, `{extension}`, filled percent-encoded;
    services: of calls through one of these alone; empty for all.
    """

    url: str = Field(examples=["https://fiches.valmont.example/?tel={number}"])
    when: When
    services: list[str] = Field(examples=[["standard"]])


@router.get("", summary="Pages that open for one's calls")
async def show(
    request: Request, node: TheNode, signed_in: Annotated[SignedIn, by_page()]
) -> list[ScreenPopShown]:
    """Return those that the configuration has for people of one's class."""
    pops = node.configuration.web.screen_pops
    if not pops:
        return []
    extension = own_extension(signed_in.actor(address_of(request)))
    everybody = await node.directory.now()
    person_entry(everybody, extension)
    person = everybody.plan.people[extension]
    return [
        ScreenPopShown(url=one.url, when=one.when, services=list(one.services))
        for one in pops
        if not one.classes or person.class_name in one.classes
    ]
