"""Signing in with OpenID Connect: who is believed, and everything that isn't."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import OctKey

from pbx.accounts.elsewhere import OpenId
from pbx.accounts.openid import Finished, OpenIdRefused, Provider, own_path
from pbx.node.sealing import Sealing
from pbx.settings.values import Secret
from tests.accounts.provider import (
    CLIENT,
    EC,
    OTHER_RSA,
    RSA,
    SECRET,
    OwnProvider,
    provider,
    shared_secret,
    unsigned,
)

NOW = 1_800_000_000.0
CALLBACK = "https://pbx.valmont.example/api/v1/openid/callback"


@pytest.fixture(scope="module")
def server():
    with provider(NOW) as running:
        yield running


@pytest.fixture
def there(server: OwnProvider):
    """The provider, as honest as at the begin of each test."""
    server.__init__(server.issuer, NOW)  # type: ignore[misc]
    return server


class Here:
    """Our end of it. now: the clock."""

    def __init__(self, there: OwnProvider, **settings: object) -> None:
        self.there = there
        self.now = NOW
        known = OpenId(there.issuer, CLIENT, Secret(env="S"))
        self.provider = Provider(
            replace(known, **settings), Sealing(b"k" * 32), lambda: self.now, {"S": SECRET}
        )

    async def sign_in(self, path: str = "/directory") -> Finished:
        begun = await self.provider.begin(CALLBACK, path)
        return await self.provider.finish(begun.cookie, self.there.sign_in(begun.url), CALLBACK)


async def refused(here: Here) -> str:
    """The code of what is refused, and why."""
    with pytest.raises(OpenIdRefused) as error:
        await here.sign_in()
    return f"{error.value.code}: {error.value}"


async def test_person_of_the_provider_is_known(there):
    finished = await Here(there).sign_in()
    assert (finished.identity.account, finished.identity.name) == ("anne", "Anne Martin")
    assert finished.path == "/directory"
    assert finished.identity.second_factor is False


async def test_question_has_state_nonce_and_the_challenge_of_a_verifier(there):
    begun = await Here(there).provider.begin(CALLBACK, "/")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.url).query).items()}
    assert (asked["response_type"], asked["client_id"], asked["redirect_uri"]) == ("code", CLIENT, CALLBACK)
    assert (asked["scope"], asked["code_challenge_method"]) == ("openid profile", "S256")
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
    assert not any(asked[name] in begun.cookie for name in ("state", "nonce"))


async def test_groups_and_the_second_factor_are_told(there):
    there.person |= {"groups": ["admins", "all", 7], "amr": ["pwd", "otp"]}
    settings = {"roles": (("admins", "administrator"),), "second_factor_by_provider": True}
    identity = (await Here(there, **settings).sign_in()).identity
    assert identity.groups == {"admins", "all"}
    assert identity.second_factor is True


@pytest.mark.parametrize(
    ("said", "settings", "counts"),
    [
        ({"amr": ["pwd"]}, {"second_factor_by_provider": True}, False),
        ({"amr": ["pwd", "otp"]}, {}, False),
        ({"acr": "gold"}, {"second_factor_by_provider": True, "acr": ("gold",)}, True),
        ({"acr": "gold"}, {"second_factor_by_provider": True}, False),
        ({"amr": "mfa", "acr": ["gold"]}, {"second_factor_by_provider": True, "acr": ("gold",)}, False),
    ],
)
async def test_second_factor_counts_where_configured(there, said, settings, counts: bool):
    there.person |= said
    assert (await Here(there, **settings).sign_in()).identity.second_factor is counts


async def test_what_the_id_token_leaves_out_is_asked(there):
    there.change["preferred_username"] = None
    there.userinfo = {"preferred_username": "anne"}
    assert (await Here(there).sign_in()).identity.account == "anne"


async def test_userinfo_about_somebody_else_is_refused(there):
    there.change["preferred_username"] = None
    there.userinfo = {"preferred_username": "chef", "sub": "43"}
    assert "somebody else" in await refused(Here(there))


async def test_provider_that_names_nobody_is_refused(there):
    there.change["preferred_username"] = None
    assert "doesn't say" in await refused(Here(there))


async def test_new_key_of_the_provider_is_fetched_once_a_minute(there):
    here = Here(there)
    await here.sign_in()
    there.published, there.key, there.header = [EC], EC, {"alg": "ES256", "kid": "two"}
    assert "isn't signed" in await refused(here)
    here.now += 61
    assert (await here.sign_in()).identity.account == "anne"
    assert there.asked.count("/keys") == 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"aud": "another-client"}, "aud"),
        ({"aud": [CLIENT, "another-client"]}, "another client"),
        ({"azp": "another-client"}, "another client"),
        ({"iss": "https://id.example"}, "iss"),
        ({"exp": int(NOW) - 61}, "expired"),
        ({"exp": None}, "exp"),
        ({"iat": int(NOW) + 61}, "future"),
        ({"iat": int(NOW) - 700}, "old one"),
        ({"iat": "now"}, "iat"),
        ({"sub": ""}, "sub"),
        ({"sub": 42}, ""),
        ({"sub": "4 2\n"}, "nobody"),
        ({"sub": "é"}, "nobody"),
        ({"sub": "4" * 256}, "nobody"),
        ({"preferred_username": ["anne"]}, "doesn't say"),
    ],
)
async def test_id_token_that_isnt_for_this_sign_in_is_refused(there, change, why: str):
    there.change = change
    told = await refused(Here(there))
    assert told.startswith("openid_wrong: ")
    assert why in told


async def test_clock_that_is_a_little_beside_is_no_matter(there):
    there.now = NOW + 45
    assert await Here(there).sign_in()
    there.now = NOW - 345
    assert await Here(there).sign_in()


async def test_token_by_no_algorithm_is_refused(there):
    claims = {"iss": there.issuer, "aud": CLIENT, "sub": "42", "iat": NOW, "exp": NOW + 300}
    there.id_token = unsigned(claims)
    assert "isn't signed" in await refused(Here(there))


async def test_token_by_the_public_key_as_a_secret_is_refused(there):
    there.id_token = shared_secret({"iss": there.issuer, "aud": CLIENT, "sub": "42", "exp": NOW + 300})
    assert "isn't signed" in await refused(Here(there))


async def test_token_by_another_key_of_the_same_name_is_refused(there):
    there.key = OTHER_RSA
    assert "isn't signed" in await refused(Here(there))


async def test_secret_among_the_published_keys_signs_nothing(there):
    secret = OctKey.generate_key(256, parameters={"kid": "three"})
    there.key, there.header = secret, {"alg": "HS256", "kid": "three"}
    there.answers["/keys"] = there._json(keys=[RSA.as_dict(private=False), secret.as_dict(private=True)])
    assert "isn't signed" in await refused(Here(there))


@pytest.mark.parametrize("token", ["", "a.b.c", "é", "x" * 1_000_000, "eyJhbGciOiJSUzI1NiJ9.W10.AA"])
async def test_what_is_no_token_is_refused(there, token: str):
    there.answers["/token"] = there._json(access_token="access", id_token=token)
    assert (await refused(Here(there))).startswith("openid_wrong")


async def test_answer_is_taken_once(there):
    here = Here(there)
    begun = await here.provider.begin(CALLBACK, "/")
    answer = there.sign_in(begun.url)
    await here.provider.finish(begun.cookie, answer, CALLBACK)
    with pytest.raises(OpenIdRefused, match="already"):
        await here.provider.finish(begun.cookie, answer, CALLBACK)


async def test_answer_of_another_browser_is_refused(there):
    here = Here(there)
    mine, theirs = await here.provider.begin(CALLBACK, "/"), await here.provider.begin(CALLBACK, "/")
    with pytest.raises(OpenIdRefused, match="another question"):
        await here.provider.finish(mine.cookie, there.sign_in(theirs.url), CALLBACK)
    assert there.seen == []


async def test_code_of_another_session_gets_no_tokens(there):
    here = Here(there)
    mine, theirs = await here.provider.begin(CALLBACK, "/"), await here.provider.begin(CALLBACK, "/")
    stolen = {**there.sign_in(mine.url), "code": there.sign_in(theirs.url)["code"]}
    with pytest.raises(OpenIdRefused, match="answers 400"):
        await here.provider.finish(mine.cookie, stolen, CALLBACK)


async def test_answer_that_took_too_long_is_refused(there):
    here = Here(there)
    begun = await here.provider.begin(CALLBACK, "/")
    here.now += 601
    with pytest.raises(OpenIdRefused, match="too long"):
        await here.provider.finish(begun.cookie, there.sign_in(begun.url), CALLBACK)


@pytest.mark.parametrize("cookie", ["", "x", "é", "AAAA" * 100])
async def test_cookie_that_isnt_ours_is_refused(there, cookie: str):
    here = Here(there)
    begun = await here.provider.begin(CALLBACK, "/")
    with pytest.raises(OpenIdRefused, match="hasn't begun"):
        await here.provider.finish(cookie, there.sign_in(begun.url), CALLBACK)


async def test_cookie_of_another_node_is_refused(there):
    here = Here(there)
    begun = await Provider(here.provider.settings, Sealing(b"o" * 32), lambda: NOW, {"S": SECRET}).begin(
        CALLBACK, "/"
    )
    with pytest.raises(OpenIdRefused, match="hasn't begun"):
        await here.provider.finish(begun.cookie, there.sign_in(begun.url), CALLBACK)


async def test_answer_of_another_provider_is_refused(there):
    here = Here(there)
    begun = await here.provider.begin(CALLBACK, "/")
    answer = {**there.sign_in(begun.url), "iss": "https://id.example"}
    with pytest.raises(OpenIdRefused, match="another provider"):
        await here.provider.finish(begun.cookie, answer, CALLBACK)


async def test_somebody_who_said_no_there_is_told(there):
    here = Here(there)
    begun = await here.provider.begin(CALLBACK, "/")
    answer = {"error": "access_denied", "state": there.sign_in(begun.url)["state"]}
    with pytest.raises(OpenIdRefused, match="access_denied") as error:
        await here.provider.finish(begun.cookie, answer, CALLBACK)
    assert error.value.code == "openid_refused"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/.well-known/openid-configuration", (500, b"")),
        ("/.well-known/openid-configuration", (200, b"[]")),
        ("/.well-known/openid-configuration", (200, b"<html>")),
        ("/.well-known/openid-configuration", (200, b"[" * 100_000)),
        ("/.well-known/openid-configuration", (200, b'"' + b"x" * 600_000 + b'"')),
        ("/.well-known/openid-configuration", (200, b'{"issuer": "https://id.example"}')),
        ("/.well-known/openid-configuration", (302, b"http://127.0.0.1:1/")),
        ("/keys", (200, b'{"keys": 7}')),
        ("/keys", (500, b"")),
    ],
)
async def test_provider_that_answers_strangely_is_away(there, path: str, answer: tuple[int, bytes]):
    there.answers[path] = answer
    assert (await refused(Here(there))).startswith("openid_away")


async def test_provider_without_encryption_elsewhere_is_refused(there):
    there.answers["/.well-known/openid-configuration"] = there._json(
        issuer=there.issuer,
        authorization_endpoint="http://id.example/authorize",
        token_endpoint=f"{there.issuer}/token",
        jwks_uri=f"{there.issuer}/keys",
    )
    assert "authorization_endpoint" in await refused(Here(there))


async def test_provider_that_is_down_is_away(there):
    gone = Here(there, issuer="http://127.0.0.1:9")
    assert (await refused(gone)).startswith("openid_away")


async def test_secret_that_isnt_there_is_told(there):
    here = Here(there, client_secret=Secret(env="NOWHERE"))
    assert "NOWHERE isn't set" in await refused(here)


@pytest.mark.parametrize("path", ["/", "/directory", "/calls/7?since=1", "/a/b.c-d_e"])
def test_path_of_a_page_is_gone_on_to(path: str):
    assert own_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/a b",
        "/\r\nX: y",
        "/é",
        "directory",
        "/" + "a" * 600,
        "/\t/evil.example",
    ],
)
def test_path_that_could_lead_elsewhere_isnt(path: str):
    assert own_path(path) == "/"
