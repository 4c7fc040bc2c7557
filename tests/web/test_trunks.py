"""The operators' lines over HTTP: how they are, and what the plan says of them, edited line by line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from pbx.control import ListTrunks, TrunkList, TrunkStatus
from tests.web.exchange import Exchange, exchange
from tests.web.office import NOW, Office, as_
from tests.web.test_plan import entered

URL = "/api/v1/trunks"
CHIEF, READER = as_("administrator"), as_("supervisor")
NEW = {"host": "sip.operateur-c.example", "owns": ["+33383000500"], "secret": {"env": "OPERATEUR_C_SECRET"}}


@pytest.fixture
def running(node: Office) -> Iterator[Exchange]:
    node.answers[ListTrunks] = TrunkList([])
    with exchange(node.configuration) as made:
        yield made


def edited(node: Office, before: str) -> list[str]:
    """The lines of the plan that changed, each with - or +."""
    after = node.configuration.plan.read_text("utf-8")
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def test_lines_are_listed_with_what_the_plan_and_the_node_say(client: TestClient, node: Office, running):
    up = TrunkStatus("operateur-a", "x", "up", True, NOW + 60, None, 30, 2, 3, 12.5, ["tls 192.0.2.1:5061"])
    down = TrunkStatus(
        "operateur-b", "x", "down", False, None, None, 10, 2, 0, None, [], NOW - 9, "OPTIONS: 503 No", NOW - 8
    )
    node.answers[ListTrunks] = TrunkList([up, down])
    a, b = client.get(URL, headers=READER).json()["items"]
    assert (a["state"], a["channels_in_use"], a["registered_until"]) == ("up", 3, NOW + 60)
    assert (a["options_delay_ms"], a["servers"]) == (12.5, ["tls 192.0.2.1:5061"])
    assert a["settings"]["secret"] == {"env": "OPERATEUR_A_SECRET"}
    assert (b["state"], b["since"], b["refusal"], b["refused_at"]) == (
        "down",
        NOW - 9,
        "OPTIONS: 503 No",
        NOW - 8,
    )


def test_lines_are_listed_without_a_node(client: TestClient):
    items = client.get(URL, headers=READER).json()["items"]
    assert [(one["name"], one["state"]) for one in items] == [("operateur-a", ""), ("operateur-b", "")]


def test_one_line_is_shown(client: TestClient):
    assert client.get(f"{URL}/operateur-b", headers=READER).json()["channels"] == 10
    assert client.get(f"{URL}/operateur-z", headers=READER).json()["code"] == "unknown_trunk"


def test_a_line_is_added_and_every_other_line_of_the_plan_stays(client: TestClient, node: Office, running):
    before = node.configuration.plan.read_text("utf-8")
    asked = {"name": "operateur-c", "settings": {**NEW, "channels": 4}, "expected": running.version}
    answer = client.post(URL, headers=CHIEF, json=asked)
    assert answer.status_code == 201, answer.text
    assert edited(node, before) == [
        "+  operateur-c:",
        "+    host: sip.operateur-c.example",
        '+    owns: ["+33383000500"]',
        "+    secret: {env: OPERATEUR_C_SECRET}",
        "+    channels: 4",
    ]
    assert running.version == answer.json()["version"]
    ((what, by, about),) = entered(node)
    assert (what, by, about["trunk"]) == ("trunk.add", "administrator-", "operateur-c")


def test_a_line_is_changed_and_its_comments_stay(client: TestClient, node: Office, running):
    before = node.configuration.plan.read_text("utf-8")
    settings = client.get(f"{URL}/operateur-a", headers=CHIEF).json()["settings"]
    settings.pop("transport")
    asked = {"settings": {**settings, "channels": 40, "options": ["no_route"]}, "expected": running.version}
    assert client.put(f"{URL}/operateur-a", headers=CHIEF, json=asked).status_code == 200
    assert edited(node, before) == [
        "-    transport: tls",
        "-    channels: 30",
        "+    channels: 40",
        "+    options: [no_route]",
    ]
    assert [what for what, _, _ in entered(node)] == ["trunk.change"]


def test_a_line_that_the_plan_still_names_isn_t_removed(client: TestClient, node: Office, running):
    query = {"expected": running.version}
    answer = client.delete(f"{URL}/operateur-b", headers=CHIEF, params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "plan_refused")
    assert any('unknown trunk "operateur-b"' in one["detail"] for one in answer.json()["errors"])
    assert entered(node) == []


def test_a_line_that_nothing_names_is_removed(client: TestClient, node: Office, running):
    before = node.configuration.plan.read_text("utf-8")
    added = client.post(
        URL, headers=CHIEF, json={"name": "operateur-c", "settings": NEW, "expected": running.version}
    )
    answer = client.delete(f"{URL}/operateur-c", headers=CHIEF, params={"expected": added.json()["version"]})
    assert answer.status_code == 200, answer.text
    assert node.configuration.plan.read_text("utf-8") == before


def test_a_secret_that_is_typed_is_refused_with_the_mend(client: TestClient, node: Office, running):
    before = node.configuration.plan.read_text("utf-8")
    for settings in ({**NEW, "secret": "s3cret"}, {**NEW, "secret": {"sealed": "s3cret"}}):
        asked = {"name": "operateur-c", "settings": settings, "expected": running.version}
        answer = client.post(URL, headers=CHIEF, json=asked)
        assert (answer.status_code, answer.json()["code"]) == (422, "secret_in_plan")
        assert '{"env": "NAME"}' in answer.json()["mend"]
        assert "s3cret" not in answer.text
    assert node.configuration.plan.read_text("utf-8") == before


def test_a_draft_says_what_is_wrong_at_its_field_and_changes_nothing(
    client: TestClient, node: Office, running
):
    before = node.configuration.plan.read_text("utf-8")
    asked = {"name": "operateur-c", "settings": {**NEW, "transport": "sctp"}, "is_new": True}
    draft = client.post(f"{URL}/draft", headers=CHIEF, json=asked).json()
    errors = [one for one in draft["comparison"]["findings"] if one["severity"] == "error"]
    assert [(one["field"], one["message"]) for one in errors] == [("transport", 'unknown transport "sctp"')]
    assert node.configuration.plan.read_text("utf-8") == before


def test_a_draft_says_what_changes(client: TestClient, running):
    asked = {"name": "operateur-c", "settings": NEW, "is_new": True}
    comparison = client.post(f"{URL}/draft", headers=CHIEF, json=asked).json()["comparison"]
    first, *_, last = comparison["changes"]
    assert (first["kind"], first["after"]) == (
        "emergency",
        "emergency by operateur-a, then operateur-b, then operateur-c",
    )
    assert (last["kind"], last["who"], last["after"]) == ("part", "trunk operateur-c", "new")


@pytest.mark.parametrize(
    ("name", "is_new", "status"), [("operateur-a", True, 409), ("operateur-z", False, 404)]
)
def test_a_draft_of_what_is_there_or_isn_t(client: TestClient, running, name: str, is_new: bool, status: int):
    asked: dict[str, Any] = {"name": name, "settings": NEW, "is_new": is_new}
    assert client.post(f"{URL}/draft", headers=CHIEF, json=asked).status_code == status


def test_a_plan_that_changed_meanwhile_isn_t_edited(client: TestClient, running):
    asked = {"name": "operateur-c", "settings": NEW, "expected": "0123456789ab"}
    answer = client.post(URL, headers=CHIEF, json=asked)
    assert (answer.status_code, answer.json()["code"]) == (409, "plan_changed")


@pytest.mark.parametrize("role", ["supervisor", "auditor", "operator", "agent"])
def test_only_an_administrator_changes_lines(client: TestClient, running, role: str):
    asked = {"name": "operateur-c", "settings": NEW, "expected": running.version}
    assert client.post(URL, headers=as_(role), json=asked).status_code == 403
    gone = client.delete(f"{URL}/operateur-a", headers=as_(role), params={"expected": running.version})
    assert gone.status_code == 403
    assert running.authors == []
