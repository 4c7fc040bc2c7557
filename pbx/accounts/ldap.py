"""Signing in with a name and a password that an LDAP directory knows: find the person, then bind as them.

    name, password ──> search by our own bind ──> one DN ──> bind as that DN with the password ──> who it is

What somebody types is escaped before it is in a filter (RFC 4515 section 3). An empty password never gets
there: a bind without one is anonymous and succeeds for everybody (RFC 4513 section 5.1.2). Referrals aren't
followed. A directory that is away signs nobody in, and holds up nobody whose password is known here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import ssl
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

import sqlalchemy as sa

from pbx.accounts import records
from pbx.accounts.account import Account, AccountError
from pbx.accounts.admission import Identity, admitted
from pbx.accounts.elsewhere import Ldap
from pbx.accounts.open_sessions import Store
from pbx.settings.values import SecretMissing

log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 4
ANSWER_SECONDS: Final = 4  # for each answer; ldap3 takes whole ones
AT_ONCE: Final = 2
MOST_WAITING: Final = 20
MOST_TYPED: Final = 200
MOST_GROUPS: Final = 2000

_NAMED_BY: Final = re.compile(r"\(([A-Za-z][A-Za-z0-9-]*)=\{name\}\)")


class LdapAway(Exception):
    """The directory can't be asked; the text says why, without secrets."""


class Directory:
    """One directory, asked in threads. environment: where secrets may be."""

    def __init__(self, settings: Ldap, environment: Mapping[str, str] = os.environ) -> None:
        with warnings.catch_warnings():
            # ldap3 2.9 asks pyasn1 for names that have newer ones there.
            warnings.simplefilter("ignore", DeprecationWarning)
            import ldap3
        self._ldap3 = ldap3
        self._settings = settings
        self._environment = environment
        found = _NAMED_BY.search(settings.filter)
        self._named_by = found[1] if found else ""

    def identities(self, typed: str, password: str) -> Sequence[Identity]:
        """Return who has this name and this password: one, or nobody. It waits for the network.

        Raises LdapAway.
        """
        if (
            not password
            or "\0" in password
            or not 0 < len(typed) <= MOST_TYPED
            or not _is_text(typed + password)
        ):
            return []
        from ldap3.core.exceptions import LDAPException

        try:
            found = self._found(typed)
            if not found or not self._binds(found[0], password):
                return []
        except (LDAPException, OSError, SecretMissing) as error:
            raise LdapAway(f"{self._settings.url}: {error}"[:300]) from None
        _, attributes = found
        groups = _values(attributes, self._settings.groups_attribute)[:MOST_GROUPS]
        account = _first(_values(attributes, self._named_by), typed) if self._named_by else typed
        name = _first(_values(attributes, self._settings.name_attribute), "")
        return [Identity(account=account, name=name or account, groups=frozenset(groups))]

    def _found(self, typed: str) -> tuple[str, Mapping[str, Any]] | None:
        """Return the DN and the attributes of the one person of this name; None for none, or for several."""
        from ldap3.utils.conv import escape_filter_chars

        settings = self._settings
        secret = settings.bind_password.read(self._environment) if settings.bind_password is not None else ""
        connection = self._connection(settings.bind_dn, secret)
        try:
            if not connection.bind():
                raise LdapAway(f"{settings.url}: our own bind is refused: {connection.result['description']}")
            wanted = {settings.name_attribute, settings.groups_attribute, self._named_by} - {""}
            connection.search(
                settings.base,
                settings.filter.replace("{name}", escape_filter_chars(typed)),
                attributes=sorted(wanted),
                size_limit=2,
                time_limit=ANSWER_SECONDS,
            )
            people = [one for one in connection.response or [] if one["type"] == "searchResEntry"]
        finally:
            _close(connection)
        if len(people) != 1 or not people[0]["dn"]:
            return None
        return str(people[0]["dn"]), people[0]["attributes"]

    def _binds(self, dn: str, password: str) -> bool:
        connection = self._connection(dn, password)
        try:
            return bool(connection.bind())
        finally:
            _close(connection)

    def _connection(self, dn: str, password: str) -> Any:
        """A connection that is open and, but for loopback, encrypted; nobody is bound yet."""
        ldap3, settings = self._ldap3, self._settings
        place = settings.place
        encrypted = place.scheme == "ldaps" or settings.start_tls
        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED) if encrypted else None
        if tls is not None:
            # Its own way to compare names with certificates is one that Python has given up.
            tls.wrap_socket = self._encrypt
        server = ldap3.Server(
            place.hostname,
            port=place.port or (636 if place.scheme == "ldaps" else 389),
            use_ssl=place.scheme == "ldaps",
            tls=tls,
            get_info=ldap3.NONE,
            connect_timeout=CONNECT_SECONDS,
            allowed_referral_hosts=[],
        )
        simple = (dn, password, ldap3.SIMPLE) if dn else (None, None, ldap3.ANONYMOUS)
        connection = ldap3.Connection(
            server,
            user=simple[0],
            password=simple[1],
            authentication=simple[2],
            read_only=True,
            auto_referrals=False,
            receive_timeout=ANSWER_SECONDS,
            check_names=False,
        )
        try:
            connection.open()
            if settings.start_tls and not connection.start_tls():
                raise LdapAway(f"{settings.url}: refuses StartTLS")
        except BaseException:
            _close(connection)
            raise
        return connection

    def _encrypt(self, connection: Any, do_handshake: bool = True) -> None:
        """Take ldap3's place in TLS: as Python does by default, with the server's name compared."""
        context = ssl.create_default_context(cafile=self._settings.ca_file)
        name = self._settings.place.hostname
        connection.socket = context.wrap_socket(connection.socket, server_hostname=name)


class DirectorySignIn:
    """The accounts that a directory knows, for pbx.accounts.signing_in. clock: Unix seconds."""

    def __init__(
        self, settings: Ldap, directory: Directory, store: Store, clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._store = store
        self._clock = clock
        self._threads = ThreadPoolExecutor(AT_ONCE, "ldap")
        self._waiting = 0

    async def accounts(self, typed: str, password: str) -> Sequence[Account]:
        """Return the account of who has this name and password there, or none. Raises AccountError."""
        if await self._store.read(lambda connection: _signs_in_here(connection, typed)):
            return []  # a password that was mistyped here is nobody else's business
        if self._waiting >= MOST_WAITING:
            raise AccountError("busy", "too many are signing in at once", status=503, wait=2)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(
                self._threads, self._directory.identities, typed.strip(), password
            )
        except LdapAway as error:
            log.warning("ldap: %s", error)
            return []
        finally:
            self._waiting -= 1
        return (
            [await self._store.write(lambda connection: self._admitted(connection, found[0]))]
            if found
            else []
        )

    def close(self) -> None:
        """Wait for what is asked."""
        self._threads.shutdown()

    def _admitted(self, connection: sa.Connection, identity: Identity) -> Account:
        settings = self._settings
        return admitted(
            connection, identity, "ldap", settings.roles, create=settings.create, now=self._clock()
        )


def _close(connection: Any) -> None:
    """Say goodbye where there is somebody to say it to. ldap3 leaves a socket open whose TLS has failed."""
    from ldap3.core.exceptions import LDAPException

    opened = connection.socket
    with suppress(LDAPException, OSError):
        connection.unbind()
    if opened is not None:
        opened.close()


def _signs_in_here(connection: sa.Connection, typed: str) -> bool:
    found = records.matching(connection, typed)
    return any(account.source != "ldap" and account.has_password for account in found)


def _values(attributes: Mapping[str, Any], name: str) -> list[str]:
    """Return the values of an attribute, whose name a server may write otherwise (RFC 4512 section 2.5)."""
    for key, value in attributes.items():
        if key.casefold() == name.casefold():
            listed = value if isinstance(value, list) else [value]
            return [text for one in listed if (text := _text(one))]
    return []


def _is_text(typed: str) -> bool:
    """Whether it has a UTF-8: a hostile JSON may hold half a character."""
    return not any("\ud800" <= character <= "\udfff" for character in typed)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else ""


def _first(values: Sequence[str], otherwise: str) -> str:
    return values[0] if values else otherwise
