"""REFER read and told of (RFC 3515, RFC 4488, RFC 3892, RFC 3420)."""

from __future__ import annotations

import pytest

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.message import Request
from sip.core.refer import (
    Refer,
    ReferSubscription,
    ReferTo,
    parse_sipfrag,
    refer_headers,
    sipfrag,
)
from sip.core.replaces import Replaces
from sip.core.stack import ServerTransaction
from sip.core.transactions.invite_client import ClientUser
from tests.sip.line import METHODS, Line, core
from tests.sip.messages import request, request_bytes, response

REPLACES = Replaces("a84b@10.0.0.1", "ours", "theirs")
ATTENDED = "<sip:1003@valmont.example?Replaces=a84b%4010.0.0.1%3Bto-tag%3Dours%3Bfrom-tag%3Dtheirs>"


def refer(*lines: str) -> Refer:
    return Refer.parse(request("REFER", headers="".join(f"{line}\r\n" for line in lines)))


def test_a_number_to_call() -> None:
    """RFC 3515 section 2.1."""
    read = refer('Refer-To: "Claire" <sip:1003@valmont.example;user=phone>')
    assert read.refer_to == ReferTo("sip:1003@valmont.example;user=phone", name="Claire")
    assert read.sequence == 7
    assert read.wants_subscription


def test_the_compact_forms() -> None:
    read = refer("r: sip:1003@valmont.example", "b: <sip:1001@valmont.example>;cid=x")
    assert read.refer_to.uri == "sip:1003@valmont.example"
    assert read.referred_by is not None
    assert read.referred_by.uri == "sip:1001@valmont.example"


def test_a_telephone_uri() -> None:
    assert refer("Refer-To: <tel:+33327000000>").refer_to.uri == "tel:+33327000000"


def test_the_dialog_that_the_new_call_replaces() -> None:
    """RFC 3891 section 4: Replaces within the URI, escaped."""
    read = refer(f"Refer-To: {ATTENDED}")
    assert read.refer_to.replaces == REPLACES
    assert read.refer_to.uri == "sip:1003@valmont.example"


def test_the_method_is_taken_out_of_the_uri() -> None:
    """RFC 3261 section 19.1.1: it may not stand in a request line."""
    read = refer("Refer-To: <sip:1003@valmont.example;method=BYE;lr>")
    assert (read.refer_to.uri, read.refer_to.method) == ("sip:1003@valmont.example;lr", "BYE")


def test_no_other_method_than_invite_is_sent_for_anybody() -> None:
    refer("Refer-To: <sip:1003@valmont.example;method=invite>").check_callable()
    with pytest.raises(RemoteProtocolError) as refused:
        refer("Refer-To: <sip:1003@valmont.example;method=BYE>").check_callable()
    assert refused.value.status == 501


def test_whoever_refers_does_not_write_our_headers() -> None:
    """RFC 3261 section 19.1.5: dangerous headers are not honoured."""
    read = refer("Refer-To: <sip:1003@x?From=sip%3A18%40x&P-Asserted-Identity=%3Ctel%3A18%3E&Subject=Hi>")
    assert read.refer_to.headers == {"subject": "Hi"}


@pytest.mark.parametrize(
    "value",
    [
        "nonsense<",
        "<sip:1003@x?Replaces=c1>",
        "<sip:1003@x?Subject=a%0D%0AVia%3A%20x>",
        "<sip:1003@x?Subject=a&subject=b>",
        "<sip:1003@x?%20=a>",
        f"<sip:1003@x?{'&'.join(f'a{n}=b' for n in range(17))}>",
        f"<sip:{'9' * 3000}@x>",
        "<sip:1003@x;method=%0d%0a>",
        "<sip:1003@x>, <sip:1004@x>",
    ],
)
def test_a_refer_to_that_is_none_is_answered_400(value: str) -> None:
    with pytest.raises(ParseError) as refused:
        refer(f"Refer-To: {value}")
    assert refused.value.status == 400


def test_another_scheme_is_answered_416() -> None:
    with pytest.raises(ParseError) as refused:
        refer("Refer-To: <mailto:a@b>")
    assert refused.value.status == 416


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Refer-To: <sip:1@x>", "Refer-To: <sip:2@x>"),
        ("Refer-To: <sip:1@x>", "Referred-By: <sip:1@x>", "Referred-By: <sip:2@x>"),
        ("Refer-To: <sip:1@x>", "Refer-Sub: perhaps"),
    ],
)
def test_none_or_two_of_a_header_that_must_be_there_once(lines: tuple[str, ...]) -> None:
    """RFC 3515 section 2.4.2, RFC 3892 section 3."""
    with pytest.raises(ParseError):
        refer(*lines)


def test_a_refer_without_subscription() -> None:
    """RFC 4488 section 4."""
    read = refer("Refer-To: <sip:1@x>", "Refer-Sub: False")
    assert not read.wants_subscription
    assert read.response_headers == "Refer-Sub: false\r\n"
    assert refer("Refer-To: <sip:1@x>", "Refer-Sub: true").response_headers == ""


def test_what_we_ask_is_read_as_we_meant_it() -> None:
    lines = refer_headers(
        "sip:1003@valmont.example", replaces=REPLACES, referred_by="sip:1001@x", subscription=False
    )
    read = Refer.parse(request("REFER", headers=lines))
    assert (read.refer_to.uri, read.refer_to.replaces) == ("sip:1003@valmont.example", REPLACES)
    assert read.referred_by is not None
    assert read.referred_by.uri == "sip:1001@x"
    assert not read.wants_subscription


def test_fragments() -> None:
    """RFC 3420 section 2, RFC 3515 section 2.4.5."""
    assert sipfrag(180) == b"SIP/2.0 180 Ringing\r\n"
    assert parse_sipfrag(sipfrag(486)) == (486, "Busy Here")
    assert parse_sipfrag(b"SIP/2.0 200 OK\nContact: <sip:x>\n") == (200, "OK")
    for body in (b"", b"INVITE sip:x SIP/2.0\r\n", b"SIP/2.0 99 x", b"SIP/2.0 2000 x", b"\xff\xff"):
        with pytest.raises(ParseError):
            parse_sipfrag(body)


class Session:
    """Where NOTIFYs go: keeps them, and who waits for the answer."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.user: ClientUser | None = None

    def send_request(
        self,
        method: str,
        user: ClientUser,
        now: float,
        *,
        headers: str = "",
        body: bytes = b"",
        content_type: str = "",
    ) -> None:
        assert (method, content_type) == ("NOTIFY", "message/sipfrag;version=2.0")
        state = headers.partition("Subscription-State: ")[2].strip()
        assert headers.startswith("Event: refer;id=7\r\n")
        self.sent.append(f"{body.decode().strip().removeprefix('SIP/2.0 ')}, {state}")
        self.user = user

    def answer(self, status: int, now: float = 0.0) -> None:
        user, self.user = self.user, None
        user.response_received(response(request_bytes("NOTIFY"), status), now)


def subscription(line: Session, *lines: str) -> ReferSubscription:
    return ReferSubscription(line, refer("Refer-To: <sip:1@x>", *lines), 0.0)


def test_progress_is_told_one_notify_at_a_time_and_ends_with_the_final_status() -> None:
    """RFC 3515 sections 2.4.4 and 2.4.5."""
    line = Session()
    progress = subscription(line)
    assert line.sent == ["100 Trying, active;expires=180"]
    progress.notify(180, 2.0)
    progress.notify(180, 3.0)
    progress.notify(200, 4.0)
    assert len(line.sent) == 1
    line.answer(200, 5.0)
    assert line.sent[1:] == ["180 Ringing, active;expires=175"]
    line.answer(200, 6.0)
    assert line.sent[2:] == ["200 OK, terminated;reason=noresource"]
    assert progress.over
    progress.notify(486, 7.0)
    line.answer(200, 8.0)
    assert len(line.sent) == 3


def test_only_the_newest_statuses_wait() -> None:
    line = Session()
    progress = subscription(line)
    for status in (*range(180, 190), 200):
        progress.notify(status, 1.0)
    while line.user is not None:
        line.answer(200)
    assert [text[:3] for text in line.sent] == ["100", "187", "188", "189", "200"]


@pytest.mark.parametrize("status", [481, 489, 500])
def test_a_notify_that_is_refused_ends_the_subscription(status: int) -> None:
    """RFC 6665 section 4.2.2."""
    line = Session()
    progress = subscription(line)
    progress.notify(180, 1.0)
    line.answer(status)
    progress.notify(200, 2.0)
    assert len(line.sent) == 1
    assert progress.over


def test_a_notify_without_answer_ends_the_subscription() -> None:
    line = Session()
    progress = subscription(line)
    line.user.no_response("no response", 32.0)
    progress.notify(200, 33.0)
    assert len(line.sent) == 1
    assert progress.over


def test_a_provisional_answer_to_a_notify_changes_nothing() -> None:
    line = Session()
    progress = subscription(line)
    progress.notify(200, 1.0)
    user = line.user
    line.answer(100)
    assert len(line.sent) == 1
    line.user = user
    line.answer(200)
    assert len(line.sent) == 2


def test_nothing_is_told_where_no_subscription_was_wanted() -> None:
    """RFC 4488 section 4."""
    line = Session()
    progress = subscription(line, "Refer-Sub: false")
    progress.notify(200, 1.0)
    assert line.sent == []


def test_a_call_that_was_given_up_is_told_so() -> None:
    line = Session()
    progress = subscription(line)
    progress.end(1.0)
    line.answer(200)
    assert line.sent[1] == "503 Service Unavailable, terminated;reason=noresource"


class Referring(Line):
    """A call in which the callee refers the caller, which tells it how that goes."""

    def __init__(self) -> None:
        methods = (*METHODS, "REFER", "NOTIFY")
        super().__init__(caller=core("caller", methods=methods), callee=core("callee", methods=methods))
        self.progress: list[ReferSubscription] = []
        self.caller.requested = self._referred  # type: ignore[method-assign]
        self.talking()

    def _referred(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        refer = Refer.parse(request)
        self.caller.core.stack.respond(transaction, 202, now, headers=refer.response_headers)
        self.progress.append(ReferSubscription(self.caller.session, refer, now))

    def refer(self, *, subscription: bool = True) -> None:
        headers = refer_headers("sip:1003@valmont.example", subscription=subscription)
        self.callee.session.send_request("REFER", self.callee, self.now, headers=headers)
        self.deliver()


def test_a_party_of_a_call_refers_and_is_told_how_it_goes() -> None:
    """RFC 3515 section 4.1."""
    line = Referring()
    line.refer()
    assert line.talk() == ["< REFER", "> 202 REFER", "> NOTIFY", "< 200 NOTIFY"]
    assert line.callee.facts() == [
        "heard 202",
        "requested NOTIFY message/sipfrag;version=2.0 SIP/2.0 100 Trying\r\n",
    ]
    line.progress[0].notify(180, line.now)
    line.deliver()
    line.progress[0].notify(486, line.now)
    line.deliver()
    assert line.talk() == ["> NOTIFY", "< 200 NOTIFY"] * 2
    last = line.last("> NOTIFY")
    assert last.only("subscription-state") == "terminated;reason=noresource"
    assert last.only("event") == f"refer;id={line.last('< REFER').cseq[0]}"
    line.end()


def test_two_referrals_of_one_call_are_told_apart() -> None:
    """RFC 3515 section 2.4.6."""
    line = Referring()
    line.refer()
    line.refer()
    first, second = (line.progress[number] for number in (0, 1))
    second.notify(200, line.now)
    line.deliver()
    events = {message.only("event") for arrow, message in line.passed if message.get("event")}
    assert len(events) == 2
    assert not first.over
    line.end()


def test_who_hangs_up_after_a_refer_is_told_nothing_more() -> None:
    line = Referring()
    line.refer()
    line.callee.hang_up()
    line.talk()
    line.progress[0].notify(200, line.now)
    line.deliver()
    assert line.talk() == []
    assert line.progress[0].over
    assert line.rest() == {}


def test_a_refer_without_subscription_brings_no_notify() -> None:
    """RFC 4488 section 4."""
    line = Referring()
    line.refer(subscription=False)
    line.progress[0].notify(200, line.now)
    line.deliver()
    assert line.talk() == ["< REFER", "> 202 REFER"]
    assert line.last("> 202 REFER").only("refer-sub") == "false"
    line.end()
