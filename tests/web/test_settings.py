"""Settings, overrides, queues, bans and devices over HTTP: who may, and what signalling is asked."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from pbx import control
from pbx.defence.bans import Ban
from pbx.queues.figures import AgentFigures, QueueFigures
from pbx.records import ForwardSetting, OverrideRecord, PauseSetting, PersonSettings, SetBy, Switch
from tests.web.office import NOW, Office, as_

BY = SetBy("1001", NOW)
ALICE = PersonSettings(
    "1001",
    forwards=(ForwardSetting("busy", "1002", BY),),
    do_not_disturb=BY,
    call_waiting=Switch(False, BY),
    pauses=(PauseSetting("accueil", "1", BY),),
)
CLOSED = OverrideRecord("service", "accueil", False, NOW + 3600, "", BY)
QUESTIONS = (
    control.ListSettings,
    control.SetForward,
    control.StopForwarding,
    control.SetDoNotDisturb,
    control.SetSwitch,
    control.SetRing,
    control.ClearSettings,
    control.AddOverride,
    control.RemoveOverride,
)
SETTINGS = "/api/v1/people/1001/settings"
CHANGES: list[tuple[str, str, Any, control.Question]] = [
    ("PUT", "/forwards/busy", {"to": "1002"}, control.SetForward("1001", "busy", "1002", "1001")),
    ("PUT", "/forwards/always", {"to": ""}, control.StopForwarding("1001", "1001", "always")),
    ("DELETE", "/forwards/busy", None, control.ClearSettings("1001", "1001", "busy")),
    ("PUT", "/do-not-disturb", {"on": True}, control.SetDoNotDisturb("1001", True, "1001")),
    (
        *("PUT", "/forwards/always", {"to": "1002", "until_at": NOW + 60}),
        control.SetForward("1001", "always", "1002", "1001", until=NOW + 60),
    ),
    (
        *("PUT", "/do-not-disturb", {"on": True, "until_at": NOW + 60}),
        control.SetDoNotDisturb("1001", True, "1001", NOW + 60),
    ),
    ("PUT", "/call_waiting", {"on": False}, control.SetSwitch("1001", "call_waiting", False, "1001")),
    ("DELETE", "/call_waiting", None, control.ClearSettings("1001", "1001", "call_waiting")),
    ("PUT", "/ring", {"way": "together"}, control.SetRing("1001", "together", "1001")),
    ("DELETE", "/ring", None, control.ClearSettings("1001", "1001", "ring")),
    ("DELETE", "", None, control.ClearSettings("1001", "1001")),
]


@pytest.fixture(autouse=True)
def set_by_hand(node: Office) -> None:
    for kind in QUESTIONS:
        node.answers[kind] = control.SettingsInForce([ALICE], [CLOSED])
    node.answers[control.SetPin] = control.DeviceList([])


def test_ones_own_settings_are_shown(client: TestClient):
    told = client.get(SETTINGS, headers=as_("agent", "1001")).json()
    assert told["forwards"][0]["to"] == "1002"
    assert told["do_not_disturb"] == {"by": "1001", "set_at": NOW, "until_at": 0.0}
    assert told["call_waiting"]["on"] is False
    assert told["pauses"][0]["service"] == "accueil"
    assert told["anonymous_rejection"] is None


def test_who_has_set_nothing_has_nothing_set(client: TestClient):
    told = client.get("/api/v1/people/1002/settings", headers=as_("operator")).json()
    assert (told["extension"], told["forwards"], told["do_not_disturb"]) == ("1002", [], None)


@pytest.mark.parametrize(("method", "path", "body", "question"), CHANGES)
def test_a_change_is_asked_of_signalling(
    client: TestClient, node: Office, method: str, path: str, body: Any, question: control.Question
):
    answer = client.request(method, SETTINGS + path, headers=as_("agent", "1001"), json=body)
    assert answer.status_code == 200
    assert node.asked == [question]


@pytest.mark.parametrize(("method", "path", "body", "question"), CHANGES)
def test_nobody_changes_a_colleagues_settings(
    client: TestClient, node: Office, method: str, path: str, body: Any, question: control.Question
):
    answer = client.request(method, SETTINGS + path, headers=as_("agent", "1002"), json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_yours")
    assert node.asked == []


def test_an_operator_changes_settings_of_others_in_their_own_name(client: TestClient, node: Office):
    client.put(f"{SETTINGS}/do-not-disturb", headers=as_("operator", "1002"), json={"on": True})
    assert node.asked == [control.SetDoNotDisturb("1001", True, "1002")]


def test_what_signalling_refuses_is_said(client: TestClient, node: Office):
    node.answers[control.SetForward] = control.SettingsInForce([], [], "4711 leads nowhere")
    answer = client.put(f"{SETTINGS}/forwards/busy", headers=as_("agent", "1001"), json={"to": "4711"})
    assert (answer.status_code, answer.json()["detail"]) == (422, "4711 leads nowhere")
    assert node.configuration.audit_journal.read_bytes() == b""


def test_why_a_forward_is_refused_is_a_code_at_its_field(client: TestClient, node: Office):
    refused = control.SettingsInForce([], [], "class: internal may not call national", "class")
    node.answers[control.SetForward] = refused
    answer = client.put(f"{SETTINGS}/forwards/busy", headers=as_("agent", "1001"), json={"to": "0612345678"})
    assert (answer.json()["code"], answer.json()["where"]) == ("setting_not_allowed", "to")


def test_a_pin_is_set_and_told_to_nobody(client: TestClient, node: Office):
    answer = client.put("/api/v1/people/1001/pin", headers=as_("agent", "1001"), json={"digits": "473920"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert node.asked == [control.SetPin("1001", "473920", "1001")]
    assert "473920" not in node.configuration.audit_journal.read_text()


def test_an_operator_sets_no_pin_of_others(client: TestClient):
    answer = client.put("/api/v1/people/1001/pin", headers=as_("operator", "1002"), json={"digits": "473920"})
    assert answer.status_code == 403


def test_a_service_is_closed_for_a_while(client: TestClient, node: Office):
    wanted = {"is_open": False, "until_at": NOW + 3600}
    answer = client.put("/api/v1/overrides/accueil", headers=as_("operator", "1002"), json=wanted)
    assert answer.json()["items"][0]["until_at"] == NOW + 3600
    assert node.asked == [control.AddOverride("accueil", False, NOW + 3600, "1002")]
    client.delete("/api/v1/overrides/accueil", headers=as_("operator", "1002"))
    assert node.asked[1] == control.RemoveOverride("accueil", "1002")


@pytest.mark.parametrize("until", [NOW - 1, NOW + 400 * 86_400])
def test_a_service_is_not_closed_for_ever(client: TestClient, node: Office, until: float):
    wanted = {"is_open": False, "until_at": until}
    answer = client.put("/api/v1/overrides/accueil", headers=as_("operator"), json=wanted)
    assert (answer.status_code, answer.json()["where"]) == (422, "until_at")
    assert node.asked == []


# Queues


def queue(name: str, agent: str) -> control.QueueStatus:
    waiting = [control.WaitingCaller("c1", "+33612345678", 12.0, "waiting")]
    agents = [control.AgentStatus(agent, "", "free", "", AgentFigures(3, 2, 60.0))]
    return control.QueueStatus(name, "1000", waiting, None, agents, QueueFigures(offered=4), NOW)


def test_an_agent_sees_the_queues_that_they_answer(client: TestClient, node: Office):
    node.answers[control.ListQueues] = control.QueueList([queue("accueil", "1001"), queue("voirie", "1002")])
    own = client.get("/api/v1/queues", headers=as_("agent", "1001")).json()["items"]
    every = client.get("/api/v1/queues", headers=as_("operator")).json()["items"]
    assert [one["name"] for one in own] == ["accueil"]
    assert [one["name"] for one in every] == ["accueil", "voirie"]
    assert every[0]["agents"][0]["answered"] == 2


def test_an_agent_pauses_and_resumes(client: TestClient, node: Office):
    for kind in (control.PauseAgent, control.ResumeAgent):
        node.answers[kind] = control.QueueList([])
    wanted = {"service": "accueil", "reason": "1"}
    client.post("/api/v1/queues/pause", headers=as_("agent", "1001"), json=wanted)
    client.post("/api/v1/queues/resume", headers=as_("agent", "1001"), json={"service": "accueil"})
    assert node.asked == [
        control.PauseAgent("1001", "1001", "accueil", "1"),
        control.ResumeAgent("1001", "1001", "accueil"),
    ]


# Bans and devices


def test_a_ban_is_added_and_lifted(client: TestClient, node: Office):
    ban = Ban("2001:db8::/64", NOW, NOW + 60, "scans", manual=True)
    node.answers[control.AddBan] = control.BanList([ban])
    node.answers[control.RemoveBan] = control.BanList([])
    wanted = {"source": "2001:db8::/64", "why": "scans", "seconds": 60}
    told = client.post("/api/v1/bans", headers=as_("administrator"), json=wanted).json()
    assert told["items"][0]["until_at"] == NOW + 60
    client.delete("/api/v1/bans/2001:db8::/64", headers=as_("administrator"))
    assert node.asked == [
        control.AddBan("2001:db8::/64", "scans", 60.0),
        control.RemoveBan("2001:db8::/64"),
    ]


def test_a_device_is_given_to_somebody(client: TestClient, node: Office):
    status = control.DeviceStatus("2001", "2001", "1001", 0.0, ["192.0.2.1:5060"], "", [])
    node.answers[control.UseDevice] = control.DeviceList([status])
    answer = client.put(
        "/api/v1/devices-now/2001/user", headers=as_("administrator"), json={"extension": "1001"}
    )
    assert answer.json()["user"] == "1001"
    assert node.asked == [control.UseDevice("2001", "1001", "administrator-")]


def test_a_page_of_devices_says_where_the_next_begins(client: TestClient, node: Office):
    one = control.DeviceStatus("1001", "1001", "1001", 0.0, [], "", [])
    node.answers[control.ListDevices] = control.DeviceList([one] * control.DEVICES_A_PAGE)
    assert client.get("/api/v1/devices-now", headers=as_("supervisor")).json()["next"] == "1001"
