"""STUN messages, by the vectors of RFC 5769 and by what a stranger may send."""

import random

import pytest

from media.rtc import stun

# RFC 5769 section 2.1: sample request
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e2074657374"
    "20636c69656e74002400046e0001ff80290008932ff9b151263b36000600096576"
    "746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571"
    "a280280004e57a3bcf"
)
# Section 2.2: sample IPv4 response
RESPONSE_IPV4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
# Section 2.3: sample IPv6 response
RESPONSE_IPV6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf1"
    "1784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")


def test_the_sample_request_is_read_and_authentic():
    # RFC 5769 section 2.1: a request of an ICE agent, with padding that isn't zero
    request = stun.parse(REQUEST)
    assert request.kind == stun.BINDING_REQUEST
    assert request.transaction == TRANSACTION
    assert request.attributes[stun.USERNAME] == b"evtj:h6vY"
    assert request.fingerprint
    assert request.is_authentic(PASSWORD)
    assert not request.is_authentic(PASSWORD + b"x")


@pytest.mark.parametrize(
    ("response", "host"),
    [(RESPONSE_IPV4, "192.0.2.1"), (RESPONSE_IPV6, "2001:db8:1234:5678:11:2233:4455:6677")],
    ids=["IPv4", "IPv6"],
)
def test_an_address_is_written_as_in_the_sample_responses(response, host):
    # RFC 5769 sections 2.2 and 2.3: XOR-MAPPED-ADDRESS
    sample = stun.parse(response)
    assert sample.is_authentic(PASSWORD)
    assert sample.attributes[stun.XOR_MAPPED_ADDRESS] == stun.xor_address(host, 32853, TRANSACTION)


def test_an_answer_of_ours_is_signed_and_has_a_fingerprint():
    # RFC 8489 sections 14.5 and 14.7: MESSAGE-INTEGRITY, then FINGERPRINT
    answer = stun.parse(stun.success(TRANSACTION, "192.0.2.1", 32853, PASSWORD))
    assert answer.kind == stun.BINDING_SUCCESS
    assert answer.fingerprint
    assert answer.is_authentic(PASSWORD)


def test_an_answer_to_a_stranger_is_not_signed_and_hardly_longer_than_the_request():
    request = stun.build(stun.BINDING_REQUEST, TRANSACTION, ())
    answer = stun.success(TRANSACTION, "192.0.2.1", 32853)
    assert not stun.parse(answer).integrity_at
    assert len(answer) - len(request) == 12


def test_an_error_carries_its_code_and_what_was_not_understood():
    # RFC 8489 section 14.8: class and number of the error, then its reason
    answer = stun.parse(stun.error(TRANSACTION, 420, "Unknown Attribute", PASSWORD, (0x7001,)))
    assert answer.kind == stun.BINDING_ERROR
    assert answer.attributes[stun.ERROR_CODE][:4] == bytes((0, 0, 4, 20))
    assert answer.attributes[stun.UNKNOWN_ATTRIBUTES] == b"\x70\x01"
    assert answer.is_authentic(PASSWORD)


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-1],
        lambda whole: whole + b"\0\0\0\0",
        lambda whole: whole[:4] + b"\x21\x12\xa4\x43" + whole[8:],
        lambda whole: whole[:22] + b"\xff\xff" + whole[24:],
        lambda whole: whole[:-1] + bytes((whole[-1] ^ 1,)),
        lambda whole: whole[:19],
        lambda whole: bytes((whole[0] | 0x80,)) + whole[1:],
    ],
    ids=["cut", "longer", "cookie", "attribute", "fingerprint", "header", "first bits"],
)
def test_what_is_damaged_is_no_message(damage):
    with pytest.raises(stun.StunError):
        stun.parse(damage(REQUEST))


def test_what_stands_behind_the_integrity_is_not_believed():
    whole = stun.build(stun.BINDING_REQUEST, TRANSACTION, ((stun.USERNAME, b"a:b"),), PASSWORD)
    signed = whole[:-8]
    appended = signed + b"\0\x25\0\0"
    grown = appended[:2] + (len(appended) - 20).to_bytes(2) + appended[4:]
    message = stun.parse(grown)
    assert message.is_authentic(PASSWORD)
    assert stun.USE_CANDIDATE not in message.attributes


def test_a_mutated_message_is_read_or_refused_and_never_authentic():
    chance = random.Random(8489)
    for _ in range(20_000):
        mutated = bytearray(REQUEST)
        for _ in range(chance.randint(1, 4)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        del mutated[chance.randint(0, len(mutated)) if chance.random() < 0.2 else len(mutated) :]
        if bytes(mutated) == REQUEST:
            continue
        try:
            message = stun.parse(bytes(mutated))
        except stun.StunError:
            continue
        assert not message.is_authentic(PASSWORD) or not message.fingerprint
