"""Passkeys (WebAuthn): keys that a telephone, a computer or a stick holds, and opens by a finger or a PIN.

They are second factors, and alone they are both: user verification is asked of every one of them, and they
are discoverable, so that nobody types a name. What is signed is a challenge of ours; it is signed by us as
well, says what it is for and when it ends, and so needs no memory: a flood of strangers who ask for
challenges pushes nobody else's out. Each is taken once.

A passkey belongs to a host's name, which an IP address is not: reached by its address, a node offers none.
"""

import hmac
import ipaddress
import json
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pbx.accounts.account import Account, AccountError
from pbx.accounts.factors import Passkey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHALLENGE_SECONDS: Final = 300
_MOST_USED: Final = 10_000
_RANDOM_BYTES: Final = 16
_END_BYTES: Final = 8
_SIGNATURE_BYTES: Final = 16
_CREDENTIAL_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,1400}=*")  # at most 1023 bytes, in base64url
_TRANSPORTS: Final = frozenset({"usb", "nfc", "ble", "smart-card", "internal", "cable", "hybrid"})


@dataclass(frozen=True, slots=True)
class Site:
    """Where passkeys are used. origin: as a browser says it, such as https://pbx.valmont.example:8080."""

    origin: str

    @property
    def host(self) -> str:
        """The name that a passkey belongs to. Raises AccountError for an IP address."""
        name = self.origin.partition("://")[2]
        name = name if name.startswith("[") else name.partition(":")[0]
        try:
            ipaddress.ip_address(name.strip("[]").partition("]")[0])
        except ValueError:
            return name
        detail = "a passkey belongs to a name, and this node was reached by its address"
        raise AccountError("passkey_needs_name", detail, mend="open the pages by the node's name", status=409)


class Challenges:
    """What is to be signed. key: 32 bytes of the node's own; now: Unix seconds."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._used: dict[bytes, float] = {}

    def make(self, purpose: str, now: float) -> bytes:
        """Return a new challenge. purpose: what may be done with it, and by whom."""
        said = secrets.token_bytes(_RANDOM_BYTES) + int(now + CHALLENGE_SECONDS).to_bytes(_END_BYTES, "big")
        return said + self._signed(said, purpose)

    def take(self, challenge: bytes, purpose: str, now: float) -> bytes:
        """Return the challenge if it is one of ours for this, and is taken for the first time.

        Raises AccountError.
        """
        said, signature = challenge[:-_SIGNATURE_BYTES], challenge[-_SIGNATURE_BYTES:]
        end = int.from_bytes(said[_RANDOM_BYTES:], "big")
        is_ours = hmac.compare_digest(self._signed(said, purpose), signature)
        if not is_ours or now >= end or challenge in self._used:
            raise AccountError("challenge_refused", "this took too long, or was sent twice", mend="try again")
        for old in [old for old, ends in self._used.items() if ends <= now]:
            del self._used[old]
        if len(self._used) >= _MOST_USED:
            raise AccountError("busy", "too many are signing in at this moment", status=503, wait=60)
        self._used[challenge] = end
        return challenge

    def _signed(self, said: bytes, purpose: str) -> bytes:
        return hmac.digest(self._key, said + purpose.encode(), "sha256")[:_SIGNATURE_BYTES]


def challenge_in(credential: "Mapping[str, Any]") -> bytes:
    """Return the challenge that a browser's answer says it has signed. Raises AccountError."""
    from webauthn.helpers import base64url_to_bytes

    try:
        said = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
        return base64url_to_bytes(said["challenge"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _refused() from None


def creation_options(site: Site, account: Account, known: "Sequence[Passkey]", challenge: bytes) -> Any:
    """Return what a browser makes a passkey from (`PublicKeyCredentialCreationOptions`, as JSON)."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    options = generate_registration_options(
        rp_id=site.host,
        rp_name="Beffroi",
        user_id=account.handle.encode(),
        user_name=account.account,
        user_display_name=account.name,
        challenge=challenge,
        timeout=CHALLENGE_SECONDS * 1000,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(known),
    )
    return json.loads(options_to_json(options))


def request_options(site: Site, known: "Sequence[Passkey]", challenge: bytes) -> Any:
    """Return what a browser signs from (`PublicKeyCredentialRequestOptions`, as JSON).

    known: the passkeys that may be used, none for whichever the browser finds for this site.
    """
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    options = generate_authentication_options(
        rp_id=site.host,
        challenge=challenge,
        timeout=CHALLENGE_SECONDS * 1000,
        allow_credentials=_descriptors(known),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return json.loads(options_to_json(options))


def made(
    site: Site, account: Account, credential: "Mapping[str, Any]", challenge: bytes, name: str, now: float
) -> Passkey:
    """Return the passkey that a browser has made for a challenge of ours. Raises AccountError."""
    from webauthn import verify_registration_response
    from webauthn.helpers import bytes_to_base64url
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        verified = verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise _refused() from None
    said = credential["response"].get("transports")
    transports = tuple(one for one in said if one in _TRANSPORTS) if isinstance(said, list) else ()
    key = bytes_to_base64url(verified.credential_id)
    public = verified.credential_public_key
    return Passkey(key, account.account, name, public, verified.sign_count, transports, now, None)


def credential_id(credential: "Mapping[str, Any]") -> str:
    """Return the id of the credential that a browser has signed with. Raises AccountError."""
    found = credential.get("id")
    if not isinstance(found, str) or not _CREDENTIAL_ID.fullmatch(found):
        raise _refused()
    return found


def handle_in(credential: "Mapping[str, Any]") -> str:
    """Return the handle of the account that the key itself names, "" for none."""
    from webauthn.helpers import base64url_to_bytes

    response = credential.get("response")
    said = response.get("userHandle") if isinstance(response, dict) else None
    try:
        return base64url_to_bytes(said).decode("ascii", "replace") if isinstance(said, str) else ""
    except ValueError:
        return ""


def signed_count(site: Site, passkey: Passkey, credential: "Mapping[str, Any]", challenge: bytes) -> int:
    """Return how often the key says it was used, when it has signed our challenge. Raises AccountError.

    A count that doesn't grow is a copied key, and is refused.
    """
    from webauthn import verify_authentication_response
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        verified = verify_authentication_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise _refused() from None
    return verified.new_sign_count


def _descriptors(known: "Sequence[Passkey]") -> list[Any]:
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.structs import AuthenticatorTransport, PublicKeyCredentialDescriptor

    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(one.id),
            transports=[AuthenticatorTransport(transport) for transport in one.transports],
        )
        for one in known
    ]


def _refused() -> AccountError:
    return AccountError("passkey_refused", "this passkey isn't accepted here", status=403)
