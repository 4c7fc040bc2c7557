"""Challenges that passkeys sign: ours, for one thing, for five minutes, once. And a whole key, made here."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import bytes_to_base64url, encode_cbor

from pbx.accounts.account import Account, AccountError
from pbx.accounts.factors import Passkey
from pbx.accounts.passkeys import Challenges, Site, challenge_in, made, signed_count

KEY = b"\x09" * 32
SITE = Site("https://pbx.valmont.example:8080")
ALICE = Account(
    account="alice",
    name="Alice",
    extension="",
    roles=frozenset({"agent"}),
    language="fr",
    source="local",
    must_change=False,
    disabled=False,
    has_password=True,
    has_totp=False,
    passkeys=0,
    recovery_codes=0,
    handle="h",
    created_at=0.0,
    last_sign_in_at=None,
)
_UP, _UV, _AT = 0x01, 0x04, 0x40


def test_a_challenge_is_taken_once_for_what_it_was_made_for():
    ours = Challenges(KEY)
    challenge = ours.make("sign in", 0)
    assert ours.take(challenge, "sign in", 299) == challenge
    with pytest.raises(AccountError):
        ours.take(challenge, "sign in", 299)


@pytest.mark.parametrize(("purpose", "now"), [("add 1", 0), ("sign in", 300)])
def test_a_challenge_for_something_else_or_too_old_is_refused(purpose, now):
    ours = Challenges(KEY)
    with pytest.raises(AccountError):
        ours.take(ours.make("sign in", 0), purpose, now)


@pytest.mark.parametrize("challenge", [b"", b"x", bytes(40), b"\xff" * 40])
def test_a_challenge_that_we_never_made_is_refused(challenge):
    with pytest.raises(AccountError):
        Challenges(KEY).take(challenge, "sign in", 0)


def test_another_nodes_challenge_is_refused():
    with pytest.raises(AccountError):
        Challenges(KEY).take(Challenges(b"\x08" * 32).make("sign in", 0), "sign in", 0)


class Authenticator:
    """A key as a telephone holds it (WebAuthn level 2, section 6): ES256, no attestation."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = b"credential-1"
        self.count = 0

    def _data(self, host: str, flags: int) -> bytes:
        return hashlib.sha256(host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def make(self, challenge: bytes, site: Site = SITE, flags: int = _UP | _UV) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        public = encode_cbor({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        data = self._data(site.host, flags | _AT) + attested
        said = {
            "attestationObject": bytes_to_base64url(
                encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
            ),
            "clientDataJSON": self._client("webauthn.create", challenge, site),
            "transports": ["internal", "telepathy"],
        }
        return self._credential(said)

    def sign(self, challenge: bytes, site: Site = SITE, flags: int = _UP | _UV) -> dict[str, Any]:
        self.count += 1
        data, client = self._data(site.host, flags), self._client("webauthn.get", challenge, site)
        from webauthn.helpers import base64url_to_bytes

        signed = data + hashlib.sha256(base64url_to_bytes(client)).digest()
        said = {
            "authenticatorData": bytes_to_base64url(data),
            "clientDataJSON": client,
            "signature": bytes_to_base64url(self.key.sign(signed, ec.ECDSA(hashes.SHA256()))),
        }
        return self._credential(said)

    def _client(self, kind: str, challenge: bytes, site: Site) -> str:
        said = {"type": kind, "challenge": bytes_to_base64url(challenge), "origin": site.origin}
        return bytes_to_base64url(json.dumps(said).encode())

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        key = bytes_to_base64url(self.id)
        return {"id": key, "rawId": key, "type": "public-key", "response": response}


def added(authenticator: Authenticator) -> Passkey:
    return made(SITE, ALICE, authenticator.make(b"challenge"), b"challenge", "Key", 0)


def test_a_key_is_made_and_signs():
    authenticator = Authenticator()
    passkey = added(authenticator)
    assert (passkey.account, passkey.transports) == ("alice", ("internal",))
    answer = authenticator.sign(b"another")
    assert challenge_in(answer) == b"another"
    assert signed_count(SITE, passkey, answer, b"another") == 1


@pytest.mark.parametrize(
    "other", [Site("https://evil.example:8080"), Site("http://pbx.valmont.example:8080")]
)
def test_what_was_signed_for_another_site_is_refused(other):
    authenticator = Authenticator()
    passkey = added(authenticator)
    with pytest.raises(AccountError):
        signed_count(SITE, passkey, authenticator.sign(b"c", other), b"c")


def test_a_key_that_nobody_opened_by_finger_or_pin_is_refused():
    authenticator = Authenticator()
    with pytest.raises(AccountError):
        made(SITE, ALICE, authenticator.make(b"c", flags=_UP), b"c", "Key", 0)
    passkey = added(authenticator)
    with pytest.raises(AccountError):
        signed_count(SITE, passkey, authenticator.sign(b"c", flags=_UP), b"c")


def test_another_key_or_another_challenge_is_refused():
    passkey = added(Authenticator())
    with pytest.raises(AccountError):
        signed_count(SITE, passkey, Authenticator().sign(b"c"), b"c")
    authenticator = Authenticator()
    with pytest.raises(AccountError):
        signed_count(SITE, added(authenticator), authenticator.sign(b"c"), b"d")


def test_a_copied_key_whose_count_does_not_grow_is_refused():
    authenticator = Authenticator()
    passkey = added(authenticator)
    behind = Passkey(passkey.id, "alice", "Key", passkey.public_key, 5, (), 0, None)
    with pytest.raises(AccountError):
        signed_count(SITE, behind, authenticator.sign(b"c"), b"c")


@pytest.mark.parametrize("place", range(0, 60, 7))
def test_a_damaged_signature_is_refused(place):
    authenticator = Authenticator()
    passkey, answer = added(authenticator), authenticator.sign(b"c")
    text = answer["response"]["signature"]
    answer["response"]["signature"] = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
    with pytest.raises(AccountError):
        signed_count(SITE, passkey, answer, b"c")
