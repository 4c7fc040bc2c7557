"""Whatever the OpenAPI document says may be asked is never answered by a fault of ours.

Cases are made by schemathesis from the document, the same ones each time; an administrator's token asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.generation import GenerationMode

from tests.web.signed_in import TownHall, town_hall

EXAMPLES = 2  # of each operation
# What ends the asking itself, and a copy of the whole node, which takes its time.
LEFT_OUT = {("POST", "/api/v1/backups")}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TownHall]:
    with town_hall(tmp_path_factory.mktemp("town-hall")) as made:
        yield made


@pytest.mark.peer  # it needs none; it takes ten seconds of a core
def test_no_request_of_the_documents_shape_is_answered_by_a_fault(town: TownHall):
    token, app = town.token("administrator"), town.client.app
    assert isinstance(app, FastAPI)
    schema = schemathesis.openapi.from_dict(app.openapi())
    asked = 0
    faults: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if (operation.method.upper(), operation.path) in LEFT_OUT:
            continue

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=[*HealthCheck],
        )
        @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        def ask(case: Case[Any]) -> None:
            nonlocal asked
            asked += 1
            answer = send(town, token, case)
            if answer.status_code == 500:
                faults.append(f"{case.method} {answer.request.url} {case.body!r:.200}: {answer.text}")

        ask()
    assert faults == []
    assert asked > 250


@schemathesis.serializer("audio/wav", "image/jpeg", "image/png", "image/webp", "text/csv", "text/vcard")
def raw(_: object, value: object) -> bytes:
    """Bodies that are files: whatever bytes there are."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def send(town: TownHall, token: str, case: Case[Any]) -> Any:
    """Ask what a case says."""
    said = case.as_transport_kwargs(base_url="http://localhost")
    headers = {name: str(value) for name, value in (said.get("headers") or {}).items()}
    headers = {
        name: value for name, value in headers.items() if name.lower() not in ("authorization", "cookie")
    }
    return town.by_token(
        token,
        said["method"],
        said["url"],
        params=said.get("params"),
        json=said.get("json"),
        content=said.get("data"),
        headers=headers,
    )
