"""Click to call over HTTP: who gets a pass, whose turn it is, who is told to wait, and what nobody gets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pbx import control
from pbx.people.visitor_passwords import VisitorPasswords, visitor_of
from pbx.web.application import application
from pbx.web.waiting_room import CALLS_OF_PASS, PASS_SECONDS, WAIT_SECONDS
from tests.web.office import Office, office

SITE = "https://www.valmont.example"
BUTTONS = f"""\
click_to_call:
  - {{name: mairie, service: standard, sites: ["{SITE}"], most_calls: 2, most_calls_per_visitor: 4}}
  - {{name: ecole, service: accueil-ecole, sites: ["https://ecole.valmont.example"]}}
"""
OPEN = control.DoorwayNow(found=True, answers=True, is_open=True, calls_back=True)
HOME = "198.51.100.7"


@pytest.fixture
def node(tmp_path: Path) -> Office:
    made = office(tmp_path, more=BUTTONS)
    made.answers = {control.AskDoorway: OPEN, control.CallVisitorBack: OPEN}
    return made


@pytest.fixture
def client(node: Office) -> Iterator[TestClient]:
    with TestClient(application(node), base_url="https://localhost", client=(HOME, 50000)) as asking:
        yield asking


def admitted(client: TestClient, button: str = "mairie", site: str = SITE) -> str:
    answer = client.get(f"/api/v1/click/{button}/pass", headers={"Origin": site})
    assert answer.status_code == 200, answer.text
    visit: str = answer.json()["visit"]
    return visit


def calls(client: TestClient, visit: str, button: str = "mairie") -> Any:
    return client.post(f"/api/v1/click/{button}/calls", json={"visit": visit})


def busy(node: Office, in_progress: int) -> None:
    node.answers[control.AskDoorway] = control.DoorwayNow(
        found=True, in_progress=in_progress, answers=True, is_open=True, calls_back=True
    )


# Who may come


def test_a_declared_site_gets_a_pass_that_its_page_may_read(client: TestClient):
    # RFC 6454 section 7: the browser says whose page asks.
    answer = client.get("/api/v1/click/mairie/pass", headers={"Origin": SITE, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == SITE
    assert answer.headers["vary"] == "Origin"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://www.valmont.example.evil.example",
        "null",
        "",
        "http://www.valmont.example",
    ],
)
def test_another_site_gets_none(client: TestClient, origin: str):
    answer = client.get("/api/v1/click/mairie/pass", headers={"Origin": origin} if origin else {})
    assert (answer.status_code, answer.json()["code"]) == (403, "other_site")


def test_the_site_of_one_button_gets_no_pass_for_another(client: TestClient):
    assert client.get("/api/v1/click/ecole/pass", headers={"Origin": SITE}).status_code == 403
    assert calls(client, admitted(client), "ecole").json()["code"] == "pass_refused"


def test_a_button_that_is_not_there_has_nothing(client: TestClient):
    assert client.get("/api/v1/click/nobody/pass", headers={"Origin": SITE}).status_code == 404
    assert client.get("/click/nobody.js").status_code == 404
    assert client.get("/click/nobody").status_code == 404


@pytest.mark.parametrize(
    "visit", ["", "mairie", "mairie.000000000000000000000000.9999999999." + "A" * 43, "x" * 200, "é" * 50]
)
def test_an_invented_pass_is_worth_nothing(client: TestClient, node: Office, visit: str):
    assert calls(client, visit).status_code == 403
    assert node.asked == []


def test_a_pass_is_over_after_some_minutes(client: TestClient, node: Office):
    visit = admitted(client)
    node.now += PASS_SECONDS + 1
    assert calls(client, visit).json()["code"] == "pass_refused"


# A call


def test_a_visitor_gets_a_password_for_one_service_that_signalling_knows(client: TestClient, node: Office):
    told = calls(client, admitted(client)).json()
    assert (told["state"], told["service"], told["domain"]) == ("call", "standard", "localhost")
    assert visitor_of(told["username"]).button == "mairie"
    passwords = VisitorPasswords(node.sealing, "localhost")
    known = passwords.credentials(told["username"], "standard")
    assert known == type(known).of(told["username"], "localhost", told["password"])
    assert known != passwords.credentials(told["username"], "accueil-ecole")


def test_a_pass_is_good_for_a_few_attempts_and_no_more(client: TestClient, node: Office):
    visit = admitted(client)
    for _ in range(CALLS_OF_PASS):
        assert calls(client, visit).json()["state"] == "call"
        node.now += 10
    assert calls(client, visit).json()["code"] == "pass_refused"


def test_an_address_that_calls_too_often_is_told_when_to_come_back(client: TestClient, node: Office):
    for _ in range(4):
        assert calls(client, admitted(client)).json()["state"] == "call"
        node.now += 10
    refused = calls(client, admitted(client))
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_calls")
    assert refused.headers["retry-after"] == "3560"
    node.now += 3561
    assert calls(client, admitted(client)).json()["state"] == "call"


def test_a_household_of_ipv6_is_one_address(node: Office):
    with TestClient(application(node), base_url="https://localhost", client=("2001:db8::1", 1)) as client:
        visits = [admitted(client) for _ in range(5)]
        room, now = node.waiting_room, node.now
        button = node.configuration.click_to_call[0]
        for visit in visits[:4]:
            room.count(button, room.read(button, visit, now), "2001:db8::/64", now)
        assert calls(client, visits[4]).status_code == 429


# Waiting


def test_who_finds_every_line_busy_waits_in_the_order_of_coming(client: TestClient, node: Office):
    busy(node, 2)
    first, second = admitted(client), admitted(client)
    assert calls(client, first).json()["before"] == 1
    assert calls(client, second).json()["before"] == 2
    assert calls(client, first).json()["state"] == "wait"
    busy(node, 1)
    assert calls(client, second).json()["before"] == 1  # it isn't its turn
    assert calls(client, first).json()["state"] == "call"


def test_who_leaves_the_line_holds_up_nobody(client: TestClient, node: Office):
    busy(node, 2)
    gone, stays = admitted(client), admitted(client)
    calls(client, gone)
    node.now += WAIT_SECONDS - 1
    assert calls(client, stays).json()["before"] == 2
    node.now += 2
    assert calls(client, stays).json()["before"] == 1


def test_a_password_that_is_on_its_way_takes_a_line(client: TestClient, node: Office):
    busy(node, 1)
    assert calls(client, admitted(client)).json()["state"] == "call"
    assert calls(client, admitted(client)).json()["state"] == "wait"


def test_where_nobody_answers_a_visitor_is_told_so(client: TestClient, node: Office):
    node.answers[control.AskDoorway] = control.DoorwayNow(found=True)
    assert calls(client, admitted(client)).json()["state"] == "closed"


def test_a_service_that_left_the_plan_is_said(client: TestClient, node: Office):
    node.answers[control.AskDoorway] = control.DoorwayNow(found=False)
    assert client.get("/api/v1/click/mairie").json()["code"] == "no_service"


# A number


def test_a_number_is_left_for_the_service_alone(client: TestClient, node: Office):
    answer = client.post(
        "/api/v1/click/mairie/numbers", json={"visit": admitted(client), "number": "06 12 34 56 78"}
    )
    assert answer.status_code == 204
    assert control.CallVisitorBack("mairie", "06 12 34 56 78") in node.asked


def test_a_number_that_cannot_be_called_back_is_refused_with_its_field(client: TestClient, node: Office):
    node.answers[control.CallVisitorBack] = control.DoorwayNow(found=True, problem="no number")
    answer = client.post("/api/v1/click/mairie/numbers", json={"visit": admitted(client), "number": "112"})
    assert (answer.status_code, answer.json()["where"]) == (422, "number")


def test_numbers_are_counted_as_calls_are(client: TestClient):
    for number in range(4):
        given = {"visit": admitted(client), "number": f"061234567{number}"}
        assert client.post("/api/v1/click/mairie/numbers", json=given).status_code == 204
    assert (
        client.post("/api/v1/click/mairie/numbers", json={**given, "visit": admitted(client)}).status_code
        == 429
    )


def test_another_sites_page_calls_nobody_by_itself(client: TestClient):
    """A pass is taken to our own panel: no other page may use it from a visitor's browser."""
    given = {"visit": admitted(client)}
    answer = client.post("/api/v1/click/mairie/calls", json=given, headers={"Origin": SITE})
    assert (answer.status_code, answer.json()["code"]) == (403, "other_site")


# The files


def test_the_declared_sites_alone_may_show_the_panel(client: TestClient):
    answer = client.get("/click/mairie")
    assert answer.status_code == 200
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["frame-ancestors"] == SITE
    assert policy["script-src"] == "'self'"


def test_the_script_is_small_and_any_page_may_load_it(client: TestClient):
    answer = client.get("/click/mairie.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert len(answer.content) < 5000
    assert b"import" not in answer.content


def test_other_pages_are_shown_within_none(client: TestClient):
    assert "frame-ancestors 'none'" in client.get("/").headers["content-security-policy"]
