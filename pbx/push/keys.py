"""The pair of keys that push services and browsers know this node by (VAPID, RFC 8292).

It is derived from the node's key and written nowhere: a node that is restored with its key is the same
sender, and browsers go on taking what it says.
"""

from __future__ import annotations

import base64
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from pbx.node.sealing import Sealing

# The order of P-256's group (FIPS 186-5), which its private keys are smaller than.
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
TOKEN_SECONDS: Final = 3600  # RFC 8292 section 2: at most 24 hours


class VapidKeys:
    """They sign what is sent. contact: a `mailto:` or `https:` address of who runs the node."""

    def __init__(self, sealing: Sealing, contact: str) -> None:
        # 64 bytes: what is left of them by division shows no preference among the keys.
        wide = int.from_bytes(sealing.key("push 1") + sealing.key("push 2"))
        self._private = ec.derive_private_key(1 + wide % (_ORDER - 1), ec.SECP256R1())
        self._key = ECKey.import_key(self._private)
        self._contact = contact
        point = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public = base64.urlsafe_b64encode(point).decode().rstrip("=")
        """The public key as browsers want it: base64url of an uncompressed point."""

    def authorization(self, endpoint: str, now: float) -> str:
        """Return the value of Authorization for a browser's address. now: Unix seconds."""
        parts = urlsplit(endpoint)
        # RFC 8292 section 2: for the service's origin alone, so that it can show the token to no other.
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int(now) + TOKEN_SECONDS,
            "sub": self._contact,
        }
        token = jwt.encode({"typ": "JWT", "alg": "ES256"}, claims, self._key, algorithms=["ES256"])
        return f"vapid t={token}, k={self.public}"


def contact_of(public_url: str, sender: str, domain: str) -> str:
    """Return whom a push service may write to: who sends the node's letters, else where its pages are."""
    if sender:
        return f"mailto:{sender}"
    return public_url if public_url.startswith("https://") else f"https://{domain}"
