"""What somebody changes of their own account: the password, the application for codes, passkeys, and codes.

Each change asks that they have proved who they are within ten minutes, and leaves them with a session under a
new token. The secret of an application that isn't confirmed yet is nowhere but in the page that shows it,
sealed for this session: only a code computed from it makes it the account's.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from pbx.accounts import codes, factors, links, records
from pbx.accounts.account import Account, AccountError
from pbx.accounts.open_sessions import SignedIn
from pbx.accounts.passkeys import Site, challenge_in, creation_options, made
from pbx.accounts.passwords import strong
from pbx.accounts.signing_in import TOTP_PURPOSE, Accounts
from pbx.node.sealing import SealBroken

_PENDING_PURPOSE = "totp to be confirmed"
_PENDING_SECONDS = 15 * 60.0
_MOST_PENDING_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Application:
    """What an application for codes is set up with. pending: given back with its first code."""

    secret: str
    uri: str
    pending: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A change of factors. codes: new recovery codes, shown once; none where the earlier ones stay."""

    signed_in: SignedIn
    codes: tuple[str, ...] = ()


class _Pending(msgspec.Struct, frozen=True):
    secret: str
    until: float


class OwnFactors:
    """The changes. domain: of the node, which applications show."""

    def __init__(self, accounts: Accounts, domain: str) -> None:
        self._accounts = accounts
        self._domain = domain

    def new_application(self, signed_in: SignedIn) -> Application:
        """Return a new secret; nothing of the account has changed yet. Raises AccountError."""
        self._accounts.refuse_without_proof(signed_in)
        secret = codes.new_totp_secret()
        pending = msgspec.json.encode(_Pending(secret, self._accounts.clock() + _PENDING_SECONDS))
        sealed = self._accounts.sealing.seal(pending, _PENDING_PURPOSE, signed_in.session.id)
        uri = codes.totp_uri(secret, signed_in.account.account, self._domain)
        return Application(codes.typed_secret(secret), uri, sealed.hex())

    async def confirm_application(self, signed_in: SignedIn, pending: str, typed: str) -> Changed:
        """Make the application the account's: `typed` is a code that it shows. Raises AccountError."""
        self._accounts.refuse_without_proof(signed_in)
        secret, account = self._pending(signed_in, pending), signed_in.account.account
        step = codes.matching_step(secret, typed, self._accounts.clock(), 0)
        if step == 0:
            detail = "this isn't the code that the application shows now"
            mend = "is the clock of the telephone right?"
            raise AccountError("wrong_code", detail, where="code", mend=mend, status=403)
        sealed = self._accounts.sealing.seal(secret.encode(), TOTP_PURPOSE, account)

        def work(connection: sa.Connection) -> tuple[str, ...]:
            factors.set_totp(connection, account, sealed, step)
            return _first_codes(connection, account)

        return await self._changed(signed_in, await self._accounts.store.write(work))

    async def remove_application(self, signed_in: SignedIn) -> Changed:
        """Take the application away. Raises AccountError where it is the last factor, and one is needed."""
        self._accounts.refuse_without_proof(signed_in)
        account = signed_in.account.account
        await self._accounts.store.write(lambda connection: factors.remove_totp(connection, account))
        return await self._changed(signed_in, ())

    async def new_passkey(self, site: Site, signed_in: SignedIn) -> Any:
        """Return what a browser makes a passkey from. Raises AccountError."""
        self._accounts.refuse_without_proof(signed_in)
        account = signed_in.account
        known = await self._accounts.store.read(
            lambda connection: factors.passkeys_of(connection, account.account)
        )
        challenge = self._accounts.challenges.make(f"add {signed_in.session.id}", self._accounts.clock())
        return await asyncio.to_thread(creation_options, site, account, known, challenge)

    async def add_passkey(
        self, site: Site, signed_in: SignedIn, credential: Mapping[str, Any], name: str
    ) -> Changed:
        """Add the passkey that a browser has made. Raises AccountError."""
        self._accounts.refuse_without_proof(signed_in)
        account, now = signed_in.account, self._accounts.clock()
        purpose = f"add {signed_in.session.id}"
        challenge = self._accounts.challenges.take(challenge_in(credential), purpose, now)
        passkey = await asyncio.to_thread(made, site, account, credential, challenge, name.strip(), now)

        def work(connection: sa.Connection) -> tuple[str, ...]:
            factors.add_passkey(connection, passkey)
            return _first_codes(connection, account.account)

        return await self._changed(signed_in, await self._accounts.store.write(work))

    async def remove_passkey(self, signed_in: SignedIn, credential: str) -> Changed:
        """Take a passkey away. Raises AccountError where it is the last factor, and one is needed."""
        self._accounts.refuse_without_proof(signed_in)
        account = signed_in.account.account
        await self._accounts.store.write(
            lambda connection: factors.remove_passkey(connection, account, credential)
        )
        return await self._changed(signed_in, ())

    async def new_recovery_codes(self, signed_in: SignedIn) -> Changed:
        """Replace the recovery codes. Raises AccountError where there is no second factor to recover."""
        self._accounts.refuse_without_proof(signed_in)
        account, fresh = signed_in.account, tuple(codes.new_recovery_codes())
        if not account.has_second_factor:
            raise AccountError("no_factor", "there is no second factor yet", status=409)
        await self._accounts.store.write(
            lambda connection: factors.set_recovery_codes(connection, account.account, fresh)
        )
        return await self._changed(signed_in, fresh)

    async def change_password(self, signed_in: SignedIn, password: str) -> SignedIn:
        """Change the password; all other sessions of the account end. Raises AccountError."""
        if not signed_in.account.must_change:
            self._accounts.refuse_without_proof(signed_in)
        if signed_in.account.source != "local":
            detail = "this password is kept by another server: change it there"
            raise AccountError("password_elsewhere", detail, status=409)
        await self._set_password(signed_in.account, password, signed_in.session.id)
        session = signed_in.session
        return await self._accounts.rotated(signed_in) if session.is_complete else signed_in

    async def use_password_link(self, secret: str, password: str, address: str) -> Account:
        """Give the account of a link this password; its sessions end. Raises AccountError.

        address: of whoever has the link. A password that is refused leaves the link as it was.
        """
        store, now, lockout = self._accounts.store, self._accounts.clock(), self._accounts.lockout
        lockout.refuse_network_too_soon(address, now)

        def account_of(connection: sa.Connection) -> Account:
            link = links.read_link(connection, secret, "password", now)
            return records.find(connection, link.account)

        try:
            account = await store.read(account_of)
        except AccountError:
            lockout.network_failed(address, now)
            raise
        text = strong(password, account=account.account, name=account.name)
        hashed = await self._accounts.hashing.hash(text)

        def work(connection: sa.Connection) -> None:
            links.use_link(connection, secret, "password", now)
            records.set_password(connection, account.account, hashed, now=now)

        await store.write(work)
        self._accounts.sessions.forget(account.account)
        return account

    async def _set_password(self, account: Account, password: str, keep_session: str) -> None:
        text = strong(password, account=account.account, name=account.name)
        hashed, now = await self._accounts.hashing.hash(text), self._accounts.clock()
        await self._accounts.store.write(
            lambda connection: records.set_password(
                connection, account.account, hashed, now=now, keep_session=keep_session
            )
        )
        self._accounts.sessions.forget(account.account)

    async def _changed(self, signed_in: SignedIn, fresh: tuple[str, ...]) -> Changed:
        return Changed(await self._accounts.rotated(signed_in), fresh)

    def _pending(self, signed_in: SignedIn, pending: str) -> str:
        try:
            sealed = bytes.fromhex(pending[:_MOST_PENDING_CHARACTERS])
            opened = self._accounts.sealing.unseal(sealed, _PENDING_PURPOSE, signed_in.session.id)
            found = msgspec.json.decode(opened, type=_Pending)
        except (ValueError, SealBroken, msgspec.MsgspecError):
            raise _too_late() from None
        if self._accounts.clock() >= found.until:
            raise _too_late()
        return found.secret


def _first_codes(connection: sa.Connection, account: str) -> tuple[str, ...]:
    """Recovery codes for who has none yet: with the first factor."""
    if records.find(connection, account).recovery_codes:
        return ()
    fresh = tuple(codes.new_recovery_codes())
    factors.set_recovery_codes(connection, account, fresh)
    return fresh


def _too_late() -> AccountError:
    return AccountError("set_up_again", "this took too long", mend="begin again", status=409)
