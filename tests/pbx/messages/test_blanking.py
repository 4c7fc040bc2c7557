"""What is secret in a message never comes to the disk, whatever form its headers have."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pbx.messages.blanking import call_id_of, without_secrets
from pbx.messages.index import messages_of
from pbx.messages.segments import segments
from tests.pbx.messages.talk import Line, request

SECRET = "6629fae49393a05397450978507c4ef1"

blanks = st.text(" \t", max_size=3)
folds = st.sampled_from(["", " ", "\r\n ", "\r\n\t", "\r\n  \r\n\t"])


def cased(word: str) -> st.SearchStrategy[str]:
    """A word in any mixture of upper and lower case."""
    return st.lists(st.booleans(), min_size=len(word), max_size=len(word)).map(
        lambda ups: "".join(one.upper() if up else one for one, up in zip(word, ups, strict=True))
    )


@st.composite
def credentials(draw: st.DrawFn) -> str:
    """An Authorization line as a parser takes it: any case, blanks before the colon, folded anywhere."""
    name = draw(cased(draw(st.sampled_from(["authorization", "proxy-authorization"]))))
    scheme = draw(cased(draw(st.sampled_from(["digest", "bearer", "basic"]))))
    fold = draw(folds)
    fields = [
        f'username="1001"{fold}',
        f'{fold}nonce="{SECRET}"',
        f"response={fold}{SECRET}",
        f'opaque="{fold}"',
    ]
    joined = draw(st.sampled_from([",", ", ", ",\r\n ", "\r\n ,"])).join(draw(st.permutations(fields)))
    return f"{name}{draw(blanks)}:{draw(folds)}{scheme} {joined}\r\n"


@given(st.lists(credentials(), min_size=1, max_size=3), st.sampled_from(["INVITE", "BYE", "ACK", "REFER"]))
def test_credentials_go_in_every_form(lines: list[str], method: str):
    message = request(method, lines="Subject: before\r\n" + "".join(lines) + "Supported: timer\r\n")
    found = without_secrets(message, method.encode())
    assert SECRET.encode() not in found
    assert b'username="1001"' not in found
    assert b"Subject: before\r\n" in found
    assert b"Supported: timer\r\n" in found
    assert found.count(b": (blanked)\r\n") == len(lines)


@given(
    st.sampled_from(["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM", "aes_cm_128_hmac_sha1_32"]),
    cased("inline"),
    st.sampled_from(["", "|2^20", "|2^20|1:4", " WSH=64", ";inline:" + SECRET]),
    st.sampled_from(["\r\n", "\n", "\r"]),
    blanks,
)
def test_keys_of_sound_go_and_the_suite_stays(suite: str, inline: str, more: str, end: str, blank: str):
    key = f"a=crypto:{blank}1 {suite} {inline}:{SECRET}{more}"
    body = f"v=0{end}m=audio 20000 RTP/SAVP 0{end}{key}{end}a=sendrecv{end}"
    found = without_secrets(request(body=body), b"INVITE")
    assert SECRET.encode() not in found
    assert suite.encode() in found
    assert b"a=sendrecv" in found


def test_a_password_of_ice_goes():
    found = without_secrets(request(body=f"a=ice-ufrag:F7gI\r\na=ice-pwd:{SECRET}\r\n"), b"INVITE")
    assert SECRET.encode() not in found
    assert b"a=ice-ufrag:F7gI\r\n" in found


def test_of_an_info_only_the_head_stays():
    """RFC 6086: its body may be one digit of a PIN."""
    body = "Signal=7\r\nDuration=160\r\n"
    found = without_secrets(request("INFO", body=body), b"INFO")
    assert b"Signal" not in found
    assert found.endswith(b"\r\n\r\n(blanked)")


def test_a_password_in_an_address_goes():
    """RFC 3261 section 19.1.1 advises against it; some write one all the same."""
    message = request(lines=f"Contact: <sip:1001:{SECRET}@192.0.2.1:5060>\r\n")
    found = without_secrets(message, b"INVITE")
    assert SECRET.encode() not in found
    assert b"Contact: <sip:1001:(blanked)@192.0.2.1:5060>" in found


def test_a_message_that_begins_with_empty_lines_is_blanked_too():
    """RFC 3261 section 7.5."""
    message = b"\r\n\r\n\r\n" + request(lines=f'Authorization: Digest response="{SECRET}"\r\n')
    assert SECRET.encode() not in without_secrets(message, b"INVITE")


def test_a_message_without_secrets_stays_as_it_was():
    message = request(body="v=0\r\nm=audio 20000 RTP/AVP 0\r\n")
    assert without_secrets(message, b"INVITE") == message


def test_nothing_secret_is_in_any_file(tmp_path: Path):
    line = Line(tmp_path)
    line.received(request(lines=f'Proxy-Authorization: Digest response="{SECRET}"\r\n'))
    line.sent(
        request(lines=f'Authorization: Digest nonce="{SECRET}"\r\n', body=f"a=crypto:1 X inline:{SECRET}")
    )
    line.received(request("INFO", body=SECRET))
    line.received(request("MESSAGE", body=SECRET))
    line.received(request("REGISTER", lines=f'Authorization: Digest response="{SECRET}"\r\n'))
    assert len(messages_of(tmp_path, ["c1"], 0.0, 1e12)) == 3
    assert all(SECRET.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    assert segments(tmp_path)


def test_a_call_id_is_the_headers_and_not_one_in_the_body():
    """A body of type message/sipfrag (RFC 3420) holds headers too."""
    compact = request(call_id="mine", body="SIP/2.0 200 OK\r\nCall-ID: theirs\r\n").replace(
        b"Call-ID:", b"i:", 1
    )
    assert call_id_of(compact) == b"mine"
    assert call_id_of(request(call_id="mine ")) == b"mine"
    assert call_id_of(b"INVITE sip:a SIP/2.0\r\n\r\nCall-ID: theirs\r\n") == b""


@given(st.binary(max_size=300), st.sampled_from([b"INVITE", b"INFO", b"NOTIFY", b""]))
def test_bytes_of_any_kind_raise_nothing(message: bytes, method: bytes):
    assert isinstance(without_secrets(message, method), bytes)
