"""The telephone of a page: its password, what ends it, and the WebSocket that is handed on to signalling."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from pbx import control
from pbx.accounts import records, sessions
from pbx.people.browser_passwords import LASTING_SECONDS, BrowserPasswords, name_of
from sip.core.digest import Credentials
from tests.web.signed_in import TownHall, town_hall

HERE = {"Host": "localhost", "Origin": "http://localhost"}
REGISTER = "REGISTER sip:localhost SIP/2.0\r\nCSeq: 1 REGISTER\r\n\r\n"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[TownHall]:
    with town_hall(tmp_path) as made:
        made.node.answers[control.SignOutPages] = control.PagesSignedOut(1)
        made.node.answers[control.ListPages] = control.PagesNow({})
        yield made


def opened(town: TownHall, role: Any = "agent") -> dict[str, Any]:
    answer = town.ask(role, "POST", "/api/v1/telephone")
    assert answer.status_code == 200, answer.text
    telephone: dict[str, Any] = answer.json()
    return telephone


# The password


def test_a_page_is_told_what_it_registers_with(town: TownHall):
    told = opened(town)
    assert (told["extension"], told["name"]) == ("1001", "Alice Martin")
    assert (told["address"], told["sign_in"]) == ("sip:1001@localhost", "1001-web")
    assert told["expires_at"] == town.node.now + LASTING_SECONDS
    assert told["ice_servers"] == []
    assert told["ice_policy"] == "all"


def test_signalling_finds_the_same_password_from_the_name_alone(town: TownHall):
    told = opened(town)
    name = name_of(told["username"])
    assert (name.sign_in, name.ends_at) == (told["sign_in"], told["expires_at"])
    checked = BrowserPasswords(town.node.sealing, "localhost").credentials(told["username"])
    assert checked == Credentials.of(told["username"], "localhost", told["password"])


def test_a_password_lasts_no_longer_than_its_session(town: TownHall):
    opened(town)
    town.node.now += sessions.IDLE_SECONDS / 2
    with closing(town.database) as database:
        (session,) = database.read(lambda connection: sessions.list_of(connection, "agent", town.node.now))
        database.write(lambda connection: end_at(connection, session.id, town.node.now + 5))
    town.node.accounts.sessions.forget()
    assert opened(town)["expires_at"] == town.node.now + 5


def end_at(connection: Any, session: str, ends_at: float) -> None:
    from pbx.store.schema import sessions as table

    connection.execute(table.update().where(table.c.id == session).values(ends_at=ends_at))


def test_nobody_opens_a_telephone_without_a_session(town: TownHall):
    assert town.client.post("/api/v1/telephone").status_code == 401


def test_a_token_opens_none(town: TownHall):
    """A program registers with a device's own password."""
    answer = town.by_token(town.token("agent"), "POST", "/api/v1/telephone")
    assert (answer.status_code, answer.json()["code"]) == (403, "pages_only")


def test_who_has_no_extension_has_no_telephone(town: TownHall):
    answer = town.ask("auditor", "POST", "/api/v1/telephone")
    assert (answer.status_code, answer.json()["code"]) == (403, "no_extension")


@pytest.mark.parametrize(
    "username", ["", "1001", "1001-web", "1001-web/ff", "1001-app/ff/1", "1001-web/ff/1\n"]
)
def test_what_is_no_user_name_of_a_page_is_none(username: str):
    with pytest.raises(ValueError, match="no user name"):
        name_of(username)


def test_passwords_of_another_node_or_domain_are_others(town: TownHall):
    told = opened(town)
    other = BrowserPasswords(town.node.sealing, "valmont.example").credentials(told["username"])
    assert other.md5 != Credentials.of(told["username"], "valmont.example", told["password"]).md5


# What ends it


def asked(town: TownHall) -> list[list[str]]:
    """Look after the sessions; returns what signalling was told to sign out."""
    town.node.asked.clear()
    portal = town.client.portal
    assert portal is not None
    portal.call(town.node.telephones.look)
    return [one.sessions for one in town.node.asked if isinstance(one, control.SignOutPages)]


def test_a_session_that_lasts_ends_nothing(town: TownHall):
    opened(town)
    assert asked(town) == []


def test_signing_out_signs_the_telephone_out(town: TownHall):
    told = opened(town)
    town.ask("agent", "DELETE", "/api/v1/session")
    # Once, or again by who looks at all sessions meanwhile.
    assert {tuple(sessions) for sessions in asked(town)} == {(name_of(told["username"]).session,)}


@pytest.mark.parametrize("what", ["disabled", "another extension", "removed"])
def test_what_becomes_of_an_account_signs_its_telephone_out(town: TownHall, what: str):
    told = opened(town)
    with closing(town.database) as database:
        match what:
            case "disabled":
                database.write(lambda connection: records.change(connection, "agent", disabled=True))
            case "another extension":
                database.write(lambda connection: records.change(connection, "agent", extension="2022"))
            case _:
                database.write(lambda connection: records.remove(connection, "agent"))
    assert asked(town) == [[name_of(told["username"]).session]]


def test_signalling_is_told_again_until_the_password_has_died(town: TownHall):
    """It may have been started anew meanwhile, and remember nothing."""
    opened(town)
    town.ask("agent", "DELETE", "/api/v1/session")
    assert len(asked(town)) == len(asked(town)) == 1
    town.node.now += LASTING_SECONDS + 1
    assert asked(town) == []


def test_a_web_process_that_begins_finds_the_pages_of_the_one_before(town: TownHall):
    """It has issued nothing; signalling knows which sessions are registered, and one of them has ended."""
    session = name_of(opened(town)["username"]).session
    town.node.now += LASTING_SECONDS + 1
    town.node.answers[control.ListPages] = control.PagesNow({session: "1001", "00ff": "1002"})
    assert asked(town) == [["00ff"]]


# The device


def test_somebodys_browser_is_a_device_that_nobody_made(town: TownHall):
    town.node.answers[control.ListDevices] = control.DeviceList([])
    shown = town.ask("agent", "GET", "/api/v1/devices/1001-web").json()
    assert (shown["source"], shown["kind"], shown["bindings"]) == ("page", "browser", [])


def test_nobody_has_a_browser_who_isnt_there(town: TownHall):
    town.node.answers[control.ListDevices] = control.DeviceList([])
    assert town.ask("administrator", "GET", "/api/v1/devices/6666-web").status_code == 404


# The WebSocket


class Signalling:
    """The other end: keeps what it was sent, and answers each message with the same."""

    def __init__(self, path: Path) -> None:
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listening.bind(str(path))
        self.listening.listen(4)
        self.frames: list[bytes] = []
        self.connected: socket.socket
        self.introduced = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        self.connected, _ = self.listening.accept()
        with self.connected.makefile("rb") as stream:
            while head := stream.read(4):
                self.frames.append(stream.read(int.from_bytes(head, "big")))
                if len(self.frames) > 1:
                    self.connected.sendall(head + self.frames[-1])
                self.introduced.set()

    def close(self) -> None:
        assert self.introduced.wait(5)
        self.thread.join(5)
        self.connected.close()
        self.listening.close()


@contextmanager
def signalling(town: TownHall) -> Iterator[Signalling]:
    made = Signalling(town.node.configuration.pages_socket)
    try:
        yield made
    finally:
        made.close()


def test_messages_are_handed_on_both_ways_with_who_they_come_from(town: TownHall):
    """RFC 7118 section 4: the subprotocol is `sip`."""
    with signalling(town) as other:
        with town.client.websocket_connect("/sip", subprotocols=["sip"], headers={**HERE}) as page:
            assert str(page.accepted_subprotocol) == "sip"
            page.send_text(REGISTER)
            assert page.receive_text() == REGISTER
        assert b'"transport":"WS"' in other.frames[0]
        assert b'"remote":["127.0.0.1",50000]' in other.frames[0]


def test_what_is_no_utf_8_goes_as_binary(town: TownHall):
    """RFC 7118 section 4.2."""
    with (
        signalling(town),
        town.client.websocket_connect("/sip", subprotocols=["sip"], headers={**HERE}) as page,
    ):
        page.send_bytes(b"MESSAGE \xff\r\n\r\n")
        assert page.receive_bytes() == b"MESSAGE \xff\r\n\r\n"


def test_a_page_that_asks_whether_we_are_there_is_answered(town: TownHall):
    """RFC 7118 section 6: CRLF CRLF, and one CRLF back; signalling hears nothing of it."""
    with signalling(town) as other:
        with town.client.websocket_connect("/sip", subprotocols=["sip"], headers={**HERE}) as page:
            page.send_text("\r\n\r\n")
            assert page.receive_text() == "\r\n"
        assert len(other.frames) <= 1


def test_the_socket_closes_when_signalling_goes_away(town: TownHall):
    """1012: the page connects anew, and signalling may be there again."""
    with (
        signalling(town) as other,
        town.client.websocket_connect("/sip", subprotocols=["sip"], headers={**HERE}) as page,
    ):
        other.introduced.wait(5)
        other.connected.shutdown(socket.SHUT_RDWR)
        with pytest.raises(WebSocketDisconnect) as closed:
            page.receive_text()
        assert closed.value.code == 1012


def test_a_message_too_long_for_sip_closes_it(town: TownHall):
    with (
        signalling(town),
        town.client.websocket_connect("/sip", subprotocols=["sip"], headers={**HERE}) as page,
    ):
        page.send_text("x" * 70_000)
        with pytest.raises(WebSocketDisconnect) as closed:
            page.receive_text()
        assert closed.value.code == 1009


@pytest.mark.parametrize(
    ("headers", "protocols", "refusal"),
    [
        ({"Host": "localhost", "Origin": "https://evil.example"}, ["sip"], (403, "other_site")),
        ({"Host": "localhost", "Sec-Fetch-Site": "cross-site"}, ["sip"], (403, "other_site")),
        (HERE, ["xmpp"], (400, "wrong_subprotocol")),
        (HERE, None, (400, "wrong_subprotocol")),
        (HERE, ["sip"], (503, "signalling_away")),
    ],
)
def test_whoever_may_not_open_it_is_told_why(
    town: TownHall, headers: dict[str, str], protocols: list[str] | None, refusal: tuple[int, str]
):
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        town.client.websocket_connect("/sip", subprotocols=protocols, headers={**headers}),
    ):
        pass
    assert (refused.value.status_code, refused.value.json()["code"]) == refusal
