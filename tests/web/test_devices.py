"""Devices and services over HTTP: whose they are, where they are, and what only some may do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pbx import control
from pbx.control import BindingStatus, DeviceStatus
from pbx.people.credentials import kept_password
from pbx.records import AddressRecord, OverrideRecord, SetBy
from pbx.web.application import application
from tests.web.office import NOW, Office, as_, office

ADMINISTRATOR = as_("administrator", "2020")
HOME = AddressRecord(
    "1001", "192.0.2.0/24", {"street": "5 rue des Lilas", "city": "Nancy"}, SetBy("1001", NOW)
)
CONFIRMED = AddressRecord("1002", "192.0.2.0/24", HOME.address, SetBy("1002", NOW), SetBy("1002", NOW))
ALICE = DeviceStatus(
    "1001",
    "1001",
    "1001",
    0.0,
    ["192.0.2.7:5060"],
    "192.0.2.0/24",
    [HOME],
    [BindingStatus("192.0.2.7:5060", "UDP", "Phone 1", NOW + 300, True)],
)
BRUNO = DeviceStatus("1002", "1002", "1002", 0.0, [], "192.0.2.0/24", [CONFIRMED])


def listed(question: control.ListDevices) -> control.DeviceList:
    return control.DeviceList(
        [one for one in (ALICE, BRUNO) if question.extension in ("", one.owner, one.user)]
    )


@pytest.fixture
def node(tmp_path: Path) -> Office:
    made = office(tmp_path)
    made.answers[control.ListDevices] = listed
    return made


@pytest.fixture
def claire(client: TestClient) -> None:
    person = {"extension": "2011", "name": "Claire"}
    assert client.post("/api/v1/people", json=person, headers=ADMINISTRATOR).status_code == 201


def shown(client: TestClient, headers: dict[str, str], query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/api/v1/devices{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_a_supervisor_sees_all_devices_and_where_they_can_be_reached(client: TestClient):
    alice, bruno = shown(client, as_("supervisor"))
    assert (alice["name"], alice["source"]) == ("Alice Martin", "plan")
    assert alice["bindings"] == [
        {
            "address": "192.0.2.7:5060",
            "transport": "UDP",
            "user_agent": "Phone 1",
            "until_at": NOW + 300,
            "answers": True,
        }
    ]
    assert bruno["bindings"] == []


def test_an_agent_sees_their_own_devices_alone(client: TestClient):
    assert [one["sign_in"] for one in shown(client, as_("agent", "1001"))] == ["1001"]
    refused = client.get("/api/v1/devices?extension=1002", headers=as_("agent", "1001"))
    assert refused.status_code == 403
    assert client.get("/api/v1/devices/1002", headers=as_("agent", "1001")).status_code == 403


def test_an_address_is_wanted_where_none_is_confirmed(client: TestClient):
    assert [one["address_wanted"] for one in shown(client, ADMINISTRATOR)] == [True, False]


def test_whoever_uses_a_device_says_where_it_is(client: TestClient, node: Office):
    node.answers[control.SayAddress] = control.DeviceList([ALICE])
    said = {"street": "5 rue des Lilas", "city": "Nancy", "confirm": True}
    answer = client.put("/api/v1/devices/1001/address", json=said, headers=as_("agent", "1001"))
    assert answer.status_code == 200
    expected = control.SayAddress("1001", {"street": "5 rue des Lilas", "city": "Nancy"}, "1001", True)
    assert expected in node.asked
    assert (
        client.put("/api/v1/devices/1002/address", json=said, headers=as_("agent", "1001")).status_code == 403
    )


def test_an_address_that_signalling_refuses_is_told(client: TestClient, node: Office):
    node.answers[control.SayAddress] = control.DeviceList([ALICE], "an address needs street and city")
    answer = client.put("/api/v1/devices/1001/address", json={"city": "Nancy"}, headers=as_("agent", "1001"))
    assert (answer.status_code, answer.json()["detail"]) == (422, "an address needs street and city")


@pytest.mark.usefixtures("claire")
def test_a_device_is_added_changed_given_a_password_and_removed(client: TestClient, node: Office):
    wanted = {"sign_in": "2011-app", "kind": "app", "label": "Mobile de Claire"}
    first = client.post("/api/v1/devices", json=wanted, headers=ADMINISTRATOR).json()
    assert first["sign_in"] == "2011-app"
    changed = client.patch("/api/v1/devices/2011-app", json={"site": "ecole"}, headers=ADMINISTRATOR).json()
    assert (changed["label"], changed["site"], changed["has_password"]) == ("Mobile de Claire", "ecole", True)
    second = client.post("/api/v1/devices/2011-app/password", headers=ADMINISTRATOR).json()["password"]
    assert second != first["password"]
    database = node._store._database()
    assert database.read(lambda connection: kept_password(connection, node.sealing, "2011-app")) == second
    assert client.delete("/api/v1/devices/2011-app", headers=ADMINISTRATOR).status_code == 204
    assert client.get("/api/v1/devices/2011-app", headers=ADMINISTRATOR).status_code == 404


@pytest.mark.usefixtures("claire")
def test_what_cannot_be_entered_in_the_audit_journal_is_not_done(
    client: TestClient, node: Office, tmp_path: Path
):
    folder = node.audit.journal.path.parent
    folder.rename(tmp_path / "aside")
    folder.write_text("a file where the folder should be")
    refused = client.post(
        "/api/v1/devices", json={"sign_in": "2011-app", "kind": "app"}, headers=ADMINISTRATOR
    )
    assert (refused.status_code, refused.json()["code"]) == (503, "audit_unavailable")
    folder.unlink()
    (tmp_path / "aside").rename(folder)
    assert client.get("/api/v1/devices/2011-app", headers=ADMINISTRATOR).status_code == 404


@pytest.fixture(scope="module")
def with_claire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One application with Claire in its directory, for tests that leave it as it is."""
    node = office(tmp_path_factory.mktemp("office"))
    with TestClient(application(node), base_url="http://localhost", client=("127.0.0.1", 50000)) as asking:
        asking.post("/api/v1/people", json={"extension": "2011", "name": "Claire"}, headers=ADMINISTRATOR)
        yield asking


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        ({"sign_in": "2011"}, 409, "device_exists"),
        ({"sign_in": "2099-app"}, 404, "person_not_found"),
        ({"sign_in": "1001-app"}, 409, "written_in_plan"),
        ({"sign_in": "2011-app", "site": "mairy"}, 422, "unknown_site"),
        ({"sign_in": "2011-app", "kind": "fax"}, 422, "invalid"),
        ({"sign_in": "../2011"}, 422, "invalid"),
    ],
)
def test_a_device_that_cannot_be_is_refused(
    with_claire: TestClient, wanted: dict[str, str], status: int, code: str
):
    answer = with_claire.post("/api/v1/devices", json=wanted, headers=ADMINISTRATOR)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_device_of_the_plan_is_changed_there(client: TestClient):
    answers = [
        client.patch("/api/v1/devices/1001", json={"label": "x"}, headers=ADMINISTRATOR),
        client.delete("/api/v1/devices/1001", headers=ADMINISTRATOR),
        client.post("/api/v1/devices/1001/password", headers=ADMINISTRATOR),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(409, "written_in_plan")}


# Services


def test_services_tell_whether_they_are_open_until_when_and_who_answers(client: TestClient, node: Office):
    node.answers[control.ListSettings] = control.SettingsInForce([], [])
    node.now = 1_795_424_400.0  # Monday 23 November 2026, 10:00 in Paris
    found = {one["name"]: one for one in client.get("/api/v1/services", headers=as_("agent")).json()["items"]}
    standard = found["standard"]
    assert (standard["number"], standard["public_number"]) == ("9", "+33383000100")
    assert (standard["open_now"], standard["until_at"]) == (True, node.now + 2 * 3600)
    assert standard["answered_by"] == ["accueil"]
    assert found["astreinte"]["answered_by"] == ["patrouille", "2301"]
    assert (found["secours"]["open_now"], found["secours"]["until_at"]) == (True, 0.0)


def test_a_service_that_was_closed_by_hand_says_so(client: TestClient, node: Office):
    closed = OverrideRecord("service", "secours", False, NOW + 60, "1001", SetBy("chef", NOW))
    node.answers[control.ListSettings] = control.SettingsInForce([], [closed])
    found = {one["name"]: one for one in client.get("/api/v1/services", headers=as_("agent")).json()["items"]}
    secours = found["secours"]
    assert (secours["open_now"], secours["until_at"], secours["by_hand"]) == (False, NOW + 60, "chef")


def test_a_mobile_that_a_service_rings_is_shown_to_those_who_see_calls(client: TestClient, node: Office):
    node.answers[control.ListSettings] = control.SettingsInForce([], [])
    items = client.get("/api/v1/services", headers=as_("operator")).json()["items"]
    (hotline,) = [one for one in items if one["name"] == "astreinte"]
    assert hotline["answered_by"] == ["patrouille", "2301", "+33612345678"]
