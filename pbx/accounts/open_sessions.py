"""Whose session a request belongs to: asked by every request, so remembered for a second.

Whatever this process ends is gone from here at once. What a command or another node ends (an account disabled
at the command line) is seen within REMEMBERED_SECONDS.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import sqlalchemy as sa

from pbx.accounts import records, sessions
from pbx.accounts.account import Account, AccountError
from pbx.accounts.actor import Actor
from pbx.accounts.sessions import Session, hash_of
from pbx.store.database import Result, Work

REMEMBERED_SECONDS = 1.0
MOST_REMEMBERED = 5_000
SEEN_EVERY_SECONDS = 60.0
_MOST_TOKEN_CHARACTERS = 100


class Store(Protocol):
    """The database, as a node of the web process reaches it."""

    async def read(self, work: Work[Result]) -> Result: ...
    async def write(self, work: Work[Result]) -> Result: ...


def _nobody_to_tell() -> None:
    pass


class NotSignedIn(Exception):
    """No session has this token: it has ended, or never was."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session, and whose it is. token: what the browser holds."""

    session: Session
    account: Account
    token: str = field(repr=False)

    def actor(self, address: str) -> Actor:
        """Return who acts in it, now from this address."""
        return self.account.actor(address)


class OpenSessions:
    """The sessions that last. clock: Unix seconds. on_change: called when some may have begun or ended."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[float, Session, Account]] = {}
        self.on_change: Callable[[], None] = _nobody_to_tell

    async def of(self, token: str, *, is_use: bool = True) -> SignedIn:
        """Return whose session a cookie opens. Raises NotSignedIn.

        is_use: whether it stays open for that; a socket that only looks whether it still may is no use.
        """
        if not 0 < len(token) <= _MOST_TOKEN_CHARACTERS:
            raise NotSignedIn
        now, key = self._clock(), hash_of(token)
        read_at, session, account = self._known.get(key, (float("-inf"), None, None))
        if session is None or account is None or not 0 <= now - read_at < REMEMBERED_SECONDS:
            session, account = await self._read(key, now)
        if not session.lasts(now) or account.disabled:
            self._known.pop(key, None)
            raise NotSignedIn
        if is_use and now - session.seen_at >= SEEN_EVERY_SECONDS:
            await self._store.write(lambda connection: sessions.seen(connection, session.id, now))
            self._known.pop(key, None)
        return SignedIn(session, account, token)

    def forget(self, account: str = "") -> None:
        """Read again what is known of an account's sessions, "" for everybody's: something has changed."""
        for key in [key for key, known in self._known.items() if account in ("", known[2].account)]:
            del self._known[key]
        self.on_change()

    async def _read(self, key: str, now: float) -> tuple[Session, Account]:
        def work(connection: sa.Connection) -> tuple[Session, Account]:
            for found in sessions.find(connection, key, now):
                return found, records.find(connection, found.account)
            raise NotSignedIn

        self._known.pop(key, None)
        try:
            session, account = await self._store.read(work)
        except AccountError:
            raise NotSignedIn from None
        while len(self._known) >= MOST_REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[key] = now, session, account
        return session, account
