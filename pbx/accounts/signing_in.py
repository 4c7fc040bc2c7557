"""Signing in, from the first word to the session: what the routes of the web process tell, told here once.

Whoever is refused learns nothing of which accounts there are: an unknown name, a wrong password and an
account that is closed get the same answer after the same work.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pbx.accounts import codes, factors, links, records, sessions
from pbx.accounts.account import Account, AccountError
from pbx.accounts.actor import Actor
from pbx.accounts.factors import Passkey
from pbx.accounts.known_devices import KnownDevices
from pbx.accounts.lockout import Lockout
from pbx.accounts.open_sessions import OpenSessions, SignedIn, Store
from pbx.accounts.passkeys import (
    Challenges,
    Site,
    challenge_in,
    credential_id,
    handle_in,
    request_options,
    signed_count,
)
from pbx.accounts.passwords import Hashing
from pbx.accounts.records import Secrets
from pbx.accounts.sessions import Session, Way, new_token
from pbx.node.sealing import SealBroken, Sealing

TOTP_PURPOSE = "totp"
MOST_WRONG_CODES = 5
"""In one session: then the password is asked again."""

ByToken = Callable[[str, str], Awaitable[Actor]]
Elsewhere = Callable[[str, str], Awaitable[Sequence[Account]]]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever signs in: where from, with which browser, and what that holds of ours already.

    token: of an earlier session, which ends; known: the cookie of known browsers; both "" for none.
    """

    address: str
    device: str
    token: str = ""
    known: str = ""


@dataclass(frozen=True, slots=True)
class _Checked:
    """Who somebody says they are. name: what failures are counted by, whoever that is or isn't."""

    name: str
    found: Sequence[Account]
    password_hash: str


class Accounts:
    """The accounts of a node, as its web process has them.

    store: the database; clock: Unix seconds; sealing: what second factors are sealed with.
    by_token: returns who acts with a bearer's token from an address, or raises AccountError.
    elsewhere: returns the account that another server knows by this name and password, or none.
    """

    def __init__(
        self, store: Store, clock: Callable[[], float], sealing: Sealing, hashing: Hashing | None = None
    ) -> None:
        self.store = store
        self.clock = clock
        self.sealing = sealing
        self.sessions = OpenSessions(store, clock)
        self.hashing = hashing or Hashing()
        self.lockout = Lockout()
        self.known_devices = KnownDevices(sealing.key("known devices"))
        self.challenges = Challenges(sealing.key("passkey challenges"))
        self.by_token: ByToken = _no_tokens
        self.elsewhere: Elsewhere = _nowhere_else
        self._wrong_codes: dict[str, int] = {}

    def close(self) -> None:
        """Wait for what is computed."""
        self.hashing.close()

    # Signing in

    async def sign_in(self, typed: str, password: str, visitor: Visitor) -> SignedIn:
        """Return the session of whoever has this name or extension, and this password.

        Raises AccountError: `wrong_sign_in` (403), `too_many_attempts` (429), `busy` (503).
        """
        now = self.clock()
        checked = await self.store.read(lambda connection: _checked(connection, typed))
        device = self.known_devices.device_of(visitor.known, checked.name, now)
        self.lockout.refuse_too_soon(checked.name, visitor.address, device, now)
        # Counted before it is computed, so that many at once are not many for free.
        self.lockout.failed(checked.name, visitor.address, device, now)
        found = await self._with_password(checked, typed, password, is_known=bool(device))
        if not found or found[0].disabled:
            detail = "the name or the password is wrong"
            raise AccountError("wrong_sign_in", detail, where="password", status=403)
        self.lockout.succeeded(checked.name, visitor.address, device, now)
        return await self.begin(found[0], "password", visitor)

    async def begin(self, account: Account, way: Way, visitor: Visitor) -> SignedIn:
        """Return a new session of an account that has proved itself; the browser's earlier one ends.

        Raises AccountError for one that is closed.
        """
        if account.disabled:
            raise AccountError("wrong_sign_in", "this account is closed", status=403)
        now, token = self.clock(), new_token()
        state = sessions.second_factor_of(account, way)
        session = sessions.new_session(account, way, state, now, visitor.address, visitor.device)

        def work(connection: sa.Connection) -> None:
            for earlier in sessions.find(connection, sessions.hash_of(visitor.token), now):
                sessions.end(connection, earlier.account, earlier.id)
            sessions.begin(connection, token, session)
            records.signed_in(connection, account.account, now)

        await self.store.write(work)
        self.sessions.forget()
        return SignedIn(session, account, token)

    def remembered(self, account: Account, visitor: Visitor) -> str:
        """Return the cookie of known browsers, once somebody has wholly signed in with this one."""
        return self.known_devices.with_device(visitor.known, account.account, self.clock())

    async def end(self, signed_in: SignedIn) -> None:
        """End a session: its cookie is worth nothing from now on, wherever it was copied to."""
        session = signed_in.session
        await self.store.write(lambda connection: sessions.end(connection, session.account, session.id))
        self.sessions.forget(session.account)

    async def rotated(self, signed_in: SignedIn) -> SignedIn:
        """Return the session that follows when a second factor was shown or changed: under a new token."""
        session, token = sessions.completed(signed_in.session, self.clock()), new_token()

        def work(connection: sa.Connection) -> Account:
            if sessions.end(connection, session.account, signed_in.session.id) == 0:
                raise AccountError("not_signed_in", "this session has ended meanwhile", status=401)
            sessions.begin(connection, token, session)
            return records.find(connection, session.account)

        account = await self.store.write(work)
        self.sessions.forget(session.account)
        return SignedIn(session, account, token)

    # The second factor

    async def second_factor(self, signed_in: SignedIn, typed: str, visitor: Visitor) -> SignedIn:
        """Return the session that opens everything, for the right code: the application's, or a recovery one.

        Raises AccountError: `wrong_code` (403), `too_many_attempts` (429), `not_now` (409).
        """
        _refuse_unless(signed_in.session, "needed")
        await self._take_code(signed_in, typed, visitor)
        return await self.rotated(signed_in)

    async def prove(self, signed_in: SignedIn, password: str, visitor: Visitor) -> None:
        """Note that whoever holds the session knows the account's password. Raises AccountError."""
        now, account = self.clock(), signed_in.account.account
        checked = await self.store.read(lambda connection: _checked(connection, account))
        device = self.known_devices.device_of(visitor.known, account, now)
        self.lockout.refuse_too_soon(account, visitor.address, device, now)
        self.lockout.failed(account, visitor.address, device, now)
        found = await self._with_password(checked, account, password, is_known=True)
        if not found or found[0].account != account:
            raise AccountError("wrong_password", "the password is wrong", where="password", status=403)
        self.lockout.succeeded(account, visitor.address, device, now)
        await self._proved(signed_in)

    async def prove_by_code(self, signed_in: SignedIn, typed: str, visitor: Visitor) -> None:
        """As `prove`, by a code of the application or a recovery code. Raises AccountError."""
        await self._take_code(signed_in, typed, visitor)
        await self._proved(signed_in)

    def refuse_without_proof(self, signed_in: SignedIn) -> None:
        """Raise AccountError (403) where nobody has proved who they are of late: what proves is to change."""
        if not signed_in.session.is_fresh(self.clock()):
            detail = "show once more that it is you: that was too long ago"
            raise AccountError("prove_again", detail, mend="POST /api/v1/session/proof", status=403)

    # Passkeys

    async def passkey_question(self, site: Site) -> Any:
        """Return what a browser signs to sign in with a passkey alone. Raises AccountError."""
        challenge = self.challenges.make("sign in", self.clock())
        return await asyncio.to_thread(request_options, site, [], challenge)

    async def sign_in_by_passkey(
        self, site: Site, credential: Mapping[str, Any], visitor: Visitor
    ) -> SignedIn:
        """Return the session of the account whose passkey has signed: nothing more is asked of it.

        Raises AccountError.
        """
        self.lockout.refuse_network_too_soon(visitor.address, self.clock())
        try:
            passkey = await self._passkey(site, credential, "sign in")
            account = await self.store.read(lambda connection: records.find(connection, passkey.account))
            if handle_in(credential) not in ("", account.handle):
                raise AccountError("passkey_refused", "this passkey isn't accepted here", status=403)
        except AccountError:
            self.lockout.network_failed(visitor.address, self.clock())
            raise
        return await self.begin(account, "passkey", visitor)

    async def second_passkey_question(self, site: Site, signed_in: SignedIn) -> Any:
        """Return what a browser signs as a second factor. Raises AccountError."""
        session = signed_in.session
        known = await self.store.read(lambda connection: factors.passkeys_of(connection, session.account))
        challenge = self.challenges.make(f"second {session.id}", self.clock())
        return await asyncio.to_thread(request_options, site, known, challenge)

    async def second_by_passkey(
        self, site: Site, signed_in: SignedIn, credential: Mapping[str, Any]
    ) -> SignedIn:
        """Return the session that opens everything, once a passkey of the account has signed.

        Where it opens everything already, this proves who holds it. Raises AccountError.
        """
        session = signed_in.session
        passkey = await self._passkey(site, credential, f"second {session.id}")
        if passkey.account != session.account:
            raise AccountError("passkey_refused", "this passkey is another account's", status=403)
        if session.second_factor == "must_set_up":
            _refuse_unless(session, "needed")
        return await self.rotated(signed_in)

    # Links

    async def sign_in_by_demo_link(self, secret: str, visitor: Visitor) -> SignedIn:
        """Return the session that a link of the demonstration opens. Raises AccountError (404).

        The route sees to it that this is loopback, and the sample town.
        """
        now = self.clock()

        def work(connection: sa.Connection) -> Account:
            return records.find(connection, links.use_link(connection, secret, "demo", now).account)

        return await self.begin(await self.store.write(work), "demo", visitor)

    # Inside

    async def _with_password(
        self, checked: _Checked, typed: str, password: str, *, is_known: bool
    ) -> Sequence[Account]:
        """Who has this password: the account that was found, one that another server knows, or nobody."""
        stored = checked.password_hash
        if await self.hashing.matches(stored, password, is_known=is_known):
            if self.hashing.is_outdated(stored):
                fresh, account = await self.hashing.hash(password), checked.found[0].account
                await self.store.write(
                    lambda connection: records.set_password_hash(connection, account, stored, fresh)
                )
            return checked.found
        if not password:
            return []
        return [account for account in await self.elsewhere(typed, password) if account.source == "ldap"]

    async def _take_code(self, signed_in: SignedIn, typed: str, visitor: Visitor) -> None:
        """Use up a code of the account. Raises AccountError for a wrong one, or one that was used."""
        session, now = signed_in.session, self.clock()
        account = session.account
        device = self.known_devices.device_of(visitor.known, account, now)
        self.lockout.refuse_factor_too_soon(account, device, now)
        self.lockout.factor_failed(account, device, now)

        def work(connection: sa.Connection) -> bool:
            if codes.is_recovery_code(typed):
                return factors.take_recovery_code(connection, account, typed)
            step = self.totp_step(account, records.secrets_of(connection, account), typed)
            return step > 0 and factors.take_totp_step(connection, account, step)

        if not await self.store.write(work):
            await self._count_wrong_code(signed_in)
            raise AccountError("wrong_code", "this code is wrong, or was used", where="code", status=403)
        self.lockout.factor_succeeded(account, device)
        self._wrong_codes.pop(session.id, None)
        self.sessions.forget(account)

    def totp_step(self, account: str, kept: Secrets, typed: str) -> int:
        """Return the step whose code this is, 0 for a wrong one. Raises AccountError for a broken seal."""
        if not kept.totp_sealed:
            return 0
        try:
            secret = self.sealing.unseal(kept.totp_sealed, TOTP_PURPOSE, account).decode()
        except SealBroken as error:
            mend = f"beffroi account reset-second-factor {account}"
            raise AccountError("factor_unreadable", str(error), mend=mend, status=409) from None
        return codes.matching_step(secret, typed, self.clock(), kept.totp_step)

    async def _count_wrong_code(self, signed_in: SignedIn) -> None:
        key = signed_in.session.id
        self._wrong_codes[key] = wrong = self._wrong_codes.get(key, 0) + 1
        if wrong >= MOST_WRONG_CODES:
            del self._wrong_codes[key]
            await self.end(signed_in)

    async def _proved(self, signed_in: SignedIn) -> None:
        now, session = self.clock(), signed_in.session
        await self.store.write(lambda connection: sessions.proved(connection, session.id, now))
        self.sessions.forget(session.account)

    async def _passkey(self, site: Site, credential: Mapping[str, Any], purpose: str) -> Passkey:
        """Return the passkey that has signed one of our challenges, and count that. Raises AccountError."""
        now = self.clock()
        challenge = self.challenges.take(challenge_in(credential), purpose, now)
        key = credential_id(credential)
        passkey = await self.store.read(lambda connection: factors.find_passkey(connection, key))
        count = await asyncio.to_thread(signed_count, site, passkey, credential, challenge)
        await self.store.write(lambda connection: factors.passkey_used(connection, key, count, now))
        return passkey


def _checked(connection: sa.Connection, typed: str) -> _Checked:
    for account in records.matching(connection, typed):
        kept = records.secrets_of(connection, account.account)
        return _Checked(account.account, [account], kept.password_hash)
    return _Checked(typed.strip().lower(), [], "")


def _refuse_unless(session: Session, state: str) -> None:
    if session.second_factor != state:
        detail = "the second factor isn't asked now"
        raise AccountError("not_now", detail, mend="read GET /api/v1/session again", status=409)


async def _no_tokens(_token: str, _address: str) -> Actor:
    raise AccountError("token_refused", "this token isn't valid", status=401)


async def _nowhere_else(_typed: str, _password: str) -> Sequence[Account]:
    return []
