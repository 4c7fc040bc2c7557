"""The telephones that are open in pages: their short-lived passwords, for as long as their session lasts.

A password is issued to a session and dies by itself some minutes later; a page asks for another one while
its session lasts. Where a session ends before (signed out, an account closed or gone), signalling is told at
once: it unregisters those pages and takes no call of theirs any more. What was ended elsewhere (a command,
another process) is found by looking every LOOK_SECONDS. It is told again until the passwords have died, in
case signalling was started anew meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from pbx import control
from pbx.accounts.open_sessions import SignedIn
from pbx.accounts.sessions import extensions_of
from pbx.people.browser_passwords import LASTING_SECONDS, BrowserPassword, BrowserPasswords
from pbx.tasks import Tasks
from pbx.web.problems import Problem

if TYPE_CHECKING:
    from pbx.web.node import Node

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
REST_SECONDS = 1.0  # between two looks, however many sign in or out


class Telephones:
    """The telephones of one node's pages."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._passwords = BrowserPasswords(node.sealing, node.configuration.domain)
        self._issued: dict[str, tuple[str, float]] = {}  # extension and end, by session
        self._changed = asyncio.Event()
        self._tasks: Tasks

    def issue(self, signed_in: SignedIn, extension: str) -> BrowserPassword:
        """Return a password for a page of this session."""
        session = signed_in.session
        ends_at = min(self._node.clock() + LASTING_SECONDS, session.ends_at)
        self._issued[session.id] = (extension, ends_at)
        return self._passwords.issue(extension, session.id, ends_at)

    def sessions_changed(self) -> None:
        """Sessions have begun or ended in this process: look again soon."""
        self._changed.set()

    def start(self) -> None:
        """Look after the sessions from now on."""
        self._tasks = Tasks()
        self._tasks.start(self._watch(), "telephones")

    async def stop(self) -> None:
        """Look no more; what was issued lasts until its end."""
        await self._tasks.cancel()

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self.look()
            except Problem as problem:
                log.warning("whose telephones are still theirs isn't known: %s", problem.detail)
            await asyncio.sleep(REST_SECONDS)

    async def look(self) -> None:
        """Have signalling sign out the pages whose session has ended. Raises Problem (503)."""
        now = self._node.clock()
        self._issued = {session: kept for session, kept in self._issued.items() if kept[1] > now}
        answer = await self._node.ask(control.ListPages())
        assert isinstance(answer, control.PagesNow)
        # Those that a web process before this one gave their passwords to are known to signalling alone.
        theirs = {**answer.sessions, **{session: whose for session, (whose, _) in self._issued.items()}}
        if not theirs:
            return
        lasting = await self._node.read(lambda connection: extensions_of(connection, now))
        ended = [session for session, whose in theirs.items() if lasting.get(session) != whose]
        if ended:
            await self._node.ask(control.SignOutPages(ended))
