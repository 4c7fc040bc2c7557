"""Whose turn it is to describe the session (RFC 3264 section 4, RFC 6337 section 2)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sip.core.errors import LocalProtocolError, RemoteProtocolError
from sip.core.offer_answer import OfferAnswer, Turn

STEPS: dict[str, Callable[[OfferAnswer], object]] = {
    "local offer": OfferAnswer.local_offer,
    "remote offer": OfferAnswer.remote_offer,
    "local answer": OfferAnswer.local_answer,
    "remote answer": OfferAnswer.remote_answer,
    "withdraw": OfferAnswer.withdraw,
}
WAYS = {
    "IDLE": [],
    "OFFERED_LOCALLY": ["local offer"],
    "OFFERED_REMOTELY": ["remote offer"],
    "AGREED": ["local offer", "remote answer"],
    "AGREED, OFFERED_LOCALLY": ["remote offer", "local answer", "local offer"],
    "AGREED, OFFERED_REMOTELY": ["remote offer", "local answer", "remote offer"],
}


def standing(where: str) -> OfferAnswer:
    exchange = OfferAnswer()
    for step in WAYS[where]:
        STEPS[step](exchange)
    return exchange


@pytest.mark.parametrize(
    ("where", "step", "after"),
    [
        ("IDLE", "local offer", "OFFERED_LOCALLY"),
        ("IDLE", "remote offer", "OFFERED_REMOTELY"),
        ("IDLE", "remote answer", "IDLE"),
        ("IDLE", "withdraw", "IDLE"),
        ("OFFERED_LOCALLY", "remote answer", "AGREED"),
        ("OFFERED_LOCALLY", "withdraw", "IDLE"),
        ("OFFERED_REMOTELY", "local answer", "AGREED"),
        ("OFFERED_REMOTELY", "remote answer", "OFFERED_REMOTELY"),
        ("OFFERED_REMOTELY", "withdraw", "IDLE"),
        ("AGREED", "local offer", "OFFERED_LOCALLY"),
        ("AGREED", "remote offer", "OFFERED_REMOTELY"),
        ("AGREED", "remote answer", "AGREED"),
        ("AGREED", "withdraw", "AGREED"),
        ("AGREED, OFFERED_LOCALLY", "remote answer", "AGREED"),
        ("AGREED, OFFERED_LOCALLY", "withdraw", "AGREED"),
        ("AGREED, OFFERED_REMOTELY", "local answer", "AGREED"),
        ("AGREED, OFFERED_REMOTELY", "withdraw", "AGREED"),
    ],
)
def test_each_step_in_each_state(where: str, step: str, after: str) -> None:
    """RFC 3264 section 4."""
    exchange = standing(where)
    STEPS[step](exchange)
    assert exchange.turn is Turn[after]


@pytest.mark.parametrize(
    ("where", "step"),
    [
        ("OFFERED_LOCALLY", "local offer"),
        ("OFFERED_REMOTELY", "local offer"),
        ("AGREED, OFFERED_LOCALLY", "local offer"),
        ("AGREED, OFFERED_REMOTELY", "local offer"),
        ("IDLE", "local answer"),
        ("OFFERED_LOCALLY", "local answer"),
        ("AGREED", "local answer"),
    ],
)
def test_what_we_may_not_do_is_a_mistake_of_ours_and_changes_nothing(where: str, step: str) -> None:
    """RFC 3264 section 4: no offer before the last one is answered, no answer without one."""
    exchange = standing(where)
    before = exchange.turn
    with pytest.raises(LocalProtocolError):
        STEPS[step](exchange)
    assert exchange.turn is before


@pytest.mark.parametrize(
    ("where", "status", "retry_after"),
    [
        ("OFFERED_LOCALLY", 491, False),  # both offered: glare
        ("AGREED, OFFERED_LOCALLY", 491, False),
        ("OFFERED_REMOTELY", 500, True),  # a second one before our answer to the first
        ("AGREED, OFFERED_REMOTELY", 500, True),
    ],
)
def test_an_offer_that_they_may_not_make_is_refused(where: str, status: int, retry_after: bool) -> None:
    """RFC 3261 section 14.2."""
    exchange = standing(where)
    before = exchange.turn
    with pytest.raises(RemoteProtocolError) as caught:
        exchange.remote_offer()
    assert caught.value.status == status
    assert ("Retry-After" in dict(caught.value.headers)) is retry_after
    assert exchange.turn is before


def test_only_the_first_answer_counts() -> None:
    """RFC 6337 section 2.2: a body after the answer is a repetition, to be ignored."""
    exchange = standing("OFFERED_LOCALLY")
    assert exchange.remote_answer() is True
    assert exchange.remote_answer() is False


@pytest.mark.parametrize(
    ("where", "pending"),
    [
        ("IDLE", False),
        ("OFFERED_LOCALLY", True),
        ("OFFERED_REMOTELY", True),
        ("AGREED", False),
        ("AGREED, OFFERED_LOCALLY", True),
        ("AGREED, OFFERED_REMOTELY", True),
    ],
)
def test_an_exchange_is_pending_until_its_answer(where: str, pending: bool) -> None:
    """RFC 3264 section 4."""
    assert standing(where).pending is pending
