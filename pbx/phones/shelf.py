"""What is known of each desk telephone, in the database: what it is, how it proves itself, whose it is.

A telephone is named by its MAC address; a program such as Linphone, which has none, by a name made when it
was invited. Functions of a Connection, as everywhere in the store.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Final, Literal

import msgspec
import sqlalchemy as sa

from pbx.store.schema import phone_fetches, phone_lines, phones
from provisioning.enrolment import Enrolled, Stage, hashed

SECRET_BYTES: Final = 20
MOST_WAITING: Final = 500
"""Telephones that nobody has adopted: the ones seen last are kept."""
MOST_WAITING_AT: Final = 50
"""Of those, at one address: whoever says one name after the other pushes out nobody but itself."""
MOST_FETCHES: Final = 50_000
SEEN_SECONDS: Final = 3_600.0
"""How long it counts where a telephone was, when it is to be approved."""

Outcome = Literal["served", "pointer", "isolated", "refused"]


class PhoneUnknown(Exception):
    """No telephone of this name is known."""


class Phone(msgspec.Struct, frozen=True, kw_only=True):
    """One telephone. name: its MAC address, or that of a program; brand: a folder of `provisioning.brands`.

    stage: see `provisioning.enrolment`. label: what people call it. site: "" for its person's. own_settings:
    IT's, by the maker's names. keys: its own, in place of those of the plan; () for those. version: of its
    firmware, as it said last. rotates: it gets another secret the next time.
    """

    name: str
    brand: str
    model: str
    version: str = ""
    stage: Stage = "waiting"
    label: str = ""
    site: str = ""
    old_tls: bool = False
    first_seen_at: float = 0.0
    last_seen_at: float = 0.0
    address: str = ""
    approved_at: float = 0.0
    token_at: float = 0.0
    token_used: bool = False
    rotates: bool = False
    own_settings: dict[str, str] = {}
    keys: tuple[tuple[str, str, str], ...] = ()
    lines: tuple[str, ...] = ()
    """Sign-ins of its accounts, in the order of its lines."""


class PhoneFetch(msgspec.Struct, frozen=True):
    """A request for a file. reason: of a refusal, "" else."""

    at: float
    name: str
    address: str
    transport: str
    path: str
    outcome: Outcome
    reason: str = ""


def list_phones(connection: sa.Connection) -> list[Phone]:
    """Return all telephones, by name."""
    lines = _lines(connection)
    rows = connection.execute(sa.select(phones).order_by(phones.c.name))
    return [_phone(row, lines.get(row.name, ())) for row in rows]


def find_phone(connection: sa.Connection, name: str) -> Phone:
    """Return one. Raises PhoneUnknown."""
    row = connection.execute(sa.select(phones).where(phones.c.name == name)).first()
    if row is None:
        raise PhoneUnknown(f'no telephone "{name[:40]}" is known')
    return _phone(row, _lines(connection, name).get(name, ()))


def phone_of_line(connection: sa.Connection, sign_in: str) -> str:
    """Return the name of the telephone that a device signs in on, "" for none."""
    found = connection.execute(sa.select(phone_lines.c.phone).where(phone_lines.c.sign_in == sign_in))
    return str(found.scalar() or "")


def enrolled(connection: sa.Connection, name: str) -> Enrolled | None:
    """Return what its proofs are held against; None for one that isn't known."""
    row = connection.execute(sa.select(phones).where(phones.c.name == name)).first()
    if row is None:
        return None
    return Enrolled(
        row.name,
        row.stage,
        secret=row.secret_hash,
        former_secret=row.former_secret_hash,
        token=row.token_hash,
        token_at=row.token_at,
        token_used=row.token_used,
        address=row.address,
        approved_at=row.approved_at,
        old_tls=row.old_tls,
    )


def name_by_secret(connection: sa.Connection, secret: str) -> str:
    """Return whose secret this is, "" for nobody's."""
    digest = hashed(secret)
    found = connection.execute(
        sa.select(phones.c.name).where(
            (phones.c.secret_hash == digest) | (phones.c.former_secret_hash == digest)
        )
    )
    return str(found.scalar() or "")


def name_by_token(connection: sa.Connection, token: str) -> str:
    """Return who was invited by this token, "" for nobody."""
    found = connection.execute(sa.select(phones.c.name).where(phones.c.token_hash == hashed(token)))
    return str(found.scalar() or "")


def put_phone(connection: sa.Connection, phone: Phone) -> None:
    """Keep a telephone as given, lines included; what proves it stays as it is."""
    fields = _fields(phone)
    if connection.execute(sa.select(phones.c.name).where(phones.c.name == phone.name)).first() is None:
        connection.execute(sa.insert(phones), [{**fields, **_NO_PROOFS}])
    else:
        connection.execute(sa.update(phones).where(phones.c.name == phone.name).values(fields))
    connection.execute(sa.delete(phone_lines).where(phone_lines.c.phone == phone.name))
    rows = [
        {"phone": phone.name, "position": position, "sign_in": sign_in}
        for position, sign_in in enumerate(phone.lines)
    ]
    if rows:
        connection.execute(sa.delete(phone_lines).where(phone_lines.c.sign_in.in_(phone.lines)))
        connection.execute(sa.insert(phone_lines), rows)


def remove_phone(connection: sa.Connection, name: str) -> None:
    """Forget one. Raises PhoneUnknown."""
    find_phone(connection, name)
    connection.execute(sa.delete(phone_lines).where(phone_lines.c.phone == name))
    connection.execute(sa.delete(phones).where(phones.c.name == name))


def see(connection: sa.Connection, phone: Phone, now: float) -> None:
    """Write down that a telephone was seen, and make it known as waiting where it wasn't."""
    seen = {"last_seen_at": now, "address": phone.address}
    if phone.version:
        seen["version"] = phone.version
    changed = connection.execute(
        sa.update(phones).where((phones.c.name == phone.name) & (phones.c.stage != "approved")).values(seen)
    )
    if (
        changed.rowcount
        or connection.execute(sa.select(phones.c.name).where(phones.c.name == phone.name)).first()
    ):
        return
    put_phone(connection, msgspec.structs.replace(phone, first_seen_at=now, last_seen_at=now))
    # One that somebody entered beforehand was never seen first, and isn't among those pushed out.
    nobodys = (phones.c.stage == "waiting") & (phones.c.token_hash == "") & (phones.c.first_seen_at > 0.0)
    waiting = sa.select(phones.c.name).where(nobodys)
    waiting = waiting.order_by(phones.c.last_seen_at.desc())
    here = waiting.where(phones.c.address == phone.address)
    for oldest in (here.offset(MOST_WAITING_AT), waiting.offset(MOST_WAITING)):
        for name in list(connection.execute(oldest).scalars()):
            remove_phone(connection, name)


def invite(connection: sa.Connection, name: str, now: float) -> str:
    """Give a telephone a token that works once, in place of one before; return it. Raises PhoneUnknown."""
    find_phone(connection, name)
    token = secrets.token_urlsafe(SECRET_BYTES)
    values = {"token_hash": hashed(token), "token_at": now, "token_used": False}
    connection.execute(sa.update(phones).where(phones.c.name == name).values(values))
    return token


def seen_at(connection: sa.Connection, name: str, now: float) -> list[str]:
    """Return the addresses from which a telephone asked lately: of several, all but one may be impostors."""
    lately = (phone_fetches.c.name == name) & (phone_fetches.c.at > now - SEEN_SECONDS)
    found = connection.execute(sa.select(phone_fetches.c.address).where(lately).distinct())
    return sorted(found.scalars())


def approve(connection: sa.Connection, name: str, address: str, now: float) -> None:
    """Take a telephone that waits, at the address where it was seen. Raises PhoneUnknown."""
    find_phone(connection, name)
    values = {"stage": "approved", "approved_at": now, "address": address}
    connection.execute(sa.update(phones).where(phones.c.name == name).values(values))


def enrol(connection: sa.Connection, name: str, *, by_token: bool) -> str:
    """Give a telephone that has proved itself a secret of its own; return it. Nothing before works any more.

    Raises PhoneUnknown: it was removed, or another request used its token, a moment ago.
    """
    secret = secrets.token_urlsafe(SECRET_BYTES)
    values = {
        "stage": "enrolled",
        "secret_hash": hashed(secret),
        "former_secret_hash": "",
        "approved_at": 0.0,
        "token_used": True,
    }
    whom = (phones.c.name == name) & (phones.c.stage != "blocked")
    if by_token:
        whom &= phones.c.token_used.is_(False)
    if not connection.execute(sa.update(phones).where(whom).values(values)).rowcount:
        raise PhoneUnknown(f"{name} has proved itself already, or is gone")
    return secret


def want_rotation(connection: sa.Connection, name: str) -> None:
    """Give it another secret the next time that it fetches. Raises PhoneUnknown for one that isn't
    enrolled.
    """
    whom = (phones.c.name == name) & (phones.c.stage == "enrolled")
    if not connection.execute(sa.update(phones).where(whom).values(rotates=True)).rowcount:
        raise PhoneUnknown(f"{name} isn't enrolled")


def rotate(connection: sa.Connection, name: str, shown: str) -> str:
    """Give an enrolled telephone another secret; return it. `shown` works until the new one is used.

    Raises PhoneUnknown for one that isn't enrolled.
    """
    secret = secrets.token_urlsafe(SECRET_BYTES)
    values = {"former_secret_hash": hashed(shown), "secret_hash": hashed(secret), "rotates": False}
    whom = (phones.c.name == name) & (phones.c.stage == "enrolled")
    if not connection.execute(sa.update(phones).where(whom).values(values)).rowcount:
        raise PhoneUnknown(f"{name} isn't enrolled")
    return secret


def secret_used(connection: sa.Connection, name: str) -> None:
    """The last secret was used: the one before works no more."""
    whom = (phones.c.name == name) & (phones.c.former_secret_hash != "")
    connection.execute(sa.update(phones).where(whom).values(former_secret_hash=""))


def block(connection: sa.Connection, name: str) -> tuple[str, ...]:
    """Hand out nothing to a lost telephone any more; return its lines' sign-ins. Raises PhoneUnknown."""
    phone = find_phone(connection, name)
    values = {"stage": "blocked", **_NO_PROOFS}
    connection.execute(sa.update(phones).where(phones.c.name == name).values(values))
    return phone.lines


def journal(connection: sa.Connection, fetches: Iterable[PhoneFetch]) -> None:
    """Write down who asked for what, and forget what is oldest beyond MOST_FETCHES."""
    rows = [msgspec.to_builtins(fetch) for fetch in fetches]
    if not rows:
        return
    connection.execute(sa.insert(phone_fetches), rows)
    newest = connection.execute(sa.select(sa.func.max(phone_fetches.c.id))).scalar() or 0
    connection.execute(sa.delete(phone_fetches).where(phone_fetches.c.id <= newest - MOST_FETCHES))


def list_fetches(connection: sa.Connection, name: str = "", most: int = 100) -> list[PhoneFetch]:
    """Return the last requests, newest first; of one telephone, or of all."""
    wanted = sa.select(phone_fetches).order_by(phone_fetches.c.id.desc()).limit(most)
    if name:
        wanted = wanted.where(phone_fetches.c.name == name)
    return [
        PhoneFetch(row.at, row.name, row.address, row.transport, row.path, row.outcome, row.reason)
        for row in connection.execute(wanted)
    ]


def last_refusals(connection: sa.Connection) -> dict[str, str]:
    """Return why each telephone that waits was refused last, by name."""
    waiting = sa.select(phones.c.name).where(phones.c.stage == "waiting")
    newest = (
        sa.select(sa.func.max(phone_fetches.c.id))
        .where(phone_fetches.c.name.in_(waiting) & (phone_fetches.c.outcome == "refused"))
        .group_by(phone_fetches.c.name)
    )
    wanted = sa.select(phone_fetches.c.name, phone_fetches.c.reason).where(phone_fetches.c.id.in_(newest))
    return {row.name: row.reason for row in connection.execute(wanted)}


_NO_PROOFS: Final = {
    "secret_hash": "",
    "former_secret_hash": "",
    "token_hash": "",
    "token_at": 0.0,
    "token_used": False,
    "approved_at": 0.0,
    "rotates": False,
}


def _lines(connection: sa.Connection, name: str = "") -> dict[str, tuple[str, ...]]:
    wanted = sa.select(phone_lines).order_by(phone_lines.c.phone, phone_lines.c.position)
    if name:
        wanted = wanted.where(phone_lines.c.phone == name)
    found: dict[str, tuple[str, ...]] = {}
    for row in connection.execute(wanted):
        found[row.phone] = (*found.get(row.phone, ()), row.sign_in)
    return found


def _fields(phone: Phone) -> dict[str, object]:
    return {
        "name": phone.name,
        "brand": phone.brand,
        "model": phone.model,
        "version": phone.version,
        "stage": phone.stage,
        "label": phone.label,
        "site": phone.site,
        "old_tls": phone.old_tls,
        "first_seen_at": phone.first_seen_at,
        "last_seen_at": phone.last_seen_at,
        "address": phone.address,
        "own_settings": msgspec.json.encode(phone.own_settings).decode(),
        "keys": msgspec.json.encode(phone.keys).decode(),
    }


def _phone(row: sa.Row[tuple[object, ...]], lines: tuple[str, ...]) -> Phone:
    fields = row._mapping
    return Phone(
        name=fields["name"],
        brand=fields["brand"],
        model=fields["model"],
        version=fields["version"],
        stage=fields["stage"],
        label=fields["label"],
        site=fields["site"],
        old_tls=fields["old_tls"],
        first_seen_at=fields["first_seen_at"],
        last_seen_at=fields["last_seen_at"],
        address=fields["address"],
        approved_at=fields["approved_at"],
        token_at=fields["token_at"],
        token_used=fields["token_used"],
        rotates=fields["rotates"],
        own_settings=msgspec.json.decode(fields["own_settings"], type=dict[str, str]),
        keys=msgspec.json.decode(fields["keys"], type=tuple[tuple[str, str, str], ...]),
        lines=lines,
    )
