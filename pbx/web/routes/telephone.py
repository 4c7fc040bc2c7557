"""The telephone of a page: what it registers with, for as long as somebody is signed in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pbx.accounts.open_sessions import SignedIn
from pbx.turn import IcePolicy, ice_policy, ice_servers
from pbx.web.access import address_of, by_page, own_extension
from pbx.web.node import TheNode
from pbx.web.people_rules import person_entry

router = APIRouter(prefix="/telephone", tags=["telephone"])


class IceServer(BaseModel):
    """A server that helps sound through a network that lets none through (RFC 8656)."""

    urls: list[str] = Field(examples=[["turns:turn.valmont.example:443?transport=tcp"]])
    username: str = Field("", examples=["1795371900:1001-web"])
    credential: str = Field("", examples=["bWFkZSBvZiB0aGUgc2VjcmV0"])


class Features(BaseModel):
    """What this telephone may offer besides calling."""

    record: bool = Field(description="Whether what a party says can be recorded.")
    video: bool = Field(description="Whether video is passed on.")


class Telephone(BaseModel):
    """What a page registers with, over the WebSocket `/sip` (RFC 7118) of this host.

    address: shown to others; sign_in: the user part of From and To of its REGISTER; username, password: of
    its digest, until `expires_at` (Unix seconds). The page asks again before, and registers with the new
    ones; a password that is over is refused with 403 `Password Expired`, one of a session that has ended with
    403 `Signed Out`.
    """

    extension: str = Field(examples=["1001"])
    name: str = Field(examples=["Alice Martin"])
    domain: str = Field(examples=["valmont.example"])
    address: str = Field(examples=["sip:1001@valmont.example"])
    sign_in: str = Field(examples=["1001-web"])
    username: str = Field(examples=["1001-web/8f0e12ab34cd56ef/1795371900"])
    password: str = Field(examples=["q1ZbMEdK3bW0lHcRr0y0kq5p5vJm4V0mX1lN3oQx2Tw"])
    expires_at: float = Field(examples=[1795371900.0])
    ice_servers: list[IceServer]
    ice_policy: IcePolicy = Field(description="`relay` where all sound passes through these servers.")
    features: Features


@router.post("", summary="Open one's telephone in this page")
async def open_telephone(
    request: Request, node: TheNode, signed_in: Annotated[SignedIn, by_page()]
) -> Telephone:
    """Return a password for some minutes, which ends with the session at the latest."""
    extension = own_extension(signed_in.actor(address_of(request)))
    everybody = await node.directory.now()
    person_entry(everybody, extension)
    account = signed_in.account.account
    issued = node.telephones.issue(signed_in, extension)
    domain = node.configuration.domain
    carries = node.configuration.media.engine != "passthrough"
    return Telephone(
        extension=extension,
        name=everybody.plan.people[extension].name,
        domain=domain,
        address=f"sip:{extension}@{domain}",
        sign_in=issued.sign_in,
        username=issued.username,
        password=issued.password,
        expires_at=issued.ends_at,
        ice_servers=[IceServer(**one) for one in ice_servers(node.configuration, account, node.clock())],
        ice_policy=ice_policy(node.configuration),
        features=Features(record=carries, video=carries),
    )
