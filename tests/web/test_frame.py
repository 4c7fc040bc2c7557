"""What every request passes: hosts, proxies, sizes, times, rates, and the headers of every answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dialplan.finding import PlanError
from pbx import control
from pbx.configuration import parse_configuration
from pbx.web import frame
from pbx.web.application import application
from pbx.web.client import network_of, seen_through_proxies, within
from pbx.web.frame import Frame
from pbx.web.problems import Problem
from pbx.web.rates import ADDRESS, CREDENTIALS, Rates
from tests.web.office import Office, as_, office

STRANGER = ("203.0.113.9", 50000)


def stranger(node: Office, address: str = STRANGER[0]) -> TestClient:
    """Somebody who asks from elsewhere."""
    return TestClient(application(node), base_url="http://localhost", client=(address, 50000))


# Problems


def test_an_unknown_route_is_a_problem(client: TestClient):
    answer = client.get("/api/v1/nothing")
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (told["status"], told["code"], told["type"]) == (404, "not_found", "urn:beffroi:problem:not_found")
    assert told["request"] == answer.headers["x-request-id"]


def test_another_method_is_a_problem_that_says_which_there_are(client: TestClient):
    answer = client.patch("/api/v1/calls")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"]


def test_what_cannot_be_read_is_a_problem_with_its_places(client: TestClient):
    answer = client.post("/api/v1/bans", headers=as_("administrator"), json={"source": 1, "x": 2})
    told = answer.json()
    assert (answer.status_code, told["code"], told["where"]) == (422, "invalid", "source")
    assert {error["where"] for error in told["errors"]} == {"source", "why", "x"}


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"source": NaN}'])
def test_what_is_no_json_is_a_problem(client: TestClient, body: bytes):
    headers = {**as_("administrator"), "Content-Type": "application/json"}
    assert client.post("/api/v1/bans", headers=headers, content=body).status_code in (400, 422)


def test_a_fault_of_ours_is_a_problem_without_its_details(client: TestClient, node: Office):
    def fails(_: Any) -> Any:
        raise ZeroDivisionError("secret")

    node.answers[control.ListCalls] = fails
    answer = client.get("/api/v1/calls", headers=as_("operator"))
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert answer.json()["request"] in answer.json()["mend"]


# Hosts


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1", "192.0.2.1:8080", "[::1]:8080"])
def test_our_names_and_any_address_are_taken(client: TestClient, host: str):
    assert client.get("/health/live", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""])
def test_another_name_that_leads_here_is_refused(client: TestClient, host: str):
    answer = client.get("/health/live", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "unknown_host")


def test_the_public_name_is_ours(tmp_path: Path):
    node = office(tmp_path, "{listen: 127.0.0.1:8080, public_url: 'https://Pbx.valmont.example'}")
    with stranger(node) as client:
        assert client.get("/health/live", headers={"Host": "pbx.valmont.example"}).status_code == 200


# Headers


def test_every_answer_has_the_headers_of_safety(client: TestClient):
    for path in ("/health/live", "/api/v1/nothing", "/", "/assets/nothing.js"):
        headers = client.get(path).headers
        assert {name.lower() for name in frame.HEADERS} <= set(headers)
        assert "date" in headers


def test_no_script_and_no_style_is_allowed_inline_or_from_elsewhere():
    policy = dict(part.split(" ", 1) for part in frame.CONTENT_SECURITY_POLICY.split("; "))
    assert policy["default-src"] == "'none'"
    assert "unsafe-inline" not in policy["script-src"]
    assert "unsafe-eval" not in policy["script-src"]
    assert policy["frame-ancestors"] == "'none'"
    assert not any("http" in sources or "*" in sources for sources in policy.values())


def test_strict_transport_is_said_over_tls_alone(node: Office):
    with TestClient(application(node), base_url="https://localhost") as client:
        assert "strict-transport-security" in client.get("/health/live").headers
    with TestClient(application(node), base_url="http://localhost") as client:
        assert "strict-transport-security" not in client.get("/health/live").headers


def test_what_the_api_answers_is_kept_by_nobody(client: TestClient):
    assert client.get("/health/live").headers["cache-control"] == "no-store"


# Proxies


def scope_of(peer: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "client": (peer, 1), "scheme": "http", "headers": list(headers)}


PROXIES = parse_configuration("web: {proxies: [10.0.0.0/8]}", Path("/x/beffroi.yaml")).web.proxies


@pytest.mark.parametrize(
    ("peer", "said", "seen"),
    [
        ("10.0.0.1", b"203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", b"198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the first is what a client wrote
        ("10.0.0.1", b"203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", b"203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", b"[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", b"nonsense", "10.0.0.1"),
        ("10.0.0.1", b"203.0.113.9, nonsense", "10.0.0.1"),
        ("192.0.2.1", b"203.0.113.9", "192.0.2.1"),  # no proxy of ours
    ],
)
def test_the_client_is_whom_our_proxies_name(peer: str, said: bytes, seen: str):
    scope = scope_of(peer, (b"x-forwarded-for", said))
    seen_through_proxies(scope, PROXIES)
    assert scope["client"][0] == seen


def test_the_scheme_is_what_our_proxies_say():
    scope = scope_of("10.0.0.1", (b"x-forwarded-proto", b"https"))
    seen_through_proxies(scope, PROXIES)
    assert scope["scheme"] == "https"


def test_nobody_else_says_the_scheme():
    scope = scope_of("192.0.2.1", (b"x-forwarded-proto", b"https"))
    seen_through_proxies(scope, PROXIES)
    assert scope["scheme"] == "http"


def test_an_address_in_ipv6_clothes_is_the_same():
    assert within("::ffff:10.1.2.3", PROXIES)


def test_a_network_of_proxies_that_is_none_is_an_error_with_its_line():
    with pytest.raises(PlanError) as refused:
        parse_configuration("web:\n  proxies: [nonsense]\n", Path("/x/beffroi.yaml"))
    assert refused.value.findings[0].line == 2


# Sizes and times


def test_a_body_that_is_too_large_is_refused_while_it_comes(client: TestClient):
    def body() -> Any:
        for _ in range(20):
            yield b"x" * 100_000

    headers = {**as_("administrator"), "Content-Type": "application/json"}
    answer = client.post("/api/v1/bans", headers=headers, content=body())
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_url_that_is_too_long_is_refused(client: TestClient):
    answer = client.get("/health/live?" + "x" * 9000)
    assert (answer.status_code, answer.json()["code"]) == (414, "url_too_long")


async def asked(node: Office, app: Any, messages: AsyncIterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a frame around `app` answers to a request that comes in these pieces."""
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return await anext(messages)

    async def send(message: Any) -> None:
        said.append(message)

    application_of_node = application(node)
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/x",
        "query_string": b"",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"localhost")],
    }
    await Frame(app, node, application_of_node.state.figures)(scope, receive, send)
    return said


async def test_who_is_too_slow_with_a_body_is_told_so(node: Office, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(frame, "BODY_SECONDS", 0.0)

    async def never() -> AsyncIterator[dict[str, Any]]:
        await asyncio.Event().wait()
        yield {}

    async def reads(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    said = await asked(node, reads, never())
    assert said[0]["status"] == 408
    assert (b"connection", b"close") in said[0]["headers"]


async def test_too_much_at_once_is_refused_in_a_sentence(node: Office, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(frame, "MOST_AT_ONCE", 0)

    async def nothing() -> AsyncIterator[dict[str, Any]]:
        yield {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("nobody comes here")

    said = await asked(node, app, nothing())
    assert said[0]["status"] == 503
    assert b"too much is asked at once" in said[1]["body"]


# Rates


def test_a_burst_is_allowed_and_then_so_many_a_second():
    rates, scope = Rates(), dict[str, Any](state={})
    for _ in range(ADDRESS.burst):
        rates.take("203.0.113.9", b"", 0.0, scope)
    with pytest.raises(Problem) as refused:
        rates.take("203.0.113.9", b"", 0.0, scope)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
    for _ in range(int(ADDRESS.a_second)):
        rates.take("203.0.113.9", b"", 1.0, scope)
    with pytest.raises(Problem):
        rates.take("203.0.113.9", b"", 1.0, scope)


def test_one_account_is_counted_wherever_it_is():
    rates, scope = Rates(), dict[str, Any](state={})
    for number in range(CREDENTIALS.burst):
        rates.take(f"203.0.113.{number % 250}", b"Bearer x", 0.0, scope)
    with pytest.raises(Problem):
        rates.take("198.51.100.1", b"Bearer x", 0.0, scope)
    rates.take("198.51.100.1", b"Bearer y", 0.0, scope)


def test_an_answer_says_what_is_left(node: Office):
    with stranger(node) as client:
        assert f'"address";r={ADDRESS.burst - 1}' in client.get("/health/live").headers["ratelimit"]


def test_loopback_is_never_counted(client: TestClient):
    assert "ratelimit" not in client.get("/health/live").headers


def test_a_household_of_ipv6_is_one():
    assert network_of("2001:db8:1:2::3") == network_of("2001:db8:1:2:ffff::4")
    assert network_of("2001:db8:1:2::3") != network_of("2001:db8:1:3::3")
    assert network_of("192.0.2.1") != network_of("192.0.2.2")
