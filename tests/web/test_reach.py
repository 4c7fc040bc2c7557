"""How calls reach pages, over HTTP: browsers that are told, pages that open for calls, what is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from starlette.testclient import TestClient

from pbx import control
from pbx.push import records
from pbx.web.application import application
from tests.push.service import Browser
from tests.web.office import office
from tests.web.signed_in import TownHall, town_hall

ENDPOINT = "https://push.example/wpush/v2/1"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TownHall]:
    with town_hall(tmp_path_factory.mktemp("town")) as made:
        yield made


def given(endpoint: str = ENDPOINT, kinds: tuple[str, ...] = ("calls",)) -> dict[str, Any]:
    secrets = Browser(endpoint).secrets
    return {"endpoint": endpoint, "p256dh": secrets.p256dh, "auth": secrets.auth, "kinds": list(kinds)}


def test_a_browser_that_asks_is_told_until_it_asks_no_more(town: TownHall):
    assert len(town.ask("agent", "GET", "/api/v1/push").json()["key"]) == 87
    made = town.ask("agent", "POST", "/api/v1/push/browsers", json=given())
    assert made.status_code == 201
    (shown,) = town.ask("agent", "GET", "/api/v1/push").json()["browsers"]
    assert shown == made.json()
    assert "endpoint" not in shown  # an address at which anybody could speak to it
    assert town.ask("agent", "DELETE", f"/api/v1/push/browsers/{shown['id']}").status_code == 204
    assert town.ask("agent", "GET", "/api/v1/push").json()["browsers"] == []


def test_somebody_says_what_a_browser_is_told_of(town: TownHall):
    made = town.ask("agent", "POST", "/api/v1/push/browsers", json=given()).json()
    changed = town.ask(
        "agent", "PATCH", f"/api/v1/push/browsers/{made['id']}", json={"kinds": ["voicemail", "missed"]}
    ).json()
    assert changed["browsers"][0]["kinds"] == ["missed", "voicemail"]
    wrong = town.ask("agent", "PATCH", f"/api/v1/push/browsers/{made['id']}", json={"kinds": ["everything"]})
    assert (wrong.status_code, wrong.json()["where"]) == (422, "kinds")


def test_nobody_reaches_somebody_elses_browser(town: TownHall):
    made = town.ask("agent", "POST", "/api/v1/push/browsers", json=given()).json()
    url = f"/api/v1/push/browsers/{made['id']}"
    assert town.ask("operator", "DELETE", url).status_code == 404
    assert town.ask("operator", "PATCH", url, json={"kinds": []}).status_code == 404
    assert town.ask("operator", "POST", f"{url}/test").status_code == 404
    with closing(town.database) as database:
        assert len(database.read(lambda connection: records.of_account(connection, "agent"))) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("endpoint", "http://push.example/1"),
        ("endpoint", "https://10.0.0.1:0/"),
        ("p256dh", "AAAA"),
        ("auth", "////"),
        ("kinds", ["everything"]),
    ],
)
def test_what_no_browser_says_is_refused_with_its_field(town: TownHall, field: str, value: Any):
    answer = town.ask("agent", "POST", "/api/v1/push/browsers", json={**given(), field: value})
    assert (answer.status_code, answer.json()["where"]) == (422, field)


def test_an_account_without_a_number_has_no_calls_to_be_told_of(town: TownHall):
    answer = town.ask("auditor", "POST", "/api/v1/push/browsers", json=given())
    assert answer.json()["code"] in ("no_extension", "second_factor_must_set_up")


def test_a_program_with_a_token_subscribes_no_browser(town: TownHall):
    answer = town.by_token(town.token("agent", "own"), "POST", "/api/v1/push/browsers", json=given())
    assert answer.json()["code"] == "pages_only"


def test_a_browser_in_a_private_network_is_not_told(town: TownHall):
    made = town.ask("agent", "POST", "/api/v1/push/browsers", json=given("https://127.0.0.1:1/push")).json()
    answer = town.ask("agent", "POST", f"/api/v1/push/browsers/{made['id']}/test")
    assert (answer.status_code, answer.json()["code"]) == (502, "push_refused")
    assert "private network" in answer.json()["detail"]


def test_a_call_is_declined_for_oneself_alone(town: TownHall):
    town.node.answers[control.DeclineCall] = control.WakingSet(found=True)
    assert town.ask("agent", "POST", "/api/v1/push/declined", json={"call": "c1"}).status_code == 204
    assert town.node.asked[-1] == control.DeclineCall("c1", "1001")
    town.node.answers[control.DeclineCall] = control.WakingSet(found=False)
    assert town.ask("agent", "POST", "/api/v1/push/declined", json={"call": "c1"}).status_code == 404


# Pages that open for calls


def test_no_page_opens_where_the_configuration_names_none(town: TownHall):
    assert town.ask("agent", "GET", "/api/v1/screen-pops").json() == []


# The application


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("office")
    with TestClient(application(office(folder)), base_url="http://localhost") as asking:
        yield asking


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_application_can_be_installed_in_either_language(client: TestClient, language: str):
    answer = client.get(f"/manifest-{language}.webmanifest")
    assert answer.headers["content-type"] == "application/manifest+json"
    manifest = answer.json()
    assert (manifest["lang"], manifest["scope"], manifest["display"]) == (language, "/", "standalone")
    for icon in manifest["icons"]:
        assert client.get(icon["src"]).content.startswith(b"\x89PNG")
    assert {one["protocol"] for one in manifest["protocol_handlers"]} == {"tel", "sip"}
    assert {one["url"] for one in manifest["protocol_handlers"]} == {"/call?to=%s"}


def test_the_service_worker_is_asked_for_anew_and_stands_over_all_pages(client: TestClient):
    answer = client.get("/sw.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"  # a new version isn't kept waiting
    assert "import" not in answer.text
    index = client.get("/").text
    assert "/manifest-fr.webmanifest" in index


def test_the_page_without_a_network_needs_nothing_else(client: TestClient):
    page = client.get("/offline.html").text
    assert "112" in page
    assert "<script" not in page
    assert json.dumps(page).count("/assets/") == 0
