"""Health and figures, for whoever watches the node."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from pbx import control
from pbx.queues.figures import QueueFigures
from pbx.web.application import application
from tests.web.office import Office, as_


@pytest.fixture
def well(node: Office) -> Office:
    node.answers[control.Status] = control.Counters({"calls": 3, "ended_calls": 40}, "9f7d", {"disk": "full"})
    trunk = control.TrunkStatus("a", "sip.a.example", "down", True, None, None, 30, 2, 4, None, [])
    node.answers[control.ListTrunks] = control.TrunkList([trunk])
    figures = QueueFigures(offered=9, answered=7, abandoned=2)
    queue = control.QueueStatus("accueil", "1000", [], None, [], figures, 0.0)
    node.answers[control.ListQueues] = control.QueueList([queue])
    return node


def figures_of(text: str) -> dict[str, float]:
    return {
        sample.name
        + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_node_that_is_well_is_ready(client: TestClient, well: Office):
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_node_without_signalling_is_alive_and_not_ready_and_says_no_more(client: TestClient):
    assert client.get("/health/live").status_code == 200
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "failing"})


def test_who_may_know_is_told_what_is_wrong(client: TestClient, well: Office):
    told = client.get("/api/v1/node", headers=as_("supervisor")).json()
    assert (told["counters"]["calls"], told["recordings"], told["wrong"]) == (3, {"disk": "full"}, {})
    assert client.get("/api/v1/node", headers=as_("agent", "1001")).status_code == 403


def test_prometheus_reads_the_figures(client: TestClient, well: Office):
    client.get("/health/live")
    found = figures_of(client.get("/metrics").text)
    assert found["beffroi_up"] == 1
    assert found["beffroi_calls"] == 3
    assert found["beffroi_ended_calls_total"] == 40
    assert found["beffroi_recording_trouble what=disk"] == 1
    assert found["beffroi_trunk_state state=down trunk=a"] == 1
    assert found["beffroi_trunk_state state=up trunk=a"] == 0
    assert found["beffroi_trunk_channels_in_use trunk=a"] == 4
    assert found["beffroi_queue_calls_total outcome=abandoned queue=accueil"] == 2
    assert found["beffroi_web_requests_total method=GET route=/health/live status=200"] == 1
    assert found["beffroi_web_request_seconds_count route=/health/live"] == 1
    assert found["beffroi_web_request_seconds_bucket le=+Inf route=/health/live"] == 1


def test_without_signalling_the_figures_say_so(client: TestClient):
    found = figures_of(client.get("/metrics").text)
    assert found["beffroi_up"] == 0
    assert "beffroi_calls" not in found


def test_a_path_that_anybody_makes_up_is_no_figure_of_its_own(client: TestClient, well: Office):
    for number in range(5):
        client.get(f"/api/v1/made-up-{number}")
    found = figures_of(client.get("/metrics").text)
    assert found["beffroi_web_requests_total method=GET route=other status=404"] == 5
    assert not any("made-up" in name for name in found)


def test_figures_are_for_this_machine_or_a_token(well: Office):
    with TestClient(application(well), base_url="http://localhost", client=("203.0.113.9", 1)) as stranger:
        assert stranger.get("/metrics").status_code == 401
        assert stranger.get("/metrics", headers=as_("agent", "1001")).status_code == 403
        assert stranger.get("/metrics", headers=as_("supervisor")).status_code == 200


def test_a_proxy_of_this_machine_is_not_this_machine(client: TestClient, well: Office):
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 401
