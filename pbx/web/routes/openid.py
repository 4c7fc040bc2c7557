"""Signing in with OpenID Connect: off to the provider's page, and back (pbx.accounts.openid).

These are opened by the browser itself, not by a script: they answer with redirects, to the provider that the
configuration names and to pages of ours. What goes wrong is told by the page of signing in (`?problem=`).
"""

import logging
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse

from pbx.accounts.account import AccountError
from pbx.accounts.admission import admitted
from pbx.accounts.openid import BEGUN_SECONDS, OpenIdRefused, Provider, own_path
from pbx.audit.entry import By
from pbx.web.access import Guest, anybody, cookie_name, is_secure
from pbx.web.node import Node, TheNode
from pbx.web.problems import Problem
from pbx.web.routes.session import welcomed
from pbx.web.sign_in_cookies import visitor_of

log = logging.getLogger(__name__)

router = APIRouter(prefix="/openid", tags=["session"])

COOKIE = "beffroi-openid"
CALLBACK = "/api/v1/openid/callback"
REDIRECT = {302: {"description": "To the provider, or to a page of ours."}}

AnyGuest = Annotated[Guest, anybody()]


class ProviderShown(BaseModel):
    """Whether somebody else says who people are here, and what the button to sign in there says."""

    available: bool
    name: str = Field(examples=["Compte de la ville"])


@router.get("", summary="Whether one can sign in with OpenID Connect")
async def show(node: TheNode, _: AnyGuest) -> ProviderShown:
    """Return what the page of signing in shows."""
    if node.openid is None:
        return ProviderShown(available=False, name="")
    return ProviderShown(available=True, name=node.openid.settings.shown_name)


@router.get("/begin", status_code=302, summary="Go to the provider's page", response_class=Response)
async def begin(request: Request, node: TheNode, _: AnyGuest, path: str = "/") -> Response:
    """Send the browser to the provider. path: the page of ours to go on to afterwards."""
    provider = _provider(node)
    try:
        begun = await provider.begin(_callback(node, request), path)
    except OpenIdRefused as error:
        return await _refused(node, request, error.code, str(error))
    response = RedirectResponse(begun.url, 302)
    _set_cookie(request, response, begun.cookie, int(BEGUN_SECONDS))
    return response


@router.get("/callback", status_code=302, summary="Come back from it", response_class=Response)
async def callback(request: Request, node: TheNode, _: AnyGuest) -> Response:
    """Sign in whom the provider knows, and send the browser on to the page that they wanted."""
    provider = _provider(node)
    cookie = request.cookies.get(cookie_name(request, COOKIE), "")
    settings = provider.settings
    try:
        finished = await provider.finish(cookie, dict(request.query_params), _callback(node, request))
        identity = finished.identity
        account = await node.write(
            lambda connection: admitted(
                connection, identity, "openid", settings.roles, create=settings.create, now=node.clock()
            )
        )
        signed_in = await node.accounts.begin(account, "openid", visitor_of(request))
        if identity.second_factor and not signed_in.session.is_complete:
            signed_in = await node.accounts.rotated(signed_in)
    except (OpenIdRefused, AccountError) as error:
        return await _refused(node, request, error.code, str(error))
    response = RedirectResponse(own_path(finished.path), 302)
    await welcomed(request, response, node, signed_in)
    _set_cookie(request, response, "", 0)
    return response


async def _refused(node: Node, request: Request, code: str, why: str) -> Response:
    log.warning("openid: %s: %s", code, why)
    by = By(address=visitor_of(request).address)
    await node.audit.enter(node.clock(), "session.refused", by, why=code, detail=why[:200])
    response = RedirectResponse(f"/?problem={quote(code, safe='')}", 302)
    _set_cookie(request, response, "", 0)
    return response


def _provider(node: Node) -> Provider:
    if node.openid is None:
        raise Problem(
            404, "no_openid", "no provider is configured", mend="`web: openid:` in the configuration"
        )
    return node.openid


def _callback(node: Node, request: Request) -> str:
    """Our own URL, as the provider knows it; the Host header was checked by the frame."""
    origin = node.configuration.web.public_url
    if not origin:
        origin = f"{'https' if is_secure(request) else 'http'}://{request.headers.get('host', '').lower()}"
    return origin + CALLBACK


def _set_cookie(request: Request, response: Response, value: str, seconds: int) -> None:
    # Lax: it comes back with the browser's own way from the provider's page, and with nothing else.
    name, secure = cookie_name(request, COOKIE), is_secure(request)
    response.set_cookie(name, value, seconds, path="/", secure=secure, httponly=True, samesite="lax")
