"""People over HTTP: found, added, changed and removed; photos, notes, favourites; spreadsheets."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from pbx import control
from pbx.api.views import CallView, PartyView
from pbx.people.directory import digest_hashes
from pbx.records import PersonSettings, SetBy
from pbx.store.people import list_people
from pbx.web.application import application
from tests.web.office import NOW, Office, as_, office

ADMINISTRATOR = as_("administrator", "2020")
CLAIRE = {"extension": "2011", "name": "Claire Lefèvre", "site": "mairie", "groups": ["accueil"]}


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * (width * 3 + 1) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def with_claire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One application with Claire in its directory, for tests that leave it as it is."""
    node = office(tmp_path_factory.mktemp("office"))
    with TestClient(application(node), base_url="http://localhost", client=("127.0.0.1", 50000)) as asking:
        added(asking)
        yield asking


def added(client: TestClient, **fields: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/people", json={**CLAIRE, **fields}, headers=ADMINISTRATOR)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def names(client: TestClient, query: str, role: str = "agent") -> list[str]:
    answer = client.get(f"/api/v1/directory?{query}", headers=as_(role, "1001"))
    return [one["name"] for one in answer.json()["items"]]


def audited(node: Office) -> list[str]:
    lines = node.configuration.audit_journal.read_bytes().splitlines()
    entries = [json.JSONDecoder().raw_decode(line.decode())[0] for line in lines]
    return [f"{entry['what']} {entry['about'].get('whom', '')}".strip() for entry in entries]


def test_a_person_is_added_with_a_device_whose_password_is_told_once(client: TestClient, node: Office):
    told = added(client)["credentials"]
    assert (told["sign_in"], told["domain"]) == ("2011", "localhost")
    with_person = client.get("/api/v1/people/2011", headers=ADMINISTRATOR)
    assert told["password"] not in with_person.text
    database = node._store._database()
    (person,) = database.read(list_people)
    assert person.devices[0].ha1_md5 == digest_hashes("2011", "localhost", told["password"])[0]
    assert audited(node) == ["people.add 2011"]


def test_somebody_new_is_found_at_once_by_beginning_and_by_sound(client: TestClient):
    added(client)
    assert names(client, "search=clai") == ["Claire Lefèvre"]
    assert names(client, "search=lefaivre") == ["Claire Lefèvre"]


def test_services_and_groups_are_found_beside_people(with_claire: TestClient):
    client = with_claire
    kinds = client.get("/api/v1/directory?search=accueil", headers=as_("agent")).json()["items"]
    assert {one["kind"] for one in kinds} == {"person", "service", "group"}
    assert names(client, "search=accueil&kind=service") == ["accueil-ecole", "accueil-vocal"]


def test_the_whole_directory_comes_page_by_page(with_claire: TestClient):
    client = with_claire
    seen, after = [], ""
    while True:
        page = client.get(f"/api/v1/directory?limit=7&after={after}", headers=as_("agent")).json()
        seen += [one["id"] for one in page["items"]]
        after = page["next"]
        if not after:
            break
    whole = client.get("/api/v1/directory?limit=2000", headers=as_("agent")).json()["items"]
    assert seen == [one["id"] for one in whole]
    assert len(seen) == len(set(seen)) > 20


def test_a_person_of_the_plan_says_so_and_is_changed_there(with_claire: TestClient):
    client = with_claire
    shown = client.get("/api/v1/people/1001", headers=ADMINISTRATOR).json()
    assert shown["source"] == "plan"
    assert shown["line"] > 0
    refused = client.patch("/api/v1/people/1001", json={"name": "Alicia"}, headers=ADMINISTRATOR)
    assert (refused.status_code, refused.json()["code"]) == (409, "written_in_plan")


def test_a_change_leaves_what_is_not_given(client: TestClient, node: Office):
    added(client)
    done = client.patch(
        "/api/v1/people/2011", json={"name": "Claire Petit", "site": ""}, headers=ADMINISTRATOR
    )
    person = done.json()["person"]
    assert (person["name"], person["site"], person["groups"]) == ("Claire Petit", "", ["accueil"])
    assert [one["sign_in"] for one in person["devices"]] == ["2011"]
    assert audited(node)[-1] == "people.change 2011"


def test_who_is_removed_is_gone_with_photo_note_and_favourite(client: TestClient):
    added(client)
    client.put("/api/v1/people/2011/photo", content=png(8, 8), headers=ADMINISTRATOR)
    client.put(
        "/api/v1/directory/favourites", json={"entries": ["person:2011"]}, headers=as_("agent", "1001")
    )
    assert client.delete("/api/v1/people/2011", headers=ADMINISTRATOR).status_code == 204
    assert client.get("/api/v1/people/2011", headers=ADMINISTRATOR).status_code == 404
    assert client.get("/api/v1/people/2011/photo", headers=ADMINISTRATOR).status_code == 404
    assert client.get("/api/v1/directory/favourites", headers=as_("agent", "1001")).json()["items"] == []


@pytest.mark.parametrize(
    ("wrong", "code", "where"),
    [
        ({"extension": "2010"}, "number_taken", "extension"),
        ({"extension": "8000"}, "number_taken", "extension"),
        ({"extension": "112"}, "not_admitted", "extension"),
        ({"class_name": "natinal"}, "unknown_class", "class_name"),
        ({"site": "mairy"}, "unknown_site", "site"),
        ({"name": "a\u0007b"}, "wrong_name", "name"),
        ({"mobile": "0612345678"}, "invalid", "mobile"),
        ({"extension": "20a"}, "invalid", "extension"),
        ({"surprise": "x"}, "invalid", "surprise"),
    ],
)
def test_somebody_whom_the_plan_cannot_take_is_refused_at_the_field(
    with_claire: TestClient, wrong: dict[str, str], code: str, where: str
):
    asked = {**CLAIRE, "extension": "2019", **wrong}
    answer = with_claire.post("/api/v1/people", json=asked, headers=ADMINISTRATOR)
    assert (answer.status_code, answer.json()["code"], answer.json()["where"]) == (422, code, where)


def test_an_extension_is_given_once(with_claire: TestClient):
    again = with_claire.post("/api/v1/people", json=CLAIRE, headers=ADMINISTRATOR)
    assert (again.status_code, again.json()["code"]) == (409, "extension_taken")


def test_a_mobile_is_shown_to_oneself_and_to_those_who_see_calls(client: TestClient):
    added(client, mobile="+33612345678")

    def mobile(role: str, extension: str) -> str:
        answer = client.get("/api/v1/people/2011", headers=as_(role, extension))
        return str(answer.json()["mobile"])

    assert [mobile("agent", "1001"), mobile("agent", "2011"), mobile("operator", "1002")] == [
        "",
        "+33612345678",
        "+33612345678",
    ]


# Photos


def test_a_photo_is_kept_as_it_is_and_served_as_what_it_is(client: TestClient, node: Office):
    added(client)
    data = png(64, 48)
    assert (
        client.put("/api/v1/people/2011/photo", content=data, headers=as_("agent", "2011")).status_code == 204
    )
    served = client.get("/api/v1/people/2011/photo", headers=as_("agent", "1001"))
    assert served.content == data
    assert served.headers["content-type"] == "image/png"
    assert served.headers["x-content-type-options"] == "nosniff"
    assert client.get("/api/v1/people/2011", headers=ADMINISTRATOR).json()["photo_at"] == NOW


def test_a_photo_is_ones_own_or_an_administrators(with_claire: TestClient):
    refused = with_claire.put("/api/v1/people/2011/photo", content=png(8, 8), headers=as_("agent", "1001"))
    assert (refused.status_code, refused.json()["code"]) == (403, "not_yours")


@pytest.mark.parametrize("data", [b"", b"<svg/>", png(513, 8), png(8, 8)[:-4], b"GIF89a" + b"\0" * 40])
def test_what_is_no_small_picture_is_refused(with_claire: TestClient, data: bytes):
    refused = with_claire.put("/api/v1/people/2011/photo", content=data, headers=ADMINISTRATOR)
    assert (refused.status_code, refused.json()["code"]) == (422, "no_photo_taken")


# Absence notes


def test_a_note_is_read_by_everybody_until_its_end(client: TestClient, node: Office):
    note = {"text": "En congé", "until_at": NOW + 3600}
    assert (
        client.put("/api/v1/people/1001/absence", json=note, headers=as_("agent", "1001")).status_code == 200
    )
    shown = client.get("/api/v1/directory?search=alice", headers=as_("agent", "1002")).json()["items"][0]
    assert shown["absence"] == {"text": "En congé", "until_at": NOW + 3600, "by": "Agent"}
    node.now = NOW + 3601
    later = client.get("/api/v1/directory?search=alice", headers=as_("agent", "1002")).json()["items"][0]
    assert later["absence"] is None


def test_a_note_of_others_needs_the_right_and_an_end(client: TestClient):
    note = {"text": "Malade", "until_at": NOW + 3600}
    assert (
        client.put("/api/v1/people/1002/absence", json=note, headers=as_("agent", "1001")).status_code == 403
    )
    assert (
        client.put("/api/v1/people/1002/absence", json=note, headers=as_("operator", "1")).status_code == 200
    )
    past = client.put(
        "/api/v1/people/1002/absence", json={**note, "until_at": NOW}, headers=as_("operator", "1")
    )
    assert (past.status_code, past.json()["where"]) == (422, "until_at")
    assert client.delete("/api/v1/people/1002/absence", headers=as_("operator", "1")).status_code == 204
    assert client.delete("/api/v1/people/1002/absence", headers=as_("operator", "1")).status_code == 404


# Favourites and states


def test_favourites_stay_in_their_order_and_are_ones_own(client: TestClient):
    wanted = {"entries": ["service:standard", "person:1002", "service:standard"]}
    kept = client.put("/api/v1/directory/favourites", json=wanted, headers=as_("agent", "1001"))
    assert [one["id"] for one in kept.json()["items"]] == ["service:standard", "person:1002"]
    assert client.get("/api/v1/directory/favourites", headers=as_("agent", "1002")).json()["items"] == []
    unknown = client.put(
        "/api/v1/directory/favourites", json={"entries": ["person:9999"]}, headers=as_("agent", "1001")
    )
    assert unknown.status_code == 404


def test_states_are_told_of_ones_groups_and_to_those_who_see_calls(client: TestClient, node: Office):
    parties = (PartyView("a", "1002", "1002", "Bruno", "talks"), PartyView("b", "2301", "2301", "P", "talks"))
    view = CallView("c1", "internal", "1002", "Bruno", "2301", "2301", NOW, NOW, parties)
    node.answers[control.ListCalls] = control.CallsNow([view])
    quiet = PersonSettings("2201", do_not_disturb=SetBy("2201", NOW))
    node.answers[control.ListSettings] = control.SettingsInForce([quiet], [])

    def states(role: str, extension: str) -> dict[str, str]:
        answer = client.get("/api/v1/directory/states", headers=as_(role, extension))
        return {one["extension"]: one["state"] for one in answer.json()["items"]}

    assert states("agent", "1001") == {"1002": "in_call"}
    assert states("operator", "1001") == {"1002": "in_call", "2301": "in_call", "2201": "do_not_disturb"}


# Spreadsheets


def test_an_import_is_previewed_and_then_carried_out_by_its_token(client: TestClient, node: Office):
    added(client)
    file = b"extension;name\n2011;Claire Petit\n2012;Denis Faure\n"
    shown = client.post("/api/v1/directory/import/preview", content=file, headers=ADMINISTRATOR).json()
    assert [one["extension"] for one in shown["added"]] == ["2012"]
    assert shown["changed"][0]["fields"] == [
        {"field": "name", "before": "Claire Lefèvre", "after": "Claire Petit"}
    ]
    url = f"/api/v1/directory/import?token={shown['token']}"
    done = client.post(url, content=file, headers=ADMINISTRATOR).json()
    assert (done["added"], done["changed"], done["removed"]) == (1, 1, 0)
    assert [one["sign_in"] for one in done["credentials"]] == ["2012"]
    assert names(client, "search=faure") == ["Denis Faure"]
    assert audited(node)[-1] == "people.import"
    again = client.post(url, content=file, headers=ADMINISTRATOR)
    assert (again.status_code, again.json()["code"]) == (409, "directory_moved")


def test_an_import_is_refused_where_somebody_changed_people_meanwhile(client: TestClient):
    file = b"extension;name\n2012;Denis\n"
    shown = client.post("/api/v1/directory/import/preview", content=file, headers=ADMINISTRATOR).json()
    added(client)
    url = f"/api/v1/directory/import?token={shown['token']}"
    refused = client.post(url, content=file, headers=ADMINISTRATOR)
    assert (refused.status_code, refused.json()["code"]) == (409, "directory_moved")
    assert names(client, "search=denis") == []


def test_what_cannot_be_imported_is_told_line_by_line(with_claire: TestClient):
    client = with_claire
    file = b"extension;name\n8000;X\n"
    shown = client.post("/api/v1/directory/import/preview", content=file, headers=ADMINISTRATOR).json()
    assert (shown["errors"][0]["line"], shown["token"]) == (2, "")
    no_file = client.post("/api/v1/directory/import/preview", content=b"\0", headers=ADMINISTRATOR)
    assert (no_file.status_code, no_file.json()["code"]) == (422, "no_spreadsheet")


def test_what_is_exported_changes_nothing_when_it_is_imported(client: TestClient):
    added(client, mobile="+33612345678")
    file = client.get("/api/v1/directory/export", headers=ADMINISTRATOR)
    assert file.headers["content-disposition"] == 'attachment; filename="people.csv"'
    shown = client.post(
        "/api/v1/directory/import/preview", content=file.content, headers=ADMINISTRATOR
    ).json()
    assert (shown["added"], shown["changed"], shown["errors"], shown["unchanged"]) == ([], [], [], 1)


@pytest.mark.parametrize("role", ["agent", "operator", "supervisor", "listener", "auditor"])
def test_only_administrators_change_people(with_claire: TestClient, role: str):
    client = with_claire
    asking = as_(role, "1001")
    answers = [
        client.post("/api/v1/people", json=CLAIRE, headers=asking),
        client.patch("/api/v1/people/1001", json={}, headers=asking),
        client.delete("/api/v1/people/1001", headers=asking),
        client.get("/api/v1/directory/export", headers=asking),
        client.post("/api/v1/directory/import/preview", content=b"", headers=asking),
    ]
    assert {answer.status_code for answer in answers} == {403}
