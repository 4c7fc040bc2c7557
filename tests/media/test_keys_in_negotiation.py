"""SRTP by SDES (RFC 4568) between legs of which each has a policy of its own, and RTCP-MUX (RFC 5761)."""

import base64
import itertools
from collections.abc import Callable

import msgspec
import pytest

from media import negotiation, sdes, sdp
from media.engine import MediaMisuse, MediaRefused
from media.negotiation import Leg
from media.sdes import Policy, Suite
from media.sdp import MediaDescription
from media.snapshot import LegSnapshot

SUITE: Suite = "AES_CM_128_HMAC_SHA1_80"
POLICIES: tuple[Policy, ...] = ("required", "preferred", "off")


def keys() -> Callable[[int], bytes]:
    """Keys that count up."""
    count = itertools.count(1)
    return lambda length: next(count).to_bytes(length)


def legs(hers: Policy = "off", his: Policy = "off") -> tuple[Leg, Leg]:
    random = keys()
    alice, bob = Leg("a", "192.0.2.1", 20000, 1, random), Leg("b", "192.0.2.1", 20002, 2, random)
    alice.secure(hers)
    bob.secure(his)
    return alice, bob


def key_of(name: str) -> bytes:
    return name.encode().ljust(30, b".")


def body(profile: str = "RTP/AVP", *crypto: tuple[int, Suite, str], extra: str = "") -> bytes:
    """What a phone says, with its keys."""
    lines = "".join(
        f"a=crypto:{tag} {suite} inline:{base64.b64encode(key_of(name)).decode()}\r\n"
        for tag, suite, name in crypto
    )
    return (
        "v=0\r\no=- 1 1 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\n"
        f"m=audio 4000 {profile} 8 101\r\na=rtpmap:101 telephone-event/8000\r\n{lines}{extra}a=sendrecv\r\n"
    ).encode()


def audio(told: bytes) -> MediaDescription:
    return sdp.parse(told).media[0]


def answer_to(told: bytes, name: str = "bob", suite: Suite = SUITE) -> bytes:
    """A phone's answer that takes a suite of the offer."""
    (tag,) = [line.tag for line in sdes.lines_of(audio(told)) if line.suite == suite]
    return body(audio(told).protocol, (tag, suite, name))


# --- each leg its own --------------------------------------------------------


def test_secure_caller_and_plain_callee():
    alice, bob = legs("required", "off")
    told = negotiation.offer(alice, bob, body("RTP/SAVP", (1, SUITE, "alice")), nat=False)
    assert (audio(told).protocol, audio(told).has_crypto) == ("RTP/AVP", False)
    answered = negotiation.answer(bob, alice, body(), nat=False)
    assert audio(answered).protocol == "RTP/SAVP"
    assert alice.security is not None
    assert sdes.lines_of(audio(answered)) == [alice.security.ours]
    assert alice.security.theirs.key == key_of("alice")
    assert bob.security is None


def test_plain_caller_and_secure_callee():
    alice, bob = legs("off", "required")
    told = negotiation.offer(alice, bob, body(), nat=False)
    assert audio(told).protocol == "RTP/SAVP"
    assert {line.suite for line in sdes.lines_of(audio(told))} == set(sdes.SUITES)
    answered = negotiation.answer(bob, alice, answer_to(told), nat=False)
    assert (audio(answered).protocol, audio(answered).has_crypto) == ("RTP/AVP", False)
    assert bob.security is not None
    assert bob.security.theirs.key == key_of("bob")
    assert alice.security is None


def test_keys_of_one_never_reach_the_other():
    alice, bob = legs("required", "required")
    told = negotiation.offer(alice, bob, body("RTP/SAVP", (1, SUITE, "alice")), nat=False)
    answered = negotiation.answer(bob, alice, answer_to(told), nat=False)
    assert base64.b64encode(key_of("alice")) not in told
    assert base64.b64encode(key_of("bob")) not in answered
    assert alice.security is not None
    assert bob.security is not None
    every = {
        one.key for security in (alice.security, bob.security) for one in (security.ours, security.theirs)
    }
    assert len(every) == 4


def test_preferred_offers_keys_in_the_plain_profile():
    # RFC 8643 section 3.1
    alice, bob = legs("off", "preferred")
    told = negotiation.offer(alice, bob, body(), nat=False)
    assert (audio(told).protocol, audio(told).has_crypto) == ("RTP/AVP", True)
    negotiation.answer(bob, alice, body(), nat=False)
    assert bob.security is None


def test_preferred_takes_keys_that_come_in_the_plain_profile():
    # RFC 8643 section 3.1
    alice, bob = legs("preferred", "off")
    negotiation.offer(alice, bob, body("RTP/AVP", (4, SUITE, "alice")), nat=False)
    answered = negotiation.answer(bob, alice, body(), nat=False)
    assert (audio(answered).protocol, alice.security is not None) == ("RTP/AVP", True)
    assert sdes.lines_of(audio(answered))[0].tag == 4


@pytest.mark.parametrize("profile", ["RTP/AVP", "RTP/SAVP"])
def test_required_without_a_key_is_refused_with_a_reason(profile: str):
    alice, bob = legs("required", "off")
    with pytest.raises(MediaRefused, match="SRTP: no usable key") as refused:
        negotiation.offer(alice, bob, body(profile), nat=False)
    assert refused.value.status == 488


def test_required_is_not_downgraded_by_an_answer():
    alice, bob = legs("off", "required")
    negotiation.offer(alice, bob, body(), nat=False)
    with pytest.raises(MediaRefused, match="SRTP: no key in the peer's answer"):
        negotiation.answer(bob, alice, body("RTP/SAVP"), nat=False)
    with pytest.raises(MediaRefused, match="SRTP"):
        negotiation.answer(bob, alice, body(), nat=False)


def test_required_is_not_downgraded_in_mid_call():
    alice, bob = legs("required", "off")
    negotiation.offer(alice, bob, body("RTP/SAVP", (1, SUITE, "alice")), nat=False)
    negotiation.answer(bob, alice, body(), nat=False)
    with pytest.raises(MediaRefused, match="SRTP"):
        negotiation.offer(alice, bob, body(), nat=False)
    assert alice.security is not None


def test_off_refuses_whoever_insists():
    alice, bob = legs("off", "off")
    with pytest.raises(MediaRefused, match="RTP/SAVP"):
        negotiation.offer(alice, bob, body("RTP/SAVP", (1, SUITE, "alice")), nat=False)


def test_of_a_line_in_clear_and_one_with_keys_the_policy_chooses():
    both = (
        body()
        + b"m=audio 4002 RTP/SAVP 8\r\n"
        + (b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + base64.b64encode(key_of("alice")) + b"\r\n")
    )
    for policy, ports in (("off", [20000, 0]), ("preferred", [0, 20000]), ("required", [0, 20000])):
        alice, bob = legs(policy, "off")
        negotiation.offer(alice, bob, both, nat=False)
        answered = negotiation.answer(bob, alice, body() + b"m=audio 4002 RTP/AVP 8\r\n", nat=False)
        assert [media.port for media in sdp.parse(answered).media] == ports


@pytest.mark.parametrize("policy", POLICIES)
def test_policy_stays_once_something_was_said(policy: Policy):
    alice, _ = legs(policy)
    negotiation.terminate_offer(alice)
    alice.secure(policy)
    with pytest.raises(MediaMisuse):
        alice.secure("off" if policy != "off" else "required")


# --- later offers ------------------------------------------------------------


def secured() -> tuple[Leg, Leg, bytes, bytes]:
    """Two secure legs, and what each was told."""
    alice, bob = legs("required", "required")
    told = negotiation.offer(alice, bob, body("RTP/SAVP", (1, SUITE, "alice")), nat=False)
    return alice, bob, negotiation.answer(bob, alice, answer_to(told), nat=False), told


def test_refresh_changes_no_key_and_no_body():
    alice, bob, answered, told = secured()
    before = alice.security, bob.security
    assert negotiation.offer(alice, bob, body("RTP/SAVP", (1, SUITE, "alice")), nat=False) == told
    assert negotiation.answer(bob, alice, answer_to(told), nat=False) == answered
    assert (alice.security, bob.security) == before


def test_offer_of_the_other_side_tells_the_caller_nothing_new():
    alice, bob, answered, _ = secured()
    before = alice.security, bob.security
    assert bob.security is not None
    assert negotiation.offer(bob, alice, body("RTP/SAVP", (7, SUITE, "bob")), nat=False) == answered
    told = negotiation.answer(alice, bob, body("RTP/SAVP", (1, SUITE, "alice")), nat=False)
    assert sdes.lines_of(audio(told)) == [msgspec.structs.replace(bob.security.ours, tag=7)]
    assert alice.security == before[0]
    assert bob.security.ours.key == before[1].ours.key


def test_what_a_leg_offered_counts_as_its_answer_too():
    # The application repeats what a party said last, when the other one changes.
    alice, bob, _, _ = secured()
    negotiation.offer(bob, alice, body("RTP/SAVP", (7, SUITE, "bob")), nat=False)
    negotiation.answer(alice, bob, body("RTP/SAVP", (9, SUITE, "other"), (1, SUITE, "alice")), nat=False)
    assert alice.security is not None
    assert alice.security.theirs.key == key_of("alice")


def test_new_key_of_the_peer_keeps_ours_while_the_suite_stays():
    alice, bob, _, _ = secured()
    assert alice.security is not None
    ours = alice.security.ours
    negotiation.offer(alice, bob, body("RTP/SAVP", (1, SUITE, "alice again")), nat=False)
    negotiation.answer(bob, alice, body("RTP/SAVP", (3, SUITE, "bob")), nat=False)
    assert (alice.security.ours, alice.security.theirs.key) == (ours, key_of("alice again"))


def test_key_that_was_used_is_never_offered_again_from_its_beginning():
    # RFC 3711 section 9.1
    alice, bob = legs("off", "required")
    told = negotiation.offer(alice, bob, body(), nat=False)
    negotiation.answer(bob, alice, answer_to(told), nat=False)
    assert bob.security is not None
    used = bob.security.ours.key
    again = negotiation.offer(alice, bob, body(), nat=False)
    negotiation.answer(bob, alice, answer_to(again, "bob", "AES_CM_128_HMAC_SHA1_32"), nat=False)
    third = negotiation.offer(alice, bob, body(), nat=False)
    assert used not in {line.key for line in sdes.lines_of(audio(third))}


def test_session_in_clear_is_asked_for_no_keys_by_a_refresh():
    alice, bob = legs("preferred", "off")
    negotiation.offer(alice, bob, body(), nat=False)
    answered = negotiation.answer(bob, alice, body(), nat=False)
    assert negotiation.offer(bob, alice, body(), nat=False) == answered


# --- what is kept, and what is shown -----------------------------------------


def test_snapshot_has_the_keys_and_no_text_of_them():
    alice, bob, answered, told = secured()
    kept = alice.snapshot("b")
    assert "alice" not in repr(kept.security)
    restored = Leg("a", alice.address, alice.port, alice.session, keys())
    restored.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=LegSnapshot))
    assert (restored.security, restored.policy, restored.told_keys) == (
        alice.security,
        "required",
        alice.told_keys,
    )
    assert negotiation.offer(bob, restored, answer_to(told), nat=False) == answered


def test_refusal_shows_no_key():
    alice, bob = legs("required", "off")
    with pytest.raises(MediaRefused) as refused:
        negotiation.offer(
            alice, bob, body("RTP/SAVP").replace(b"8 101", b"8 101\r\na=crypto:1 X inline:SECRET"), nat=False
        )
    assert "SECRET" not in str(refused.value)


# --- RTCP-MUX ----------------------------------------------------------------


def test_mux_is_taken_where_it_is_offered():
    # RFC 5761 section 5.1.1
    alice, bob = legs()
    told = negotiation.offer(alice, bob, body(extra="a=rtcp-mux\r\n"), nat=False)
    answered = negotiation.answer(bob, alice, body(), nat=False)
    assert (audio(told).rtcp_mux, audio(answered).rtcp_mux) == (False, True)
    assert (alice.mux, bob.mux) == (True, False)


def test_mux_goes_on_in_later_offers_of_ours():
    alice, bob = legs()
    negotiation.offer(alice, bob, body(extra="a=rtcp-mux\r\n"), nat=False)
    answered = negotiation.answer(bob, alice, body(), nat=False)
    assert negotiation.offer(bob, alice, body(), nat=False) == answered
    negotiation.answer(alice, bob, body(extra="a=rtcp-mux\r\n"), nat=False)
    assert alice.mux
    negotiation.offer(bob, alice, body(), nat=False)
    negotiation.answer(alice, bob, body(), nat=False)
    assert not alice.mux


def test_mux_in_an_answer_that_nobody_offered_is_none():
    alice, bob = legs()
    negotiation.offer(alice, bob, body(), nat=False)
    negotiation.answer(bob, alice, body(extra="a=rtcp-mux\r\n"), nat=False)
    assert not bob.mux
