"""Subscriptions, both sides, wired together without a network (RFC 6665)."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from sip.core.errors import LocalProtocolError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.message import Request, Response
from sip.core.parser import parse_message
from sip.core.stack import ServerTransaction
from sip.core.subscriber import OutgoingSubscription, SubscriberState
from sip.core.subscription import MAX_OF_ONE_SUBSCRIBER, MAX_SECONDS, Notifier, Watched
from sip.core.ua_core import UserAgentCore

SERVER = ("192.0.2.1", 5060)
PHONE = ("192.0.2.77", 5060)
METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "SUBSCRIBE", "NOTIFY")
TEXT = "text/plain"


class Lamp:
    """A package whose state is a word; its documents are numbered."""

    name = "lamp"
    content_type = TEXT
    default_seconds = 600
    interval_seconds = 0.0

    def __init__(self) -> None:
        self.word = "dark"
        self.watching: list[Watching] = []

    def watch(
        self, resource: str, subscriber: str, changed: Callable[[float], None], *, lists: bool
    ) -> Watched:
        if "secret" in resource:
            raise RemoteProtocolError(403, "Forbidden")
        watching = Watching(self, changed)
        self.watching.append(watching)
        return watching

    def turn(self, word: str, now: float) -> None:
        self.word = word
        for watching in list(self.watching):
            watching.changed(now)


class Watching:
    content_type = TEXT
    require = ""

    def __init__(self, lamp: Lamp, changed: Callable[[float], None]) -> None:
        self.lamp = lamp
        self.changed = changed
        self.number = 0

    def document(self, number: int, *, full: bool) -> bytes:
        self.number += 1
        return f"{self.number} {'full' if full else 'part'} {self.lamp.word}".encode()

    def close(self) -> None:
        self.lamp.watching.remove(self)


class Server:
    """A core with a notifier and nothing else; everybody is the same subscriber."""

    def __init__(self) -> None:
        self.core = UserAgentCore(Identifiers(b"server"), self, methods=METHODS)
        self.lamp = Lamp()
        self.notifier = Notifier(self.core, [self.lamp])

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        self.notifier.subscribe_received(request, transaction, "1001", now)


class Subscriber:
    """A core with subscriptions of its own; it keeps what it is told."""

    def __init__(self) -> None:
        self.core = UserAgentCore(Identifiers(b"phone"), self, methods=METHODS)
        self.told: list[str] = []

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")

    def notified(self, body: bytes, content_type: str, now: float) -> None:
        assert content_type == TEXT
        self.told.append(body.decode())

    def subscription_ended(self, reason: str, now: float) -> None:
        self.told.append(f"ended: {reason}")


class Wire:
    """Both, the time, and what passes between them: `deaf` loses what that side would receive."""

    def __init__(self) -> None:
        self.server = Server()
        self.phone = Subscriber()
        self.now = 1000.0
        self.passed: list[str] = []
        self.requests: list[Request] = []
        self.responses: list[Response] = []
        self.deaf: set[UserAgentCore] = set()

    def subscribe(self, uri: str = "sip:1002@valmont.example", seconds: int = 600) -> OutgoingSubscription:
        subscription = OutgoingSubscription(
            self.phone.core,
            uri,
            Flow("UDP", PHONE, SERVER),
            self.phone,
            self.now,
            event="lamp",
            accept=TEXT,
            seconds=seconds,
            local_address="<sip:1001@valmont.example>",
            remote_address=f"<{uri}>",
        )
        self.run()
        return subscription

    def run(self) -> None:
        """Let everything that lies in an outbox arrive."""
        cores = ((self.phone.core, self.server.core, SERVER, PHONE),)
        for _ in range(100):
            moved = False
            for phone, server, here, there in cores:
                moved |= self._pass(phone, server, Flow("UDP", here, there))
                moved |= self._pass(server, phone, Flow("UDP", there, here))
            if not moved:
                return
        raise AssertionError("it never ends")

    def _pass(self, sender: UserAgentCore, receiver: UserAgentCore, flow: Flow) -> bool:
        pending = sender.stack.outbox[:]
        sender.stack.outbox.clear()
        for _, data in pending:
            if receiver in self.deaf:
                continue
            message = parse_message(data)
            if isinstance(message, Request):
                self.requests.append(message)
                self.passed.append(message.method)
            else:
                self.responses.append(message)
                self.passed.append(f"{message.status} {message.cseq[1]}")
            receiver.stack.receive(data, flow, self.now)
        return bool(pending)

    def wait(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        for _ in range(1000):
            stacks = (self.phone.core.stack, self.server.core.stack)
            deadlines = [deadline for stack in stacks if (deadline := stack.next_deadline()) is not None]
            if not deadlines or min(deadlines) > end:
                break
            self.now = max(self.now, min(deadlines))
            for stack in stacks:
                stack.fire(self.now)
            self.run()
        self.now = end

    def turn(self, word: str) -> None:
        self.server.lamp.turn(word, self.now)
        self.run()

    def take(self) -> list[str]:
        passed, self.passed = self.passed, []
        return passed

    def state(self) -> str:
        """The Subscription-State of the last NOTIFY."""
        return [request for request in self.requests if request.method == "NOTIFY"][-1].only(
            "subscription-state"
        )

    def ask(self, *lines: str, uri: str = "sip:1002@valmont.example", call_id: str = "raw") -> str:
        """A SUBSCRIBE by hand; returns the labels of what comes back at once."""
        head = [
            f"SUBSCRIBE {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK{call_id}{len(self.responses)};rport",
            "From: <sip:1001@x>;tag=me",
            f"To: <{uri}>",
            f"Call-ID: {call_id}",
            "CSeq: 1 SUBSCRIBE",
            "Contact: <sip:1001@192.0.2.77>",
        ]
        self.receive("\r\n".join([*head, *lines, "", ""]).encode())
        return " ".join(self.take())

    def receive(self, data: bytes) -> None:
        """Let the server receive what the phone never sent; what was said before is forgotten."""
        self.server.core.stack.receive(data, Flow("UDP", SERVER, PHONE), self.now)
        self.take()
        self.run()

    def assert_nothing_left(self) -> None:
        self.wait(80)
        for core in (self.phone.core, self.server.core):
            assert {name: count for name, count in core.inventory().items() if count} == {}
        assert self.server.lamp.watching == []
        assert len(self.server.notifier) == 0


def test_a_subscription_is_answered_told_at_once_and_of_every_change() -> None:
    """RFC 6665 sections 4.2.1.2 and 4.2.2."""
    wire = Wire()
    subscription = wire.subscribe()
    assert wire.take() == ["SUBSCRIBE", "200 SUBSCRIBE", "NOTIFY", "200 NOTIFY"]
    assert wire.responses[0].expires == 600
    assert wire.state() == "active;expires=600"
    wire.wait(10)
    wire.turn("bright")
    assert wire.take() == ["NOTIFY", "200 NOTIFY"]
    assert wire.state() == "active;expires=590"
    assert wire.phone.told == ["1 full dark", "2 part bright"]
    subscription.unsubscribe(wire.now)
    wire.run()
    assert wire.take() == ["SUBSCRIBE", "200 SUBSCRIBE", "NOTIFY", "200 NOTIFY"]
    assert wire.state() == "terminated;reason=timeout"
    assert wire.phone.told[2:] == ["3 full bright", "ended: timeout"]
    wire.assert_nothing_left()


def test_one_notify_at_a_time_and_the_last_state_holds() -> None:
    """RFC 6665 section 4.2.2."""
    wire = Wire()
    subscription = wire.subscribe()
    wire.take()
    for word in ("red", "green", "blue"):
        wire.server.lamp.turn(word, wire.now)
    assert len(wire.server.core.stack.outbox) == 1
    wire.run()
    assert wire.phone.told[1:] == ["2 part red", "3 part blue"]
    subscription.unsubscribe(wire.now)
    wire.run()
    wire.assert_nothing_left()


def test_a_package_can_space_its_notifies() -> None:
    wire = Wire()
    wire.server.lamp.interval_seconds = 2.0
    subscription = wire.subscribe()
    wire.take()
    wire.turn("red")
    wire.wait(1.9)
    assert wire.take() == []
    wire.wait(0.2)
    assert wire.take() == ["NOTIFY", "200 NOTIFY"]
    subscription.unsubscribe(wire.now)
    wire.run()
    assert wire.state() == "terminated;reason=timeout"  # the last word doesn't wait
    wire.assert_nothing_left()


def test_it_is_refreshed_before_it_expires_and_all_is_told_again() -> None:
    """RFC 6665 section 4.1.2.2."""
    wire = Wire()
    subscription = wire.subscribe(seconds=100)
    wire.take()
    wire.wait(91)
    assert wire.take() == ["SUBSCRIBE", "200 SUBSCRIBE", "NOTIFY", "200 NOTIFY"]
    assert wire.phone.told == ["1 full dark", "2 full dark"]
    wire.wait(1000)
    assert subscription.state is SubscriberState.ACTIVE
    subscription.unsubscribe(wire.now)
    wire.run()
    wire.assert_nothing_left()


def test_it_expires_when_the_subscriber_is_gone() -> None:
    """RFC 6665 section 4.2.2: a subscription that isn't refreshed is over."""
    wire = Wire()
    wire.ask("Event: lamp", "Expires: 60")
    wire.deaf = {wire.phone.core}
    wire.wait(100)
    assert len(wire.server.notifier) == 0
    assert wire.server.lamp.watching == []


def test_a_refresh_that_meets_a_restarted_server_ends_the_subscription() -> None:
    """RFC 6665 section 4.1.2.2: 481 says that it isn't known."""
    wire = Wire()
    wire.subscribe(seconds=100)
    wire.server = Server()
    wire.wait(91)
    assert wire.phone.told[-1].startswith("ended: 481")


def test_a_fetch_gets_one_notify_and_leaves_nothing() -> None:
    """RFC 6665 section 4.4.3."""
    wire = Wire()
    assert wire.ask("Event: lamp", "Expires: 0") == "200 SUBSCRIBE NOTIFY 481 NOTIFY"
    assert wire.state() == "terminated;reason=timeout"
    assert wire.requests[-1].body == b"1 full dark"
    wire.assert_nothing_left()


def test_a_notify_answered_481_ends_the_subscription_without_a_word() -> None:
    """RFC 6665 section 4.2.2."""
    wire = Wire()
    assert wire.ask("Event: lamp") == "200 SUBSCRIBE NOTIFY 481 NOTIFY"
    wire.turn("red")
    assert wire.take() == []
    wire.assert_nothing_left()


def test_a_notify_without_answer_ends_the_subscription() -> None:
    wire = Wire()
    wire.subscribe()
    wire.deaf = {wire.phone.core}
    wire.turn("red")
    wire.wait(33)
    assert len(wire.server.notifier) == 0


def test_a_notify_refused_for_another_reason_leaves_it_and_the_next_one_says_all() -> None:
    wire = Wire()
    subscription = wire.subscribe()
    wire.server.lamp.turn("red", wire.now)
    ((flow, notify),) = wire.server.core.stack.outbox
    wire.server.core.stack.outbox.clear()
    head = notify.decode().partition("\r\n")[2].partition("Contact")[0]
    answer = f"SIP/2.0 500 Busy\r\n{head}Content-Length: 0\r\n\r\n".encode()
    wire.server.core.stack.receive(answer, flow, wire.now)
    wire.turn("blue")
    assert wire.phone.told[1:] == ["3 full blue"]
    subscription.unsubscribe(wire.now)
    wire.run()
    wire.assert_nothing_left()


def test_the_owner_can_end_it() -> None:
    """RFC 6665 section 4.1.3."""
    wire = Wire()
    wire.subscribe()
    (subscription,) = wire.server.notifier.subscriptions()
    subscription.end(wire.now, "rejected")
    wire.run()
    assert wire.state() == "terminated;reason=rejected"
    assert wire.phone.told[-1] == "ended: rejected"
    subscription.end(wire.now)
    assert wire.server.core.stack.outbox == []
    wire.assert_nothing_left()


def test_a_node_that_stops_lets_its_subscribers_ask_again() -> None:
    """RFC 6665 section 4.1.3: deactivated."""
    wire = Wire()
    wire.subscribe()
    wire.subscribe("sip:1003@valmont.example")
    wire.server.notifier.end_all(wire.now)
    wire.run()
    assert (
        wire.phone.told[-2:] == ["ended: deactivated"] * 2 or wire.phone.told.count("ended: deactivated") == 2
    )
    wire.assert_nothing_left()


def test_the_last_word_waits_for_the_notify_under_way() -> None:
    wire = Wire()
    subscription = wire.subscribe()
    wire.take()
    wire.server.lamp.turn("red", wire.now)
    subscription.unsubscribe(wire.now)
    wire.run()
    assert wire.phone.told[1:] == ["2 part red", "3 full red", "ended: timeout"]
    wire.assert_nothing_left()


@pytest.mark.parametrize(
    ("lines", "answer", "header"),
    [
        (["Event: unheard-of"], "489 SUBSCRIBE", "allow-events: lamp"),
        ([], "489 SUBSCRIBE", "allow-events: lamp"),
        (["Event: lamp", "Expires: 59"], "423 SUBSCRIBE", "min-expires: 60"),
        (["Event: lamp", "Accept: application/pidf+xml"], "406 SUBSCRIBE", "accept: text/plain"),
        (["Event: lamp; ;"], "400 SUBSCRIBE", ""),
        (["Event: lamp", "Event: lamp"], "400 SUBSCRIBE", ""),
        (["Event: la mp"], "400 SUBSCRIBE", ""),
        (["Event: lamp", "Expires: soon"], "400 SUBSCRIBE", ""),
        (["Event: lamp", "Contact: <sip:another@x>"], "400 SUBSCRIBE", ""),
    ],
)
def test_what_is_refused(lines: list[str], answer: str, header: str) -> None:
    """RFC 6665 section 4.2.1.1."""
    wire = Wire()
    assert wire.ask(*lines) == answer
    if header:
        name, _, value = header.partition(": ")
        assert wire.responses[-1].only(name) == value
    wire.assert_nothing_left()


def test_what_the_package_refuses_leaves_nothing() -> None:
    wire = Wire()
    assert wire.ask("Event: lamp", uri="sip:secret@x") == "403 SUBSCRIBE"
    wire.assert_nothing_left()


@pytest.mark.parametrize("accept", ["text/plain", "text/*", "*/*;q=0.1", "application/x, TEXT/PLAIN;x=y"])
def test_a_subscriber_that_reads_the_documents_is_served(accept: str) -> None:
    assert Wire().ask("Event: lamp", f"Accept: {accept}").startswith("200 SUBSCRIBE NOTIFY")


@pytest.mark.parametrize(("asked", "granted"), [("", 600), ("Expires: 100000000", MAX_SECONDS)])
def test_how_long_it_lasts(asked: str, granted: int) -> None:
    wire = Wire()
    wire.ask("Event: lamp", *([asked] if asked else []))
    assert wire.responses[0].expires == granted


def test_the_id_of_an_event_comes_back_in_its_notifies() -> None:
    """RFC 6665 section 8.2.1."""
    wire = Wire()
    wire.ask("o: LAMP;x=y;id=7")
    assert wire.requests[-1].only("event") == "lamp;id=7"


def test_a_time_too_short_is_lengthened_once() -> None:
    """RFC 6665 section 4.1.2.1."""
    wire = Wire()
    subscription = wire.subscribe(seconds=10)
    assert wire.passed[:4] == ["SUBSCRIBE", "423 SUBSCRIBE", "SUBSCRIBE", "200 SUBSCRIBE"]
    assert wire.state() == "active;expires=60"
    subscription.unsubscribe(wire.now)
    wire.run()
    wire.assert_nothing_left()


def test_a_subscriber_that_is_refused_is_told_so() -> None:
    wire = Wire()
    subscription = wire.subscribe("sip:secret@valmont.example")
    assert wire.phone.told == ["ended: 403 Forbidden"]
    assert subscription.state is SubscriberState.ENDED
    wire.assert_nothing_left()


def test_a_subscription_that_nobody_answers_is_over_after_64_t1() -> None:
    wire = Wire()
    wire.deaf = {wire.server.core}
    wire.subscribe()
    wire.wait(33)
    assert wire.phone.told in (["ended: no response"], ["ended: no NOTIFY"])
    wire.deaf = set()
    wire.assert_nothing_left()


def test_timer_n_ends_a_subscription_without_any_notify() -> None:
    """RFC 6665 section 4.1.2.4."""
    wire = Wire()
    wire.subscribe()
    phone = Wire()
    subscribe = wire.requests[0]
    phone.deaf = {phone.server.core}
    phone.subscribe()
    sent_branch = subscribe.via.branch  # the same seed made the same request
    answer = (
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.77:5060;branch={sent_branch};rport\r\n"
        f"From: {subscribe.first('from')}\r\nTo: {subscribe.first('to')};tag=there\r\n"
        f"Call-ID: {subscribe.call_id}\r\nCSeq: {subscribe.first('cseq')}\r\nExpires: 600\r\n"
        "Contact: <sip:192.0.2.1>\r\nContent-Length: 0\r\n\r\n"
    )
    phone.phone.core.stack.receive(answer.encode(), Flow("UDP", PHONE, SERVER), phone.now)
    phone.wait(31.9)
    assert phone.phone.told == []
    phone.wait(0.2)
    assert phone.phone.told == ["ended: no NOTIFY"]


def test_a_notify_may_come_before_the_200() -> None:
    """RFC 6665 section 4.1.2.4: NOTIFY makes the dialog."""
    wire = Wire()
    subscription = OutgoingSubscription(
        wire.phone.core,
        "sip:1002@valmont.example",
        Flow("UDP", PHONE, SERVER),
        wire.phone,
        wire.now,
        event="lamp",
        accept=TEXT,
        seconds=600,
        local_address="<sip:1001@valmont.example>",
        remote_address="<sip:1002@valmont.example>",
    )
    ((_, subscribe),) = wire.phone.core.stack.outbox
    wire.phone.core.stack.outbox.clear()
    wire.server.core.stack.receive(subscribe, Flow("UDP", SERVER, PHONE), wire.now)
    outbox = wire.server.core.stack.outbox
    outbox.reverse()
    wire.run()
    assert wire.phone.told == ["1 full dark"]
    assert subscription.state is SubscriberState.ACTIVE
    subscription.unsubscribe(wire.now)
    wire.run()
    wire.assert_nothing_left()


def notify(
    subscription: OutgoingSubscription, *lines: str, tag: str = "fork", method: str = "NOTIFY"
) -> bytes:
    dialog = subscription.dialog
    return "\r\n".join(
        [
            f"{method} sip:192.0.2.77 SIP/2.0",
            f"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{len(lines)}{tag}{method};rport",
            f"From: <sip:1002@x>;tag={tag}",
            f"To: <sip:1001@x>;tag={dialog.local_tag}",
            f"Call-ID: {dialog.call_id}",
            f"CSeq: 1000 {method}",
            "Contact: <sip:192.0.2.1>",
            *lines,
            "",
            "",
        ]
    ).encode()


@pytest.mark.parametrize(
    ("lines", "tag", "status"),
    [
        (("Event: lamp", "Subscription-State: active"), "fork", 481),
        (("Event: other", "Subscription-State: active"), "", 489),
        (("Event: lamp",), "", 400),
        (("Event: lamp", "Subscription-State: perhaps"), "", 400),
    ],
)
def test_a_notify_that_does_not_belong_here_is_refused(lines: tuple[str, ...], tag: str, status: int) -> None:
    """RFC 6665 sections 4.1.3 and 8.2.3; forks: 4.1.2.4."""
    wire = Wire()
    subscription = wire.subscribe()
    tag = tag or subscription.dialog.remote_tag
    wire.phone.core.stack.receive(notify(subscription, *lines, tag=tag), Flow("UDP", PHONE, SERVER), wire.now)
    answers = [parse_message(data) for _, data in wire.phone.core.stack.outbox]
    assert [answer.status for answer in answers if isinstance(answer, Response)] == [status]
    assert wire.phone.told == ["1 full dark"]


def test_another_method_in_the_dialog_is_refused_by_both_sides() -> None:
    wire = Wire()
    subscription = wire.subscribe()
    data = notify(subscription, tag=subscription.dialog.remote_tag, method="OPTIONS")
    wire.phone.core.stack.receive(data, Flow("UDP", PHONE, SERVER), wire.now)
    assert b"SIP/2.0 405 " in wire.phone.core.stack.outbox[0][1]


def test_a_subscriber_of_the_wrong_tag_is_answered_481() -> None:
    wire = Wire()
    wire.subscribe()
    first = wire.requests[0]
    tag = wire.responses[0].to.tag
    data = (
        "SUBSCRIBE sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bKx;rport\r\n"
        f"From: <sip:1001@x>;tag=thief\r\nTo: <sip:1002@x>;tag={tag}\r\nCall-ID: {first.call_id}\r\n"
        "CSeq: 9 SUBSCRIBE\r\nEvent: lamp\r\nExpires: 0\r\nContact: <sip:thief@192.0.2.9>\r\n\r\n"
    )
    wire.server.core.stack.receive(data.encode(), Flow("UDP", SERVER, PHONE), wire.now)
    assert b"SIP/2.0 481 " in wire.server.core.stack.outbox[0][1]
    assert len(wire.server.notifier) == 1


def test_one_subscriber_is_bounded_and_a_restarted_phone_makes_room_for_itself() -> None:
    wire = Wire()
    wire.deaf = {wire.phone.core}
    for number in range(MAX_OF_ONE_SUBSCRIBER):
        wire.ask("Event: lamp", uri=f"sip:{number}@x", call_id=f"c{number}")
    wire.deaf = set()
    assert len(wire.server.notifier) == MAX_OF_ONE_SUBSCRIBER
    assert wire.ask("Event: lamp", uri="sip:new@x", call_id="new") == "403 SUBSCRIBE"
    assert wire.ask("Event: lamp", uri="sip:7@x", call_id="again").startswith("200 SUBSCRIBE NOTIFY")
    assert len(wire.server.notifier) < MAX_OF_ONE_SUBSCRIBER + 1


def test_all_subscribers_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sip.core.subscription.MAX_SUBSCRIPTIONS", 1)
    wire = Wire()
    wire.subscribe()
    assert wire.ask("Event: lamp", uri="sip:other@x") == "503 SUBSCRIBE"
    assert re.fullmatch("[0-9]+", wire.responses[-1].only("retry-after"))


def test_unsubscribing_twice_is_our_mistake() -> None:
    wire = Wire()
    subscription = wire.subscribe()
    subscription.unsubscribe(wire.now)
    wire.run()
    with pytest.raises(LocalProtocolError):
        subscription.unsubscribe(wire.now)
