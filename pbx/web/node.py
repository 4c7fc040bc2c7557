"""The node, as a route of the web process reaches it: signalling, recorder, database, configuration, plan.

    async def show(node: TheNode, actor: Annotated[Actor, may("trunks.read")]) -> TrunkList:
        return await node.ask(ListTrunks())

What isn't there now is a Problem (503), so that a route says only what it does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Annotated, TypeVar

import msgspec
from fastapi import Depends
from starlette.requests import HTTPConnection

from dialplan.finding import PlanError
from dialplan.plan import Plan
from pbx import control
from pbx.accounts.bearers import Bearers
from pbx.accounts.ldap import Directory, DirectorySignIn
from pbx.accounts.openid import Provider
from pbx.accounts.signing_in import Accounts
from pbx.audit.journal import Audit, AuditJournal
from pbx.configuration import Configuration
from pbx.node.backups import Backups
from pbx.node.keys import node_key
from pbx.node.sealing import sealing
from pbx.plans.in_force import PlanInForce
from pbx.push.courier import PushCourier
from pbx.push.keys import VapidKeys, contact_of
from pbx.push.sending import PushSender
from pbx.store.database import DatabaseUnavailableError, Work
from pbx.store.revision import SchemaTooNewError
from pbx.tasks import Tasks
from pbx.web.backup_work import BackupBench
from pbx.web.colleagues import Colleagues
from pbx.web.directory_now import DirectoryNow
from pbx.web.fan import Fan
from pbx.web.listening.hearings import Hearings
from pbx.web.listening.packages import Packages
from pbx.web.problems import Problem
from pbx.web.store import Store
from pbx.web.telephones import Telephones
from pbx.web.waiting_room import WaitingRoom
from pbx.webhooks.courier import Courier
from pbx.webhooks.sending import Sender
from recording.archive import requests as recordings

log = logging.getLogger(__name__)

PLAN_SECONDS = 1.0

Result = TypeVar("Result")


class Node:
    """One node, for the length of the web process. Made, started, stopped; a test makes one of its own.

    clock: wall time in Unix seconds. in_force: the plan, as signalling leaves it. accounts: who may sign in;
    bearers: who comes with a token; openid: who else knows people, None where nobody does; events: of
    signalling, for listeners; colleagues: what people are doing, for pages; audit: where everything that is
    done is entered, before its answer; sealing: what secrets lie under; telephones: those of pages; courier:
    of webhooks; push: of notifications, signed with push_keys;
    waiting_room: for visitors of the town's site; backups: where they are made.
    hearings, packages: recordings that are listened to and exported, from `start` to `stop`.
    """

    def __init__(
        self, configuration: Configuration, in_force: PlanInForce, clock: Callable[[], float]
    ) -> None:
        """Raises KeyUnusable (recording.keys) or OSError for the node's key."""
        self.configuration = configuration
        self.clock = clock
        self._in_force = in_force
        self._plan: Plan | None = None
        self._plan_version = ""
        self._store = Store(configuration.database)
        self.sealing = sealing(configuration.node_key_file)
        self.audit = Audit(AuditJournal(configuration.audit_journal, node_key(configuration.node_key_file)))
        self.accounts = Accounts(self, clock, self.sealing)
        self.directory = DirectoryNow(self)
        self.bearers = Bearers(self, clock)
        self.accounts.by_token = self.bearers.actor
        wanted = configuration.web.openid
        self.openid = Provider(wanted, self.sealing, clock) if wanted is not None else None
        self._directory: DirectorySignIn | None = None
        if (asked := configuration.web.ldap) is not None:
            self._directory = DirectorySignIn(asked, Directory(asked), self, clock)
            self.accounts.elsewhere = self._directory.accounts
        self.backups = BackupBench(Backups(configuration))
        self.events = Fan(configuration, clock)
        self.telephones = Telephones(self)
        self.accounts.sessions.on_change = self.telephones.sessions_changed
        self.colleagues = Colleagues(self)
        sender = Sender(configuration.local_networks, clock)
        self.courier = Courier(self, self.sealing, sender, clock)
        self.waiting_room = WaitingRoom(self.sealing)
        self.push_keys = VapidKeys(self.sealing, _contact(configuration))
        self.push = PushCourier(self, self.sealing, PushSender(self.push_keys, clock), clock)
        self._asked: dict[bytes, asyncio.Future[control.Answer]] = {}
        self._tasks: Tasks
        self.hearings: Hearings
        self.packages: Packages

    async def start(self) -> None:
        """Begin what goes on by itself."""
        with suppress(Problem, PlanError):  # else the first requests would find no plan
            await self.read_plan()
        self._tasks = Tasks()
        self._tasks.start(self._watch_plan(), "plan")
        self.events.start()
        self.telephones.start()
        self.courier.start(self.events)
        self.push.start(self.events)
        self.hearings = Hearings()
        self.packages = Packages(self.configuration.data_dir)

    def in_background(self, work: Coroutine[object, object, None], name: str) -> None:
        """Do what nobody waits for; it ends with the process at the latest."""
        self._tasks.start(work, name)

    async def stop(self) -> None:
        """End it."""
        await self.courier.stop()
        await self.push.stop()
        await self.telephones.stop()
        await self.events.stop()
        await self._tasks.cancel()
        await asyncio.to_thread(self.accounts.close)
        if self._directory is not None:
            await asyncio.to_thread(self._directory.close)
        await self.hearings.close()
        await self.packages.close()
        await asyncio.to_thread(self._store.close)

    # Others

    async def ask(self, question: control.Question) -> control.Answer:
        """Ask signalling. Raises Problem (503) while it doesn't answer.

        Who asks the same at the same moment, where that changes nothing, shares one answer.
        """
        if not isinstance(question, control.READS):
            return await self._ask(question)
        key = msgspec.json.encode(question)
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = asyncio.get_running_loop().create_future()
            self._tasks.start(self._ask_for_all(key, question, asked), "a shared question")
        return await asyncio.shield(asked)

    async def _ask_for_all(
        self, key: bytes, question: control.Question, asked: asyncio.Future[control.Answer]
    ) -> None:
        """Ask what belongs to nobody's request: whoever asked first may go away."""
        try:
            asked.set_result(await self._ask(question))
        except BaseException as error:
            asked.set_exception(error if isinstance(error, Problem) else _signalling_away())
            asked.exception()  # all who waited for it may be gone
            if not isinstance(error, Problem):
                raise
        finally:
            del self._asked[key]

    async def _ask(self, question: control.Question) -> control.Answer:
        try:
            return await control.ask_soon(self.configuration.data_dir, question)
        except control.NotRunningError:
            raise _signalling_away() from None

    async def recordings(self, request: recordings.Request) -> recordings.Answer:
        """Ask the recorder. Raises Problem (503) while it doesn't answer."""
        try:
            return await asyncio.to_thread(recordings.ask, self.configuration.data_dir, request)
        except recordings.Unanswered:
            detail, mend = "the recorder's process doesn't answer", "try again in a moment"
            raise Problem(503, "recorder_away", detail, mend=mend) from None

    async def read(self, work: Work[Result]) -> Result:
        """Return what `work` returns from the database. Raises Problem (503) while that is away."""
        try:
            return await self._store.read(work)
        except (DatabaseUnavailableError, SchemaTooNewError) as error:
            raise _database_away(error) from error

    async def write(self, work: Work[Result]) -> Result:
        """Run `work` in one transaction, which is durable when this returns. Raises Problem (503)."""
        try:
            return await self._store.write(work)
        except (DatabaseUnavailableError, SchemaTooNewError) as error:
            raise _database_away(error) from error

    # The plan

    def plan(self) -> Plan:
        """The plan in force, without the people of the database; at most PLAN_SECONDS old.

        Raises Problem (503) before there is one.
        """
        if self._plan is None:
            raise Problem(503, "no_plan", "no plan is in force yet", mend="try again in a moment")
        return self._plan

    async def read_plan(self) -> Plan:
        """The plan in force, read now: for who has just put another one in force. Raises Problem (503)."""
        version = self._in_force.version()
        if version and version != self._plan_version:
            self._plan = await asyncio.to_thread(self._in_force.read)
            self._plan_version = self._plan.version
        return self.plan()

    async def _watch_plan(self) -> None:
        while True:
            try:
                await self.read_plan()
            except Problem:
                log.debug("no plan is in force yet")
            await asyncio.sleep(PLAN_SECONDS)


def _contact(configuration: Configuration) -> str:
    sender = configuration.mail.sender if configuration.mail is not None else ""
    return contact_of(configuration.web.public_url, sender, configuration.domain)


def _signalling_away() -> Problem:
    detail, mend = "the telephone exchange doesn't answer", "try again in a moment"
    return Problem(503, "signalling_away", detail, mend=mend, headers={"Retry-After": "2"})


def _database_away(error: Exception) -> Problem:
    log.warning("%s", str(error).partition("\n")[0])
    detail, mend = "the database doesn't answer", "try again in a moment; `beffroi doctor` says more"
    return Problem(503, "database_away", detail, mend=mend, headers={"Retry-After": "5"})


def node_of(connection: HTTPConnection) -> Node:
    """The node that a request or a WebSocket has come to."""
    node: Node = connection.app.state.node
    return node


async def _node_of(connection: HTTPConnection) -> Node:
    return node_of(connection)  # what isn't a coroutine would be run in a thread, at every request


TheNode = Annotated[Node, Depends(_node_of)]
"""A parameter of a route: the node."""
