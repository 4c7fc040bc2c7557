"""Who may call a route: said in its signature, and nowhere else.

    @router.get("/trunks")
    async def list_trunks(node: TheNode, actor: Annotated[Actor, may("trunks.read")]) -> Trunks: ...

    @router.post("/session")
    async def sign_in(node: TheNode, guest: Annotated[Guest, anybody()]) -> SessionShown: ...

`may(right)` is for whoever is signed in with that right, by a session's cookie or by a token. `anybody()`
asks for nobody. `begun()` is for a session whose second factor may still be missing, and `by_page()` for a
whole one that isn't a token: what an account does with itself, which no program should.

Whatever changes something by a cookie must come from a page of ours: it carries the session's CSRF token, and
a browser that says where it comes from (Origin, Sec-Fetch-Site) says that it is here. A token needs neither:
no browser adds it by itself.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import HTTPConnection

from pbx.accounts.account import AccountError
from pbx.accounts.actor import Actor
from pbx.accounts.open_sessions import NotSignedIn, SignedIn
from pbx.accounts.rights import Right
from pbx.accounts.sessions import is_csrf
from pbx.web.node import Node, node_of
from pbx.web.problems import Problem

CSRF_HEADER = "X-CSRF-Token"
UNATTENDED_HEADER = "X-Unattended"
"""Sent by a page that reads by itself while nobody is at it: that keeps no session open."""
COOKIE = "beffroi"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class Guest:
    """Whoever calls a route that anybody may call. address: theirs; device: what their browser says it is."""

    address: str
    device: str
    account: str = ""
    how: str = "session"


def may(right: Right) -> Any:
    """A parameter of a route: the Actor, who must have this right."""
    return Depends(May(right))


def anybody() -> Any:
    """A parameter of a route that asks for nobody: the Guest."""
    return Depends(Anybody())


def begun() -> Any:
    """A parameter of a route on the way to a whole session: the SignedIn, whatever is still missing."""
    return Depends(ByPage(is_whole=False))


def by_page() -> Any:
    """A parameter of a route that only a page calls: the SignedIn, with nothing missing."""
    return Depends(ByPage(is_whole=True))


class May:
    """Whoever has a right."""

    def __init__(self, right: Right) -> None:
        self.right = right

    async def __call__(self, connection: HTTPConnection) -> Actor:
        """Return who acts. Raises Problem: 401 for nobody, 403 for somebody who may not."""
        actor = await self._actor(connection, is_use=True)
        await _be_able_to_enter(connection)
        return actor

    async def still(self, connection: HTTPConnection) -> Actor:
        """Return who acts, asked again by a socket that lasts; that keeps no session open."""
        return await self._actor(connection, is_use=False)

    async def _actor(self, connection: HTTPConnection, *, is_use: bool) -> Actor:
        authorization = connection.headers.get("authorization", "")
        if authorization:
            actor = await _by_token(connection, authorization)
        else:
            found = await _signed_in(connection, is_use=is_use)
            _refuse_unfinished(found)
            actor = found.actor(address_of(connection))
        connection.scope["state"]["account"] = actor.account  # for the log
        if not actor.may(self.right):
            raise Problem(403, "forbidden", f"this needs the right {self.right}")
        return actor


class ByPage:
    """A session, never a token. is_whole: whether nothing may be missing."""

    right: Right = "own"

    def __init__(self, *, is_whole: bool) -> None:
        self.is_whole = is_whole

    async def __call__(self, connection: HTTPConnection) -> SignedIn:
        """Return whose session it is. Raises Problem: 401 for nobody, 403 where something is missing."""
        if connection.headers.get("authorization"):
            raise Problem(403, "pages_only", "an account changes itself in a page, not with a token")
        found = await _signed_in(connection, is_use=True)
        if self.is_whole:
            _refuse_unfinished(found)
            await _be_able_to_enter(connection)
        return found


class Anybody:
    """Nobody in particular."""

    right: None = None

    async def __call__(self, connection: HTTPConnection) -> Guest:
        """Return who calls, as far as that shows. Raises Problem (403) for another site's page."""
        if _changes(connection):
            refuse_other_sites(connection)
        return Guest(address_of(connection), connection.headers.get("user-agent", ""))


def own_extension(actor: Actor, extension: str = "") -> str:
    """Return the extension that a route about one's own things is about: the actor's.

    extension: what the request names, "" for none. Raises Problem (403) for somebody else's, and for an actor
    without any.
    """
    if not actor.extension:
        raise Problem(
            403, "no_extension", "this account has no extension", mend="an administrator gives it one"
        )
    if extension and not actor.owns(extension):
        raise Problem(403, "not_yours", f"{extension[:20]} isn't your extension")
    return actor.extension


def address_of(connection: HTTPConnection) -> str:
    """Return where a request comes from, "" where that isn't known."""
    return connection.client.host if connection.client else ""


def cookie_name(connection: HTTPConnection, name: str = COOKIE) -> str:
    """Return what a cookie is called here.

    Over TLS it has the prefix that keeps other hosts and plain HTTP from setting it (RFC 6265bis section
    4.1.3.2); browsers refuse that prefix without TLS, which only loopback is.
    """
    return f"__Host-{name}" if is_secure(connection) else name


def is_secure(connection: HTTPConnection) -> bool:
    """Whether the browser reached us over TLS."""
    return connection.scope["scheme"] in ("https", "wss")


def refuse_other_sites(connection: HTTPConnection) -> None:
    """Raise Problem (403) where a browser says that another site's page sends this."""
    site = connection.headers.get("sec-fetch-site", "same-origin")
    origin = connection.headers.get("origin")
    if site not in ("same-origin", "none") or (origin is not None and not _is_here(connection, origin)):
        raise Problem(403, "other_site", "this was sent by a page of another site")


def _is_here(connection: HTTPConnection, origin: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    scheme = "https" if is_secure(connection) else "http"
    return (parts.scheme, parts.netloc.lower()) == (scheme, connection.headers.get("host", "").lower())


def _changes(connection: HTTPConnection) -> bool:
    return connection.scope["type"] == "http" and connection.scope["method"] not in SAFE_METHODS


async def _be_able_to_enter(connection: HTTPConnection) -> None:
    """What can't be entered in the audit journal isn't begun. Raises AuditUnavailable."""
    if _changes(connection):
        await node_of(connection).audit.check()


async def _by_token(connection: HTTPConnection, authorization: str) -> Actor:
    if authorization[: len(_BEARER)].lower() != _BEARER:
        raise _not_signed_in("only `Authorization: Bearer` is taken")
    node = node_of(connection)
    try:
        return await node.accounts.by_token(authorization[len(_BEARER) :].strip(), address_of(connection))
    except AccountError as error:
        raise _not_signed_in(str(error), error.code) from None


async def _signed_in(connection: HTTPConnection, *, is_use: bool) -> SignedIn:
    node: Node = node_of(connection)
    token = connection.cookies.get(cookie_name(connection), "")
    is_use = is_use and UNATTENDED_HEADER not in connection.headers
    try:
        found = await node.accounts.sessions.of(token, is_use=is_use)
    except NotSignedIn:
        raise _not_signed_in("nobody is signed in") from None
    if _changes(connection):
        refuse_other_sites(connection)
        if not is_csrf(found.token, connection.headers.get(CSRF_HEADER, "")):
            detail = f"the header {CSRF_HEADER} isn't the session's `csrf`"
            raise Problem(403, "wrong_csrf", detail, mend="read GET /api/v1/session again")
    return found


def _refuse_unfinished(found: SignedIn) -> None:
    match found.session.second_factor:
        case "needed":
            raise Problem(403, "second_factor_needed", "the second factor hasn't been shown yet")
        case "must_set_up":
            detail = "this account's roles need a second factor, and none is set up yet"
            raise Problem(403, "second_factor_must_set_up", detail)
        case "none" | "done":
            pass
    if found.account.must_change:
        raise Problem(403, "password_must_change", "the password must be changed first")


def _not_signed_in(detail: str, code: str = "not_signed_in") -> Problem:
    # RFC 9110 section 15.5.2: a 401 says what it wants; not Basic, which browsers would ask for in a box.
    return Problem(401, code, detail, mend="sign in", headers={"WWW-Authenticate": "Bearer"})
