"""Who is signed in: signing in, by password, passkey or a link of the demonstration, and out again."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from pbx.accounts import records
from pbx.accounts.account import Account, AccountError, Language
from pbx.accounts.demonstration import is_demonstration, is_loopback
from pbx.accounts.open_sessions import SignedIn
from pbx.accounts.rights import RIGHTS, ROLES, Right, Role
from pbx.accounts.sessions import SecondFactor, csrf_of
from pbx.audit.entry import By
from pbx.web.access import Guest, address_of, anybody, begun
from pbx.web.node import Node, TheNode
from pbx.web.problems import Problem
from pbx.web.sign_in_cookies import clear_session, set_known, set_session, site_of, visitor_of

router = APIRouter(prefix="/session", tags=["session"])

Begun = Annotated[SignedIn, begun()]
Factor = Literal["totp", "passkey", "recovery"]

CREDENTIAL_EXAMPLE = {
    "id": "3q2-7w",
    "rawId": "3q2-7w",
    "type": "public-key",
    "response": {"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0"},
}


class Password(BaseModel):
    """A sign-in name or an extension, and the password."""

    account: str = Field(max_length=200, examples=["alice.martin"])
    password: str = Field(max_length=1000, examples=["four words that don't belong together"])


class Secret(BaseModel):
    """What is behind the # of a link."""

    secret: str = Field(max_length=200, examples=["6vQ3b1k8tYx2mZr9"])


class Credential(BaseModel):
    """What a browser answers when somebody uses a passkey (`PublicKeyCredential`, as JSON)."""

    credential: dict[str, Any] = Field(examples=[CREDENTIAL_EXAMPLE])


class Question(BaseModel):
    """What the browser is to ask a passkey (`PublicKeyCredentialRequestOptions`, as JSON)."""

    options: dict[str, Any] = Field(examples=[{"challenge": "dGhpcw", "rpId": "pbx.valmont.example"}])


class SessionShown(BaseModel):
    """The session, and whose it is. While `second_factor` is `needed` or `must_set_up`, nothing else opens.

    csrf: sent as X-CSRF-Token with whatever changes something; factors: what can be shown as second one.
    """

    account: str = Field(examples=["alice.martin"])
    name: str = Field(examples=["Alice Martin"])
    extension: str = Field(examples=["1001"])
    roles: list[Role] = Field(examples=[["agent", "operator"]])
    rights: list[Right] = Field(examples=[["own", "people.read", "calls.read"]])
    language: Language = Field(examples=["fr"])
    csrf: str = Field(examples=["0b6cde…"])
    second_factor: SecondFactor = Field(examples=["done"])
    must_change: bool = Field(description="Whether the password must be changed first.", examples=[False])
    factors: list[Factor] = Field(examples=[["totp", "recovery"]])
    passkeys_work: bool = Field(
        description="Whether this node was reached by a name, which a passkey needs.", examples=[True]
    )


@router.get("", summary="Who is signed in")
async def show(request: Request, node: TheNode, signed_in: Begun) -> SessionShown:
    """Return whose session the cookie opens; 401 for nobody's."""
    node.directory.expect()
    return shown(request, signed_in)


@router.post("", summary="Sign in with a password")
async def sign_in(
    request: Request, response: Response, node: TheNode, given: Password, _: Annotated[Guest, anybody()]
) -> SessionShown:
    """Begin a session. Whoever guesses waits longer each time (429); an unknown name is a wrong password."""
    visitor = visitor_of(request)
    try:
        signed_in = await node.accounts.sign_in(given.account, given.password, visitor)
    except AccountError as error:
        await enter_refused(node, request, error, given.account)
        raise
    return await welcomed(request, response, node, signed_in)


@router.delete("", status_code=204, summary="Sign out")
async def sign_out(request: Request, response: Response, node: TheNode, signed_in: Begun) -> None:
    """End the session: its cookie is worth nothing any more, wherever it was copied to."""
    await node.accounts.end(signed_in)
    await node.audit.enter(node.clock(), "session.end", signed_in.actor(address_of(request)))
    clear_session(request, response)


@router.post("/passkey/question", summary="Ask to sign in with a passkey")
async def ask_passkey(request: Request, node: TheNode, _: Annotated[Guest, anybody()]) -> Question:
    """Return what the browser asks whichever passkey it has for this node."""
    return Question(options=await node.accounts.passkey_question(site_of(request)))


@router.post("/passkey", summary="Sign in with a passkey")
async def sign_in_by_passkey(
    request: Request, response: Response, node: TheNode, given: Credential, _: Annotated[Guest, anybody()]
) -> SessionShown:
    """Begin a session of the account whose passkey has signed; it is both factors."""
    visitor = visitor_of(request)
    try:
        signed_in = await node.accounts.sign_in_by_passkey(site_of(request), given.credential, visitor)
    except AccountError as error:
        await enter_refused(node, request, error, "")
        raise
    return await welcomed(request, response, node, signed_in)


@router.post("/demonstration", summary="Sign in by a link of the demonstration")
async def sign_in_by_link(
    request: Request, response: Response, node: TheNode, given: Secret, guest: Annotated[Guest, anybody()]
) -> SessionShown:
    """Begin a session in the sample town: on loopback, and nowhere else."""
    if not is_loopback(guest.address) or not is_demonstration(node.configuration):
        raise Problem(404, "link_refused", "this link was used already, or is too old")
    signed_in = await node.accounts.sign_in_by_demo_link(given.secret, visitor_of(request))
    return await welcomed(request, response, node, signed_in)


async def welcomed(request: Request, response: Response, node: Node, signed_in: SignedIn) -> SessionShown:
    """Enter a session that has begun, give the browser its cookies, and return what is shown of it."""
    session, account = signed_in.session, signed_in.account
    actor = signed_in.actor(address_of(request))
    about = {"by": session.how, "second_factor": session.second_factor, "device": session.device}
    await node.audit.enter(node.clock(), "session.begin", actor, **about)
    set_session(request, response, signed_in.token)
    node.directory.expect()
    if session.is_complete:
        set_known(request, response, node.accounts.remembered(account, visitor_of(request)))
    return shown(request, signed_in)


async def enter_refused(node: Node, request: Request, error: AccountError, typed: str) -> None:
    """Enter that somebody was refused; those who were told to wait aren't entered again and again."""
    if error.status in (429, 503):
        return
    visitor = visitor_of(request)
    by = By("", "session", visitor.address)
    # What was typed may be a password in the wrong field: only what is an account is named.
    found = await node.read(lambda connection: records.matching(connection, typed))
    named = found[0].account if found else ""
    await node.audit.enter(node.clock(), "session.refused", by, why=error.code, whom=named)


def shown(request: Request, signed_in: SignedIn) -> SessionShown:
    """Return what a page knows of its session."""
    account, session = signed_in.account, signed_in.session
    actor = account.actor("")
    return SessionShown(
        account=account.account,
        name=account.name,
        extension=account.extension,
        roles=[role for role in ROLES if role in account.roles],
        rights=[right for right in RIGHTS if actor.may(right)] if session.is_complete else [],
        language=account.language,
        csrf=csrf_of(signed_in.token),
        second_factor=session.second_factor,
        must_change=account.must_change,
        factors=factors_of(account),
        passkeys_work=has_name(request),
    )


def factors_of(account: Account) -> list[Factor]:
    """Return with what an account can show a second factor."""
    ways: list[tuple[Factor, bool]] = [
        ("totp", account.has_totp),
        ("passkey", account.passkeys > 0),
        ("recovery", account.recovery_codes > 0),
    ]
    return [way for way, is_there in ways if is_there]


def has_name(request: Request) -> bool:
    """Whether the node was reached by a name: an IP address has no passkeys."""
    try:
        return bool(site_of(request).host)
    except AccountError:
        return False
