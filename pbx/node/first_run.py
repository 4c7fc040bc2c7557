"""The first run of a node: five questions, and a town is there, with somebody who may administer it.

    provisional()  a configuration to serve the page with, before there is one
    check()        what is wrong with the answers to one question
    install()      plan, configuration, first administrator with a telephone: all of it, or nothing

The answers are written by `pbx.node.installation`, as those of `beffroi init`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from dialplan.ranges import parse_range
from pbx.accounts import links, records
from pbx.accounts.account import AccountError, shown_name, sign_in_name
from pbx.accounts.passwords import strong
from pbx.configuration import Configuration, load_configuration, parse_configuration
from pbx.node.installation import (
    ECHO_NUMBER,
    SIP_PORT,
    Answers,
    InstallationError,
    objections,
    read_answer,
    write,
)
from pbx.node.sealing import Sealing
from pbx.people.credentials import issue
from pbx.people.directory import PeopleError, Person
from pbx.settings.values import Listen
from pbx.store.database import Database
from pbx.store.people import add_person
from sip.net.addresses import local_address_toward

ORIGINS = "first-run.json"
"""In the provisional data_dir: where the page is heard, for `beffroi first-run`."""

# The domain is the one that will be written: the certificate that a browser was shown stays the same.
_NOTHING_HEARD = f"data_dir: ./data\ndomain: {Answers().domain}\nsip: {{udp: [], tcp: [], tls: [], ws: []}}\n"
_CLASS = "national"
_MOST_EXTENSIONS = 10_000

QUESTIONS: dict[str, tuple[str, ...]] = {
    "town": ("organization", "country"),
    "address": ("site", "street", "postcode", "city"),
    "line": ("operator", "main_number"),
    "numbers": ("first", "last"),
    "administrator": ("name", "account", "password"),
}
"""Each question, and the answers that it asks for."""


class WrongAnswer(Exception):
    """An answer can't be taken. where: which one, code: a word for the pages; the message says why."""

    def __init__(self, where: str, code: str, message: str) -> None:
        super().__init__(message)
        self.where = where
        self.code = code


@dataclass(frozen=True, slots=True)
class Given:
    """The answers as they were typed."""

    organization: str = ""
    country: str = "FR"
    site: str = ""
    street: str = ""
    postcode: str = ""
    city: str = ""
    operator: str = ""
    main_number: str = ""
    first: str = "2000"
    last: str = "2199"
    name: str = ""
    account: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True)
class Installed:
    """What was made. server: where a telephone registers; password: of the first one, shown once."""

    configuration: Configuration
    account: str
    server: str
    sign_in: str
    password: str
    echo: str = ECHO_NUMBER


def provisional(path: Path, web: str = "") -> Configuration:
    """Return what serves the page of the first run. path: of the configuration to be; web: address and port.

    Raises PlanError for an address that can't be.
    """
    written = f"web: {json.dumps(web)}\n" if web else ""
    return parse_configuration(_NOTHING_HEARD + written, path)


def new_link(database: Database, now: float) -> str:
    """Return the secret of a link to the page, for an hour; an earlier one works no longer."""
    return database.write(
        lambda connection: links.make_link(connection, "first-run", "", now + links.FIRST_RUN_SECONDS)
    )


def origins(configuration: Configuration) -> list[str]:
    """Return where a browser finds the page: `https://192.0.2.1:8080`, `http://127.0.0.1:8080`."""
    found = []
    for listen in configuration.web.listen:
        scheme = "https" if configuration.web.is_tls(listen) else "http"
        found.append(f"{scheme}://{Listen(_reached(listen), listen.port)}")
    return found


def check(question: str, given: Given, now: datetime) -> None:
    """Raise WrongAnswer for the first answer to this question that can't be taken."""
    for field in QUESTIONS[question]:
        _check_one(field, given)
    if question == "numbers":
        _check_numbers(given)
    if question != "administrator":
        for finding in objections(_answers(_until(question, given), "", ""), now):
            raise WrongAnswer(QUESTIONS[question][0], "refused", finding.message)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a town is made. folder: of the configuration. listen, web: addresses of SIP and of the pages that
    whoever started the node chose, "" for the usual ones."""

    folder: Path
    database: Database
    sealing: Sealing
    listen: str = ""
    web: str = ""


def install(place: Place, given: Given, password_hash: str, now: float) -> Installed:
    """Write plan and configuration, and add the first administrator and their telephone.

    password_hash: of the administrator. Raises InstallationError, with nothing left of it, and WrongAnswer.
    """
    answers = _answers(given, place.listen, place.web)
    files = write(place.folder, answers)
    try:
        configuration = load_configuration(files[0])
        issued = issue(place.sealing, answers.first, configuration.domain)
        person = Person(answers.first, shown_name(given.name), _CLASS, devices=[issued.device])

        def work(connection: sa.Connection) -> str:
            add_person(connection, person, {answers.first: issued.sealed})
            made = records.add(
                connection,
                given.account,
                given.name,
                now=now,
                roles=["administrator"],
                extension=answers.first,
                language="fr" if answers.country == "FR" else "en",
                password_hash=password_hash,
            )
            return made.account

        account = place.database.write(work, durable=True)
    except BaseException as error:
        for file in files:
            with contextlib.suppress(OSError):
                file.unlink()
        if isinstance(error, AccountError | PeopleError):
            raise InstallationError(str(error)) from None
        raise
    return Installed(configuration, account, _server(configuration), answers.first, issued.password)


def _until(question: str, given: Given) -> Given:
    """The answers up to this question: what is asked later has its usual one."""
    asked = list(QUESTIONS)[: list(QUESTIONS).index(question) + 1]
    return Given(**{field: getattr(given, field) for one in asked for field in QUESTIONS[one]})


def _check_one(field: str, given: Given) -> None:
    text = getattr(given, field)
    match field:
        case "name" | "account" | "password":
            _check_administrator(field, given)
        case "organization" | "site" | "city" | "street" if not text.strip():
            raise WrongAnswer(field, "empty", "this can't be empty")
        case "first" | "last":
            if not (text.isascii() and text.isdigit() and len(text) <= 15):
                raise WrongAnswer(field, "wrong_extension", "an extension is 1 to 15 digits")
        case _:
            try:
                read_answer(field, text, given.country)
            except InstallationError as error:
                raise WrongAnswer(field, f"wrong_{field}", str(error)) from None


def _check_numbers(given: Given) -> None:
    try:
        numbers = parse_range(f"{given.first}..{given.last}")
    except ValueError as error:
        raise WrongAnswer("last", "wrong_range", str(error)) from None
    if len(numbers) > _MOST_EXTENSIONS:
        raise WrongAnswer("last", "wrong_range", f"at most {_MOST_EXTENSIONS} extensions to begin with")


def _check_administrator(field: str, given: Given) -> None:
    try:
        match field:
            case "name":
                shown_name(given.name)
            case "account":
                if sign_in_name(given.account).isdigit():
                    detail = "a sign-in name has a letter: digits alone are an extension"
                    raise AccountError("wrong_account", detail, where="account")
            case _:
                strong(given.password, account=given.account, name=given.name)
    except AccountError as error:
        raise WrongAnswer(field, error.code, str(error)) from None


def _answers(given: Given, listen: str, web: str) -> Answers:
    """The answers as they are written down. Raises WrongAnswer."""
    answers = Answers(internal=f"{given.first}..{given.last}", first_extension=given.first)
    asked: Mapping[str, str] = {
        "country": given.country,
        "organization": given.organization or answers.organization,
        "site": given.site or answers.site,
        "street": given.street,
        "postcode": given.postcode,
        "city": given.city,
        "operator": given.operator,
        "main_number": given.main_number,
        "listen": listen or answers.listen,
        "web": web,
    }
    for name, text in asked.items():
        try:
            answers = replace(answers, **{name: read_answer(name, text, answers.country)})
        except InstallationError as error:
            raise WrongAnswer(name, f"wrong_{name}", str(error)) from None
    return answers


def _server(configuration: Configuration) -> str:
    """The address that a telephone registers with, its port where that isn't SIP's own."""
    listen = configuration.sip.udp[0]
    return _reached(listen) if listen.port == SIP_PORT else str(Listen(_reached(listen), listen.port))


def _reached(listen: Listen) -> str:
    """The address of this machine that others reach a listener at."""
    return local_address_toward((listen.host, 0), ("2001:db8::1" if ":" in listen.host else "192.0.2.1", 9))[
        0
    ]


def given_of(told: Mapping[str, str]) -> Given:
    """Return the answers that somebody has told; what they left out is what it is by itself."""
    known = {field.name for field in fields(Given)}
    return Given(
        **{name: text.strip() if name != "password" else text for name, text in told.items() if name in known}
    )


def instant(now: float) -> datetime:
    """Return Unix seconds as the moment that checks are made at."""
    return datetime.fromtimestamp(now, UTC)
