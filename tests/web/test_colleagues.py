"""What colleagues are doing, over HTTP and on the event socket: who sees whom, and only what is new."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient

from pbx import control
from pbx.accounts.rights import Role
from pbx.api.views import ColleagueStatus
from pbx.events import CallRinging, SettingsChanged
from pbx.web.colleagues import CHANGED, Colleagues
from pbx.web.fan import Listener
from tests.web.office import Office, as_
from tests.web.test_events import actor, fanned, lines_of

PRESENCE = "/api/v1/directory/presence"


def all_free(question: control.ListColleagues) -> control.ColleagueList:
    return control.ColleagueList([ColleagueStatus(one, "free") for one in question.extensions])


def asked(client: TestClient, role: str, extension: str, of: str = "") -> list[str]:
    answer = client.get(PRESENCE, params={"of": of}, headers=as_(role, extension))
    assert answer.status_code == 200, answer.text
    return [one["extension"] for one in answer.json()["items"]]


def test_somebody_sees_those_of_their_groups_and_an_operator_everybody(client: TestClient, node: Office):
    node.answers[control.ListColleagues] = all_free
    assert asked(client, "agent", "1001", "1001,1002,2301") == ["1001", "1002"]
    assert asked(client, "operator", "1001", "1002,2301") == ["1002", "2301"]


def test_without_extensions_it_is_about_ones_groups(client: TestClient, node: Office):
    node.answers[control.ListColleagues] = all_free
    told = asked(client, "agent", "1001")
    assert "1002" in told
    assert "2301" not in told


def test_who_is_nobody_is_left_out(client: TestClient, node: Office):
    node.answers[control.ListColleagues] = all_free
    assert asked(client, "operator", "1001", "9999,1002") == ["1002"]


def test_the_pages_are_told_which_codes_and_numbers_the_plan_has(client: TestClient, node: Office):
    node.answers[control.ListColleagues] = all_free
    told = client.get(PRESENCE, headers=as_("agent", "1001")).json()
    assert (told["pick_up"], told["switchboard"], told["echo"]) == ("**{extension}", "9", "9196")


@asynccontextmanager
async def colleagues(node: Office) -> AsyncIterator[tuple[Colleagues, Any]]:
    await node.read_plan()
    async with fanned(node) as (fan, signalling):
        node.events = fan
        yield Colleagues(node), signalling


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx.web.colleagues.GATHER_SECONDS", 0.0)


async def until_asked(node: Office, times: int) -> None:
    async with asyncio.timeout(45):
        while len(node.asked) < times:  # noqa: ASYNC110 (a fake tells nobody that it was asked)
            await asyncio.sleep(0)


def listening(role: Role, extension: str) -> Listener:
    return Listener([CHANGED], actor(role, extension=extension))


async def test_what_changes_is_told_to_those_who_may_see_it(node: Office):
    state = ColleagueStatus("2301", "ringing")
    node.answers[control.ListColleagues] = lambda question: control.ColleagueList([state])
    async with colleagues(node) as (told, signalling):
        operator, agent = listening("operator", "1001"), listening("agent", "1001")
        told.join(operator)
        told.join(agent)
        await signalling.until_followed()
        signalling.events.publish(CallRinging, "c1", "b1", "2301")
        (event,) = await lines_of(operator)
        assert (event["event"], event["extension"], event["state"]) == (CHANGED, "2301", "ringing")
        assert agent.take() == ""
        await told.leave(operator)
        await told.leave(agent)
    assert node.asked == [control.ListColleagues((), ("2301",))]


async def test_what_stays_the_same_is_not_told_again(node: Office):
    states = iter(["ringing", "ringing", "in_call"])
    node.answers[control.ListColleagues] = lambda question: control.ColleagueList(
        [ColleagueStatus("2301", next(states))]
    )
    async with colleagues(node) as (told, signalling):
        operator = listening("operator", "1001")
        told.join(operator)
        await signalling.until_followed()
        signalling.events.publish(SettingsChanged, "2301", "2301")
        (first,) = await lines_of(operator)
        for times in (2, 3):
            signalling.events.publish(SettingsChanged, "2301", "2301")
            await until_asked(node, times)
        (second,) = await lines_of(operator)
        await told.leave(operator)
    assert (first["state"], second["state"]) == ("ringing", "in_call")


async def test_the_last_page_that_leaves_ends_what_follows(node: Office):
    async with colleagues(node) as (told, signalling):
        operator = listening("operator", "1001")
        told.join(operator)
        await signalling.until_followed(1)
        await told.leave(operator)
        await signalling.until_followed(0)
