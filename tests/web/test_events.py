"""Events for many listeners: who is told what, who is behind, and what ends a listener."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

from pbx import control
from pbx.accounts.actor import Actor
from pbx.accounts.rights import RIGHTS, rights_of
from pbx.api.views import CallView, PartyView
from pbx.events import (
    KINDS,
    AddressBanned,
    CallAnswered,
    CallEnded,
    CallStarted,
    Event,
    Events,
    HotDeskChanged,
    LegStarted,
    MailboxChanged,
    MaliciousCallTraced,
    TrunkChanged,
)
from pbx.web import audience, fan
from pbx.web.audience import Audiences
from pbx.web.fan import Fan, Listener, ListenerEnded
from pbx.web.problems import Problem
from tests.web.office import Office, as_

NOW = 1_795_371_300.0
HERE = {"Host": "localhost"}  # a WebSocket of the test client names another


def actor(*roles: Any, extension: str = "") -> Actor:
    held = frozenset(roles)
    return Actor("somebody", "Somebody", extension, held, rights_of(held), "session")


def told_to(who: Actor, *events: Event) -> list[str]:
    """The kinds of these events that somebody is told."""
    audiences, listener = Audiences(), Listener(KINDS, who)
    said = [msgspec.json.decode(control.event_line(event)) for event in events]
    return [event["event"] for event in said if listener.may_know(audiences.of(event))]


A_CALL = (
    CallStarted(NOW, "c1", "1001", "Alice", "1002"),
    LegStarted(NOW, "c1", "b1", "1002-app"),
    CallAnswered(NOW, "c1", "b1", "1002-app"),
    CallEnded(NOW, "c1", "internal", "1002", True, "hung up"),
)


def test_every_kind_of_event_has_its_audience():
    assert set(audience.KINDS) == set(KINDS)


def test_rights_of_audiences_are_rights():
    assert {right for _, right in audience._RULES.values()} <= {None, *RIGHTS}


@pytest.mark.parametrize("extension", ["1001", "1002"])
def test_both_parties_are_told_of_their_call(extension: str):
    kinds = told_to(actor("agent", extension=extension), *A_CALL)
    assert kinds[-3:] == ["LegStarted", "CallAnswered", "CallEnded"]


def test_an_agent_is_told_nothing_of_others_calls():
    assert told_to(actor("agent", extension="2010"), *A_CALL) == []


def test_an_account_without_an_extension_is_told_of_no_call():
    assert told_to(actor("auditor"), *A_CALL) == []


def test_who_may_see_all_calls_is_told_of_all():
    assert len(told_to(actor("operator"), *A_CALL)) == 4


def test_who_sits_at_a_hot_desk_is_the_party():
    sat_down = HotDeskChanged(NOW, "1002-app", "2010", "2010")
    assert "CallAnswered" in told_to(actor("agent", extension="2010"), sat_down, *A_CALL)
    assert told_to(actor("agent", extension="1002"), sat_down, *A_CALL) == []


def test_calls_that_were_there_before_have_their_parties():
    audiences = Audiences()
    party = PartyView("a", "1001", "1001", "Alice", "talks")
    audiences.begin([CallView("c1", "internal", "1001", "", "1002", "", NOW, NOW, (party,))])
    ended = msgspec.json.decode(control.event_line(A_CALL[-1]))
    assert audiences.of(ended).extensions == {"1001"}


def test_a_mailbox_is_its_owners_alone():
    changed = MailboxChanged(NOW, "1001", 1, 0)
    assert told_to(actor("agent", extension="1001"), changed) == ["MailboxChanged"]
    assert told_to(actor("administrator", "supervisor", extension="1002"), changed) == []


def test_a_mailbox_of_a_service_is_its_listeners():
    audience = Audiences().of(msgspec.json.decode(control.event_line(MailboxChanged(NOW, "mairie", 1, 0))))
    listener = Listener(KINDS, actor("operator", extension="1002"))
    assert not listener.may_know(audience)
    listener.mailboxes = frozenset({"mairie"})
    assert listener.may_know(audience)


def test_who_reports_a_malicious_call_is_not_told_its_number():
    traced = MaliciousCallTraced(NOW, "c1", "1001", "+33612345678", True)
    assert told_to(actor("agent", extension="1001"), traced) == []


def test_lines_and_bans_are_told_to_who_may_see_them():
    trunk, ban = TrunkChanged(NOW, "a", "up", "down"), AddressBanned(NOW, "192.0.2.1", "scan", NOW)
    assert told_to(actor("supervisor"), trunk, ban) == ["TrunkChanged"]
    assert told_to(actor("agent", extension="1001"), trunk, ban) == []


def test_a_slow_listener_is_told_how_much_it_missed():
    listener = Listener(KINDS, None)
    for number in range(fan.MOST_WAITING + 3):
        listener.put(f"{number}\n")
    lines = listener.take().splitlines()
    assert lines[0] == '{"event":"EventsLost","count":3}'
    assert lines[1:3] == ["3", "4"]


async def test_a_listener_too_far_behind_is_ended():
    listener = Listener(KINDS, None)
    for _ in range(fan.MOST_WAITING + fan.MOST_LOST):
        listener.put("x\n")
    with pytest.raises(ListenerEnded, match="too far behind"):
        await listener.wait()


# With a control socket


class Signalling:
    """The events of a node, on a real control socket."""

    def __init__(self) -> None:
        self.events = Events(lambda: NOW)

    async def answer(self, question: control.Question) -> control.Answer:
        assert isinstance(question, control.ListCalls)
        return control.CallsNow([])

    async def until_followed(self, feeds: int = 1) -> None:
        async with asyncio.timeout(45):
            while len(self.events.feeds) != feeds:  # noqa: ASYNC110 (the bus tells nobody who listens)
                await asyncio.sleep(0)


@asynccontextmanager
async def fanned(office: Office) -> AsyncIterator[tuple[Fan, Signalling]]:
    signalling = Signalling()
    path = control.control_path(office.configuration.data_dir)
    server = await control.serve(control.listen(path), signalling.answer, signalling.events)
    made = Fan(office.configuration, office.clock)
    made.start()
    try:
        yield made, signalling
    finally:
        await made.stop()
        signalling.events.close()
        server.close()
        for _ in range(20):  # until both ends have let go of their connections
            await asyncio.sleep(0)


async def lines_of(listener: Listener) -> list[dict[str, Any]]:
    async with asyncio.timeout(45):
        await listener.wait()
    return [msgspec.json.decode(line) for line in listener.take().splitlines()]


async def test_what_happens_is_told_as_beffroi_events_prints_it(node: Office):
    async with fanned(node) as (made, signalling):
        listener = Listener(["TrunkChanged"], actor("supervisor"))
        made.join(listener)
        await signalling.until_followed()
        signalling.events.publish(TrunkChanged, "operateur-a", "up", "down")
        (event,) = await lines_of(listener)
    assert event == {
        "event": "TrunkChanged",
        "at": "2026-11-22T18:15:00.000Z",
        "trunk": "operateur-a",
        "state": "up",
        "before": "down",
    }


async def test_several_listeners_are_one_follower_and_the_last_takes_it_along(node: Office):
    async with fanned(node) as (made, signalling):
        listeners = [Listener(["TrunkChanged"], actor("supervisor")) for _ in range(3)]
        for listener in listeners:
            made.join(listener)
        await signalling.until_followed(1)
        for listener in listeners:
            made.leave(listener)
        await signalling.until_followed(0)


async def test_signalling_tells_no_kind_that_nobody_wants(node: Office):
    async with fanned(node) as (made, signalling):
        made.join(Listener(["TrunkChanged"], None))
        await signalling.until_followed()
        assert not signalling.events.heard(MailboxChanged)
        assert signalling.events.heard(TrunkChanged)


async def test_a_listener_is_told_that_it_may_have_missed_something_when_another_widens_what_is_followed(
    node: Office,
):
    async with fanned(node) as (made, signalling):
        first = Listener(["TrunkChanged"], None)
        made.join(first)
        await signalling.until_followed()
        made.join(Listener(["MailboxChanged"], None))
        assert await lines_of(first) == [{"event": "EventsLost", "count": 0}]


async def test_listeners_end_with_signalling(node: Office):
    async with fanned(node) as (made, signalling):
        listener = Listener(["TrunkChanged"], None)
        made.join(listener)
        await signalling.until_followed()
        signalling.events.close()
        with pytest.raises(ListenerEnded) as ended:
            async with asyncio.timeout(45):
                await listener.wait()
    assert ended.value.code == 1013


async def test_without_signalling_nobody_pretends_to_listen(node: Office):
    made = Fan(node.configuration, node.clock)
    made.start()
    listener = Listener(["TrunkChanged"], None)
    made.join(listener)
    with pytest.raises(ListenerEnded):
        async with asyncio.timeout(45):
            await listener.wait()
    await made.stop()


async def test_a_session_that_has_ended_ends_its_listener():
    async def refused() -> Actor:
        raise Problem(401, "not_signed_in", "nobody is signed in")

    listener = Listener(["TrunkChanged"], actor("agent"), refused)
    await fan._look(listener, refused)
    with pytest.raises(ListenerEnded, match="nobody is signed in") as ended:
        await listener.wait()
    assert ended.value.code == 1008


async def test_rights_that_were_lost_count_for_what_happens_next():
    async def now_an_agent() -> Actor:
        return actor("agent", extension="1001")

    listener = Listener(KINDS, actor("operator"), now_an_agent)
    await fan._look(listener, now_an_agent)
    of_others = Audiences().of(msgspec.json.decode(control.event_line(CallStarted(NOW, "c", "2010", "", ""))))
    assert not listener.may_know(of_others)


# The socket


def test_a_socket_needs_a_session(client: TestClient):
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect("/api/v1/events", headers=HERE),
    ):
        pass
    assert (refused.value.status_code, refused.value.json()["code"]) == (401, "not_signed_in")


def test_another_sites_page_opens_no_socket(client: TestClient):
    headers = {**HERE, **as_("operator"), "Origin": "https://evil.example"}
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect("/api/v1/events", headers=headers),
    ):
        pass
    assert refused.value.json()["code"] == "other_site"


def test_a_kind_that_is_none_is_refused(client: TestClient):
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect("/api/v1/events?kinds=Nonsense", headers={**HERE, **as_("operator")}),
    ):
        pass
    assert refused.value.json()["code"] == "unknown_kind"


def test_a_socket_is_closed_while_signalling_is_away(client: TestClient):
    with client.websocket_connect("/api/v1/events", headers={**HERE, **as_("operator")}) as socket:
        assert socket.receive()["code"] == 1013
