"""The cookies of signing in: the session's, and the one by which an account's browsers are known again.

Both are out of reach of scripts and of other sites' requests. Lax and not Strict: whoever follows a link to a
page of ours from a letter is signed in there.
"""

from starlette.requests import HTTPConnection
from starlette.responses import Response

from pbx.accounts.known_devices import LASTS_SECONDS
from pbx.accounts.passkeys import Site
from pbx.accounts.sessions import ABSOLUTE_SECONDS
from pbx.accounts.signing_in import Visitor
from pbx.web.access import address_of, cookie_name, is_secure

_KNOWN = "beffroi-device"


def visitor_of(connection: HTTPConnection) -> Visitor:
    """Return who signs in, as far as that shows."""
    cookies = connection.cookies
    return Visitor(
        address_of(connection),
        connection.headers.get("user-agent", ""),
        cookies.get(cookie_name(connection), ""),
        cookies.get(cookie_name(connection, _KNOWN), ""),
    )


def site_of(connection: HTTPConnection) -> Site:
    """Return where the browser is, as its passkeys know it."""
    scheme = "https" if is_secure(connection) else "http"
    return Site(f"{scheme}://{connection.headers.get('host', '').lower()}")


def set_session(connection: HTTPConnection, response: Response, token: str) -> None:
    """Have the browser keep a session's token."""
    _set(connection, response, cookie_name(connection), token, int(ABSOLUTE_SECONDS))


def clear_session(connection: HTTPConnection, response: Response) -> None:
    """Have the browser forget it."""
    _set(connection, response, cookie_name(connection), "", 0)


def set_known(connection: HTTPConnection, response: Response, cookie: str) -> None:
    """Have the browser keep which accounts have signed in with it."""
    _set(connection, response, cookie_name(connection, _KNOWN), cookie, LASTS_SECONDS)


def _set(connection: HTTPConnection, response: Response, name: str, value: str, seconds: int) -> None:
    secure = is_secure(connection)
    response.set_cookie(name, value, seconds, path="/", secure=secure, httponly=True, samesite="lax")
