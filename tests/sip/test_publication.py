"""Published state and its conditions (RFC 3903), and short messages (RFC 3428)."""

from __future__ import annotations

import pytest

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.identifiers import Identifiers
from sip.core.pager import MAX_BYTES, page_of
from sip.core.parser import parse_message
from sip.core.publication import MAX_OF_ONE_RESOURCE, MAX_SECONDS, Publications
from sip.core.timers import TimerHeap
from tests.sip.messages import request, request_bytes


class Desk:
    """Publications, and which resources changed when."""

    def __init__(self) -> None:
        self.timers = TimerHeap()
        self.changed: list[tuple[str, float]] = []
        self.publications: Publications[str] = Publications(
            Identifiers(b"desk"), self.timers, lambda resource, now: self.changed.append((resource, now))
        )

    def publish(self, body: str = "", *lines: str, resource: str = "1001", now: float = 0.0):
        asked = request("PUBLISH", headers="".join(f"{line}\r\n" for line in lines), body=body.encode())
        return self.publications.publish(asked, resource, read, now)

    def refused(self, body: str = "", *lines: str, now: float = 0.0) -> int:
        with pytest.raises(RemoteProtocolError) as error:
            self.publish(body, *lines, now=now)
        return error.value.status

    def wait(self, until: float) -> None:
        while (timed := self.timers.due(until)) is not None:
            timed.fire(until)
            self.timers.arm(timed)


def read(body: bytes) -> str:
    if body == b"bad":
        raise RemoteProtocolError(400, "Malformed")
    return body.decode()


def test_a_publication_is_kept_refreshed_changed_and_removed() -> None:
    """RFC 3903 sections 4.2 to 4.5."""
    desk = Desk()
    first = desk.publish("open", "Expires: 600")
    assert first.seconds == 600
    assert first.headers == f"SIP-ETag: {first.tag}\r\nExpires: 600\r\n"
    assert desk.publications.of("1001") == ["open"]
    second = desk.publish("", f"SIP-If-Match: {first.tag}", now=10.0)
    assert second.tag != first.tag
    assert desk.changed == [("1001", 0.0)]  # a refresh changes nothing
    third = desk.publish("closed", f"SIP-If-Match: {second.tag}", now=20.0)
    assert desk.publications.of("1001") == ["closed"]
    gone = desk.publish("", f"SIP-If-Match: {third.tag}", "Expires: 0", now=30.0)
    assert gone.seconds == 0
    assert desk.publications.of("1001") == []
    assert desk.changed == [("1001", 0.0), ("1001", 20.0), ("1001", 30.0)]
    assert desk.timers.live() == 0
    assert len(desk.publications) == 0


def test_an_old_tag_is_answered_412() -> None:
    """RFC 3903 section 6, step 3."""
    desk = Desk()
    first = desk.publish("open")
    desk.publish("", f"SIP-If-Match: {first.tag}")
    assert desk.refused("closed", f"SIP-If-Match: {first.tag}") == 412
    assert desk.refused("closed", "SIP-If-Match: unheard-of") == 412
    assert desk.publications.of("1001") == ["open"]


def test_another_resource_s_tag_is_answered_412() -> None:
    desk = Desk()
    theirs = desk.publish("open", resource="1002")
    assert desk.refused("closed", f"SIP-If-Match: {theirs.tag}") == 412


@pytest.mark.parametrize(
    ("body", "lines", "status"),
    [
        ("", (), 400),
        ("", ("Expires: 0",), 400),
        ("open", ("Expires: 59",), 423),
        ("open", ("SIP-If-Match: a", "SIP-If-Match: b"), 400),
        ("bad", (), 400),
        ("open", ("Expires: never",), 400),
    ],
)
def test_what_is_refused_changes_nothing(body: str, lines: tuple[str, ...], status: int) -> None:
    desk = Desk()
    assert desk.refused(body, *lines) == status
    assert desk.changed == []
    assert len(desk.publications) == 0


def test_a_refused_change_leaves_what_was_published() -> None:
    desk = Desk()
    first = desk.publish("open")
    assert desk.refused("bad", f"SIP-If-Match: {first.tag}") == 400
    assert desk.publications.of("1001") == ["open"]
    desk.publish("", f"SIP-If-Match: {first.tag}")


def test_two_devices_publish_beside_each_other() -> None:
    desk = Desk()
    desk.publish("open")
    desk.publish("closed")
    assert desk.publications.of("1001") == ["open", "closed"]


def test_what_is_not_refreshed_expires() -> None:
    """RFC 3903 section 6, step 4."""
    desk = Desk()
    first = desk.publish("open", "Expires: 60")
    desk.publish("closed", "Expires: 120")
    desk.wait(59.9)
    assert len(desk.publications) == 2
    desk.wait(60.0)
    assert desk.publications.of("1001") == ["closed"]
    assert desk.refused("", f"SIP-If-Match: {first.tag}", now=60.0) == 412
    desk.wait(1000.0)
    assert desk.publications.of("1001") == []
    assert desk.changed[2:] == [("1001", 60.0), ("1001", 1000.0)]
    assert desk.timers.live() == 0


def test_a_long_time_is_shortened() -> None:
    assert Desk().publish("open", "Expires: 1000000").seconds == MAX_SECONDS


def test_a_resource_s_publications_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    tags = [desk.publish("open").tag for _ in range(MAX_OF_ONE_RESOURCE)]
    assert desk.refused("open") == 403
    desk.publish("closed", f"SIP-If-Match: {tags[0]}")
    monkeypatch.setattr("sip.core.publication.MAX_PUBLICATIONS", len(desk.publications))
    with pytest.raises(RemoteProtocolError) as refused:
        desk.publish("open", resource="1002")
    assert refused.value.status == 503


def test_a_resource_that_is_gone_takes_its_publications_along() -> None:
    desk = Desk()
    desk.publish("open")
    desk.publications.forget("1001", 5.0)
    desk.publications.forget("1001", 6.0)
    assert desk.changed == [("1001", 0.0), ("1001", 5.0)]
    assert desk.timers.live() == 0


def message(body: bytes, kind: str):
    return parse_message(request_bytes("MESSAGE", body=body).replace(b"application/sdp", kind.encode()))


@pytest.mark.parametrize("kind", ["text/plain", "Text/Plain; charset=UTF-8", "message/CPIM"])
def test_a_text_passes_as_it_is(kind: str) -> None:
    """RFC 3428 section 7."""
    page = page_of(message("Réunion à 11 h".encode(), kind))
    assert (page.body.decode(), page.content_type) == ("Réunion à 11 h", kind)


def test_a_text_without_a_type_is_plain() -> None:
    assert page_of(request("MESSAGE")).content_type == "text/plain"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a" * (MAX_BYTES + 1), "text/plain", 413),
        (b"a", "application/x-executable", 415),
        (b"a", f"text/plain;x={'a' * 200}", 415),
    ],
)
def test_what_is_too_large_or_no_text_is_refused(body: bytes, kind: str, status: int) -> None:
    """RFC 3428 section 8."""
    with pytest.raises(RemoteProtocolError) as refused:
        page_of(message(body, kind))
    assert refused.value.status == status


def test_two_conditions_are_malformed() -> None:
    with pytest.raises(ParseError):
        Desk().publish("open", "SIP-If-Match: a", "SIP-If-Match: b")
