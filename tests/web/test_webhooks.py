"""The routes of webhooks, and events of signalling that reach a receiver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.web.office import as_
from tests.webhooks.receiver import Receiver, receiver

CHIEF = as_("administrator")


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def added(client: TestClient, there: Receiver, **fields: object):
    wanted = {"name": "Intranet", "url": f"{there.url}/hook", "kinds": ["CallEnded"], "private_address": True}
    return client.post("/api/v1/webhooks", json={**wanted, **fields}, headers=CHIEF)


def test_webhook_is_added_and_its_secret_shown_once(client: TestClient, there: Receiver):
    made = added(client, there)
    assert made.status_code == 201
    assert made.json()["secret"].startswith("bfs_")
    listed = client.get("/api/v1/webhooks", headers=CHIEF)
    assert made.json()["secret"] not in listed.text
    assert [one["name"] for one in listed.json()["items"]] == ["Intranet"]
    assert "CallEnded" in listed.json()["offered"]


def test_test_is_sent_and_told(client: TestClient, there: Receiver):
    made = added(client, there).json()
    there.answers.append(503)
    tested = client.post(f"/api/v1/webhooks/{made['id']}/test", headers=CHIEF).json()
    assert (tested["kind"], tested["status"], tested["trouble"]) == ("Test", 503, "answers 503")


def test_webhook_is_removed(client: TestClient, there: Receiver):
    made = added(client, there).json()
    assert client.delete(f"/api/v1/webhooks/{made['id']}", headers=CHIEF).status_code == 204
    for method, path in (("DELETE", ""), ("POST", "/test"), ("GET", "/deliveries")):
        answer = client.request(method, f"/api/v1/webhooks/{made['id']}{path}", headers=CHIEF)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_webhook")


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"url": "https://127.0.0.1/", "private_address": False}, "url"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"kinds": ["RoomSpeakerChanged"]}, "kinds"),
        ({"name": ""}, "name"),
    ],
)
def test_webhook_that_cant_be_is_told_by_its_field(client: TestClient, there: Receiver, fields, where: str):
    refused = added(client, there, **fields)
    assert (refused.status_code, refused.json()["where"]) == (422, where)


def test_what_was_done_to_webhooks_is_in_the_audit_journal(client: TestClient, there: Receiver):
    made = added(client, there).json()
    client.post(f"/api/v1/webhooks/{made['id']}/test", headers=CHIEF)
    client.delete(f"/api/v1/webhooks/{made['id']}", headers=CHIEF)
    entries = client.get("/api/v1/audit?what=webhook", headers=CHIEF)
    assert [one["what"] for one in entries.json()["items"]] == [
        "webhook.remove",
        "webhook.test",
        "webhook.add",
    ]
    assert made["secret"] not in entries.text
