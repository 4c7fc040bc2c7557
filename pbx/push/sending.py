"""One notification on its way to a browser: encrypted for it, signed by us, told to its push service.

Where a push service is, the browser says, and so whoever is signed in: only addresses that the whole world
reaches are connected to, and the very one that was looked at.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import httpx2
import msgspec

from pbx.push.keys import VapidKeys
from pbx.push.subscription import Secrets
from pbx.settings.values import IPAddress
from pbx.webhooks.addresses import AddressRefused, is_public, look_up

TRY_SECONDS: Final = 10.0
PADDED_BYTES: Final = 512
MOST_BYTES: Final = 3900  # RFC 8291 section 4: one record of 4096 bytes, with its header
GONE: Final = frozenset({404, 410})  # RFC 8030 section 7.3


class Told(NamedTuple):
    """What became of a notification. status: of the answer, 0 for none; trouble: "" where it was taken."""

    status: int
    trouble: str


class Notification(NamedTuple):
    """Something to be told. seconds: how long it is worth telling; urgent: it may wake the machine.

    topic: what it replaces where that wasn't told yet, "" for nothing.
    """

    payload: Mapping[str, Any]
    seconds: int
    urgent: bool = False
    topic: str = ""


class PushSender:
    """Sends notifications. keys: ours; clock: Unix seconds; tls: whom to trust; allows: which addresses."""

    def __init__(
        self,
        keys: VapidKeys,
        clock: Callable[[], float],
        tls: ssl.SSLContext | None = None,
        allows: Callable[[IPAddress], bool] = is_public,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._tls = tls
        self._allows = allows

    async def send(self, secrets: Secrets, notification: Notification) -> Told:
        """Try once; returns what became of it, and never raises."""
        try:
            async with asyncio.timeout(TRY_SECONDS):
                return await self._send(secrets, notification)
        except TimeoutError:
            return Told(0, f"no answer within {TRY_SECONDS:.0f} s")
        except AddressRefused as error:
            return Told(0, str(error))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            return Told(0, type(error).__name__)  # its words may hold the endpoint, which is a secret

    async def _send(self, secrets: Secrets, notification: Notification) -> Told:
        parts = urlsplit(secrets.endpoint)
        if parts.scheme != "https":
            raise AddressRefused("a push service is reached over https")
        addresses = await look_up(parts.hostname or "", parts.port or 443)
        if not all(self._allows(address) for address in addresses):
            raise AddressRefused("a push service isn't in a private network")
        body = await asyncio.to_thread(encrypted, secrets, notification.payload)
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        headers = {
            "Host": parts.netloc,
            "Authorization": self._keys.authorization(secrets.endpoint, self._clock()),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(notification.seconds),  # RFC 8030 section 5.2
            "Urgency": "high" if notification.urgent else "normal",
            **({"Topic": notification.topic} if notification.topic else {}),
        }
        address = addresses[0]
        host = f"[{address}]" if address.version == 6 else str(address)
        query = f"?{parts.query}" if parts.query else ""
        # The address in the URL, the name in Host and in TLS: nothing is looked up again.
        url = f"https://{host}:{parts.port or 443}{parts.path or '/'}{query}"
        async with (
            httpx2.AsyncClient(
                verify=self._tls, trust_env=False, follow_redirects=False, timeout=TRY_SECONDS
            ) as client,
            client.stream(
                "POST", url, content=body, headers=headers, extensions={"sni_hostname": parts.hostname}
            ) as answer,
        ):
            return Told(answer.status_code, "" if answer.is_success else f"answers {answer.status_code}")


def encrypted(secrets: Secrets, payload: Mapping[str, Any]) -> bytes:
    """Return a payload that its browser alone can read (RFC 8291), padded: its size tells nothing of it.

    Raises ValueError for one that is too large.
    """
    # Imported here: it brings two HTTP clients, and most processes never push.
    from pywebpush import WebPusher

    text = msgspec.json.encode(payload)
    padded = text + b" " * (-len(text) % PADDED_BYTES)
    if len(padded) > MOST_BYTES:
        raise ValueError("too much for one notification")
    keys = {"p256dh": secrets.p256dh, "auth": secrets.auth}
    return bytes(WebPusher({"endpoint": secrets.endpoint, "keys": keys}).encode(padded)["body"])


def topic_of(key: bytes, whose: str) -> str:
    """Return a topic (RFC 8030 section 5.4) that says nothing of what it is about."""
    return base64.urlsafe_b64encode(hmac.digest(key, whose.encode(), "sha256")).decode()[:32]
