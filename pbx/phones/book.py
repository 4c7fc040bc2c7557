"""The directory that telephones see, of the plan with its people: who is in it, and who may see what.

A telephone sees what its person sees on the pages: everybody's name and numbers, and mobile numbers where
that person's rights show them. It says who it is by a password of its own, made from the node's key and the
hash of its secret: another secret is another password, and it opens nothing but this directory.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from dialplan.number_formats import written
from dialplan.plan import Person, Plan, Service
from pbx.accounts.rights import Role, rights_of
from pbx.node.sealing import Sealing
from pbx.phones import shelf
from pbx.store.schema import accounts, devices
from provisioning.enrolment import hashed
from provisioning.ldap.book import Book, Listed, Viewer, suffix_of

PASSWORD_PURPOSE: Final = "telephone's directory"
PASSWORD_BYTES: Final = 18


class BookNow:
    """The directory of the plan in force: made again when that is another one. plan: as it is now."""

    def __init__(self, plan: Callable[[], Plan], domain: str) -> None:
        self._plan = plan
        self._domain = domain
        self._of = plan()
        self._book = book_of(self._of, domain)

    def book(self) -> Book:
        """The directory as it was made last."""
        return self._book

    def look(self) -> None:
        """Make it again where the plan or its people have changed."""
        plan = self._plan()
        if plan is not self._of:
            self._of, self._book = plan, book_of(plan, self._domain)


def book_of(plan: Plan, domain: str) -> Book:
    """Return the directory of everybody, and of the services that have a number."""
    people = [_person(plan, person) for person in plan.people.values()]
    services = [_service(plan, service) for service in plan.services.values() if service.number]
    return Book(suffix_of(domain), plan.organization, people + services)


def name_in_directory(name: str, domain: str) -> str:
    """What a telephone binds as."""
    return f"cn={name},ou=phones,{suffix_of(domain)}"


def directory_password(sealing: Sealing, name: str, secret: str) -> str:
    """The password of a telephone that has this secret."""
    return _password(sealing, name, hashed(secret))


def may_look(connection: sa.Connection, sealing: Sealing, name: str, password: str) -> bool:
    """Whether this is the password of a telephone that is enrolled."""
    known = shelf.enrolled(connection, name)
    if known is None or known.stage != "enrolled":
        return False
    right = [_password(sealing, name, one) for one in (known.secret, known.former_secret) if one]
    return any(hmac.compare_digest(one.encode(), password.encode()) for one in right)


def viewer_of(connection: sa.Connection, name: str, user_of: Callable[[str], str]) -> Viewer:
    """Return who looks at a telephone's screen: who uses it now, or whose its first line is.

    user_of: see `pbx.phones.desks`. Raises PhoneUnknown.
    """
    phone = shelf.find_phone(connection, name)
    user = user_of(phone.lines[0]) if phone.lines else ""
    if not user and phone.lines:
        owner = sa.select(devices.c.extension).where(devices.c.sign_in == phone.lines[0])
        user = str(connection.execute(owner).scalar() or "")
    found = sa.select(accounts.c.roles).where((accounts.c.extension == user) & accounts.c.disabled.is_(False))
    roles: list[Role] = (
        [role for row in connection.execute(found) for role in row.roles.split()] if user else []
    )
    return Viewer(user, "calls.read" in rights_of(roles))


def _password(sealing: Sealing, name: str, secret_hash: str) -> str:
    words = f"{name} {secret_hash}".encode()
    digest = hmac.new(sealing.key(PASSWORD_PURPOSE), words, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:PASSWORD_BYTES]).decode("ascii")


def _person(plan: Plan, person: Person) -> Listed:
    direct = plan.tables.callers[person.extension].direct or ""
    mobile = person.mobile or ""
    site = plan.sites.get(person.site or "")
    return Listed(
        person.name,
        (person.extension, *([_dialled(plan, direct)] if direct else [])),
        _dialled(plan, mobile) if mobile else "",
        person.voicemail.email if person.voicemail is not None else "",
        person.groups,
        site.title if site is not None else "",
        also=_forms(plan, direct),
        also_mobile=_forms(plan, mobile),
    )


def _service(plan: Plan, service: Service) -> Listed:
    public = service.public or ""
    numbers = (service.number or "", *([_dialled(plan, public)] if public else []))
    return Listed(service.name, numbers, also=_forms(plan, public), is_service=True)


def _dialled(plan: Plan, number: str) -> str:
    """A number as a telephone here dials it."""
    national = written(number, "national", plan.country)
    return f"{plan.outside_prefix}{national}" if number[:1] == "+" else number


def _forms(plan: Plan, number: str) -> tuple[str, ...]:
    """How a call from a public number may show it."""
    if number[:1] != "+":
        return ()
    return (
        number,
        number[1:],
        written(number, "national", plan.country),
        written(number, "international", plan.country),
    )
