"""Sessions: who has signed in where, and until when.

A browser holds 256 random bits in a cookie; the database holds their SHA-256, so that whoever reads it can't
sign in with it. What page scripts send back to show that they are ours (`csrf`) is derived from the same
bits, another way. Both change at each sign-in and at each change of what somebody proves themselves with.

    sign-in ──> needed ──────── second factor shown ──> done
            ├─> must_set_up ─── second factor set up ─> done
            └─> none            (nothing more is asked of this account)

Only `none` and `done` open anything but the pages on the way there.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import sqlalchemy as sa

from pbx.accounts.account import Account
from pbx.store.schema import accounts, sessions

SecondFactor: TypeAlias = Literal["none", "needed", "done", "must_set_up"]
Way: TypeAlias = Literal["password", "passkey", "openid", "link", "demo"]

SECOND_FACTORS: tuple[SecondFactor, ...] = get_args(SecondFactor)
WAYS: tuple[Way, ...] = get_args(Way)

ABSOLUTE_SECONDS = 7 * 86400.0
IDLE_SECONDS = 12 * 3600.0
SHORT_IDLE_SECONDS = 30 * 60.0
ON_THE_WAY_SECONDS = 15 * 60.0
"""How long the way from the password to the second factor may take."""
PROOF_SECONDS = 10 * 60.0
"""How long after a proof factors can be changed without another one."""
MOST_SESSIONS = 50
"""Of one account: the oldest make room."""
MOST_DEVICE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Session:
    """A session. Times are Unix seconds; device: what the browser says it is; id: not secret, for lists.

    proved_at: when a password or a factor was last shown.
    """

    id: str
    account: str
    begun_at: float
    seen_at: float
    ends_at: float
    idle_seconds: float
    proved_at: float
    second_factor: SecondFactor
    how: Way
    address: str
    device: str

    @property
    def is_complete(self) -> bool:
        """Whether nothing more has to be shown."""
        return self.second_factor in ("none", "done")

    def lasts(self, now: float) -> bool:
        """Whether it still counts."""
        return now < self.ends_at and now - self.seen_at < self.idle_seconds

    def is_fresh(self, now: float) -> bool:
        """Whether somebody has proved who they are so lately that factors may be changed."""
        return now - self.proved_at < PROOF_SECONDS


def new_token() -> str:
    """Return what a new session's cookie holds."""
    return secrets.token_urlsafe(32)


def csrf_of(token: str) -> str:
    """Return what pages of this session send with whatever changes something."""
    return hashlib.sha256(b"csrf " + token.encode()).hexdigest()


def is_csrf(token: str, sent: str) -> bool:
    """Whether this was sent by a page of the session; takes the same time for any wrong one."""
    return hmac.compare_digest(csrf_of(token).encode(), sent.encode("utf-8", "replace"))


def hash_of(token: str) -> str:
    """Return what the database knows a token by."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def second_factor_of(account: Account, way: Way) -> SecondFactor:
    """Return what is still to be shown by somebody who has just signed in this way."""
    if way == "demo":  # loopback and sample data alone: `pbx.accounts.demonstration`
        return "none"
    if way == "passkey":  # the device, and a finger or a PIN on it: two factors at once
        return "done"
    if account.has_second_factor:
        return "needed"
    return "must_set_up" if account.needs_second_factor else "none"


def new_session(
    account: Account, way: Way, second_factor: SecondFactor, now: float, address: str, device: str
) -> Session:
    """Return a session that begins now; nothing is stored yet."""
    idle = SHORT_IDLE_SECONDS if account.is_short else IDLE_SECONDS
    complete = second_factor in ("none", "done")
    return Session(
        id=secrets.token_hex(8),
        account=account.account,
        begun_at=now,
        seen_at=now,
        ends_at=now + (ABSOLUTE_SECONDS if complete else ON_THE_WAY_SECONDS),
        idle_seconds=idle,
        proved_at=now,
        second_factor=second_factor,
        how=way,
        address=address[:MOST_DEVICE_CHARACTERS],
        device="".join(letter for letter in device if letter.isprintable())[:MOST_DEVICE_CHARACTERS],
    )


def completed(session: Session, now: float) -> Session:
    """Return the session that follows once the second factor was shown or set up."""
    return replace(
        session,
        id=secrets.token_hex(8),
        second_factor="done",
        seen_at=now,
        proved_at=now,
        ends_at=session.begun_at + ABSOLUTE_SECONDS,
    )


def begin(connection: sa.Connection, token: str, session: Session) -> None:
    """Store a session; those of the account that have ended, or are too many, go."""
    values = {name: getattr(session, name) for name in Session.__dataclass_fields__}
    connection.execute(sa.insert(sessions).values(token_hash=hash_of(token), **values))
    of_account = sessions.c.account == session.account
    dead = sa.or_(
        sessions.c.ends_at <= session.seen_at,
        sessions.c.seen_at + sessions.c.idle_seconds <= session.seen_at,
    )
    connection.execute(sa.delete(sessions).where(of_account, dead))
    newest = sa.select(sessions.c.token_hash).where(of_account).order_by(sessions.c.seen_at.desc())
    kept = [row[0] for row in connection.execute(newest.limit(MOST_SESSIONS))]
    connection.execute(sa.delete(sessions).where(of_account, sessions.c.token_hash.not_in(kept)))


def find(connection: sa.Connection, token_hash: str, now: float) -> Sequence[Session]:
    """Return the session with this token, or none at all where it has ended or never was."""
    found = connection.execute(_all().where(sessions.c.token_hash == token_hash))
    return [session for row in found if (session := _session(row)).lasts(now)]


def list_of(connection: sa.Connection, account: str, now: float) -> list[Session]:
    """Return the sessions of an account that last, the one seen last first."""
    found = connection.execute(
        _all().where(sessions.c.account == account).order_by(sessions.c.seen_at.desc())
    )
    return [session for row in found if (session := _session(row)).lasts(now)]


def extensions_of(connection: sa.Connection, now: float) -> dict[str, str]:
    """Return whose telephone each session opens that lasts, of an account that isn't closed: by its id."""
    lasts = sa.and_(sessions.c.ends_at > now, sessions.c.seen_at + sessions.c.idle_seconds > now)
    found = connection.execute(
        sa.select(sessions.c.id, accounts.c.extension)
        .join(accounts, accounts.c.account == sessions.c.account)
        .where(lasts, sa.not_(accounts.c.disabled))
    )
    return {row.id: row.extension for row in found}


def seen(connection: sa.Connection, session_id: str, now: float) -> None:
    """Note that a session was used."""
    connection.execute(sa.update(sessions).where(sessions.c.id == session_id).values(seen_at=now))


def proved(connection: sa.Connection, session_id: str, now: float) -> None:
    """Note that whoever holds it has proved who they are."""
    connection.execute(
        sa.update(sessions).where(sessions.c.id == session_id).values(proved_at=now, seen_at=now)
    )


def end(connection: sa.Connection, account: str, session_id: str) -> int:
    """End one session of an account; returns how many that were."""
    which = sa.delete(sessions).where(sessions.c.account == account, sessions.c.id == session_id)
    return connection.execute(which).rowcount


def end_all(connection: sa.Connection, account: str, but: str = "") -> int:
    """End all sessions of an account but one; returns how many that were. but: an id, "" for none."""
    which = sa.delete(sessions).where(sessions.c.account == account, sessions.c.id != but)
    return connection.execute(which).rowcount


def _all() -> sa.Select[tuple[object, ...]]:
    return sa.select(*(sessions.c[name] for name in Session.__dataclass_fields__))


def _session(row: sa.Row[tuple[object, ...]]) -> Session:
    fields: Sequence[Any] = row  # in the order of the dataclass
    return Session(*fields)
