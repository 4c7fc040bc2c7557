"""The keys of somebody's desk telephones: the plan's, or chosen by an administrator or by themselves."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pbx.phones.settings import Provisioning
from pbx.settings.values import Listen
from tests.web.office import Office, as_, office
from tests.web.test_phones import ask, open_window

ADMINISTRATOR = as_("administrator", "2020")
MAC = "805ec0123456"


@pytest.fixture
def node(tmp_path: Path) -> Office:
    made = office(tmp_path)
    said = Provisioning(https=(Listen("127.0.0.1", 8443),))
    made.configuration = dataclasses.replace(made.configuration, provisioning=said)
    return made


@pytest.fixture
def keys(client: TestClient) -> dict[str, Any]:
    person = {"extension": "2011", "name": "Claire Petit"}
    assert client.post("/api/v1/people", json=person, headers=ADMINISTRATOR).status_code == 201
    phone = {"mac": MAC, "brand": "yealink", "model": "T54W", "extensions": ["2011"]}
    assert client.post("/api/v1/phones", json=phone, headers=ADMINISTRATOR).status_code == 201
    shown: dict[str, Any] = client.get("/api/v1/people/2011/keys", headers=ADMINISTRATOR).json()
    return shown


def put(client: TestClient, items: object, **who: Any) -> Any:
    headers = who.get("headers", ADMINISTRATOR)
    return client.put("/api/v1/people/2011/keys", json={"items": items}, headers=headers)


def test_keys_are_the_plans_until_somebody_chooses(keys: dict[str, Any]):
    assert not keys["chosen"] and keys["items"] == keys["planned"] and keys["may_change"]
    parking = [one for one in keys["items"] if one["kind"] == "park"]
    assert parking and parking[0]["name"] == parking[0]["label"]
    [phone] = keys["phones"]
    assert (phone["phone"], phone["model"], phone["own"]) == (MAC, "Yealink T54W", False)


def test_chosen_keys_are_in_the_telephones_file_in_their_order(
    client: TestClient, keys: dict[str, Any], node: Office
):
    wanted = [
        {"kind": "speed_dial", "number": "03 83 00 10 11", "label": "Mairie  de Nancy"},
        {"kind": "lamp", "number": "1001"},
    ]
    shown = put(client, wanted).json()
    assert shown["chosen"] and [one["number"] for one in shown["items"]] == ["0383001011", "1001"]
    assert shown["items"][1]["name"] == "Alice Martin"
    open_window(client)
    ask(node, f"{MAC}.cfg", transport="https")
    client.post(f"/api/v1/phones/{MAC}/approval", headers=ADMINISTRATOR)
    lines = ask(node, f"{MAC}.cfg").content.decode().splitlines()
    assert "linekey.2.value = 0383001011" in lines and "linekey.3.value = 1001" in lines
    assert "linekey.2.label = Mairie de Nancy" in lines


def test_keys_that_are_forgotten_are_the_plans_again(client: TestClient, keys: dict[str, Any]):
    assert put(client, []).json()["items"] == []
    again = put(client, None).json()
    assert not again["chosen"] and again["items"] == keys["planned"]


@pytest.mark.parametrize(
    ("kind", "number", "label", "code"),
    [
        ("lamp", "7777", "", "unknown_key_lamp"),
        ("park", "1001", "", "unknown_key_park"),
        ("page", "1001", "", "unknown_key_page"),
        ("speed_dial", "Paul", "", "wrong_key_number"),
        ("speed_dial", "1001", "é" * 41, "wrong_key_label"),
    ],
)
def test_a_key_that_cannot_be_says_which_and_why(
    client: TestClient, keys: dict[str, Any], kind: str, number: str, label: str, code: str
):
    good = {"kind": "speed_dial", "number": "18"}
    answer = put(client, [good, {"kind": kind, "number": number, "label": label}])
    assert (answer.status_code, answer.json()["code"], answer.json()["where"]) == (422, code, "items.1")
    after = client.get("/api/v1/people/2011/keys", headers=ADMINISTRATOR).json()
    assert after["items"] == keys["planned"]


def test_somebody_chooses_their_own_keys_where_they_may(
    client: TestClient, keys: dict[str, Any], node: Office
):
    own, other = as_("agent", "2011"), as_("agent", "1001")
    items = [{"kind": "lamp", "number": "1001"}]
    assert put(client, items, headers=other).json()["code"] == "not_yours"
    assert put(client, items, headers=own).json()["chosen"]
    said = dataclasses.replace(node.configuration.provisioning, own_keys=False)
    node.configuration = dataclasses.replace(node.configuration, provisioning=said)
    assert put(client, [], headers=own).json()["code"] == "keys_not_own"
    shown = client.get("/api/v1/people/2011/keys", headers=own).json()
    assert not shown["may_change"] and len(shown["items"]) == 1


def test_whoever_gets_a_number_next_does_not_get_its_keys(client: TestClient, keys: dict[str, Any]):
    put(client, [{"kind": "lamp", "number": "1001"}])
    assert client.delete("/api/v1/people/2011", headers=ADMINISTRATOR).status_code == 204
    person = {"extension": "2011", "name": "Denis Faure"}
    assert client.post("/api/v1/people", json=person, headers=ADMINISTRATOR).status_code == 201
    assert not client.get("/api/v1/people/2011/keys", headers=ADMINISTRATOR).json()["chosen"]
