"""Who calls, who says so, and who may be told (RFC 3323, RFC 3325, RFC 5876)."""

from __future__ import annotations

import pytest

from sip.core.identity import (
    ANONYMOUS,
    Identity,
    Privacy,
    Source,
    asserted_identity,
    from_address,
    identity_headers,
    preferred_number,
    privacy_of,
)
from sip.core.message import Request
from sip.core.parser import parse_message

DOMAIN = "valmont.example"


def invite(*lines: str, sender: str = '"Bob" <sip:+33699999999@op.example>') -> Request:
    head = ["INVITE sip:1@x SIP/2.0", "Via: SIP/2.0/UDP op.example;branch=z9hG4bK1", f"From: {sender};tag=1"]
    rest = ["To: <sip:1@x>", "Call-ID: c", "CSeq: 1 INVITE", *lines, "Content-Length: 0"]
    message = parse_message(("\r\n".join(head + rest) + "\r\n\r\n").encode())
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("lines", "number", "name"),
    [
        ([], "+33699999999", "Bob"),
        (['P-Asserted-Identity: "Mairie" <sip:+33327000000@op.example>'], "+33327000000", "Mairie"),
        (["P-Asserted-Identity: <sip:bob@op.example>, <tel:+33-327.00(0000)>"], "+33327000000", ""),
        (['Remote-Party-ID: "Mairie" <sip:0327000000@op>;party=calling;screen=yes'], "0327000000", "Mairie"),
        (["Remote-Party-ID: <sip:0327000000@op>;party=called"], "+33699999999", "Bob"),
        (["Remote-Party-ID: <sip:0327000000@op>", "P-Asserted-Identity: <tel:+336>"], "+336", ""),
        (["P-Asserted-Identity: <sip:a@op>, <sip:+331@op>"], "+33699999999", "Bob"),
        (["P-Asserted-Identity: rubbish<", "Remote-Party-ID: <sip:0327@op>"], "0327", ""),
    ],
)
def test_a_trusted_peer_is_believed(lines: list[str], number: str, name: str) -> None:
    """RFC 3325 section 9.1; RFC 5876 section 4.5: a second value with the same scheme isn't read."""
    identity = asserted_identity(invite(*lines), trusted=True)
    assert (identity.number, identity.name) == (number, name)


def test_a_peer_out_of_the_network_of_trust_is_not_believed() -> None:
    """RFC 3325 section 5."""
    lines = ("P-Asserted-Identity: <tel:+33112>", "Remote-Party-ID: <sip:18@x>")
    assert asserted_identity(invite(*lines), trusted=False) == Identity()


def test_anybodys_wish_for_privacy_counts() -> None:
    identity = asserted_identity(invite("Privacy: id"), trusted=False)
    assert identity.privacy.hides_caller


def test_only_the_sources_that_a_peer_uses_are_read_in_their_order() -> None:
    request = invite("P-Asserted-Identity: <tel:+331>", "Remote-Party-ID: <sip:+332@x>")
    for sources, number in (
        ((Source.FROM,), "+33699999999"),
        ((Source.REMOTE_PARTY_ID, Source.P_ASSERTED_IDENTITY), "+332"),
        ((Source.P_ASSERTED_IDENTITY,), "+331"),
    ):
        assert asserted_identity(request, trusted=True, sources=sources).number == number


def test_a_caller_named_anonymous_has_no_name() -> None:
    identity = asserted_identity(invite(sender=ANONYMOUS), trusted=True)
    assert identity == Identity()


def test_a_name_is_bounded_and_of_one_line() -> None:
    sender = f'"A\\\x00B{"c" * 1000}" <sip:+336@op.example>'
    name = asserted_identity(invite(sender=sender), trusted=True).name
    assert len(name) == 128
    assert name.startswith("A B")


@pytest.mark.parametrize(
    ("lines", "privacy"),
    [
        ([], Privacy(0)),
        (["Privacy: id"], Privacy.ID),
        (["Privacy: header;session;user;id;history;critical"], ~Privacy.NONE),
        (["Privacy: Id ; Critical"], Privacy.ID | Privacy.CRITICAL),
        (["Privacy: id", "Privacy: user"], Privacy.ID | Privacy.USER),
        (["Privacy: none"], Privacy.NONE),
        (["Privacy: none;id"], Privacy.ID),
        (["Privacy: unheard-of"], Privacy(0)),
        (["Privacy:"], Privacy(0)),
    ],
)
def test_privacy_levels(lines: list[str], privacy: Privacy) -> None:
    """RFC 3323 section 4.2, RFC 3325 section 9.3, RFC 7044 section 10.1.1."""
    assert privacy_of(invite(*lines)) == privacy


@pytest.mark.parametrize(
    ("parameter", "hidden"),
    [("privacy=full", True), ('privacy="uri-network"', True), ("privacy=off", False), ("screen=no", False)],
)
def test_a_remote_party_id_can_ask_for_privacy(parameter: str, hidden: bool) -> None:
    request = invite(f"Remote-Party-ID: <sip:+336@op>;{parameter}")
    assert asserted_identity(request, trusted=True).privacy.hides_caller is hidden


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        (["P-Preferred-Identity: <sip:0327001001@valmont.example>"], "0327001001"),
        (["P-Preferred-Identity: <sip:112@valmont.example>"], ""),
        (["P-Preferred-Identity: nonsense<"], ""),
        ([], ""),
    ],
)
def test_a_device_may_prefer_only_a_number_of_its_own(lines: list[str], number: str) -> None:
    """RFC 3325 section 9.2."""
    assert preferred_number(invite(*lines), {"0327001001", "1001"}) == number


MAIRIE = Identity("+33327000000", "Mairie")
REMOTE_PARTY_HIDDEN = (
    'Remote-Party-ID: "Mairie" <sip:+33327000000@d>;party=calling;screen=yes;privacy=full\r\nPrivacy: id\r\n'
)
HIDDEN = Identity("+33327000000", "Mairie", Privacy.ID)


@pytest.mark.parametrize(
    ("identity", "trusted", "source", "headers"),
    [
        (MAIRIE, True, Source.P_ASSERTED_IDENTITY, 'P-Asserted-Identity: "Mairie" <sip:+33327000000@d>\r\n'),
        (
            HIDDEN,
            True,
            Source.P_ASSERTED_IDENTITY,
            'P-Asserted-Identity: "Mairie" <sip:+33327000000@d>\r\nPrivacy: id\r\n',
        ),
        (MAIRIE, False, Source.P_ASSERTED_IDENTITY, 'P-Asserted-Identity: "Mairie" <sip:+33327000000@d>\r\n'),
        (HIDDEN, False, Source.P_ASSERTED_IDENTITY, ""),
        (HIDDEN, False, Source.REMOTE_PARTY_ID, ""),
        (
            HIDDEN,
            True,
            Source.REMOTE_PARTY_ID,
            REMOTE_PARTY_HIDDEN,
        ),
        (HIDDEN, True, Source.FROM, "Privacy: id\r\n"),
        (MAIRIE, True, Source.FROM, ""),
        (Identity(), True, Source.P_ASSERTED_IDENTITY, ""),
        (Identity("18", "", Privacy.USER), True, Source.FROM, "Privacy: user;id\r\n"),
    ],
)
def test_what_a_peer_is_told(identity: Identity, trusted: bool, source: Source, headers: str) -> None:
    """RFC 3325 sections 5 and 7: out of the network of trust nothing of a hidden caller leaves."""
    assert identity_headers(identity, "d", trusted=trusted, source=source) == headers


@pytest.mark.parametrize(
    ("identity", "address"),
    [
        (MAIRIE, '"Mairie" <sip:+33327000000@valmont.example>'),
        (HIDDEN, ANONYMOUS),
        (Identity(), ANONYMOUS),
        (Identity("*21#"), "<sip:*21%23@valmont.example>"),
    ],
)
def test_from_shows_a_caller_who_may_be_shown(identity: Identity, address: str) -> None:
    """RFC 3323 section 4.1.1.3."""
    assert from_address(identity, DOMAIN) == address


def test_a_name_with_line_ends_makes_no_header() -> None:
    headers = identity_headers(Identity("1", 'a\r\nVia: "x'), "d", trusted=True)
    assert headers == 'P-Asserted-Identity: "a  Via: \\"x" <sip:1@d>\r\n'
