"""One try to deliver: connect to the address that was allowed, say what was signed, hear what it became."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import httpx2

from pbx.settings.values import IPNetwork
from pbx.webhooks.addresses import AddressRefused, address_for
from pbx.webhooks.webhook import Delivery, Webhook, parts_of, signature

TRY_SECONDS: Final = 10.0
MOST_ANSWER_BYTES: Final = 65_536


class Outcome(NamedTuple):
    """What became of a try. status: of the answer, 0 for none; trouble: "" where it was taken."""

    status: int
    trouble: str


class Sender:
    """Sends deliveries. networks: `local_networks`; clock: Unix seconds; tls: whom to trust."""

    def __init__(
        self,
        networks: Sequence[IPNetwork],
        clock: Callable[[], float],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._networks = networks
        self._clock = clock
        self._tls = tls

    async def send(self, webhook: Webhook, secret: str, delivery: Delivery) -> Outcome:
        """Try once; returns what became of it, and never raises."""
        try:
            async with asyncio.timeout(TRY_SECONDS):
                return await self._send(webhook, secret, delivery)
        except TimeoutError:
            return Outcome(0, f"no answer within {TRY_SECONDS:.0f} s")
        except AddressRefused as error:
            return Outcome(0, str(error))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            return Outcome(0, (str(error) or type(error).__name__)[:300])

    async def _send(self, webhook: Webhook, secret: str, delivery: Delivery) -> Outcome:
        address = await address_for(webhook, self._networks)
        parts = parts_of(webhook.url)
        if self._tls is None and parts.scheme == "https":
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        body = delivery.body.encode()
        headers = {
            "Host": parts.netloc,
            "Content-Type": "application/json",
            "User-Agent": "Beffroi",
            "Beffroi-Event": delivery.kind,
            "Beffroi-Delivery": delivery.id,
            "Beffroi-Signature": signature(secret, body, self._clock()),
        }
        host = f"[{address}]" if address.version == 6 else str(address)
        port = f":{parts.port}" if parts.port else ""
        query = f"?{parts.query}" if parts.query else ""
        # The address in the URL, the name in Host and in TLS: nothing is looked up again.
        url = f"{parts.scheme}://{host}{port}{parts.path or '/'}{query}"
        async with (
            httpx2.AsyncClient(
                verify=self._tls if self._tls is not None else False,
                trust_env=False,
                follow_redirects=False,
                timeout=TRY_SECONDS,
            ) as client,
            client.stream(
                "POST", url, content=body, headers=headers, extensions={"sni_hostname": parts.hostname}
            ) as answer,
        ):
            heard = 0
            async for piece in answer.aiter_raw():
                heard += len(piece)
                if heard > MOST_ANSWER_BYTES:
                    break
        if answer.is_redirect:
            return Outcome(answer.status_code, "leads elsewhere: redirects aren't followed")
        taken = answer.is_success
        return Outcome(answer.status_code, "" if taken else f"answers {answer.status_code}")
