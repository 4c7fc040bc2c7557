"""The second factor: shown while signing in, shown again before a change, set up and taken away."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from pbx.accounts.account import AccountError
from pbx.accounts.open_sessions import SignedIn
from pbx.accounts.own_factors import Changed, OwnFactors
from pbx.web.access import address_of, begun
from pbx.web.node import Node, TheNode
from pbx.web.problems import Problem
from pbx.web.qr_code import QrCode, qr_code
from pbx.web.routes.session import CREDENTIAL_EXAMPLE, Credential, Question, SessionShown, shown
from pbx.web.sign_in_cookies import set_known, set_session, site_of, visitor_of

router = APIRouter(tags=["second factor"])

Begun = Annotated[SignedIn, begun()]
_RECOVERY = ["abcd-efgh-jkmn-pqrs"]


class Code(BaseModel):
    """Six digits of the application, or a recovery code."""

    code: str = Field(max_length=100, examples=["287082"])


class Proof(BaseModel):
    """The password, or a code: one of them."""

    password: str = Field(default="", max_length=1000, examples=["four words that don't belong together"])
    code: str = Field(default="", max_length=100, examples=[""])


class Application(BaseModel):
    """What an application for codes is set up with. pending: sent back with the first code that it shows."""

    secret: str = Field(examples=["JBSW Y3DP EHPK 3PXP"])
    qr: QrCode
    pending: str = Field(examples=["01ab…"])


class Confirmed(BaseModel):
    """An application that is set up, and a code that it shows."""

    pending: str = Field(max_length=1000, examples=["01ab…"])
    code: str = Field(max_length=100, examples=["287082"])


class NewPasskey(BaseModel):
    """A passkey that the browser has made (`PublicKeyCredential`, as JSON), and what it is called."""

    name: str = Field(min_length=1, max_length=60, examples=["Office computer"])
    credential: dict[str, object] = Field(examples=[CREDENTIAL_EXAMPLE])


class FactorsChanged(BaseModel):
    """The session, which has a new token now, and recovery codes where there are new ones: shown once."""

    session: SessionShown
    recovery_codes: list[str] = Field(examples=[_RECOVERY])


@router.post("/session/second-factor", summary="Show the second factor: a code")
async def show_code(
    request: Request, response: Response, node: TheNode, signed_in: Begun, given: Code
) -> SessionShown:
    """Open the session, for the application's code or a recovery code. Each is taken once."""
    try:
        opened = await node.accounts.second_factor(signed_in, given.code, visitor_of(request))
    except AccountError as error:
        await _enter_refused(node, request, signed_in, error)
        raise
    return await _opened(request, response, node, opened)


@router.post("/session/second-passkey/question", summary="Ask for a passkey as second factor")
async def ask_second_passkey(request: Request, node: TheNode, signed_in: Begun) -> Question:
    """Return what the browser asks one of the account's passkeys."""
    return Question(options=await node.accounts.second_passkey_question(site_of(request), signed_in))


@router.post("/session/second-passkey", summary="Show the second factor: a passkey")
async def show_passkey(
    request: Request, response: Response, node: TheNode, signed_in: Begun, given: Credential
) -> SessionShown:
    """Open the session, or prove once more who holds it, with one of the account's passkeys."""
    try:
        opened = await node.accounts.second_by_passkey(site_of(request), signed_in, given.credential)
    except AccountError as error:
        await _enter_refused(node, request, signed_in, error)
        raise
    return await _opened(request, response, node, opened)


@router.post("/session/proof", status_code=204, summary="Prove once more who you are")
async def prove(request: Request, node: TheNode, signed_in: Begun, given: Proof) -> None:
    """Show the password or a code again: for ten minutes, what one proves oneself with can be changed."""
    if bool(given.password) == bool(given.code):
        raise Problem(422, "invalid", "either the password or a code", where="password")
    visitor = visitor_of(request)
    try:
        if given.password:
            await node.accounts.prove(signed_in, given.password, visitor)
        else:
            await node.accounts.prove_by_code(signed_in, given.code, visitor)
    except AccountError as error:
        await _enter_refused(node, request, signed_in, error)
        raise


@router.post("/session/fresh", status_code=204, summary="Whether one has just proved who one is")
async def check_proof(node: TheNode, signed_in: Begun) -> None:
    """Do nothing; 403 (`prove_again`) where a change of factors would be refused without another proof."""
    _refuse_on_the_way(signed_in)
    node.accounts.refuse_without_proof(signed_in)


@router.post("/account/application", summary="Begin to set up an application for codes")
async def begin_application(node: TheNode, signed_in: Begun) -> Application:
    """Return a new secret, as a QR code and to be typed; nothing changes before its first code."""
    _refuse_on_the_way(signed_in)
    made = _own(node).new_application(signed_in)
    return Application(secret=made.secret, qr=qr_code(made.uri), pending=made.pending)


@router.put("/account/application", summary="Set up an application for codes")
async def confirm_application(
    request: Request, response: Response, node: TheNode, signed_in: Begun, given: Confirmed
) -> FactorsChanged:
    """Make it the account's second factor, with a code that it shows now."""
    _refuse_on_the_way(signed_in)
    changed = await _own(node).confirm_application(signed_in, given.pending, given.code)
    return await _changed(request, response, node, changed, "application.add")


@router.delete("/account/application", summary="Take the application for codes away")
async def remove_application(
    request: Request, response: Response, node: TheNode, signed_in: Begun
) -> FactorsChanged:
    """Ask for no codes any more; refused where the account's roles need them."""
    _refuse_unopened(signed_in)
    changed = await _own(node).remove_application(signed_in)
    return await _changed(request, response, node, changed, "application.remove")


@router.post("/account/passkeys/question", summary="Begin to add a passkey")
async def begin_passkey(request: Request, node: TheNode, signed_in: Begun) -> Question:
    """Return what the browser makes a passkey from (`PublicKeyCredentialCreationOptions`, as JSON)."""
    _refuse_on_the_way(signed_in)
    return Question(options=await _own(node).new_passkey(site_of(request), signed_in))


@router.post("/account/passkeys", summary="Add a passkey")
async def add_passkey(
    request: Request, response: Response, node: TheNode, signed_in: Begun, given: NewPasskey
) -> FactorsChanged:
    """Keep a passkey that the browser has just made."""
    _refuse_on_the_way(signed_in)
    changed = await _own(node).add_passkey(site_of(request), signed_in, given.credential, given.name)
    return await _changed(request, response, node, changed, "passkey.add")


@router.delete("/account/passkeys/{passkey}", summary="Take a passkey away")
async def remove_passkey(
    request: Request,
    response: Response,
    node: TheNode,
    signed_in: Begun,
    passkey: Annotated[str, Path(pattern=r"^[A-Za-z0-9_=-]{1,1400}$")],
) -> FactorsChanged:
    """Let it sign nobody in any more; refused where it is the last factor, and one is needed."""
    _refuse_unopened(signed_in)
    changed = await _own(node).remove_passkey(signed_in, passkey)
    return await _changed(request, response, node, changed, "passkey.remove")


@router.post("/account/recovery-codes", summary="Make new recovery codes")
async def new_recovery_codes(
    request: Request, response: Response, node: TheNode, signed_in: Begun
) -> FactorsChanged:
    """Return new codes, for when telephone and keys are lost; the earlier ones work no more."""
    _refuse_unopened(signed_in)
    changed = await _own(node).new_recovery_codes(signed_in)
    return await _changed(request, response, node, changed, "recovery_codes.make")


def _own(node: Node) -> OwnFactors:
    return OwnFactors(node.accounts, node.configuration.domain)


def _refuse_on_the_way(signed_in: SignedIn) -> None:
    """A factor is set up in an open session, or where one must be; never instead of the one that is asked."""
    if signed_in.session.second_factor == "needed":
        raise Problem(403, "second_factor_needed", "the second factor hasn't been shown yet")


def _refuse_unopened(signed_in: SignedIn) -> None:
    _refuse_on_the_way(signed_in)
    if not signed_in.session.is_complete:
        raise Problem(403, "second_factor_must_set_up", "set a second factor up first")


async def _opened(request: Request, response: Response, node: Node, opened: SignedIn) -> SessionShown:
    account = opened.account
    actor = opened.actor(address_of(request))
    await node.audit.enter(node.clock(), "session.open", actor, device=opened.session.device)
    set_session(request, response, opened.token)
    set_known(request, response, node.accounts.remembered(account, visitor_of(request)))
    return shown(request, opened)


async def _changed(
    request: Request, response: Response, node: Node, changed: Changed, what: str
) -> FactorsChanged:
    opened = changed.signed_in
    await node.audit.enter(node.clock(), what, opened.actor(address_of(request)))
    set_session(request, response, opened.token)
    set_known(request, response, node.accounts.remembered(opened.account, visitor_of(request)))
    return FactorsChanged(session=shown(request, opened), recovery_codes=list(changed.codes))


async def _enter_refused(node: Node, request: Request, signed_in: SignedIn, error: AccountError) -> None:
    if error.status not in (429, 503):
        actor = signed_in.actor(address_of(request))
        await node.audit.enter(node.clock(), "session.refused", actor, why=error.code, whom=actor.account)
