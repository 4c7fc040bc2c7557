"""Calls over HTTP: who may see and do what, and what signalling is asked."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from pbx import control
from pbx.api.views import CallView, Done, PartyView
from tests.web.office import Office, as_

ALICE_AND_BRUNO = CallView(
    "20261122-1",
    "internal",
    "1001",
    "Alice",
    "1002",
    "1002",
    1_795_371_290.0,
    1_795_371_295.0,
    (PartyView("a", "1001", "1001", "Alice", "talks"), PartyView("b1", "1002", "1002", "Bruno", "talks")),
)
IN_CALL = [
    ("answer", {}, "answer", ""),
    ("hold", {}, "hold", ""),
    ("resume", {}, "resume", ""),
    ("mute", {}, "mute", ""),
    ("unmute", {}, "unmute", ""),
    ("transfer", {"number": "1003"}, "transfer", "1003"),
    ("join", {"other": "20261122-2"}, "join", "20261122-2"),
    ("merge", {"other": "20261122-2"}, "merge", "20261122-2"),
    ("park", {"place": "701"}, "park", "701"),
    ("digits", {"digits": "1#"}, "digits", "1#"),
    ("hang-up", {}, "hang_up", ""),
]


def calls_now(question: control.ListCalls) -> control.CallsNow:
    found = [ALICE_AND_BRUNO]
    numbers = {party.number for party in ALICE_AND_BRUNO.parties}
    return control.CallsNow([call for call in found if question.who in ("", *numbers)])


@pytest.fixture(autouse=True)
def one_call(node: Office) -> None:
    node.answers[control.ListCalls] = calls_now


def test_a_supervisor_sees_every_call(client: TestClient):
    answer = client.get("/api/v1/calls", headers=as_("supervisor"))
    (call,) = answer.json()["items"]
    assert call["started_at"] == 1_795_371_290.0
    assert [(party["name"], party["state"]) for party in call["parties"]] == [
        ("Alice", "talks"),
        ("Bruno", "talks"),
    ]


def test_an_agent_sees_their_own_calls_alone(client: TestClient, node: Office):
    assert len(client.get("/api/v1/calls", headers=as_("agent", "1001")).json()["items"]) == 1
    assert client.get("/api/v1/calls", headers=as_("agent", "2010")).json()["items"] == []
    assert node.asked[-1] == control.ListCalls("2010")


def test_an_agent_may_not_ask_for_somebody_else(client: TestClient):
    answer = client.get("/api/v1/calls?who=1002", headers=as_("agent", "1001"))
    assert (answer.status_code, answer.json()["code"]) == (403, "not_yours")


def test_a_call_of_others_is_no_call_for_an_agent(client: TestClient):
    assert client.get("/api/v1/calls/20261122-1", headers=as_("agent", "2010")).status_code == 404
    assert client.get("/api/v1/calls/20261122-1", headers=as_("agent", "1001")).status_code == 200


def test_a_page_of_calls_says_where_the_next_begins(client: TestClient, node: Office):
    several = [CallView(f"c{number}", "internal", "", "", "", "", 0.0, None, ()) for number in range(5)]
    node.answers[control.ListCalls] = control.CallsNow(several)
    first = client.get("/api/v1/calls?limit=3", headers=as_("operator")).json()
    rest = client.get(f"/api/v1/calls?limit=3&after={first['next']}", headers=as_("operator")).json()
    assert [call["id"] for call in first["items"] + rest["items"]] == ["c0", "c1", "c2", "c3", "c4"]
    assert rest["next"] == ""


def test_a_call_is_placed_from_ones_own_telephones(client: TestClient, node: Office):
    node.answers[control.Originate] = control.CallsNow([], Done("20261122-9", "rings"))
    answer = client.post("/api/v1/calls", headers=as_("agent", "1001"), json={"number": "1002"})
    assert (answer.status_code, answer.json()) == (201, {"call": "20261122-9", "state": "rings", "place": ""})
    assert node.asked == [control.Originate("1001", "1002", False)]


def test_an_agent_places_no_call_from_somebody_elses_telephones(client: TestClient, node: Office):
    asked = {"who": "1002", "number": "1003"}
    answer = client.post("/api/v1/calls", headers=as_("agent", "1001"), json=asked)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_yours")
    assert node.asked == []


@pytest.mark.parametrize(("path", "body", "verb", "argument"), IN_CALL)
def test_what_is_done_in_a_call_is_asked_of_signalling(
    client: TestClient, node: Office, path: str, body: dict[str, str], verb: str, argument: str
):
    node.answers[control.InCall] = control.CallsNow([], Done("20261122-1"))
    answer = client.post(f"/api/v1/calls/20261122-1/{path}", headers=as_("agent", "1001"), json=body)
    assert answer.status_code == 200
    assert node.asked == [control.InCall(verb, "1001", "20261122-1", argument)]


def test_an_operator_ends_anybodys_call(client: TestClient, node: Office):
    node.answers[control.InCall] = control.CallsNow([], Done())
    asked = {"who": "+33612345678"}
    answer = client.post("/api/v1/calls/20261122-1/hang-up", headers=as_("operator", "1002"), json=asked)
    assert answer.status_code == 200
    assert node.asked == [control.InCall("hang_up", "+33612345678", "20261122-1", "")]


def test_what_was_done_is_in_the_audit_journal_without_the_citizens_number(client: TestClient, node: Office):
    node.answers[control.InCall] = control.CallsNow([], Done())
    asked = {"who": "+33612345678"}
    client.post("/api/v1/calls/20261122-1/hang-up", headers=as_("operator", "1002"), json=asked)
    journal = node.configuration.audit_journal.read_text()
    assert "call.hang_up" in journal
    assert "33612345678" not in journal


def test_a_call_that_is_over_is_not_found(client: TestClient, node: Office):
    node.answers[control.InCall] = control.CallsNow([], problem="1001 is in no call", found=False)
    answer = client.post("/api/v1/calls/x/hold", headers=as_("agent", "1001"), json={})
    assert (answer.status_code, answer.json()["code"]) == (404, "call_not_found")


def test_what_cannot_be_done_now_says_why(client: TestClient, node: Office):
    node.answers[control.InCall] = control.CallsNow([], problem="not while 1001 rings")
    answer = client.post("/api/v1/calls/x/hold", headers=as_("agent", "1001"), json={})
    assert (answer.status_code, answer.json()["detail"]) == (409, "not while 1001 rings")


def test_keys_that_are_none_are_refused_before_signalling_is_asked(client: TestClient, node: Office):
    answer = client.post("/api/v1/calls/x/digits", headers=as_("agent", "1001"), json={"digits": "1;2"})
    assert (answer.status_code, answer.json()["where"]) == (422, "digits")
    assert node.asked == []


def test_the_keys_that_were_gathered_are_told(client: TestClient, node: Office):
    node.answers[control.Gather] = control.CallsNow([], digits="4711")
    asked = {"most": 4, "seconds": 5}
    answer = client.post("/api/v1/calls/x/gather", headers=as_("agent", "1001"), json=asked)
    assert answer.json() == {"digits": "4711"}
    assert node.asked == [control.Gather("1001", 4, 5.0, "#", "x")]


def test_a_sound_that_was_sent_is_played(client: TestClient, node: Office):
    node.answers[control.Play] = control.CallsNow([], Done("x"))
    wav = b"RIFF\x24\0\0\0WAVEfmt "
    sound = client.post("/api/v1/calls/sounds", headers=as_("agent", "1001"), content=wav).json()["id"]
    answer = client.post("/api/v1/calls/x/play", headers=as_("agent", "1001"), json={"sound": sound})
    assert answer.status_code == 200
    assert node.asked == [
        control.Play("1001", "x", str(node.configuration.data_dir / "sounds" / f"{sound}.wav"))
    ]
    assert client.get(f"/api/v1/calls/sounds/{sound}", headers=as_("agent", "1001")).content == wav


def test_a_sound_is_its_owners_alone(client: TestClient):
    wav = b"RIFF\x24\0\0\0WAVEfmt "
    sound = client.post("/api/v1/calls/sounds", headers=as_("agent", "1001"), content=wav).json()["id"]
    assert client.get(f"/api/v1/calls/sounds/{sound}", headers=as_("agent", "1002")).status_code == 404
    assert client.get("/api/v1/calls/sounds", headers=as_("agent", "1002")).json()["items"] == []


def test_what_is_no_sound_is_refused(client: TestClient):
    answer = client.post("/api/v1/calls/sounds", headers=as_("agent", "1001"), content=b"<html>")
    assert (answer.status_code, answer.json()["code"]) == (422, "no_sound")


@pytest.mark.parametrize("sound", ["..%2f..%2fnode", "%2e%2e", "x" * 32, "0" * 32])
def test_no_path_leads_out_of_the_sounds(client: TestClient, sound: str):
    assert client.get(f"/api/v1/calls/sounds/{sound}", headers=as_("agent", "1001")).status_code == 404


def test_a_sound_is_gone_after_a_day(client: TestClient, node: Office):
    wav = b"RIFF\x24\0\0\0WAVEfmt "
    first = client.post("/api/v1/calls/sounds", headers=as_("agent", "1001"), content=wav).json()
    file = node.configuration.data_dir / "sounds" / f"{first['id']}.wav"
    node.now = file.stat().st_mtime + 86_401
    client.post("/api/v1/calls/sounds", headers=as_("agent", "1001"), content=wav)
    assert not file.exists()


def test_a_recording_that_cannot_begin_leaves_no_sound(client: TestClient, node: Office):
    node.answers[control.Record] = control.CallsNow([], problem="not while a service has the call")
    answer = client.post("/api/v1/calls/x/record", headers=as_("agent", "1001"), json={"seconds": 5})
    assert answer.status_code == 409
    assert list((node.configuration.data_dir / "sounds").iterdir()) == []


def test_without_signalling_a_sentence_says_so(client: TestClient, node: Office):
    node.answers.clear()
    answer = client.get("/api/v1/calls", headers=as_("operator"))
    assert (answer.status_code, answer.json()["code"]) == (503, "signalling_away")


def test_nobody_is_told_nothing(client: TestClient):
    answer = client.get("/api/v1/calls")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
