"""How often somebody may ask: a bucket of tokens for each address and for each session or token.

Generous: a page that loads asks twenty times at once, and a town's agents share one address. Loopback, where
programs of this machine and its own health checks are, is never counted.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from dataclasses import dataclass

from starlette.types import Scope

from pbx.web.problems import Problem

MOST_BUCKETS = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests at once, and so many a second from then on."""

    name: str
    burst: int
    a_second: float


ADDRESS = Rate("address", 2000, 200.0)
CREDENTIALS = Rate("account", 600, 60.0)


class _Bucket:
    __slots__ = ("at", "left")

    def __init__(self, left: float, at: float) -> None:
        self.left = left
        self.at = at


class Rates:
    """The buckets of one process. Times are the loop's."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[tuple[str, bytes], _Bucket] = OrderedDict()

    def take(self, address: str, credentials: bytes, now: float, scope: Scope) -> None:
        """Count one request; what is left goes into the scope's `rate_headers`. Raises Problem (429)."""
        wanted = [(ADDRESS, address.encode())]
        if credentials:
            wanted.append((CREDENTIALS, hashlib.blake2b(credentials, digest_size=16).digest()))
        told: list[tuple[bytes, bytes]] = []
        for rate, whose in wanted:
            bucket = self._bucket(rate, whose, now)
            # draft-ietf-httpapi-ratelimit-headers: r is what is left, t when the whole burst is there again.
            full = math.ceil((rate.burst - bucket.left) / rate.a_second)
            told.append((b"ratelimit", f'"{rate.name}";r={max(int(bucket.left) - 1, 0)};t={full}'.encode()))
            scope["state"]["rate_headers"] = told
            if bucket.left < 1.0:
                detail = "too many requests"
                seconds = math.ceil((1.0 - bucket.left) / rate.a_second)
                mend, headers = f"wait {seconds} s", {"Retry-After": str(seconds)}
                raise Problem(429, "too_many_requests", detail, mend=mend, headers=headers)
            bucket.left -= 1.0

    def _bucket(self, rate: Rate, whose: bytes, now: float) -> _Bucket:
        key = (rate.name, whose)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(rate.burst, now)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        else:
            bucket.left = min(rate.burst, bucket.left + (now - bucket.at) * rate.a_second)
            bucket.at = now
            self._buckets.move_to_end(key)
        return bucket
