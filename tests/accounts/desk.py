"""Somebody at a desk of the town hall, who signs in over the API as a page does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from pbx.accounts import codes, records
from pbx.accounts.lockout import Lockout
from pbx.accounts.passwords import Hashing
from pbx.store.database import open_database
from pbx.store.revision import upgrade
from pbx.store.schema import accounts, links
from pbx.web.application import application
from tests.web.office import NOW, Office, office

_WHAT = re.compile(r'"what":"([a-z_.]+)"')
PASSWORD = "quatre mots sans rapport"
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # as weak as it gets: tests hash a lot
PEOPLE: dict[str, tuple[str, list[str]]] = {
    "alice": ("1001", ["agent"]),
    "bruno": ("1002", ["operator"]),
    "sophie": ("2010", ["supervisor"]),
    "paul": ("2301", ["listener"]),
    "admin": ("2020", ["administrator"]),
    "farid": ("", ["auditor"]),
}


class Desk:
    """A browser somewhere, and what its page knows of its session."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.csrf = ""

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request as a page does; returns the answer."""
        sent = {"X-CSRF-Token": self.csrf, **{name.replace("_", "-"): text for name, text in headers.items()}}
        return self.client.request(method, f"/api/v1{path}", json=body, headers=sent)

    def follow(self, answer: Any) -> Any:
        """Take over what an answer says of the session; returns its JSON."""
        told = answer.json()
        self.csrf = told.get("session", told).get("csrf", self.csrf)
        return told

    def sign_in(self, account: str, password: str = PASSWORD) -> Any:
        """Give name and password; returns the answer."""
        answer = self.ask("POST", "/session", {"account": account, "password": password})
        if answer.status_code == 200:
            self.follow(answer)
        return answer

    def code(self, code: str) -> Any:
        """Show a second factor; returns the answer."""
        answer = self.ask("POST", "/session/second-factor", {"code": code})
        if answer.status_code == 200:
            self.follow(answer)
        return answer

    def set_up_application(self, now: float) -> tuple[str, list[str]]:
        """Set an application for codes up; returns its secret and the recovery codes."""
        begun = self.ask("POST", "/account/application")
        assert begun.status_code == 200, begun.text
        secret = begun.json()["secret"].replace(" ", "")
        body = {"pending": begun.json()["pending"], "code": code_at(secret, now)}
        told = self.follow(self.ask("PUT", "/account/application", body))
        return secret, told["recovery_codes"]

    @property
    def cookie(self) -> str:
        """What the session's cookie holds, "" without one."""
        return self.client.cookies.get("beffroi") or ""


class TownHall:
    """The application, and desks around it. Time stands still unless `wait` moves it."""

    def __init__(self, folder: Path, web: str) -> None:
        self.node: Office = office(folder, web)
        self.node.accounts.hashing = Hashing(HASHER)
        self.made = application(self.node)
        self._desks: list[TestClient] = []
        self._entered_before = 0
        database = open_database(self.node.configuration.database)
        upgrade(database)
        database.close()

    def begin_anew(self) -> None:
        """Forget whatever a test did: making an application costs more than most tests."""
        self.close()
        self.node.now = NOW
        self.node.accounts.lockout = Lockout()
        self.node.accounts.sessions.forget()
        self.write(self._only_people)
        self._entered_before += len(self.journal())

    def _only_people(self, connection: sa.Connection) -> None:
        connection.execute(sa.delete(accounts))
        connection.execute(sa.delete(links))
        self._add_people(connection)

    def _add_people(self, connection: sa.Connection) -> None:
        kept = HASHER.hash(PASSWORD)
        for account, (extension, roles) in PEOPLE.items():
            records.add(
                connection,
                account,
                account.title(),
                now=self.node.now,
                roles=roles,
                extension=extension,
                password_hash=kept,
            )

    def desk(self, address: str = "192.0.2.7", url: str = "http://localhost") -> Desk:
        """A browser that knows nothing yet, at this address."""
        client = TestClient(self.made, base_url=url, client=(address, 50000))
        self._desks.append(client)
        return Desk(client)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.node.now += seconds

    def write(self, work: Any) -> Any:
        """Change the database as a command does, beside the running node."""
        database = open_database(self.node.configuration.database)
        try:
            return database.write(work)
        finally:
            database.close()

    def journal(self) -> list[str]:
        """What the audit journal says was done, in order."""
        try:
            lines = self.node.configuration.audit_journal.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        found = [match.group(1) for line in lines if (match := _WHAT.search(line))]
        return found[self._entered_before :]

    def close(self) -> None:
        for client in self._desks:
            client.close()
        self._desks.clear()


@contextmanager
def town_hall(folder: Path, web: str = "127.0.0.1:8080") -> Iterator[TownHall]:
    """The application for the length of the block, started and stopped."""
    hall = TownHall(folder, web)
    with TestClient(hall.made, base_url="http://localhost"):
        yield hall
    hall.close()


def code_at(secret: str, now: float) -> str:
    """The code that an application shows at this moment."""
    return codes.totp(secret, int(now // codes.STEP_SECONDS))
