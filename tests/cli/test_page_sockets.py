"""A page's way to a running node: a password of its session, a WebSocket of the web server, their ends."""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from pbx.accounts.sessions import csrf_of
from sip.core.digest import authorization
from sip.core.message import Response
from sip.core.parser import parse_message
from tests.browser.town import HOST, Town, running_town

PATIENCE_SECONDS = 45.0
ATTEMPTS, ATTEMPT_SECONDS = 300, 0.1
INSTANCE = "urn:uuid:8b1bd364-2d63-4447-8e36-339f40f4f568"


pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("browser-signalling")]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with running_town(tmp_path_factory.mktemp("town")) as running:
        yield running


class Page:
    """A page's telephone, as JsSIP speaks."""

    def __init__(self, town: Town, cookie: str) -> None:
        self.town, self.cookie, self.closing = town, cookie, ExitStack()
        self.name, self.number = secrets.token_hex(4), 0
        self.told = self.ask("POST", "/api/v1/telephone")
        self.socket = self.open()

    def ask(self, method: str, path: str) -> Any:
        """Ask the API as a page of this session; returns its JSON, None for an empty answer."""
        headers = {"Cookie": f"beffroi={self.cookie}", "X-CSRF-Token": csrf_of(self.cookie)}
        request = urllib.request.Request(self.town.url + path, method=method, headers=headers)
        answer: HTTPResponse
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return json.loads(answer.read() or b"null")

    def open(self) -> ClientConnection:
        """Open the WebSocket, once signalling is there."""
        address = f"{self.town.url.replace('http', 'ws')}/sip"

        def opened() -> ClientConnection:
            origin, sip = Origin(self.town.url), Subprotocol("sip")
            opening = connect(address, origin=origin, subprotocols=[sip], compression=None)
            return self.closing.enter_context(opening)

        socket: ClientConnection = patiently(opened, InvalidStatus)
        return socket

    def register(self) -> Response:
        """Register, the challenge answered; returns the answer."""
        challenge = self._ask_to_register("")
        if challenge.status != 401:
            return challenge
        told, uri = self.told, f"sip:{HOST}"
        values = challenge.headers["www-authenticate"]
        return self._ask_to_register(
            authorization(values, told["username"], told["password"], "REGISTER", uri, "c")
        )

    def _ask_to_register(self, credentials: str) -> Response:
        self.number += 1
        own = f"<sip:{self.told['sign_in']}@{HOST}>"
        self.socket.send(
            f"REGISTER sip:{HOST} SIP/2.0\r\n"
            f"Via: SIP/2.0/WS page.invalid;branch=z9hG4bK{self.name}{self.number}\r\n"
            f"Max-Forwards: 69\r\nFrom: {own};tag=t\r\nTo: {own}\r\nCall-ID: {self.name}\r\n"
            f"CSeq: {self.number} REGISTER\r\nSupported: path, gruu, outbound\r\n"
            f'Contact: <sip:x@page.invalid;transport=ws>;+sip.instance="<{INSTANCE}>";reg-id=1\r\n'
            f"Expires: 120\r\n{credentials}Content-Length: 0\r\n\r\n"
        )
        answer = self.socket.recv(PATIENCE_SECONDS)
        message = parse_message(answer.encode() if isinstance(answer, str) else answer)
        assert isinstance(message, Response)
        return message


def patiently(attempt: Callable[[], Any], *errors: type[Exception]) -> Any:
    """What an attempt returns, made again while it raises one of these, ATTEMPTS times."""
    for _ in range(ATTEMPTS):
        try:
            return attempt()
        except errors:
            time.sleep(ATTEMPT_SECONDS)
    return attempt()


def kill(town: Town, role: str) -> None:
    """End a process of the node without a word."""
    processes = json.loads(Path(town.configuration.data_dir / "processes.json").read_text())
    os.kill(next(one["pid"] for one in processes if one["role"] == role), signal.SIGKILL)


def test_a_page_registers_through_the_web_server_and_is_listed(town: Town) -> None:
    page = Page(town, town.session("agent"))
    answer = page.register()
    assert answer.status == 200
    assert f"gr={INSTANCE}" in answer.get("contact")
    listed = json.loads(town.command("device", "list", "--json"))
    assert "1001-web" in [one["device"] for one in listed]
    page.closing.close()


@pytest.mark.parametrize("role", ["signalling", "web"])
def test_a_process_that_dies_costs_a_page_a_new_connection(town: Town, role: str) -> None:
    """A page connects anew and registers with the password that it has (RFC 7118 section 5.2.1)."""
    page = Page(town, town.session("operator"))
    assert page.register().status == 200
    kill(town, role)
    with pytest.raises(ConnectionClosed):
        page.socket.recv(PATIENCE_SECONDS)
    page.socket = patiently(page.open, OSError)
    assert page.register().status == 200
    page.closing.close()


def test_signing_out_ends_the_telephone_of_that_session(town: Town) -> None:
    page = Page(town, town.session("supervisor"))
    assert page.register().status == 200
    page.ask("DELETE", "/api/v1/session")

    def refused() -> Response:
        answer = page.register()
        assert answer.status == 403
        return answer

    assert patiently(refused, AssertionError).reason == "Signed Out"
    page.closing.close()
