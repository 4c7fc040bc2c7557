"""What happens, as it happens: one WebSocket, JSON lines (pbx.events), only what one may know."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from pbx.accounts.actor import Actor
from pbx.tasks import Tasks
from pbx.web.access import May, may, refuse_other_sites
from pbx.web.audience import KINDS
from pbx.web.colleagues import CHANGED
from pbx.web.fan import Listener, ListenerEnded
from pbx.web.mailboxes import mailboxes_of
from pbx.web.node import TheNode
from pbx.web.problems import Problem

router = APIRouter(prefix="/events", tags=["events"])

GATHER_SECONDS = 0.02  # what happens within it goes in one message
MOST_SOCKETS = 2000
MOST_OF_ONE_ACCOUNT = 50
MOST_KINDS_CHARACTERS = 2000


@router.websocket("")
async def follow_events(
    socket: WebSocket,
    node: TheNode,
    actor: Annotated[Actor, may("own")],
    kinds: Annotated[str, Query(max_length=MOST_KINDS_CHARACTERS)] = "",
) -> None:
    """Tell events, until either side leaves. kinds: with commas between, "" for all; `PresenceChanged`, what
    colleagues are doing, is told to who names it."""
    refuse_other_sites(socket)
    wanted = [kind for kind in kinds.split(",") if kind] or list(KINDS)
    if unknown := set(wanted) - {*KINDS, CHANGED}:
        raise Problem(422, "unknown_kind", f"there is no {min(unknown)[:40]}", where="kinds")
    fan = node.events
    theirs = sum(other.actor is not None and other.actor.account == actor.account for other in fan.listeners)
    if len(fan.listeners) >= MOST_SOCKETS or theirs >= MOST_OF_ONE_ACCOUNT:
        raise Problem(503, "busy", "too many event sockets are open", headers={"Retry-After": "5"})
    mailboxes = await mailboxes_of(node, actor) if "MailboxChanged" in wanted else []
    await socket.accept()
    listener = Listener(wanted, actor, lambda: May("own").still(socket))
    listener.mailboxes = frozenset(one.mailbox for one in mailboxes if not one.is_own)
    fan.join(listener)
    if CHANGED in wanted:
        node.colleagues.join(listener)
    tasks = Tasks()
    tasks.start(_tell(socket, listener), "tell")
    try:
        while True:  # what a client says means nothing; that it leaves does
            await socket.receive()
            if socket.client_state is WebSocketState.DISCONNECTED:
                return
    finally:
        fan.leave(listener)
        await node.colleagues.leave(listener)
        await tasks.cancel()


async def _tell(socket: WebSocket, listener: Listener) -> None:
    """Send what there is, as fast as it is taken; then say why there is no more."""
    with suppress(WebSocketDisconnect):
        try:
            while True:
                await listener.wait()
                await asyncio.sleep(GATHER_SECONDS)
                await socket.send_text(listener.take())
        except ListenerEnded as end:
            await socket.close(end.code, str(end))
