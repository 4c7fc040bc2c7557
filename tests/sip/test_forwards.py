"""Where a call was before it came here: Diversion (RFC 5806) and History-Info (RFC 7044)."""

from __future__ import annotations

import pytest

from sip.core.diversion import MAX_DIVERSIONS, Diversion, diversions_of, forwards
from sip.core.history_info import MAX_ENTRIES, Entry, history_of, next_index, retargets
from sip.core.reason import Reason
from tests.sip.messages import request


def invite(*lines: str):
    return request("INVITE", headers="".join(f"{line}\r\n" for line in lines))


def test_diversions_in_their_order() -> None:
    """RFC 5806 section 4."""
    asked = invite(
        'Diversion: "Mairie" <sip:1000@x>;reason=no-answer;counter=2;privacy=full;screen=yes',
        "Diversion: <sip:1001@x>;reason=User-Busy, <tel:+33327>",
    )
    assert diversions_of(asked) == [
        Diversion("sip:1000@x", "Mairie", "no-answer", 2, private=True),
        Diversion("sip:1001@x", reason="user-busy"),
        Diversion("tel:+33327"),
    ]
    assert forwards(diversions_of(asked)) == 4


def test_a_diversion_is_read_as_it_was_written() -> None:
    for diversion in (
        Diversion("sip:1000@x"),
        Diversion("sip:1000@x", 'A "B"', "unconditional", 3, private=True),
    ):
        assert diversions_of(invite(diversion.header.rstrip())) == [diversion]


@pytest.mark.parametrize("value", ["<", "<sip:1@x>;counter=x", "<sip:1@x>;counter=1000", "", "a b"])
def test_a_malformed_diversion_costs_no_call(value: str) -> None:
    assert diversions_of(invite(f"Diversion: {value}")) == []


def test_an_unreadable_reason_is_unknown() -> None:
    (diversion,) = diversions_of(invite('Diversion: <sip:1@x>;reason="a b"'))
    assert diversion.reason == "unknown"


def test_a_flood_of_forwards_is_bounded() -> None:
    lines = [f"Diversion: <sip:{number}@x>" for number in range(100)]
    assert len(diversions_of(invite(*lines))) == MAX_DIVERSIONS
    lines = [f"History-Info: <sip:{number}@x>;index=1.{number}" for number in range(100)]
    assert len(history_of(invite(*lines))) == MAX_ENTRIES


def test_history_in_its_order() -> None:
    """RFC 7044 sections 10.2, 10.3 and 10.4."""
    asked = invite(
        "History-Info: <sip:1000@x?Reason=SIP%3Bcause%3D302%3Btext%3D%22Moved%22&Privacy=history>;index=1,"
        ' "Bruno" <sip:1002@x>;index=1.1;mp=1'
    )
    assert history_of(asked) == [
        Entry("sip:1000@x", "1", reason=Reason("SIP", 302, "Moved"), private=True),
        Entry("sip:1002@x", "1.1", "Bruno", caused_by="mp=1"),
    ]


def test_an_entry_is_read_as_it_was_written() -> None:
    for entry in (
        Entry("sip:1000@x", "1"),
        Entry("tel:+33327", "1.1.2", "A, B", Reason("Q.850", 17, "Busy; really"), True, "rc=1.1"),
    ):
        assert history_of(invite(entry.header.rstrip())) == [entry]


@pytest.mark.parametrize(
    "value",
    ["<sip:1@x>", "<sip:1@x>;index=a", "<sip:1@x>;index=1..1", "<http://x>;index=1", "<", "<sip:>;index=1"],
)
def test_a_malformed_history_costs_no_call(value: str) -> None:
    assert history_of(invite(f"History-Info: {value}")) == []


def test_the_next_index_and_how_often_a_call_was_forwarded() -> None:
    """RFC 7044 section 10.3."""
    entries = [Entry("sip:1@x", "1"), Entry("sip:2@x", "1.1", caused_by="np=1"), Entry("sip:3@x", "1.1.1")]
    assert next_index([]) == "1"
    assert next_index(entries) == "1.1.1.1"
    assert retargets(entries) == 1
    assert retargets([]) == 0
