"""Who comes with a token: asked by every request of a program, so remembered for a second.

Whatever this process ends is gone from here at once; what a command ends, within REMEMBERED_SECONDS.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pbx.accounts import tokens
from pbx.accounts.account import AccountError
from pbx.accounts.actor import Actor
from pbx.accounts.open_sessions import Store
from pbx.accounts.tokens import Token, TokenRefused

log = logging.getLogger(__name__)

REMEMBERED_SECONDS: Final = 1.0
MOST_REMEMBERED: Final = 1_000


class Bearers:
    """The tokens in use. clock: Unix seconds."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[float, Actor, Token]] = {}

    async def actor(self, secret: str, address: str) -> Actor:
        """Return who acts with a token from an address. Raises AccountError (401).

        What is wrong with a token isn't told: whoever tries one that was found learns nothing.
        """
        now = self._clock()
        read_at, actor, token = self._known.get((secret, address), (float("-inf"), None, None))
        if actor is None or token is None or not 0 <= now - read_at < REMEMBERED_SECONDS:
            actor, token = await self._read(secret, address, now)
        if tokens.is_due(token, now):
            used = replace(token, last_used_at=now)
            self._known[secret, address] = now, actor, used
            await self._store.write(lambda connection: tokens.used(connection, token.id, now))
        return actor

    def forget(self) -> None:
        """Read every token again: one has ended, or an account has changed."""
        self._known.clear()

    async def _read(self, secret: str, address: str, now: float) -> tuple[Actor, Token]:
        self._known.pop((secret, address), None)
        try:
            found = await self._store.read(
                lambda connection: tokens.actor_of(connection, secret, address, now)
            )
        except TokenRefused as refused:
            if refused.token:  # what is no token at all is anybody's noise
                log.warning("token=%s refused=%s from=%s", refused.token, refused.why, address)
            mend = "make another one where tokens are"
            raise AccountError(
                "token_refused", "this token isn't valid here", mend=mend, status=401
            ) from None
        while len(self._known) >= MOST_REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[secret, address] = now, *found
        return found
