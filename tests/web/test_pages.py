"""The built pages as files: what is kept for ever, what is compressed, and that no path leads elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from pbx.web.application import application
from pbx.web.pages import Pages
from tests.web.office import Office

SECRET = "a file that is no page"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "pages"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><p>first")
    (folder / "assets" / "app-1a2b.js").write_text("plain")
    (folder / "assets" / "app-1a2b.js.br").write_bytes(b"brotli")
    (folder / "assets" / "app-1a2b.js.gz").write_bytes(b"gzip")
    (tmp_path / "secret").write_text(SECRET)
    (folder / "link").symlink_to(tmp_path / "secret")
    return folder


@pytest.fixture
def pages(node: Office, built: Path) -> Iterator[TestClient]:
    app: FastAPI = application(node)
    app.router.routes[-1].app = Pages(built)  # type: ignore[attr-defined]
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def test_any_page_is_the_application_which_is_never_kept(pages: TestClient):
    for path in ("/", "/calls", "/history/20261122-1"):
        answer = pages.get(path)
        assert answer.text.endswith("first")
        assert answer.headers["cache-control"] == "no-cache"


def test_what_has_its_content_in_its_name_is_kept_for_ever(pages: TestClient):
    answer = pages.get("/assets/app-1a2b.js", headers={"Accept-Encoding": "identity"})
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    ("accepted", "coding", "body"),
    [("gzip, br", "br", b"brotli"), ("gzip", "gzip", b"gzip"), ("identity", None, b"plain")],
)
def test_a_browser_gets_the_smallest_that_it_takes(
    pages: TestClient, accepted: str, coding: str | None, body: bytes
):
    with pages.stream("GET", "/assets/app-1a2b.js", headers={"Accept-Encoding": accepted}) as answer:
        assert answer.headers.get("content-encoding") == coding
        assert b"".join(answer.iter_raw()) == body
        assert answer.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../../secret",
        "/..%2fsecret",
        "/%2e%2e/secret",
        "/assets/..%5c..%5csecret",
        "/link",
        "//etc/passwd",
        "/assets/%00app-1a2b.js",
        "/.env",
        "/assets/app-1a2b.js.map",
    ],
)
def test_no_path_leads_out_of_the_pages(pages: TestClient, path: str):
    answer = pages.get(path)
    assert SECRET not in answer.text
    assert "root:" not in answer.text


def test_a_file_that_is_not_there_is_a_problem(pages: TestClient):
    answer = pages.get("/assets/app-0000.js")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_nobody_posts_to_a_page(pages: TestClient):
    answer = pages.post("/calls")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_what_was_built_anew_is_shown_at_once(pages: TestClient, built: Path):
    assert pages.get("/").text.endswith("first")
    (built / "index.html").write_text("<!doctype html><p>second")
    os.utime(built / "index.html", (1, 1))
    assert pages.get("/").text.endswith("second")


def test_without_built_pages_a_page_says_so(node: Office, tmp_path: Path):
    app = application(node)
    app.router.routes[-1].app = Pages(tmp_path / "nowhere")  # type: ignore[attr-defined]
    with TestClient(app, base_url="http://localhost") as client:
        answer = client.get("/")
    assert answer.status_code == 503
    assert "scripts/pages" in answer.text
