"""Requests that are sent twice and done once."""

from __future__ import annotations

import asyncio
from contextlib import closing

import httpx2
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from pbx import control
from pbx.api.views import Done
from pbx.defence.bans import Ban
from pbx.store.database import open_database
from pbx.store.schema import repeatable_requests
from pbx.web.application import application
from pbx.web.repeats import KEPT_SECONDS
from tests.web.office import NOW, Office, as_

ADMINISTRATOR = as_("administrator")
KEYED = {**ADMINISTRATOR, "Idempotency-Key": "0123-abcd"}
ASKED = {"source": "192.0.2.7", "why": "scans"}


@pytest.fixture(autouse=True)
def bans(node: Office) -> None:
    node.answers[control.AddBan] = control.BanList([Ban("192.0.2.7", NOW, NOW + 3600, "scans")])


def done(node: Office) -> int:
    """How many times signalling was asked for a ban."""
    return sum(isinstance(question, control.AddBan) for question in node.asked)


def test_what_is_sent_twice_is_done_once_and_answered_the_same(client: TestClient, node: Office):
    first = client.post("/api/v1/bans", headers=KEYED, json=ASKED)
    second = client.post("/api/v1/bans", headers=KEYED, json=ASKED)
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert done(node) == 1


def test_without_a_key_it_is_done_twice(client: TestClient, node: Office):
    for _ in range(2):
        client.post("/api/v1/bans", headers=ADMINISTRATOR, json=ASKED)
    assert done(node) == 2


def test_another_request_with_the_same_key_is_refused(client: TestClient, node: Office):
    client.post("/api/v1/bans", headers=KEYED, json=ASKED)
    other = client.post("/api/v1/bans", headers=KEYED, json={**ASKED, "seconds": 60})
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    assert done(node) == 1


def test_a_key_is_its_actors_alone(client: TestClient, node: Office):
    client.post("/api/v1/bans", headers=KEYED, json=ASKED)
    other = {**as_("administrator", "1001"), "Idempotency-Key": "0123-abcd"}
    assert "Idempotent-Replayed" not in client.post("/api/v1/bans", headers=other, json=ASKED).headers
    assert done(node) == 2


def test_a_refusal_is_given_again_too(client: TestClient, node: Office):
    node.answers[control.AddBan] = control.BanList([], "192.0.2.7 is no address")
    first = client.post("/api/v1/bans", headers=KEYED, json=ASKED)
    second = client.post("/api/v1/bans", headers=KEYED, json=ASKED)
    assert first.json()["detail"] == second.json()["detail"] == "192.0.2.7 is no address"
    assert done(node) == 1


def test_what_failed_may_be_tried_again(client: TestClient, node: Office):
    before = node.answers.pop(control.AddBan)
    assert client.post("/api/v1/bans", headers=KEYED, json=ASKED).status_code == 503
    node.answers[control.AddBan] = before
    assert client.post("/api/v1/bans", headers=KEYED, json=ASKED).status_code == 201


def test_an_answer_is_kept_for_a_day(client: TestClient, node: Office):
    client.post("/api/v1/bans", headers=KEYED, json=ASKED)
    node.now += KEPT_SECONDS + 1
    client.post("/api/v1/bans", headers=KEYED, json=ASKED)
    assert done(node) == 2


def test_an_answer_outlives_the_process(client: TestClient, node: Office):
    client.post("/api/v1/bans", headers=KEYED, json=ASKED)
    another = Office(node.configuration)
    with TestClient(application(another), base_url="http://localhost") as asking:
        assert asking.post("/api/v1/bans", headers=KEYED, json=ASKED).headers["Idempotent-Replayed"] == "true"
    assert done(another) == 0


def test_a_kept_answer_is_sealed(client: TestClient, node: Office):
    client.post("/api/v1/bans", headers=KEYED, json=ASKED)
    files = node.configuration.data_dir.glob("beffroi.sqlite3*")
    written = b"".join(file.read_bytes() for file in files)
    assert b"0123-abcd" in written
    assert b"192.0.2.7" not in written


async def test_the_same_at_the_same_time_is_told_that_it_goes_on(node: Office):
    may_end, begun = asyncio.Event(), asyncio.Event()

    class Slow(Office):
        async def ask(self, question: control.Question) -> control.Answer:
            begun.set()
            await may_end.wait()
            return control.CallsNow([], Done("c1"))

    slow = Slow(node.configuration)
    app = application(slow)
    asked = {"who": "1001", "number": "1002"}
    headers = {**as_("operator", "1001"), "Idempotency-Key": "0123-abcd"}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as asking,
        asyncio.TaskGroup() as group,
    ):
        first = group.create_task(asking.post("/api/v1/calls", headers=headers, json=asked))
        await begun.wait()
        second = await asking.post("/api/v1/calls", headers=headers, json=asked)
        may_end.set()
        await first
    assert (second.status_code, second.json()["code"]) == (409, "in_progress")
    assert first.result().status_code == 201


def test_nobody_knows_what_became_of_what_a_process_began_that_died(client: TestClient, node: Office):
    client.post("/api/v1/bans", headers=KEYED, json=ASKED)
    with closing(open_database(node.configuration.database)) as database:
        unanswered = sa.update(repeatable_requests).values(process="another", status=0)
        assert database.write(lambda connection: connection.execute(unanswered).rowcount) == 1
    answer = client.post("/api/v1/bans", headers=KEYED, json=ASKED)
    assert (answer.status_code, answer.json()["code"]) == (409, "outcome_unknown")
    assert done(node) == 1


@pytest.mark.parametrize("key", ["short", "x" * 201, "caf\xe9 caf\xe9 caf\xe9", "with a blank"])
def test_what_is_no_key_is_refused(client: TestClient, key: str):
    headers = [*ADMINISTRATOR.items(), ("Idempotency-Key", key.encode("latin-1"))]
    answer = client.post("/api/v1/bans", headers=headers, json=ASKED)
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_key")


def test_a_key_is_no_way_around_signing_in(client: TestClient):
    client.post("/api/v1/bans", headers=KEYED, json=ASKED)
    answer = client.post("/api/v1/bans", headers={"Idempotency-Key": "0123-abcd"}, json=ASKED)
    assert answer.status_code == 401
