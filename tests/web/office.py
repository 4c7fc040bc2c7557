"""The application of the web process alone: a node on a folder of its own, whose signalling is a fake.

client.get("/api/v1/calls", headers=as_("operator", "1002"))
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pbx import control
from pbx.accounts.account import AccountError
from pbx.accounts.actor import Actor
from pbx.accounts.rights import rights_of
from pbx.configuration import Configuration, load_configuration
from pbx.plans.in_force import PlanInForce
from pbx.store.database import SqliteDatabase
from pbx.store.revision import upgrade
from pbx.web.node import Node
from pbx.web.problems import Problem

SAMPLE_PLAN = Path(__file__).parents[2] / "examples" / "valmont.yaml"
NOW = 1_795_371_300.0


class Office(Node):
    """A node whose signalling answers what a test has put into `answers`, and remembers what it was asked."""

    def __init__(self, configuration: Configuration) -> None:
        self.now = NOW
        in_force = PlanInForce(configuration.plan)
        in_force.read()
        super().__init__(configuration, in_force, lambda: self.now)
        self.asked: list[control.Question] = []
        self.answers: dict[type, control.Answer | Callable[[Any], control.Answer]] = {}
        self.accounts.by_token = by_role

    async def ask(self, question: control.Question) -> control.Answer:
        self.asked.append(question)
        found = self.answers.get(type(question))
        if found is None:
            detail, mend = "the telephone exchange doesn't answer", "try again in a moment"
            raise Problem(503, "signalling_away", detail, mend=mend)
        return found(question) if callable(found) else found


def office(folder: Path, web: str = "127.0.0.1:8080", more: str = "") -> Office:
    """A node of the sample town in this folder. web: that section of its configuration; more: others."""
    (folder / "plan.yaml").write_text(SAMPLE_PLAN.read_text("utf-8"), "utf-8")
    (folder / "beffroi.yaml").write_text(f"domain: localhost\nweb: {web}\n{more}")
    (folder / "data").mkdir(mode=0o700)
    (folder / "data" / "beffroi.sqlite3").write_bytes(_empty_database())
    return Office(load_configuration(folder / "beffroi.yaml"))


@cache
def _empty_database() -> bytes:
    """A database with the newest schema, migrated once."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "empty.sqlite3"
        with closing(SqliteDatabase(file)) as database:
            upgrade(database)
        return file.read_bytes()


def as_(role: str, extension: str = "") -> dict[str, str]:
    """The headers of somebody of this role."""
    return {"Authorization": f"Bearer {role}:{extension}"}


async def by_role(token: str, address: str) -> Actor:
    """Stands in for the tokens of accounts: `role:extension`."""
    role, colon, extension = token.partition(":")
    if not colon:
        raise AccountError("token_refused", "this token isn't valid", status=401)
    roles: Any = frozenset({role})
    return Actor(f"{role}-{extension}", role.title(), extension, roles, rights_of(roles), "token", address)
