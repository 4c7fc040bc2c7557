"""Tokens: what programs sign in with. Everybody has their own; administrators see and end everybody's.

A token is made in a page alone: one that is stolen makes no other that outlives it.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request

from pbx.accounts import tokens
from pbx.accounts.actor import Actor
from pbx.accounts.open_sessions import SignedIn
from pbx.accounts.tokens import NoToken, Token, TokenWrong, Wanted
from pbx.web.access import address_of, by_page, may
from pbx.web.node import Node, TheNode
from pbx.web.problems import Problem

router = APIRouter(prefix="/tokens", tags=["tokens"])


class TokenShown(BaseModel):
    """A token. networks: where it may be used from, none for anywhere; last_used_at: to the minute."""

    id: str = Field(examples=["5f0c2a9e61b7d384"])
    account: str = Field(examples=["anne.martin"])
    name: str = Field(examples=["Annuaire du site web"])
    scopes: list[str] = Field(examples=[["people.read"]])
    networks: list[str] = Field(examples=[["10.54.0.0/16"]])
    created_at: float
    ends_at: float
    last_used_at: float | None


class Tokens(BaseModel):
    """Tokens, the newest first."""

    items: list[TokenShown]
    next: str = ""


class TokenWanted(BaseModel):
    """A token to be made. scopes: rights of yours, none for all of them; ends_at: within two years."""

    name: str = Field(max_length=200, examples=["Annuaire du site web"])
    ends_at: float = Field(allow_inf_nan=False, examples=[1798761600.0])
    scopes: list[Annotated[str, Field(max_length=40)]] = Field(
        default=[], max_length=50, examples=[["people.read"]]
    )
    networks: list[Annotated[str, Field(max_length=60)]] = Field(
        default=[], max_length=20, examples=[["10.54.0.0/16"]]
    )


class TokenMade(TokenShown):
    """A token with what to sign in with, which nobody can see again."""

    token: str


@router.get("", summary="List one's own tokens")
async def list_own(node: TheNode, actor: Annotated[Actor, may("own")]) -> Tokens:
    """Return one's tokens, never what they sign in with."""
    found = await node.read(lambda connection: tokens.listed(connection, actor.account))
    return Tokens(items=[_shown(one) for one in found])


@router.post("", status_code=201, summary="Make a token")
async def make(
    node: TheNode, signed_in: Annotated[SignedIn, by_page()], request: Request, wanted: TokenWanted
) -> TokenMade:
    """Make a token of one's own, in a page, by who has lately proved who they are; show it this once."""
    node.accounts.refuse_without_proof(signed_in)
    actor, now = signed_in.actor(address_of(request)), node.clock()
    asked = Wanted(wanted.name, wanted.ends_at, tuple(wanted.scopes), tuple(wanted.networks))
    try:
        made, secret = await node.write(lambda connection: tokens.add(connection, actor.account, asked, now))
    except TokenWrong as error:
        raise Problem(422, "wrong_token", str(error), where=error.field) from None
    await _enter(node, "token.add", actor, made)
    return TokenMade(**_shown(made).model_dump(), token=secret)


@router.delete("/{token_id}", status_code=204, summary="End a token of one's own")
async def remove_own(
    node: TheNode, signed_in: Annotated[SignedIn, by_page()], request: Request, token_id: str
) -> None:
    """End a token: the next request with it is refused."""
    actor = signed_in.actor(address_of(request))
    await _remove(node, actor, token_id, actor.account)


@router.get("/all", summary="List everybody's tokens")
async def list_all(node: TheNode, _: Annotated[Actor, may("accounts.read")], account: str = "") -> Tokens:
    """Return the tokens of an account, or of all."""
    found = await node.read(lambda connection: tokens.listed(connection, account))
    return Tokens(items=[_shown(one) for one in found])


@router.delete("/all/{token_id}", status_code=204, summary="End anybody's token")
async def remove_any(node: TheNode, actor: Annotated[Actor, may("accounts.change")], token_id: str) -> None:
    """End a token: the next request with it is refused."""
    await _remove(node, actor, token_id, "")


async def _remove(node: Node, actor: Actor, token_id: str, account: str) -> None:
    try:
        removed = await node.write(lambda connection: tokens.remove(connection, token_id, account))
    except NoToken:
        raise Problem(404, "no_token", "there is no such token") from None
    finally:
        node.bearers.forget()
    await _enter(node, "token.remove", actor, removed)


async def _enter(node: Node, what: str, actor: Actor, one: Token) -> None:
    said = {"whom": one.account, "id": one.id, "name": one.name}
    await node.audit.enter(node.clock(), what, actor, **said, scopes=list(one.scopes))


def _shown(one: Token) -> TokenShown:
    return TokenShown(
        id=one.id,
        account=one.account,
        name=one.name,
        scopes=list(one.scopes),
        networks=list(one.networks),
        created_at=one.created_at,
        ends_at=one.ends_at,
        last_used_at=one.last_used_at,
    )
