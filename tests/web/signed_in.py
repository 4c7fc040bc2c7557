"""The application with an account of each role, whose sessions and tokens are real; nobody has a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from httpx2 import Response
from starlette.testclient import TestClient

from pbx.accounts import records, sessions, tokens
from pbx.accounts.rights import ROLES, Role
from pbx.accounts.sessions import SecondFactor
from pbx.accounts.tokens import Wanted
from pbx.store.database import Database, open_database
from pbx.store.revision import upgrade
from pbx.web.application import application
from tests.web.office import NOW, Office, office

MONTH = 30 * 86_400.0
EXTENSIONS: dict[Role, str] = {"agent": "1001", "operator": "1002", "supervisor": "2010", "listener": "2301"}


class TownHall:
    """A node, and whoever calls on it. client: an HTTP client that holds no cookie of anybody."""

    def __init__(self, node: Office, client: TestClient) -> None:
        self.node = node
        self.client = client
        self._sessions: dict[str, str] = {}

    @property
    def database(self) -> Database:
        """The node's database, opened anew: the caller closes it."""
        return open_database(self.node.configuration.database)

    def session(self, role: Role) -> str:
        """Sign the account of a role in; returns what its cookie holds."""
        self._sessions[role] = token = self.begun(role, "done")
        return token

    def begun(self, role: Role, second_factor: SecondFactor) -> str:
        """Begin a session of the account of a role that has come so far; returns what its cookie holds."""
        token, now = sessions.new_token(), self.node.now
        with closing(self.database) as database:
            account = database.read(lambda connection: records.find(connection, role))
            session = sessions.new_session(account, "password", second_factor, now, "127.0.0.1", "Test")
            database.write(lambda connection: sessions.begin(connection, token, session))
        return token

    def token(self, role: Role, *scopes: str) -> str:
        """Make a token of the account of a role; returns what to sign in with."""
        wanted = Wanted("test", self.node.now + MONTH, scopes)
        with closing(self.database) as database:
            return database.write(lambda connection: tokens.add(connection, role, wanted, self.node.now))[1]

    def ask(self, role: Role, method: str, url: str, **request: Any) -> Response:
        """Ask in a session of this role, as a page of ours would; another one where it has ended."""
        token = self._sessions.get(role) or self.session(role)
        answer = self.by_cookie(token, method, url, **request)
        if answer.status_code == 401 and answer.json()["code"] == "not_signed_in":
            answer = self.by_cookie(self.session(role), method, url, **request)
        return answer

    def by_cookie(self, token: str, method: str, url: str, **request: Any) -> Response:
        """Ask with this cookie, and the session's CSRF token."""
        headers = {"Cookie": f"beffroi={token}", "X-CSRF-Token": sessions.csrf_of(token)}
        return self.client.request(method, url, headers={**headers, **request.pop("headers", {})}, **request)

    def by_token(self, token: str, method: str, url: str, **request: Any) -> Response:
        """Ask as a program."""
        headers = {"Authorization": f"Bearer {token}", **request.pop("headers", {})}
        return self.client.request(method, url, headers=headers, **request)


@contextmanager
def town_hall(folder: Path) -> Iterator[TownHall]:
    """A node in this folder, with an account of each role that is called as the role."""
    node = office(folder)
    node.accounts.by_token = node.bearers.actor
    with closing(open_database(node.configuration.database)) as database:
        upgrade(database)
        for role in ROLES:
            database.write(partial(_add, role=role))
    with TestClient(
        application(node),
        base_url="http://localhost",
        client=("127.0.0.1", 50000),
        follow_redirects=False,
        raise_server_exceptions=False,
    ) as client:
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # keeps none
        yield TownHall(node, client)


def _add(connection: sa.Connection, role: Role) -> None:
    records.add(connection, role, role, now=NOW, roles=[role], extension=EXTENSIONS.get(role, ""))
