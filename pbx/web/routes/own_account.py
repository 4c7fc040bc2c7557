"""One's own account: language, password, factors, and where one is signed in."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from pbx.accounts import factors, records, sessions
from pbx.accounts.account import AccountError, Language, Source
from pbx.accounts.open_sessions import SignedIn
from pbx.accounts.own_factors import OwnFactors
from pbx.accounts.sessions import Way
from pbx.audit.entry import By
from pbx.web.access import Guest, address_of, anybody, begun, by_page
from pbx.web.node import Node, TheNode
from pbx.web.problems import Problem
from pbx.web.sign_in_cookies import set_session

router = APIRouter(tags=["own account"])

ByPage = Annotated[SignedIn, by_page()]


class PasskeyShown(BaseModel):
    """A passkey. last_used_at: null for never."""

    id: str = Field(examples=["3q2-7w"])
    name: str = Field(examples=["Office computer"])
    created_at: float = Field(examples=[1798189200.0])
    last_used_at: float | None = Field(examples=[1798189260.0])


class OwnSession(BaseModel):
    """Where somebody is signed in. device: what the browser says it is; current: whether it is this one."""

    id: str = Field(examples=["8f0e…"])
    begun_at: float = Field(examples=[1798189200.0])
    seen_at: float = Field(examples=[1798189260.0])
    how: Way = Field(examples=["password"])
    address: str = Field(examples=["192.0.2.7"])
    device: str = Field(examples=["Mozilla/5.0 (X11; Linux x86_64) …"])
    current: bool


class OwnAccount(BaseModel):
    """One's own account. recovery_codes: how many are left; source: who keeps the password."""

    account: str = Field(examples=["alice.martin"])
    name: str = Field(examples=["Alice Martin"])
    extension: str = Field(examples=["1001"])
    language: Language
    source: Source
    has_password: bool
    has_application: bool = Field(description="Whether an application for codes is set up.")
    needs_second_factor: bool
    recovery_codes: int = Field(examples=[10])
    passkeys: list[PasskeyShown]
    sessions: list[OwnSession]


class OwnAccountChange(BaseModel):
    """What is changed of one's own account."""

    language: Language = Field(examples=["fr"])


class NewPassword(BaseModel):
    """A new password: twelve characters or more."""

    password: str = Field(max_length=1000, examples=["four words that don't belong together"])


class PasswordByLink(BaseModel):
    """A new password, and what is behind the # of the link that allows it."""

    secret: str = Field(max_length=200, examples=["6vQ3b1k8tYx2mZr9"])
    password: str = Field(max_length=1000, examples=["four words that don't belong together"])


class Name(BaseModel):
    """Whose password was set."""

    account: str = Field(examples=["alice.martin"])


class Ended(BaseModel):
    """How many sessions have ended."""

    ended: int = Field(examples=[2])


@router.get("/account", summary="One's own account")
async def show(node: TheNode, signed_in: ByPage) -> OwnAccount:
    """Return the account, its passkeys and where it is signed in."""
    return await _own_account(node, signed_in)


@router.patch("/account", summary="Change one's own language")
async def change(request: Request, node: TheNode, signed_in: ByPage, given: OwnAccountChange) -> OwnAccount:
    """Have pages and letters in this language."""
    account, language = signed_in.account.account, given.language
    await node.write(lambda connection: records.change(connection, account, language=language))
    node.accounts.sessions.forget(account)
    await node.audit.enter(
        node.clock(), "account.change", signed_in.actor(address_of(request)), whom=account, language=language
    )
    return await _own_account(node, signed_in)


@router.put("/account/password", status_code=204, summary="Change one's own password")
async def change_password(
    request: Request,
    response: Response,
    node: TheNode,
    signed_in: Annotated[SignedIn, begun()],
    given: NewPassword,
) -> None:
    """Change it; all other sessions of the account end. It asks for a proof (`prove_again`) before."""
    if signed_in.session.second_factor == "needed":
        raise Problem(403, "second_factor_needed", "the second factor hasn't been shown yet")
    changed = await _own(node).change_password(signed_in, given.password)
    actor = changed.actor(address_of(request))
    await node.audit.enter(node.clock(), "password.change", actor, whom=actor.account)
    set_session(request, response, changed.token)


@router.post("/account/password-link", summary="Set a password by a link that works once")
async def use_password_link(
    request: Request, node: TheNode, given: PasswordByLink, guest: Annotated[Guest, anybody()]
) -> Name:
    """Set the password of the account that the link was made for; its sessions end, nobody is signed in."""
    try:
        account = await _own(node).use_password_link(given.secret, given.password, guest.address)
    except AccountError as error:
        if error.status == 404:
            by = By("", "session", guest.address)
            await node.audit.enter(node.clock(), "password.refused", by, why=error.code)
        raise
    by = By(account.account, "session", guest.address)
    await node.audit.enter(node.clock(), "password.change", by, whom=account.account, link=True)
    return Name(account=account.account)


@router.delete("/account/sessions", summary="Sign out everywhere else")
async def end_others(request: Request, node: TheNode, signed_in: ByPage) -> Ended:
    """End all sessions of one's own account but this one."""
    account, current = signed_in.account.account, signed_in.session.id
    ended = await node.write(lambda connection: sessions.end_all(connection, account, current))
    node.accounts.sessions.forget(account)
    actor = signed_in.actor(address_of(request))
    await node.audit.enter(node.clock(), "sessions.end", actor, whom=account, ended=ended)
    return Ended(ended=ended)


@router.delete("/account/sessions/{session}", summary="Sign out somewhere")
async def end_one(
    request: Request,
    node: TheNode,
    signed_in: ByPage,
    session: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")],
) -> Ended:
    """End one session of one's own account."""
    account = signed_in.account.account
    ended = await node.write(lambda connection: sessions.end(connection, account, session))
    if ended == 0:
        raise Problem(404, "not_found", "there is no such session of yours")
    node.accounts.sessions.forget(account)
    actor = signed_in.actor(address_of(request))
    await node.audit.enter(node.clock(), "sessions.end", actor, whom=account, ended=ended)
    return Ended(ended=ended)


def _own(node: Node) -> OwnFactors:
    return OwnFactors(node.accounts, node.configuration.domain)


async def _own_account(node: Node, signed_in: SignedIn) -> OwnAccount:
    name, now = signed_in.account.account, node.clock()
    account = await node.read(lambda connection: records.find(connection, name))
    passkeys = await node.read(lambda connection: factors.passkeys_of(connection, name))
    lasting = await node.read(lambda connection: sessions.list_of(connection, name, now))
    return OwnAccount(
        account=account.account,
        name=account.name,
        extension=account.extension,
        language=account.language,
        source=account.source,
        has_password=account.has_password,
        has_application=account.has_totp,
        needs_second_factor=account.needs_second_factor,
        recovery_codes=account.recovery_codes,
        passkeys=[
            PasskeyShown(id=one.id, name=one.name, created_at=one.created_at, last_used_at=one.last_used_at)
            for one in passkeys
        ],
        sessions=[
            OwnSession(
                id=one.id,
                begun_at=one.begun_at,
                seen_at=one.seen_at,
                how=one.how,
                address=one.address,
                device=one.device,
                current=one.id == signed_in.session.id,
            )
            for one in lasting
        ],
    )
