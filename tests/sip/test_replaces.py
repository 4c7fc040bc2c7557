"""Which dialog an INVITE replaces (RFC 3891)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.replaces import Replaces, Stage, find, replaces_of
from tests.sip.messages import request

VALUE = "98732@sip.example;to-tag=ours;from-tag=theirs"


@dataclass(frozen=True)
class Known:
    stage: Stage = Stage.CONFIRMED
    call_id: str = "98732@sip.example"
    local_tag: str = "ours"
    remote_tag: str = "theirs"


def invite(*values: str, method: str = "INVITE", extra: str = ""):
    lines = "".join(f"Replaces: {value}\r\n" for value in values)
    return request(method, headers=lines + extra)


def test_a_value_is_read_and_written_again() -> None:
    """RFC 3891 section 6.1."""
    replaces = Replaces.parse(" 98732@sip.example ; from-tag=theirs;early-only ;to-tag=ours")
    assert replaces == Replaces("98732@sip.example", "ours", "theirs", early_only=True)
    assert replaces.value == f"{VALUE};early-only"
    assert Replaces.parse(replaces.value) == replaces


@pytest.mark.parametrize(
    "value",
    [
        "",
        ";to-tag=1;from-tag=2",
        "c1",
        "c1;to-tag=1",
        "c1;from-tag=1",
        "c1;to-tag=;from-tag=2",
        'c1;to-tag="1";from-tag=2',
        "c 1;to-tag=1;from-tag=2",
        f"{'c' * 300};to-tag=1;from-tag=2",
        f"c1;to-tag={'1' * 200};from-tag=2",
    ],
)
def test_a_value_without_call_id_or_both_tags_is_answered_400(value: str) -> None:
    with pytest.raises(ParseError) as refused:
        Replaces.parse(value)
    assert refused.value.status == 400


def test_an_invite_that_replaces_nothing() -> None:
    assert replaces_of(request("INVITE")) is None


@pytest.mark.parametrize(
    "asked",
    [
        invite(VALUE, VALUE),
        invite(VALUE, extra="Join: 1;to-tag=1;from-tag=2\r\n"),
        invite(VALUE, method="OPTIONS"),
    ],
)
def test_replaces_twice_with_join_or_elsewhere_is_answered_400(asked) -> None:
    """RFC 3891 section 3."""
    with pytest.raises(ParseError):
        replaces_of(asked)


@pytest.mark.parametrize("stage", [Stage.CONFIRMED, Stage.EARLY])
def test_the_dialog_of_both_tags_is_replaced(stage: Stage) -> None:
    """RFC 3891 section 3: to-tag is our tag, from-tag the peer's."""
    wanted = Known(stage)
    others = [Known(local_tag="theirs", remote_tag="ours"), Known(call_id="other"), Known(remote_tag="x")]
    assert find(Replaces.parse(VALUE), [*others, wanted]) is wanted


@pytest.mark.parametrize(
    ("value", "dialogs", "status"),
    [
        (VALUE, [], 481),
        (VALUE, [Known(), Known()], 481),
        (VALUE, [Known(Stage.EARLY_INCOMING)], 481),
        (VALUE, [Known(Stage.ENDED)], 603),
        (f"{VALUE};early-only", [Known(Stage.CONFIRMED)], 486),
        (f"{VALUE};early-only", [Known(Stage.ENDED)], 603),
    ],
)
def test_what_can_not_be_replaced(value: str, dialogs: list[Known], status: int) -> None:
    """RFC 3891 section 3."""
    with pytest.raises(RemoteProtocolError) as refused:
        find(Replaces.parse(value), dialogs)
    assert refused.value.status == status


def test_early_only_replaces_what_rings() -> None:
    ringing = Known(Stage.EARLY)
    assert find(Replaces.parse(f"{VALUE};early-only"), [ringing]) is ringing


def test_a_tag_of_zero_is_that_of_a_client_without_tags() -> None:
    """RFC 3891 section 6.1."""
    old = Known(remote_tag="")
    assert find(Replaces.parse("98732@sip.example;to-tag=ours;from-tag=0"), [old]) is old
