"""a=crypto lines, and who may speak in clear."""

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import sdes, sdp
from media.sdes import KEY_BYTES, SUITES, Crypto, CryptoError, Policy, SecurityRefused, Suite

KEY = base64.b64encode(bytes(range(30))).decode()
POLICIES: list[Policy] = ["required", "preferred", "off"]


def section(profile: str, *crypto: str) -> sdp.MediaDescription:
    lines = "".join(f"a=crypto:{line}\n" for line in crypto)
    text = f"v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 4000 {profile} 8\n{lines}"
    return sdp.parse(text.encode()).media[0]


def rng(seed: int = 1) -> sdes.Random:
    return random.Random(seed).randbytes


def test_line_of_the_rfc_is_read():
    # RFC 4568 section 4.2, with an MKI and a lifetime
    crypto = sdes.parse(f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4 WSH=128 -later=1")
    assert crypto == Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(range(30)), b"\0\0\0\1", 1 << 20)


@pytest.mark.parametrize("suite", SUITES)
def test_built_line_is_read_back(suite: Suite):
    # RFC 4568 section 6.2, RFC 7714 section 12
    for mki, lifetime in [(b"", 1 << 48), (b"\0\5", 1 << 31), (b"\1", 1 << 48)]:
        crypto = Crypto(7, suite, random.Random(3).randbytes(KEY_BYTES[suite]), mki, lifetime)
        assert sdes.parse(sdes.build(crypto).removeprefix("a=crypto:")) == crypto


def test_key_without_its_padding_is_read():
    key = bytes(range(28))
    line = f"1 AEAD_AES_128_GCM inline:{base64.b64encode(key).decode().rstrip('=')}"
    assert sdes.parse(line).key == key


@pytest.mark.parametrize(
    "line",
    [
        "",
        f"x AES_CM_128_HMAC_SHA1_80 inline:{KEY}",
        f"1234567890 AES_CM_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 F8_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 AES_CM_128_HMAC_SHA1_80 outline:{KEY}",
        f"1 AES_CM_128_HMAC_SHA1_80 {KEY}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY[:-4]}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY[:-1]}!",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^49",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|0",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|300:1",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:129",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4|x",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNAUTHENTICATED_SRTP",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=1",
    ],
)
def test_line_that_we_cannot_do_is_refused(line: str):
    # RFC 4568 section 9: the grammar; section 6.3.7: parameters that must be understood
    with pytest.raises(CryptoError):
        sdes.parse(line)


@given(st.text(max_size=120))
def test_any_text_is_a_line_or_an_error(text: str):
    for line in (
        text,
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{text}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|{text}",
    ):
        try:
            assert len(sdes.parse(line).key) == 30
        except CryptoError:
            continue


def test_key_is_never_shown():
    crypto = sdes.new_key(1, "AES_CM_128_HMAC_SHA1_80", rng())
    shown = repr(sdes.Security(crypto, crypto))
    assert "AES_CM" in shown
    assert base64.b64encode(crypto.key).decode() not in shown
    assert repr(crypto.key) not in shown


def test_lines_that_we_do_not_know_are_passed_over():
    # RFC 4568 section 5.1.2
    media = section("RTP/SAVP", "1 F8_128_HMAC_SHA1_80 inline:x", f"2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}")
    assert [crypto.tag for crypto in sdes.lines_of(media)] == [2]


def test_tag_used_twice_is_an_error():
    # RFC 4568 section 4.1
    line = f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"
    with pytest.raises(CryptoError, match="tag"):
        sdes.lines_of(section("RTP/SAVP", line, line))


# --- policy ------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("profile", ["RTP/SAVP", "RTP/SAVPF", "RTP/AVP", "RTP/AVPF"])
@pytest.mark.parametrize("with_key", [True, False])
def test_answer_to_every_offer(policy: Policy, profile: str, with_key: bool):
    media = section(profile, *([f"3 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"] if with_key else []))
    secure = "SAVP" in profile
    if policy == "off":
        outcome = "refused" if secure else "clear"
    elif with_key:
        outcome = "srtp"
    else:
        outcome = "refused" if secure or policy == "required" else "clear"
    if outcome == "refused":
        with pytest.raises(SecurityRefused):
            sdes.answered_security(policy, media, rng())
        return
    security = sdes.answered_security(policy, media, rng())
    assert (security is not None) == (outcome == "srtp")
    if security is not None:
        assert security.ours.tag == 3
        assert security.ours.suite == "AES_CM_128_HMAC_SHA1_80"
        assert security.ours.key != security.theirs.key


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("answered", ["srtp", "clear"])
def test_answer_to_every_policy(policy: Policy, answered: str):
    # RFC 8643 section 3.1: who merely prefers SRTP offers keys in the plain profile
    offered = sdes.offered_security(policy, rng())
    assert (offered == []) == (policy == "off")
    profile = sdes.offered_profile(policy)
    assert profile == ("RTP/SAVP" if policy == "required" else "RTP/AVP")
    taken = offered[2].tag if offered else 1
    media = section(
        profile, *([f"{taken} AES_CM_128_HMAC_SHA1_80 inline:{KEY}"] if answered == "srtp" else [])
    )
    if (policy, answered) in [("required", "clear"), ("off", "srtp")]:
        with pytest.raises(SecurityRefused):
            sdes.agreed_security(policy, offered, media)
        return
    security = sdes.agreed_security(policy, offered, media)
    assert (security is not None) == (answered == "srtp")
    if security is not None:
        assert security.ours is offered[2]


@pytest.mark.parametrize("profile", ["UDP/TLS/RTP/SAVPF", "RTP/XYZ"])
def test_profile_without_keys_in_the_sdp_is_refused_where_srtp_is_wanted(profile: str):
    for policy in ("required", "preferred"):
        with pytest.raises(SecurityRefused):
            sdes.answered_security(policy, section(profile), rng())


def test_answer_with_a_key_that_was_not_offered_is_refused():
    # RFC 4568 section 5.1.3
    offered = sdes.offered_security("required", rng())
    for line in [f"9 AES_CM_128_HMAC_SHA1_80 inline:{KEY}", f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"]:
        with pytest.raises(SecurityRefused, match="not offered"):
            sdes.agreed_security("required", offered, section("RTP/SAVP", line))


def test_answer_with_two_keys_is_refused():
    offered = sdes.offered_security("required", rng())
    lines = [f"{tag} {SUITES[2]} inline:{KEY}" for tag in (3, 4)]
    with pytest.raises(SecurityRefused, match="several"):
        sdes.agreed_security("required", offered, section("RTP/SAVP", *lines))


def test_short_tag_is_taken_only_when_nothing_else_is_offered():
    short, long = (f"{tag} AES_CM_128_HMAC_SHA1_{tag} inline:{KEY}" for tag in (32, 80))
    both = sdes.answered_security("required", section("RTP/SAVP", short, long), rng())
    alone = sdes.answered_security("required", section("RTP/SAVP", short), rng())
    assert both is not None
    assert both.ours.suite == "AES_CM_128_HMAC_SHA1_80"
    assert alone is not None
    assert alone.ours.suite == "AES_CM_128_HMAC_SHA1_32"


def test_key_in_force_goes_on_in_later_offers_and_answers():
    # RFC 4568 section 7.1.4
    before = sdes.new_key(2, "AES_CM_128_HMAC_SHA1_80", rng())
    lines = sdes.offered_security("required", rng(2), before)
    assert lines[0] == before
    assert len({line.tag for line in lines}) == len({line.suite for line in lines}) == len(SUITES)
    media = section("RTP/SAVP", f"5 AES_CM_128_HMAC_SHA1_80 inline:{KEY}")
    security = sdes.answered_security("required", media, rng(2), before)
    assert security is not None
    assert (security.ours.key, security.ours.tag) == (before.key, 5)


def test_every_key_of_an_offer_is_another():
    keys = {line.key for line in sdes.offered_security("required", rng())}
    assert len(keys) == len(SUITES)


@pytest.mark.parametrize("suite", SUITES)
def test_two_of_us_agree_on_each_suite(suite: Suite):
    offered = [line for line in sdes.offered_security("required", rng(1)) if line.suite == suite]
    media = section("RTP/SAVP", *(sdes.build(line).removeprefix("a=crypto:") for line in offered))
    answered = sdes.answered_security("required", media, rng(2))
    assert answered is not None
    back = section("RTP/SAVP", sdes.build(answered.ours).removeprefix("a=crypto:"))
    agreed = sdes.agreed_security("required", offered, back)
    assert agreed == sdes.Security(answered.theirs, answered.ours)
