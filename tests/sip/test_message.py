"""What a message says of itself, and the responses that are made from a request (RFC 3261 section 8.2.6)."""

from __future__ import annotations

import pytest

from sip.core.message import build_response
from tests.sip.messages import read_response, request


@pytest.mark.parametrize(
    "to",
    [
        "<sip:bruno@valmont.example>",
        "sip:bruno@valmont.example",
        "<sip:bruno@valmont.example>;mytag=1",
        "<sip:bruno@valmont.example>;x=y;notatag=1",
        "<sip:bruno@valmont.example;tag=uri>",
        '"A ;tag=name" <sip:bruno@valmont.example>',
    ],
)
def test_a_response_gets_our_tag_where_to_has_none(to: str) -> None:
    """RFC 3261 section 8.2.6.2; a parameter whose name ends in `tag` is another one."""
    asked = request()
    asked.headers["to"] = [to]
    assert read_response(build_response(asked, 200, to_tag="ours")).to.tag == "ours"


@pytest.mark.parametrize(
    "to",
    [
        "<sip:bruno@valmont.example>;tag=theirs",
        "<sip:bruno@valmont.example>;x=y; TAG =theirs",
        "sip:bruno@valmont.example;tag=theirs",
    ],
)
def test_a_response_keeps_the_tag_that_to_has(to: str) -> None:
    """RFC 3261 section 8.2.6.2."""
    asked = request()
    asked.headers["to"] = [to]
    assert read_response(build_response(asked, 200, to_tag="ours")).first("to") == to
