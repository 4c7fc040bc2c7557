"""The API's description: complete, true, and readable without a script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from pbx.accounts.rights import RIGHTS
from pbx.web.application import application
from pbx.web.openapi import METHODS, document
from tests.web.office import Office, office


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return application(office(tmp_path_factory.mktemp("described")))


@pytest.fixture(scope="module")
def described(app: FastAPI) -> dict[str, Any]:
    return document(app)


def operations(described: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", each[method])
        for path, each in described["paths"].items()
        for method in METHODS
        if method in each
    ]


def bodies(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """The JSON that an operation takes and answers."""
    contents = [operation.get("requestBody", {}).get("content", {})]
    contents += [each.get("content", {}) for each in operation["responses"].values()]
    return [content["application/json"] for content in contents if "application/json" in content]


def test_it_is_openapi_3_1(described: dict[str, Any]):
    assert described["openapi"].startswith("3.1.")
    assert len(operations(described)) > 50


def test_every_operation_says_what_it_is(described: dict[str, Any]):
    silent = [name for name, each in operations(described) if not each.get("summary") or not each.get("tags")]
    assert silent == []


def test_every_operation_says_which_right_it_needs(described: dict[str, Any]):
    wrong = [name for name, each in operations(described) if each["x-right"] not in ("", *RIGHTS)]
    assert wrong == []
    rights = dict(operations(described))
    assert rights["GET /api/v1/bans"]["x-right"] == "bans.change"
    assert rights["GET /api/v1/bans"]["security"] == [{"token": []}, {"session": []}]
    assert rights["GET /health/live"]["security"] == []


def test_every_body_has_an_example(described: dict[str, Any]):
    without = [
        name
        for name, each in operations(described)
        for body in bodies(each)
        if "example" not in body and "examples" not in body
    ]
    assert without == []


def test_every_example_is_what_its_schema_says(described: dict[str, Any]):
    wrong = []
    for name, each in operations(described):
        for body in bodies(each):
            schema = {**body.get("schema", {}), "components": described["components"]}
            examples = (
                [body["example"]]
                if "example" in body
                else [one["value"] for one in body["examples"].values()]
            )
            for example in examples:
                try:
                    jsonschema_rs.validate(schema, example)
                except jsonschema_rs.ValidationError as error:
                    wrong.append(f"{name}: {str(error).splitlines()[0]}")
    assert wrong == []


def test_every_operation_may_be_refused_with_a_problem(described: dict[str, Any]):
    assert all(
        "application/problem+json" in each["responses"]["default"]["content"]
        for _, each in operations(described)
    )


def test_programs_and_people_find_it(client: TestClient):
    assert client.get("/api/v1/openapi.json").json()["info"]["title"] == "Beffroi"
    page = client.get("/api/v1/reference").text
    assert "GET /api/v1/calls" in page
    assert "<script" not in page
    assert "style=" not in page


def test_nothing_of_the_framework_is_served_beside_it(node: Office, tmp_path: Path):
    with TestClient(application(node), base_url="http://localhost") as client:
        for path in ("/docs", "/redoc", "/openapi.json"):
            assert "swagger" not in client.get(path).text.lower()
