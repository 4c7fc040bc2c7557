"""Telephones as a spreadsheet over HTTP: looked at, imported as a whole, exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.web.office import Office, as_, office

ADMINISTRATOR = as_("administrator", "2020")
HEAD = "mac,brand,model,extension,label,site\n"
MAC = "805ec0123456"


@pytest.fixture
def node(tmp_path: Path) -> Office:
    return office(tmp_path)


@pytest.fixture(autouse=True)
def people(client: TestClient) -> None:
    for extension, name in (("2011", "Claire Petit"), ("2012", "Denis Faure")):
        person = {"extension": extension, "name": name}
        assert client.post("/api/v1/people", json=person, headers=ADMINISTRATOR).status_code == 201


def send(client: TestClient, path: str, text: str, headers: dict[str, str] = ADMINISTRATOR) -> Any:
    sent = {**headers, "Content-Type": "text/csv"}
    return client.post(f"/api/v1/phones/import{path}", content=text.encode(), headers=sent)


def whose(client: TestClient) -> dict[str, list[str]]:
    listed = client.get("/api/v1/phones", headers=ADMINISTRATOR).json()["items"]
    return {one["name"]: one["names"] for one in listed}


def test_a_file_is_looked_at_and_then_done(client: TestClient):
    text = f"{HEAD}80:5E:C0:12:34:56,yealink,T54W,2011 2012,Accueil,mairie\n000413aabbcc,snom,D785,,,\n"
    sheet = send(client, "/preview", text).json()
    assert [(one["line"], one["what"], one["names"]) for one in sheet["items"]] == [
        (2, "add", ["Claire Petit", "Denis Faure"]),
        (3, "add", []),
    ]
    assert whose(client) == {}
    assert send(client, f"?token={sheet['token']}", text).json() == {"added": 2, "changed": 0}
    assert whose(client) == {MAC: ["Claire Petit", "Denis Faure"], "000413aabbcc": []}
    again = send(client, "/preview", text).json()
    assert [one["what"] for one in again["items"]] == ["same", "same"]


def test_each_wrong_line_says_where_and_why(client: TestClient):
    text = (
        f"{HEAD}nonsense,yealink,T54W,2011,,\n{MAC},acme,T54W,2011,,\n{MAC},yealink,T99,7777,,nulle part\n"
        "000413aabbcc,snom,D785,2011,,\n"
    )
    sheet = send(client, "/preview", text).json()
    assert [(one["line"], one["column"], one["code"]) for one in sheet["errors"]] == [
        (2, "mac", "wrong_mac"),
        (3, "brand", "unknown_brand"),
        (4, "mac", "phone_twice"),
        (4, "model", "unknown_model"),
        (4, "extension", "unknown_extension"),
        (4, "site", "unknown_site"),
    ]
    assert sheet["token"] == ""
    assert send(client, "?token=", text).json()["code"] == "phones_moved"
    assert whose(client) == {}


def test_what_has_changed_since_the_look_is_looked_at_again(client: TestClient):
    text = f"{HEAD}{MAC},yealink,T54W,2011,,\n"
    token = send(client, "/preview", text).json()["token"]
    client.post(
        "/api/v1/phones", json={"mac": MAC, "brand": "yealink", "model": "T54W"}, headers=ADMINISTRATOR
    )
    assert send(client, f"?token={token}", text).json()["code"] == "phones_moved"


def test_what_is_no_sheet_is_refused_in_words(client: TestClient):
    for text in ("", "name,age\nPaul,3\n", "mac;brand\n\x00", "\udcff"):
        answer = client.post(
            "/api/v1/phones/import/preview",
            content=text.encode("utf-8", "surrogateescape"),
            headers={**ADMINISTRATOR, "Content-Type": "text/csv"},
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "no_phone_sheet"), answer.text


def test_an_export_can_be_imported_and_runs_nothing(client: TestClient):
    phone = {
        "mac": MAC,
        "brand": "yealink",
        "model": "T54W",
        "extensions": ["2011"],
        "label": "=HYPERLINK()",
    }
    client.post("/api/v1/phones", json=phone, headers=ADMINISTRATOR)
    text = client.get("/api/v1/phones/export", headers=as_("supervisor", "2010")).content.decode("utf-8-sig")
    assert text.splitlines()[1] == f"{MAC};yealink;T54W;2011;'=HYPERLINK();"
    [line] = send(client, "/preview", text).json()["items"]
    assert line["what"] == "same"


def test_who_may_only_see_imports_nothing(client: TestClient):
    answer = send(client, "/preview", f"{HEAD}{MAC},yealink,T54W,,,\n", as_("supervisor", "2010"))
    assert answer.status_code == 403
