"""SDP (RFC 8866): what phones send, read strictly and given back."""

import random

import pytest

from media import sdp
from media.sdp import SdpError

BARESIP = b"""v=0
o=- 1603219934 1603219935 IN IP4 192.0.2.20
s=-
c=IN IP4 192.0.2.20
t=0 0
a=tool:baresip 1.0.0
m=audio 21234 RTP/AVP 0 8 9 96 101
b=AS:125
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:96 opus/48000/2
a=fmtp:96 stereo=1;sprop-stereo=1
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtcp:21300
a=sendrecv
a=label:1
a=ptime:30
""".replace(b"\n", b"\r\n")

SMALL = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"


def media(section: str, session: bytes = SMALL) -> sdp.MediaDescription:
    return sdp.parse(session + section.replace("\n", "\r\n").encode()).media[0]


def test_body_comes_back_as_it_was():
    assert sdp.serialise(sdp.parse(BARESIP)) == BARESIP


def test_line_ends_of_lf_alone_are_accepted():
    assert sdp.serialise(sdp.parse(BARESIP.replace(b"\r\n", b"\n"))) == BARESIP


def test_bytes_that_are_not_ascii_come_back_as_they_were():
    body = SMALL.replace(b"s=-", "s=Café à côté".encode())
    assert sdp.serialise(sdp.parse(body)) == body


def test_line_of_unknown_type_comes_back():
    body = SMALL + b"x=1\r\nm=audio 1 RTP/AVP 0\r\nw=2\r\n"
    assert sdp.serialise(sdp.parse(body)) == body


def test_codecs_are_those_of_the_formats_in_order():
    codecs = sdp.parse(BARESIP).media[0].codecs
    assert [(codec.payload_type, codec.name, codec.clock_rate, codec.channels) for codec in codecs] == [
        (0, "PCMU", 8000, 1),
        (8, "PCMA", 8000, 1),
        (9, "G722", 8000, 1),
        (96, "opus", 48000, 2),
        (101, "telephone-event", 8000, 1),
    ]


def test_static_number_without_rtpmap_has_its_meaning():
    assert media("m=audio 4000 RTP/AVP 18\n").codecs[0].name == "G729"


def test_dynamic_number_without_rtpmap_is_a_format_without_codec():
    audio = media("m=audio 4000 RTP/AVP 98\n")
    assert (audio.formats, audio.codecs) == (["98"], [])


def test_names_of_one_codec_compare_equal_whatever_their_case():
    first = media("m=audio 4000 RTP/AVP 96\na=rtpmap:96 Opus/48000/2\n").codecs[0]
    second = media("m=audio 4000 RTP/AVP 97\na=rtpmap:97 opus/48000/2\n").codecs[0]
    assert first.key == second.key


def test_connection_of_a_section_is_preferred_to_the_sessions():
    assert media("m=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.99\n").host == "192.0.2.99"
    assert media("m=audio 4000 RTP/AVP 0\n").host == "192.0.2.1"


def test_ipv6_address_is_given_in_its_short_form():
    assert media("m=audio 4000 RTP/AVP 0\nc=IN IP6 2001:0DB8:0:0::1\n").host == "2001:db8::1"


def test_rtcp_port_is_the_next_one_unless_said():
    assert sdp.parse(BARESIP).media[0].rtcp_port == 21300
    assert media("m=audio 4000 RTP/AVP 0\n").rtcp_port == 4001


def test_rtcp_mux_and_crypto_are_seen():
    audio = media("m=audio 4000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\na=rtcp-mux\n")
    assert (audio.is_secure, audio.has_crypto, audio.rtcp_mux) == (True, True, True)


def test_ptime_is_20_unless_said_within_reason():
    assert sdp.parse(BARESIP).media[0].ptime_ms == 30
    assert media("m=audio 4000 RTP/AVP 0\n").ptime_ms == 20
    assert media("m=audio 4000 RTP/AVP 0\na=ptime:nine\n").ptime_ms == 20
    assert media("m=audio 4000 RTP/AVP 0\na=ptime:99999999999999999999\n").ptime_ms == 20


@pytest.mark.parametrize("direction", ["sendrecv", "sendonly", "recvonly", "inactive"])
def test_direction_of_the_session_holds_where_the_section_says_none(direction: str):
    session = SMALL + f"a={direction}\r\n".encode()
    assert media("m=audio 4000 RTP/AVP 0\n", session).direction == direction
    assert media("m=audio 4000 RTP/AVP 0\na=sendonly\n", session).direction == "sendonly"


@pytest.mark.parametrize(
    ("direction", "effective"),
    [("sendrecv", "sendonly"), ("sendonly", "sendonly"), ("recvonly", "inactive"), ("inactive", "inactive")],
)
def test_address_of_zeros_receives_nothing(direction: str, effective: str):
    audio = media(f"m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\na={direction}\n")
    assert audio.is_muted_address
    assert audio.effective_direction == effective


def test_several_streams_keep_their_order():
    body = SMALL + b"m=audio 4000 RTP/AVP 0\r\nm=video 0 RTP/AVP 96\r\nm=image 4004 udptl t38\r\n"
    assert [(part.kind, part.port) for part in sdp.parse(body).media] == [
        ("audio", 4000),
        ("video", 0),
        ("image", 4004),
    ]


def test_lines_of_one_hop_are_not_passed_on():
    audio = media("m=audio 4000 RTP/AVP 0\na=ice-ufrag:x\na=candidate:1\na=ssrc:1 x\na=x-own:1\nk=clear:z\n")
    assert audio.passed == ["a=x-own:1"]
    assert "a=ice-ufrag:x" in audio.lines


def test_port_count_comes_back():
    body = SMALL + b"m=audio 4000/2 RTP/AVP 0\r\n"
    assert sdp.serialise(sdp.parse(body)) == body


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"", 1),
        (b"v=1\r\n", 1),
        (b"v=0\r\ns=-\r\n", 2),
        (SMALL.replace(b"t=0 0\r\n", b""), 4),
        (SMALL.replace(b"o=- 1 1 IN", b"o=- 1 1 OUT"), 2),
        (SMALL.replace(b"o=- 1 1", b"o=- one 1"), 2),
        (SMALL.replace(b"o=- 1 1 ", b"o=- 1 "), 2),
        (SMALL.replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4 phone.example"), 4),
        (SMALL.replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4 192.0.2.1/127"), 4),
        (SMALL.replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4 224.2.1.1"), 4),
        (SMALL.replace(b"c=IN IP4 192.0.2.1", b"c=IN IP6 ff02::1"), 4),
        (SMALL.replace(b"c=IN IP4 192.0.2.1", b"c=IN IP5 1"), 4),
        (SMALL.replace(b"c=IN IP4 192.0.2.1\r\n", b"") + b"m=audio 1 RTP/AVP 0\r\n", 5),
        (SMALL + b"nonsense\r\n", 6),
        (SMALL + b"m=audio 1 RTP/AVP 0\r\nnonsense\r\n", 7),
        (SMALL + b"m=audio RTP/AVP 0\r\n", 6),
        (SMALL + b"m=audio 1 RTP/AVP\r\n", 6),
        (SMALL + b"m=audio  1 RTP/AVP 0\r\n", 6),
        (SMALL + b"m=audio 65536 RTP/AVP 0\r\n", 6),
        (SMALL + b"m=audio -1 RTP/AVP 0\r\n", 6),
        (SMALL + b"m=audio \xb2 RTP/AVP 0\r\n", 6),
        (SMALL + b"m=audio 1 RTP/AVP 128\r\n", 6),
        (SMALL + b"m=audio 1 RTP/AVP x\r\n", 6),
        (SMALL + b"m=audio 1 RTP/AVP 96\r\na=rtpmap:96 opus\r\n", 6),
        (SMALL + b"m=audio 1 RTP/AVP 96\r\na=rtpmap:96 opus/0\r\n", 6),
        (SMALL + b"m=audio 1 RTP/AVP 96\r\na=rtpmap:96 opus/48000/999\r\n", 6),
        (SMALL + b"m=audio 1 RTP/AVP 0\r\na=rtcp:x\r\n", 7),
        (SMALL + b"m=audio 1 RTP/AVP " + b"0 " * 64 + b"0\r\n", 6),
        (SMALL + b"m=audio 1 RTP/AVP 0\r\n" * 17, 22),
        (SMALL + b"a=x\r\n" * 600, 0),
        (SMALL + b"a=" + b"x" * 20_000, 0),
        (SMALL + b"a=x\0y\r\n", 0),
        (SMALL + b"a=x\ry\r\n", 0),
    ],
)
def test_body_outside_of_the_grammar_or_limits_is_refused_with_its_line(body: bytes, line: int):
    with pytest.raises(SdpError) as refusal:
        sdp.parse(body)
    assert refusal.value.line == line


def test_100000_mutated_bodies_never_raise_anything_but_sdp_error():
    chance = random.Random(8866)
    refused = 0
    for _ in range(100_000):
        body = bytearray(BARESIP)
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(body))
            match chance.randrange(4):
                case 0:
                    body[place] = chance.randrange(256)
                case 1:
                    del body[place : place + chance.randint(1, 20)]
                case 2:
                    body[place:place] = body[: chance.randint(1, 60)]
                case _:
                    body[place:place] = chance.choice((b"\r\n", b"m=audio 9 RTP/AVP 0\r\n", b" ", b"/", b":"))
        try:
            sdp.serialise(sdp.parse(bytes(body)))
        except SdpError:
            refused += 1
    assert 0 < refused < 100_000


def test_rtcp_port_of_the_highest_port_stays_a_port():
    assert media("m=audio 65535 RTP/AVP 0\n").rtcp_port == 65535


# --- bodies that differ from an earlier one in o=, their address and their port alone -----------------------

USUAL = SMALL + (
    b"m=audio 20000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
)


def line_by_line(body: bytes) -> sdp.SessionDescription | str:
    """What is read of a body; with line ends of LF alone nothing of an earlier one is taken."""
    bare = body.replace(b"\r\n", b"\n")
    return "a carriage return or a zero byte inside a line" if b"\r" in bare else read(bare)


def read(body: bytes) -> sdp.SessionDescription | str:
    try:
        return sdp.parse(body)
    except SdpError as error:
        return str(error)


def test_next_call_of_a_phone_is_read_as_its_first():
    sdp.parse(USUAL)
    body = USUAL.replace(b"o=- 1 1 IN IP4 192.0.2.1", b"o=jo 17 3 IN IP4 192.0.2.9").replace(
        b"20000", b"30002"
    )
    found = sdp.parse(body)
    assert (found.origin[0], found.origin[2], found.media[0].port) == ("jo", "3", 30002)
    assert found == line_by_line(body)


def test_next_phone_of_a_model_is_read_with_its_own_address():
    sdp.parse(USUAL)
    body = USUAL.replace(b"192.0.2.1", b"192.0.2.77")
    found = sdp.parse(body)
    assert (found.host, found.media[0].host) == ("192.0.2.77", "192.0.2.77")
    assert found == line_by_line(body)
    assert sdp.serialise(found) == body


def test_what_was_read_first_stays_as_it_was():
    first = sdp.parse(USUAL)
    sdp.parse(USUAL.replace(b"20000", b"30002"))
    assert (first.media[0].port, sdp.serialise(first)) == (20000, USUAL)


@pytest.mark.parametrize(
    "body",
    [
        USUAL.replace(b"20000", b"70000"),
        USUAL.replace(b"20000", b"2000x"),
        USUAL.replace(b"20000", b"0"),
        USUAL.replace(b"20000", b"65535"),
        USUAL.replace(b"20000", b"20000/2"),
        USUAL.replace(b"20000", b"9" * 5000),
        USUAL.replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4 phone.example"),
        USUAL.replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4 224.0.0.1"),
        USUAL.replace(b"c=IN IP4 192.0.2.1", b"c=IN IP6 2001:DB8::1"),
        USUAL.replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4 0.0.0.0"),
        USUAL.replace(b"o=- 1 1", b"o=- 1 x"),
        USUAL.replace(b"o=- 1 1", b"o=- 1"),
        USUAL.replace(b"o=- 1 1", b"o=-\0 1 1"),
        USUAL.replace(b"o=- 1 1 IN IP4 192.0.2.1", b"o=- 1 1 IN IP4 192.0.2.1\nb=AS:64"),
        USUAL.replace(b"o=- 1 1 IN IP4 192.0.2.1", b"o=- 1 1 IN IP4 a\ns=-"),
        USUAL + b"c=IN IP4 192.0.2.5\r\n",
        USUAL + b"a=rtcp:30001\r\n",
        USUAL + b"m=video 30000 RTP/AVP 31\r\n",
        USUAL + b"a=sendonly\r\n",
    ],
)
def test_only_what_a_phone_may_change_is_taken_without_reading(body: bytes):
    sdp.parse(USUAL)
    for near in (body, body.replace(b"20000", b"20002").replace(b"1 1 IN", b"2 2 IN"), body):
        assert read(near) == line_by_line(near)


def test_port_of_rtcp_and_number_of_ports_are_those_of_the_body():
    for section in ("m=audio 9000/2 RTP/AVP 0\n", "m=audio 9000 RTP/AVP 0\na=rtcp:9001\n"):
        media(section)
        assert media(section.replace("9000", "9010")).rtcp_port == (9001 if "rtcp:" in section else 9011)
    assert media("m=audio 9020 RTP/AVP 0\n").port_count == 1


def test_bodies_of_any_kind_are_read_the_same_after_others():
    chance = random.Random(8866)
    pieces = [USUAL[start : start + 7] for start in range(len(USUAL) - 7)]
    pieces += [b"\r", b"\n", b"\0", b" ", b"c=", b"m="]
    for _ in range(5000):
        body = bytearray(USUAL)
        for _ in range(chance.randint(1, 3)):
            start = chance.randrange(len(body))
            body[start : start + chance.randint(0, 3)] = chance.choice(pieces)
        assert read(bytes(body)) == line_by_line(bytes(body))


def test_forms_are_few_and_hold_no_keys():
    for number in range(2 * sdp.MOST_FORMS):
        sdp.parse(USUAL + b"a=x:%d\r\n" % number)
    secret = USUAL.replace(b"AVP", b"SAVP") + b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\r\n"
    sdp.parse(secret)
    assert len(sdp._forms) <= sdp.MOST_FORMS
    assert not any(b"inline" in piece for form in sdp._forms for piece in form)
