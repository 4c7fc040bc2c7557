"""What a desk telephone is to be: its people, its lines, the plan and the configuration, as templates take
them.

The same facts make the same telephone, so that its files are the same byte for byte until something changes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import ipaddress
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final, get_args
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa

from dialplan.plan import Members, Person, Plan
from pbx.configuration import Configuration
from pbx.node.sealing import Sealing
from pbx.people.directory import PeopleError
from pbx.phones.book import directory_password, name_in_directory
from pbx.phones.keys import Chosen, chosen_keys
from pbx.phones.passwords import next_password, waiting
from pbx.phones.settings import settings_url
from pbx.phones.shelf import Phone
from pbx.settings.values import SecretMissing
from pbx.store.people import find_device, find_person
from provisioning.brand import Brand
from provisioning.ldap.book import suffix_of
from provisioning.telephone import Account, Firmware, Key, KeyKind, Ldap, SipServer, Telephone
from provisioning.zones import zone
from sip.net.addresses import local_address_toward

log = logging.getLogger(__name__)

WEB_PASSWORD_PURPOSE: Final = "telephone's own pages"
USER_PASSWORD_PURPOSE: Final = "telephone's own pages, of its user"
FILE_PASSWORD_PURPOSE: Final = "telephone's encrypted files"
WEB_PASSWORD_CHARS: Final = 16
PARKING_KEYS: Final = 2
MOST_COLLEAGUES: Final = 20
_READ_TOGETHER: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class NotComposed(Exception):
    """A telephone can't be written yet; the message says what is missing."""


class Lines(msgspec.Struct, frozen=True):
    """What the database says of a telephone's lines: accounts, and of the first one's person, site and
    groups.
    """

    accounts: tuple[Account, ...]
    extension: str
    site: str
    groups: tuple[str, ...]
    keys: tuple[Chosen, ...] | None = None
    """That were chosen for the person; None: the plan's."""
    is_borrowed: bool = False
    """Somebody else uses it now: the keys are theirs, not the telephone's own."""
    renewed: bool = False
    """Whether a password among them is in force only once it was fetched (pbx.phones.passwords)."""

    def without_passwords(self) -> Lines:
        """The same, for who may read along."""
        accounts = (dataclasses.replace(account, password="") for account in self.accounts)
        return msgspec.structs.replace(self, accounts=tuple(accounts))


def read_lines(
    connection: sa.Connection,
    sealing: Sealing,
    phone: Phone,
    guest: Callable[[str], Person | None] = lambda _: None,
) -> Lines:
    """Return the accounts of a telephone with their passwords. guest: who uses a device that isn't theirs, by
    its sign-in. Names and keys are theirs then; it signs in, and stands, where it did.

    Raises NotComposed: nobody is assigned, or a password isn't kept.
    """
    if not phone.lines:
        raise NotComposed("nobody is assigned to it")
    accounts = []
    users: list[tuple[str, Sequence[str]]] = []
    try:
        for sign_in in phone.lines:
            device = find_device(connection, sign_in)
            person = guest(sign_in) or find_person(connection, device.extension)
            users.append((person.extension, person.groups))
            password = next_password(connection, sealing, sign_in)
            label = f"{person.extension} {person.name.split()[0]}"
            accounts.append(Account(sign_in, password, person.extension, person.name, label))
    except PeopleError as error:
        raise NotComposed(f"{error}: give the device another password, then it is kept") from error
    first = find_device(connection, phone.lines[0])
    owner = find_person(connection, first.extension)
    site = phone.site or first.site or owner.site or ""
    user, groups = users[0]
    return Lines(
        tuple(accounts),
        user,
        site,
        tuple(groups),
        chosen_keys(connection, user),
        is_borrowed=user != owner.extension,
        renewed=bool(waiting(connection, phone.lines)),
    )


def compose(
    configuration: Configuration,
    plan: Plan,
    brand: Brand,
    phone: Phone,
    lines: Lines,
    *,
    secret: str,
    sealing: Sealing,
    firmware: Firmware | None = None,
    encrypted: bool = False,
) -> Telephone:
    """Return what a telephone is to be. secret: of its addresses; "" for one that gets none.
    encrypted: its files are, before they leave in clear, with `file_password`.

    Raises NotComposed for a model that its brand doesn't know, and a time zone that nobody does.
    """
    said = configuration.provisioning
    base = settings_url(said)
    own = f"{base}s/{secret}/" if secret else plain_url(configuration) if phone.old_tls else base
    model = brand.models.get(phone.model)
    if model is None:
        raise NotComposed(f"{brand.name} has no model {phone.model}")
    person = plan.people.get(lines.extension)
    language = (person.language if person is not None else "") or plan.language
    return Telephone(
        mac=phone.name,
        model=phone.model,
        accounts=lines.accounts,
        server=sip_server(configuration, old_tls=phone.old_tls),
        domain=configuration.domain,
        language=language if language in ("fr", "en") else "en",
        zone=zone(plan.timezone),
        time_server=said.time_server or _own_address(configuration),
        settings_url=own,
        web_password=web_password(sealing, phone.name) if secret or encrypted else "",
        user_password=user_password(sealing, phone.name) if secret or encrypted else "",
        keys=_keys(plan, phone, lines, model.keys),
        voicemail=_code(plan, "voicemail"),
        directory_url=f"{own}directory.xml" if secret else "",
        ldap=_ldap(configuration, phone, secret, sealing) if secret else None,
        authority_url=authority_url(configuration),
        firmware=firmware,
        energy=said.energy.at(lines.site),
        vlan=said.vlan,
        pages_listened=_pages(plan, lines),
        own_settings=tuple(sorted(phone.own_settings.items())),
    )


def sip_server(configuration: Configuration, *, old_tls: bool) -> SipServer:
    """Where telephones register: over TLS with encrypted sound, unless their TLS isn't of today."""
    sip = configuration.sip
    name = urlsplit(settings_url(configuration.provisioning)).hostname or ""
    if sip.tls and not old_tls:
        return SipServer(name, sip.tls[0].port, "tls", srtp=True)
    if sip.udp:
        return SipServer(name, sip.udp[0].port, "udp", srtp=False)
    if sip.tcp:
        return SipServer(name, sip.tcp[0].port, "tcp", srtp=False)
    raise NotComposed("`sip:` of the configuration names no address that telephones could register at")


def web_password(sealing: Sealing, name: str) -> str:
    """The password of a telephone's own pages, made from the node's key: the same each time, kept nowhere."""
    return _password(sealing, WEB_PASSWORD_PURPOSE, name)


def user_password(sealing: Sealing, name: str) -> str:
    """As `web_password`, of the account for people that makers put beside the administrator's."""
    return _password(sealing, USER_PASSWORD_PURPOSE, name)


def file_password(sealing: Sealing, name: str) -> str:
    """As `web_password`: what encrypts the files of a telephone without TLS of today, typed in at it once."""
    return _password(sealing, FILE_PASSWORD_PURPOSE, name)


def plain_url(configuration: Configuration) -> str:
    """Where telephones without TLS of today ask, ending in "/"; that of all others without `http:`."""
    said = configuration.provisioning
    if not said.http:
        return settings_url(said)
    return f"http://{_reached(said.http[0].host)}:{said.http[0].port}/"


def _password(sealing: Sealing, purpose: str, name: str) -> str:
    digest = hmac.new(sealing.key(purpose), name.encode(), hashlib.sha256).digest()
    return "".join(_READ_TOGETHER[octet % len(_READ_TOGETHER)] for octet in digest[:WEB_PASSWORD_CHARS])


def _ldap(configuration: Configuration, phone: Phone, secret: str, sealing: Sealing) -> Ldap | None:
    """Where a telephone looks for names: in the other directory that is configured, or in ours."""
    said, other = configuration.provisioning, configuration.provisioning.directory
    if other is not None:
        try:
            password = other.password.read(os.environ) if other.password is not None else ""
        except SecretMissing as error:
            log.warning("telephones are told of no directory: %s", error)
            return None
        return Ldap(
            other.host,
            other.port,
            other.base,
            other.user,
            password,
            encrypted=other.encrypted,
            filter=other.filter,
        )
    if not said.ldaps:
        return None
    host = urlsplit(settings_url(said)).hostname or ""
    domain = configuration.domain
    name = name_in_directory(phone.name, domain)
    return Ldap(
        host, said.ldaps[0].port, suffix_of(domain), name, directory_password(sealing, phone.name, secret)
    )


def authority_url(configuration: Configuration) -> str:
    """Where the certificate is that telephones are to believe, "" where their maker's list has ours."""
    if configuration.sip.certificates or configuration.web.certificates:
        return ""
    said = configuration.provisioning
    if said.http:
        listen = said.http[0]
        return f"http://{_reached(listen.host)}:{listen.port}/authority.pem"
    return f"{settings_url(said)}authority.pem"


def discovery_url(configuration: Configuration) -> str:
    """Where a telephone out of its box asks first, ending in "/": what DHCP and plug and play tell it.

    Over HTTPS where its maker's list has who vouches for us. It would refuse our own certificate there: where
    HTTP is heard it asks in clear, hears whom to believe and nothing else, and goes on over HTTPS.
    """
    said = configuration.provisioning
    if not said.http or not authority_url(configuration):
        return settings_url(said)
    return f"http://{_reached(said.http[0].host)}:{said.http[0].port}/"


def keys_of_plan(plan: Plan, lines: Lines) -> tuple[Key, ...]:
    """What a telephone's keys are where nobody has chosen: colleagues of its groups, parking,
    announcements.
    """
    groups = frozenset(lines.groups)
    colleagues = sorted(
        (
            Key("lamp", extension, person.name)
            for extension, person in (plan.people.items() if groups else ())
            if not groups.isdisjoint(person.groups) and extension != lines.extension
        ),
        key=lambda key: key.number,
    )
    services = sorted(plan.services.values(), key=lambda service: service.name)
    parking = [
        Key("park", service.numbers.at(place), f"{service.name} {place + 1}")
        for service in services
        if service.type == "park" and service.numbers is not None
        for place in range(min(len(service.numbers), PARKING_KEYS))
    ]
    pages = [
        Key("page", service.number, service.name)
        for service in services
        if service.type == "page" and service.number is not None
    ]
    return (*colleagues[:MOST_COLLEAGUES], *parking, *pages)


def _keys(plan: Plan, phone: Phone, lines: Lines, most: int) -> tuple[Key, ...]:
    """A key for each line, then the telephone's own, its person's or the plan's, as many as the model has."""
    kinds: Mapping[str, KeyKind] = {kind: kind for kind in get_args(KeyKind)}
    chosen = lines.keys if lines.is_borrowed else phone.keys or lines.keys
    own = tuple(Key(kinds[kind], number, label) for kind, number, label in chosen or () if kind in kinds)
    each = tuple(Key("line", "", one.label, place) for place, one in enumerate(lines.accounts, 1))
    return (each + (keys_of_plan(plan, lines) if chosen is None else own))[:most]


def _code(plan: Plan, name: str) -> str:
    return next((str(feature) for feature in plan.features if feature.name == name), "")


def _pages(plan: Plan, lines: Lines) -> tuple[tuple[str, int], ...]:
    """Multicast addresses of the plan's announcements to whoever has this telephone."""
    found = set()
    for service in plan.services.values():
        members, addresses = service.settings.get("members"), service.settings.get("multicast", ())
        if service.type != "page" or not isinstance(members, Members) or not isinstance(addresses, tuple):
            continue
        is_meant = lines.site in members.sites or lines.extension in members.numbers
        if is_meant or set(lines.groups) & set(members.groups):
            for address in addresses:
                host, _, port = str(address).rpartition(":")
                found.add((host.strip("[]"), int(port)))
    return tuple(sorted(found))


def _own_address(configuration: Configuration) -> str:
    said = configuration.provisioning
    return _reached(said.https[0].host)


def _reached(host: str) -> str:
    """An address of ours as others reach it: itself, or that of the default route where it is all of them."""
    if not ipaddress.ip_address(host).is_unspecified:
        return f"[{host}]" if ":" in host else host
    probe = "2001:db8::1" if ":" in host else "192.0.2.1"
    return local_address_toward((host, 0), (probe, 9))[0]
