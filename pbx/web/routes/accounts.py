"""Accounts, as an administrator sees and changes them. The same verbs as `beffroi account`."""

from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from pbx.accounts import factors, records, sessions
from pbx.accounts.account import Account, AccountError, Language, Source
from pbx.accounts.actor import Actor
from pbx.accounts.links import PASSWORD_SECONDS, link_url, make_link
from pbx.accounts.rights import ROLES, Role, rights_of
from pbx.web.access import may
from pbx.web.node import Node, TheNode
from pbx.web.routes.session import Factor, factors_of
from pbx.web.sign_in_cookies import site_of

router = APIRouter(prefix="/accounts", tags=["accounts"])

Reader = Annotated[Actor, may("accounts.read")]
Changer = Annotated[Actor, may("accounts.change")]


class AccountShown(BaseModel):
    """An account. factors: what its second factor is; source: who keeps its password."""

    account: str = Field(examples=["alice.martin"])
    name: str = Field(examples=["Alice Martin"])
    extension: str = Field(examples=["1001"])
    roles: list[Role] = Field(examples=[["agent"]])
    language: Language
    source: Source
    disabled: bool
    has_password: bool
    factors: list[Factor] = Field(examples=[["totp", "recovery"]])
    created_at: float = Field(examples=[1798189200.0])
    last_sign_in_at: float | None = Field(examples=[1798189260.0])


class Accounts(BaseModel):
    """Accounts by sign-in name. next: the `after` of the next ones, "" at the end."""

    items: list[AccountShown]
    next: str


class NewAccount(BaseModel):
    """An account to be added."""

    account: str = Field(max_length=200, examples=["alice.martin"])
    name: str = Field(max_length=500, examples=["Alice Martin"])
    extension: str = Field(default="", max_length=30, examples=["1001"])
    roles: list[Role] = Field(default=["agent"], examples=[["agent"]])
    language: Language = Field(default="fr", examples=["fr"])


class AccountChange(BaseModel):
    """What is changed of an account: null, or left out, for what stays."""

    name: str | None = Field(default=None, max_length=500, examples=["Alice Martin-Roux"])
    extension: str | None = Field(default=None, max_length=30, examples=["1001"])
    roles: list[Role] | None = Field(default=None, examples=[["agent", "operator"]])
    language: Language | None = Field(default=None, examples=["en"])
    disabled: bool | None = Field(default=None, examples=[False])


class LinkShown(BaseModel):
    """A link that works once, shown once. What is behind # reaches no server and no log."""

    link: str = Field(examples=["https://pbx.valmont.example/new-password#6vQ3b1k8tYx2mZr9"])
    ends_at: float = Field(examples=[1798275600.0])


class Added(BaseModel):
    """The account, and the link by which its owner chooses a password."""

    account: AccountShown
    password_link: LinkShown


@router.get("", summary="List accounts")
async def list_accounts(
    node: TheNode,
    _: Reader,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    after: Annotated[str, Query(max_length=64)] = "",
) -> Accounts:
    """Return accounts by sign-in name."""
    found = await node.read(
        lambda connection: records.list_accounts(connection, limit=limit + 1, after=after)
    )
    items = [_shown(account) for account in found[:limit]]
    return Accounts(items=items, next=items[-1].account if len(found) > limit else "")


@router.get("/{account}", summary="Show an account")
async def show(node: TheNode, _: Reader, account: str) -> AccountShown:
    """Return one account."""
    return _shown(await node.read(lambda connection: records.find(connection, account)))


@router.post("", status_code=201, summary="Add an account")
async def add(request: Request, node: TheNode, actor: Changer, given: NewAccount) -> Added:
    """Add an account, and return the link by which its owner chooses a password."""
    now = node.clock()

    def work(connection: sa.Connection) -> tuple[Account, str]:
        made = records.add(
            connection,
            given.account,
            given.name,
            now=now,
            roles=given.roles,
            extension=given.extension,
            language=given.language,
        )
        return made, make_link(connection, "password", made.account, now + PASSWORD_SECONDS)

    account, secret = await node.write(work)
    await node.audit.enter(
        now, "account.add", actor, whom=account.account, name=account.name, roles=sorted(account.roles)
    )
    return Added(account=_shown(account), password_link=_link(request, node, secret, now))


@router.patch("/{account}", summary="Change an account")
async def change(node: TheNode, actor: Changer, account: str, given: AccountChange) -> AccountShown:
    """Change it. Other roles, another extension or closing it end its sessions at once."""
    wanted = given.model_dump(exclude_none=True)

    def work(connection: sa.Connection) -> tuple[Account, Account]:
        before = records.find(connection, account)
        if account == actor.account:
            _refuse_raising_oneself(before, given)
        return before, records.change(connection, account, **wanted)

    before, after = await node.write(work)
    node.accounts.sessions.forget(account)
    about = {name: str(value) for name, value in wanted.items() if name != "roles"}
    if after.roles != before.roles:
        about["roles"] = f"{' '.join(sorted(before.roles))} -> {' '.join(sorted(after.roles))}"
    await node.audit.enter(node.clock(), "account.change", actor, whom=account, **about)
    return _shown(after)


@router.delete("/{account}", status_code=204, summary="Remove an account")
async def remove(node: TheNode, actor: Changer, account: str) -> None:
    """Remove it with all that it has; the last administrator can't be."""
    await node.write(lambda connection: records.remove(connection, account))
    node.accounts.sessions.forget(account)
    await node.audit.enter(node.clock(), "account.remove", actor, whom=account)


@router.post("/{account}/password-link", summary="Let somebody choose a new password")
async def reset_password(request: Request, node: TheNode, actor: Changer, account: str) -> LinkShown:
    """Return a link that works once; the former password works until it is used."""
    now = node.clock()

    def work(connection: sa.Connection) -> str:
        if records.find(connection, account).source != "local":
            detail = "this password is kept by another server: change it there"
            raise AccountError("password_elsewhere", detail, status=409)
        return make_link(connection, "password", account, now + PASSWORD_SECONDS)

    secret = await node.write(work)
    await node.audit.enter(now, "password.reset", actor, whom=account)
    return _link(request, node, secret, now)


@router.delete("/{account}/second-factor", summary="Reset somebody's second factor")
async def reset_second_factor(node: TheNode, actor: Changer, account: str) -> AccountShown:
    """Take application, passkeys and recovery codes away from whoever has lost them; the sessions end."""
    after = await node.write(lambda connection: factors.reset_factors(connection, account))
    node.accounts.sessions.forget(account)
    await node.audit.enter(node.clock(), "second_factor.reset", actor, whom=account)
    return _shown(after)


@router.delete("/{account}/sessions", status_code=204, summary="Sign somebody out everywhere")
async def end_sessions(node: TheNode, actor: Changer, account: str) -> None:
    """End all sessions of an account."""

    def work(connection: sa.Connection) -> int:
        records.find(connection, account)
        return sessions.end_all(connection, account)

    ended = await node.write(work)
    node.accounts.sessions.forget(account)
    await node.audit.enter(node.clock(), "sessions.end", actor, whom=account, ended=ended)


def _refuse_raising_oneself(before: Account, given: AccountChange) -> None:
    if given.roles is not None and not rights_of(given.roles) <= rights_of(before.roles):
        detail = "nobody gives themselves more rights"
        mend = "another administrator does"
        raise AccountError("own_roles", detail, where="roles", mend=mend, status=403)
    if given.extension not in (None, before.extension):
        detail = "nobody gives themselves another extension, and what is kept for it"
        raise AccountError("own_extension", detail, where="extension", status=403)
    if given.disabled:
        raise AccountError("own_account", "nobody closes their own account", where="disabled", status=403)


def _link(request: Request, node: Node, secret: str, now: float) -> LinkShown:
    origin = node.configuration.web.public_url or site_of(request).origin
    return LinkShown(link=link_url(origin, "password", secret), ends_at=now + PASSWORD_SECONDS)


def _shown(account: Account) -> AccountShown:
    return AccountShown(
        account=account.account,
        name=account.name,
        extension=account.extension,
        roles=[role for role in ROLES if role in account.roles],
        language=account.language,
        source=account.source,
        disabled=account.disabled,
        has_password=account.has_password,
        factors=factors_of(account),
        created_at=account.created_at,
        last_sign_in_at=account.last_sign_in_at,
    )
