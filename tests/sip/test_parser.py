"""Bytes to messages and back: properties that hold for all messages, and the limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.core.dialog import untagged
from sip.core.errors import ParseError
from sip.core.grammar import quote, split_list, unquote
from sip.core.message import Message, Request, Response
from sip.core.name_addr import NameAddr
from sip.core.parser import MAX_HEADER_LINES, MAX_MESSAGE_BYTES, StreamParser, parse_message
from tests.sip.torture.notation import message, names

TOKEN_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~"
tokens = st.text(TOKEN_CHARACTERS, min_size=1, max_size=30)
printable = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)
values = printable.map(str.strip)
# Of two letters at least, as a single one is a compact form; the length is written as the body has it.
header_names = (
    st.text(TOKEN_CHARACTERS.lower(), min_size=2, max_size=30)
    .map(str.lower)
    .filter(lambda name: name != "content-length")
)
headers = st.dictionaries(header_names, st.lists(values, min_size=1, max_size=3), max_size=8)
bodies = st.binary(max_size=200)


def touch(received: Message) -> None:
    """Read everything that a message has; ParseErrors are swallowed, one by one."""
    properties = ["via", "vias", "from_", "to", "call_id", "cseq", "contacts", "contact", "expires"]
    if isinstance(received, Request):
        properties.append("max_forwards")
    for name in properties:
        try:
            value = getattr(received, name)
            if isinstance(value, NameAddr):
                assert isinstance(value.display, str)
                assert str(value.sip_uri)
        except ParseError:
            continue


@given(method=tokens, uri=tokens, headers=headers, body=bodies)
def test_a_request_survives_being_written_and_read(
    method: str, uri: str, headers: dict[str, list[str]], body: bytes
) -> None:
    if method.upper().startswith("SIP/"):
        return
    received = parse_message(Request(method, uri, {**headers}, body).serialise())
    assert isinstance(received, Request)
    assert (received.method, received.uri, received.body) == (method, uri, body)
    assert received.headers == {**headers, "content-length": [str(len(body))]}


@given(status=st.integers(100, 699), reason=printable, headers=headers, body=bodies)
def test_a_response_survives_being_written_and_read(
    status: int, reason: str, headers: dict[str, list[str]], body: bytes
) -> None:
    received = parse_message(Response(status, reason, {**headers}, body).serialise())
    assert isinstance(received, Response)
    assert (received.status, received.reason, received.body) == (status, reason, body)
    assert received.headers == {**headers, "content-length": [str(len(body))]}


@given(text=printable)
def test_any_text_survives_being_quoted_and_unquoted(text: str) -> None:
    assert unquote(quote(text)) == text


@given(texts=st.lists(printable, min_size=1, max_size=5))
def test_a_comma_in_quotes_never_splits_a_list(texts: list[str]) -> None:
    quoted = [quote(text) for text in texts]
    assert split_list(", ".join(quoted)) == quoted


@given(display=printable, user=tokens)
def test_any_display_name_survives_being_written_and_read(display: str, user: str) -> None:
    address = NameAddr.parse(f"{quote(display)} <sip:{user.replace('%', '')}@host.example>;tag=a")
    assert address.display == display
    assert address.tag == "a"


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_a_message_or_a_parse_error(data: bytes) -> None:
    try:
        touch(parse_message(data))
    except ParseError as error:
        assert 400 <= error.status < 600


PIECES = [
    *[
        "INVITE",
        "SIP/2.0",
        "sip:a@b",
        "200",
        "OK",
        "\r\n",
        "\r\n\r\n",
        " ",
        "\t",
        ":",
        ";",
        ",",
        "=",
        '"',
        "\\",
    ],
    *[
        "<",
        ">",
        "Via",
        "v",
        "To",
        "From",
        "f",
        "CSeq",
        "Contact",
        "*",
        "Expires",
        "1",
        "99999999999999999999",
    ],
    *[
        "Content-Length",
        "l",
        "-1",
        "tag",
        "SIP/2.0/UDP h;branch=z9hG4bK1",
        "[::1]",
        "%",
        "%41",
        "é",
        "\x00",
        "\r",
    ],
]


@given(st.lists(st.sampled_from(PIECES), max_size=60))
def test_whatever_is_made_of_sip_is_a_message_or_a_parse_error(pieces: list[str]) -> None:
    try:
        touch(parse_message("".join(["OPTIONS sip:a@b SIP/2.0\r\n", *pieces, "\r\n\r\n"]).encode()))
    except ParseError as error:
        assert 400 <= error.status < 600


@given(header=st.sampled_from(["via", "from", "to", "contact", "cseq", "expires"]), pieces=st.data())
def test_whatever_a_header_is_made_of_it_reads_or_is_a_parse_error(
    header: str, pieces: st.DataObject
) -> None:
    value = "".join(pieces.draw(st.lists(st.sampled_from([piece for piece in PIECES if "\r" not in piece]))))
    touch(Request("INVITE", "sip:a@b", {header: [value]}))


def test_empty_lines_before_the_start_line_are_ignored() -> None:
    """RFC 3261 section 7.5."""
    received = parse_message(b"\r\n\r\nOPTIONS sip:a@b SIP/2.0\r\nTo: sip:b@c\r\n\r\n")
    assert received.to.uri == "sip:b@c"


def test_folded_and_unfolded_headers_are_the_same() -> None:
    """RFC 3261 section 7.3.1."""
    folded = parse_message(b"OPTIONS sip:a@b SIP/2.0\r\nSubject:\r\n I\r\n\t know  \r\n   you\r\n\r\n")
    assert folded.only("subject") == "I know you"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("v: x", "via"),
        ("F: x", "from"),
        ("t : x", "to"),
        ("i:x", "call-id"),
        ("m\t: x", "contact"),
        ("CALL-id: x", "call-id"),
        ("l: 0", "content-length"),
        ("c: x", "content-type"),
        ("e: x", "content-encoding"),
        ("k: x", "supported"),
        ("s: x", "subject"),
        ("r: x", "refer-to"),
        ("b: x", "referred-by"),
        ("o: x", "event"),
        ("u: x", "allow-events"),
        ("x: x", "session-expires"),
    ],
)
def test_every_spelling_of_a_header_is_one_name(line: str, name: str) -> None:
    """RFC 3261 sections 7.3.1 and 7.3.3."""
    received = parse_message(f"OPTIONS sip:a@b SIP/2.0\r\n{line}\r\n\r\n".encode())
    assert received.only(name) in {"x", "0"}


@pytest.mark.parametrize("control", [b"\x00", b"\x01", b"\x1b", b"\x7f", b"\n", b"\r"])
def test_a_control_character_in_the_headers_is_refused_and_never_echoed(control: bytes) -> None:
    """RFC 3261 section 25.1: an answer would carry it back, so there is none."""
    with pytest.raises(ParseError) as caught:
        parse_message(b"OPTIONS sip:a@b SIP/2.0\r\nVia: a" + control + b"b\r\nTo: x\r\n\r\n")
    assert caught.value.request is None


def test_a_message_too_large_is_refused_with_513() -> None:
    with pytest.raises(ParseError) as caught:
        parse_message(b"OPTIONS sip:a@b SIP/2.0\r\n\r\n" + bytes(MAX_MESSAGE_BYTES))
    assert caught.value.status == 513


def test_too_many_header_lines_are_refused_with_513() -> None:
    with pytest.raises(ParseError) as caught:
        parse_message(b"OPTIONS sip:a@b SIP/2.0\r\n" + b"X: y\r\n" * MAX_HEADER_LINES + b"\r\n")
    assert caught.value.status == 513


def test_a_malformed_request_carries_what_can_be_answered() -> None:
    with pytest.raises(ParseError) as caught:
        parse_message(b"OPTIONS sip:a@b SIP/2.0\r\nTo: sip:b@c\r\nno colon\r\n\r\n")
    assert caught.value.request is not None
    assert caught.value.request.method == "OPTIONS"
    assert (caught.value.line, caught.value.column) == (3, 1)


def test_a_malformed_response_carries_nothing_to_answer() -> None:
    with pytest.raises(ParseError) as caught:
        parse_message(b"SIP/2.0 200 OK\r\nno colon\r\n\r\n")
    assert caught.value.request is None


@pytest.mark.parametrize("name", names())
def test_every_torture_message_that_parses_is_the_same_after_being_written_and_read_again(name: str) -> None:
    try:
        first = parse_message(message(name))
    except ParseError:
        return  # tests/sip/torture says which ones, and why
    second = parse_message(first.serialise())
    assert second.headers == first.headers
    assert second.body == first.body


@pytest.mark.parametrize("value", ["a,,b", ",a", "a,", "a, ,b", '"a', "a,<b", 'a, "b'])
def test_a_list_with_an_empty_or_unclosed_element_is_malformed(value: str) -> None:
    with pytest.raises(ParseError):
        split_list(value + ",c")


@pytest.mark.parametrize(
    "digits", ["9" * 12, "9" * 5000, "0" * 5000 + "1", "\u0661", "\u00b2", "+1", "1_0", "0x1"]
)
def test_a_content_length_that_is_no_reasonable_number_is_malformed(digits: str) -> None:
    """RFC 3261 section 20.14; Python refuses more than 4,300 digits, and takes odd ones."""
    data = f"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: {digits}\r\n\r\n".encode()
    with pytest.raises(ParseError):
        parse_message(data)
    with pytest.raises(ParseError):
        StreamParser().feed(data)


LONG = 60_000
HOSTILE_LINES = [
    "X: a\r\n b" + " " * LONG + "c",
    "Via: ," + '"\\' * (LONG // 2),
    "Via: SIP/2.0/UDP " + "a-" * (LONG // 2) + " x",
    "Via: SIP/2.0/UDP a" + "; a =b" * (LONG // 8) + ",",
    "From: " + '"\\' * (LONG // 2),
    "From: " + "a " * (LONG // 2),
    "From: <sip:a@b>" + ";a" * (LONG // 2) + ",",
    "From: <sip:a@b>;a" + " " * LONG + ",",
    "From: sip:" + "a" * LONG + '  "',
    "To: <sip:" + "a?" * (LONG // 2) + ">",
    "To: <sip:a@b" + ";a" * (LONG // 2) + '">',
    "Contact: ," + "<" * LONG,
    "CSeq: 1" + " " * LONG + ",",
    "Call-ID: " + " x" * (LONG // 2),
    'X: "\\\x01' + '\\"' * (LONG // 2),
]


@pytest.mark.timeout(5)
@pytest.mark.parametrize("line", HOSTILE_LINES, ids=range(len(HOSTILE_LINES)))
def test_reading_the_longest_hostile_line_takes_no_time(line: str) -> None:
    """Linear, that is: a quadratic pattern would take many seconds for one datagram."""
    try:
        received = parse_message(f"OPTIONS sip:a@b SIP/2.0\r\n{line}\r\n\r\n".encode())
        touch(received)
        untagged(received.get("from"))
    except ParseError as error:
        assert error.status == 400
