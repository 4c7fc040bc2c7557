"""Signing in with OpenID Connect: the authorization code flow, with PKCE, state and nonce.

    page ──> begin ──> provider's page ──> callback ──> code for tokens ──> who it is
             │ a sealed cookie: state, nonce, verifier, where to go on; ten minutes
             └────────────────────────────> the same browser, once

What comes back is believed in this order: the cookie (it is the browser that began), the state (it is the
answer to that), the code (the provider gives tokens for it, to us, with our verifier), the ID token (signed
by a key of the provider, for us, just now, with our nonce). OpenID Connect Core 1.0 section 3.1.3.7.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import ssl
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple, cast
from urllib.parse import quote, urlsplit

import httpx2
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from pbx.accounts.admission import Identity
from pbx.accounts.elsewhere import OpenId, is_loopback
from pbx.node.sealing import SealBroken, Sealing
from pbx.settings.values import SecretMissing

BEGUN_SECONDS: Final = 600.0  # to sign in at the provider
SKEW_SECONDS: Final = 60  # that its clock may be beside ours
OLDEST_TOKEN_SECONDS: Final = 600  # an ID token is made when the code is taken
KEPT_SECONDS: Final = 3600.0  # what it says of itself, and its keys
FEWEST_KEY_SECONDS: Final = 60.0  # between two looks at its keys
ASK_SECONDS: Final = 10.0
MOST_BYTES: Final = 512 << 10
MOST_USED: Final = 10_000
MOST_GROUPS: Final = 1000
MOST_SUBJECT: Final = 255

# RFC 8725 section 3.1: by the provider's own key; never `none`, never a secret that both sides know.
_ALGORITHMS: Final = [f"{kind}{size}" for kind in ("RS", "PS", "ES") for size in (256, 384, 512)] + ["EdDSA"]
# RFC 8176 section 2: authentication with something besides a password.
_SECOND_FACTORS: Final = frozenset({"mfa", "otp", "hwk", "swk", "sc", "fpt", "face", "iris", "pop"})
_PURPOSE: Final = "openid sign-in"
_OWN_PATH: Final = re.compile(r"/(?![/\\])[A-Za-z0-9/._~!$&'()*+,;=:@%?-]{0,500}")


class OpenIdRefused(Exception):
    """Nobody is signed in. code: a word that pages translate; the text says why, for the log."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class Begun(NamedTuple):
    """Where the browser goes to sign in, and the cookie that it brings back."""

    url: str
    cookie: str


class Finished(NamedTuple):
    """Who it is, and the page of ours that they wanted."""

    identity: Identity
    path: str


class _Provider(NamedTuple):
    """What a provider says of itself, at some time of ours."""

    authorization: str
    token: str
    userinfo: str
    keys: str
    basic: bool
    read_at: float


class Provider:
    """One provider. clock: Unix seconds; sealing: for the cookie; environment: where secrets may be."""

    def __init__(
        self,
        settings: OpenId,
        sealing: Sealing,
        clock: Callable[[], float],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.settings = settings
        self._sealing = sealing
        self._clock = clock
        self._environment = environment
        self._known: _Provider | None = None
        self._keys: KeySet | None = None
        self._keys_at = 0.0
        self._used: OrderedDict[str, float] = OrderedDict()
        self._reading = asyncio.Lock()

    async def begin(self, callback: str, path: str) -> Begun:
        """Return where to send the browser. callback: our own URL; path: of a page of ours, for afterwards.

        Raises OpenIdRefused: `openid_away`.
        """
        provider = await self._provider()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        kept = {
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "path": own_path(path),
            "callback": callback,
            "until": self._clock() + BEGUN_SECONDS,
        }
        sealed = self._sealing.seal(json.dumps(kept).encode(), _PURPOSE, self.settings.issuer)
        url = prepare_grant_uri(
            provider.authorization,
            self.settings.client_id,
            "code",
            callback,
            " ".join(self.settings.scopes),
            state,
            nonce=nonce,
            code_challenge=_challenge(verifier),
            code_challenge_method="S256",  # RFC 7636 section 4.3
        )
        return Begun(url, urlsafe_b64encode(sealed).decode())

    async def finish(self, cookie: str, parameters: Mapping[str, str], callback: str) -> Finished:
        """Return who has signed in. parameters: of the URL that the browser came back to.

        callback: our own URL, without them. Raises OpenIdRefused.
        """
        kept = self._begun(cookie, parameters.get("state", ""), callback)
        if parameters.get("error"):
            why = parameters["error"][:60]
            raise OpenIdRefused("openid_refused", f"the provider says {why!r}")
        # RFC 9207 section 2.4: where the answer says whose it is, it is our provider's.
        if parameters.get("iss", self.settings.issuer) != self.settings.issuer:
            raise OpenIdRefused("openid_wrong", "the answer is another provider's")
        provider = await self._provider()
        tokens = await self._tokens(provider, parameters.get("code", ""), kept)
        claims = await self._claims(str(tokens.get("id_token", "")), kept["nonce"])
        if not self._has_all(claims) and provider.userinfo:
            claims = {**await self._userinfo(provider, str(tokens.get("access_token", "")), claims), **claims}
        return Finished(self._identity(claims), own_path(kept["path"]))

    def _begun(self, cookie: str, state: str, callback: str) -> dict[str, Any]:
        """Return what the cookie says, once."""
        try:
            sealed = urlsafe_b64decode(cookie.encode("ascii", "replace"))
            kept: dict[str, Any] = json.loads(self._sealing.unseal(sealed, _PURPOSE, self.settings.issuer))
        except (ValueError, SealBroken):
            raise OpenIdRefused("openid_begin_again", "this browser hasn't begun to sign in") from None
        now = self._clock()
        if not now < kept["until"] or kept["callback"] != callback:
            raise OpenIdRefused("openid_begin_again", "it took too long, or came back elsewhere")
        if not secrets.compare_digest(state.encode("utf-8", "replace"), kept["state"].encode()):
            raise OpenIdRefused("openid_begin_again", "the answer is to another question")
        if kept["state"] in self._used:
            raise OpenIdRefused("openid_begin_again", "the answer has been given already")
        while self._used and (len(self._used) >= MOST_USED or next(iter(self._used.values())) < now):
            self._used.popitem(last=False)
        self._used[kept["state"]] = kept["until"]
        return kept

    async def _tokens(self, provider: _Provider, code: str, kept: Mapping[str, Any]) -> dict[str, Any]:
        """RFC 6749 section 4.1.3, with the verifier of RFC 7636 section 4.5."""
        if not 0 < len(code) <= 4096:
            raise OpenIdRefused("openid_wrong", "the answer has no code")
        data = {"grant_type": "authorization_code", "code": code, "redirect_uri": kept["callback"]}
        data["code_verifier"] = kept["verifier"]
        secret, auth = self._secret(), None
        if secret and provider.basic:
            # RFC 6749 section 2.3.1: form-encoded first, and Basic of these.
            auth = httpx2.BasicAuth(quote(self.settings.client_id, safe=""), quote(secret, safe=""))
        else:
            data["client_id"] = self.settings.client_id
            if secret:
                data["client_secret"] = secret
        return await self._ask("POST", provider.token, "openid_wrong", data=data, auth=auth)

    async def _claims(self, id_token: str, nonce: str) -> dict[str, Any]:
        """Return what an ID token says, wholly checked."""
        if not 0 < len(id_token) <= MOST_BYTES:
            raise OpenIdRefused("openid_wrong", "the answer has no ID token")
        claims = self._decoded(id_token, await self._key_set(again=False))
        if claims is None:  # perhaps by a key that is new
            claims = self._decoded(id_token, await self._key_set(again=True))
        if claims is None:
            raise OpenIdRefused("openid_wrong", "the ID token isn't signed by the provider")
        now = int(self._clock())
        registry = jwt.JWTClaimsRegistry(
            now=now,
            leeway=SKEW_SECONDS,
            iss={"essential": True, "value": self.settings.issuer},
            aud={"essential": True, "value": self.settings.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            registry.validate(claims)
        except JoseError as error:
            raise OpenIdRefused("openid_wrong", f"the ID token isn't for this sign-in: {error}") from None
        if claims["iat"] < now - OLDEST_TOKEN_SECONDS:
            raise OpenIdRefused("openid_wrong", "the ID token is an old one")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", self.settings.client_id) != self.settings.client_id or (
            several and "azp" not in claims
        ):
            raise OpenIdRefused("openid_wrong", "the ID token was made for another client")
        if not isinstance(claims["nonce"], str) or not _is_subject(claims["sub"]):
            raise OpenIdRefused("openid_wrong", "the ID token says nobody")
        return claims

    def _decoded(self, id_token: str, keys: KeySet) -> dict[str, Any] | None:
        """Return the claims, None where no key of these has signed them."""
        try:
            return jwt.decode(id_token, keys, algorithms=_ALGORITHMS).claims
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            return None

    async def _userinfo(
        self, provider: _Provider, access_token: str, claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what else the provider says. OpenID Connect Core 1.0 section 5.3."""
        headers = {"Authorization": f"Bearer {access_token}"}
        said = await self._ask("GET", provider.userinfo, "openid_wrong", headers=headers)
        if said.get("sub") != claims["sub"]:
            raise OpenIdRefused("openid_wrong", "userinfo is about somebody else")
        return said

    def _has_all(self, claims: Mapping[str, Any]) -> bool:
        wanted = {self.settings.claim} | ({self.settings.roles_claim} if self.settings.roles else set())
        return wanted <= set(claims)

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        account = claims.get(self.settings.claim)
        if not isinstance(account, str) or not account:
            raise OpenIdRefused("openid_wrong", f"the provider doesn't say {self.settings.claim!r}")
        name, groups = claims.get("name"), claims.get(self.settings.roles_claim, [])
        ways, acr = claims.get("amr", []), claims.get("acr")
        ways = [way for way in ways if isinstance(way, str)] if isinstance(ways, list) else []
        shown = bool(_SECOND_FACTORS.intersection(ways)) or (
            isinstance(acr, str) and acr in self.settings.acr
        )
        return Identity(
            account=account,
            subject=f"{self.settings.issuer} {claims['sub']}",
            name=name if isinstance(name, str) else account,
            groups=_groups(groups),
            second_factor=self.settings.second_factor_by_provider and shown,
        )

    def _secret(self) -> str:
        if self.settings.client_secret is None:
            return ""
        try:
            return self.settings.client_secret.read(self._environment)
        except SecretMissing as error:
            raise OpenIdRefused("openid_away", f"our secret there can't be read: {error}") from None

    async def _provider(self) -> _Provider:
        """Return what the provider says of itself. OpenID Connect Discovery 1.0 section 4."""
        async with self._reading:
            known = self._known
            if known is not None and 0 <= self._clock() - known.read_at < KEPT_SECONDS:
                return known
            url = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
            said = await self._ask("GET", url, "openid_away")
            if said.get("issuer") != self.settings.issuer:
                raise OpenIdRefused("openid_away", "the provider calls itself otherwise than `issuer` says")
            ways = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            self._known = _Provider(
                authorization=_endpoint(said, "authorization_endpoint"),
                token=_endpoint(said, "token_endpoint"),
                userinfo=_endpoint(said, "userinfo_endpoint") if said.get("userinfo_endpoint") else "",
                keys=_endpoint(said, "jwks_uri"),
                basic=isinstance(ways, list) and "client_secret_basic" in ways,
                read_at=self._clock(),
            )
            return self._known

    async def _key_set(self, *, again: bool) -> KeySet:
        provider = await self._provider()
        async with self._reading:
            age = self._clock() - self._keys_at
            if self._keys is not None and 0 <= age < (FEWEST_KEY_SECONDS if again else KEPT_SECONDS):
                return self._keys
            said = await self._ask("GET", provider.keys, "openid_away")
            listed = said.get("keys")
            if not isinstance(listed, list):
                raise OpenIdRefused("openid_away", "the provider's keys can't be read")
            # What can't verify here (of another kind, or for encryption) is passed over.
            usable = [one for one in listed[:50] if isinstance(one, dict) and one.get("use", "sig") == "sig"]
            self._keys, self._keys_at = _imported(usable), self._clock()
            return self._keys

    async def _ask(
        self,
        method: str,
        url: str,
        code: str,
        *,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: httpx2.BasicAuth | None = None,
    ) -> dict[str, Any]:
        """Return the JSON of an answer, bounded in size and in time; no redirect is followed."""
        try:
            context = await asyncio.to_thread(ssl.create_default_context, cafile=self.settings.ca_file)
            async with (
                asyncio.timeout(ASK_SECONDS),
                httpx2.AsyncClient(verify=context, trust_env=False, follow_redirects=False) as client,
                client.stream(
                    method,
                    url,
                    data=data,
                    headers={"Accept": "application/json", **(headers or {})},
                    auth=auth,
                ) as answer,
            ):
                body = b""
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > MOST_BYTES:
                        raise OpenIdRefused(code, f"{_place(url)} answers too much")
                if answer.status_code != 200:
                    raise OpenIdRefused(code, f"{_place(url)} answers {answer.status_code}")
            said = json.loads(body)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError) as error:
            why = str(error) or type(error).__name__
            raise OpenIdRefused("openid_away", f"{_place(url)} doesn't answer: {why}") from None
        except (ValueError, RecursionError):
            raise OpenIdRefused(code, f"{_place(url)} doesn't answer JSON") from None
        if not isinstance(said, dict):
            raise OpenIdRefused(code, f"{_place(url)} doesn't answer an object")
        return said


def own_path(path: str) -> str:
    """Return a path of our own pages; "/" for whatever could lead elsewhere."""
    return path if _OWN_PATH.fullmatch(path) else "/"


def _is_subject(said: object) -> bool:
    """OpenID Connect Core 1.0 section 2: `sub` is at most 255 ASCII characters."""
    return isinstance(said, str) and 0 < len(said) <= MOST_SUBJECT and said.isascii() and said.isprintable()


def _challenge(verifier: str) -> str:
    """RFC 7636 section 4.2."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _groups(said: object) -> frozenset[str]:
    listed = said if isinstance(said, list) else [said]
    return frozenset(one for one in listed[:MOST_GROUPS] if isinstance(one, str))


def _imported(listed: list[dict[str, Any]]) -> KeySet:
    keys = []
    for one in listed:
        try:
            keys += KeySet.import_key_set(cast("Any", {"keys": [one]})).keys
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return KeySet(keys)


def _endpoint(said: Mapping[str, Any], name: str) -> str:
    url = said.get(name)
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        raise OpenIdRefused("openid_away", f"the provider's {name} is no URL that can be trusted")
    return str(url)


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path}"
