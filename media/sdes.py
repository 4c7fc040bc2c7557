"""Keys in the SDP (RFC 4568): a=crypto lines, and which legs may speak in clear.

```
    offer        a=crypto lines of ours, for the leg's policy          offered_security
    its answer   which of them the peer took, with its own key         agreed_security
    its offer    which line of the peer we take, with our own key      answered_security
```
A leg's policy is that of its device class. `required`: RTP/SAVP and nothing else, a peer that has no
usable key is refused, so nothing is ever silently downgraded. `preferred`: keys inside RTP/AVP (RFC
8643), so that a peer without SRTP still understands the offer. `off`: no keys; a peer that insists on
SRTP is refused.

What is agreed on is a `Security`; `media.srtp` makes a Sender and a Receiver of it. While both keys of a
leg stay what they were, its Sender and Receiver stay too: a key used from its beginning twice is broken.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import msgspec

from media.sdp import MediaDescription

Suite = Literal["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"]
Policy = Literal["required", "preferred", "off", "browser"]
"""What a leg is told and taken. `browser`: WebRTC (DTLS-SRTP), by an engine that `speaks_webrtc` alone."""
Random: TypeAlias = Callable[[int], bytes]

# In our order of preference. What a phone with hardware AES does quickest, and what every phone does.
# The tag of 32 bits comes last: it is there for those who offer nothing else.
SUITES: Final[tuple[Suite, ...]] = (
    "AEAD_AES_256_GCM",
    "AEAD_AES_128_GCM",
    "AES_CM_128_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
)
# RFC 4568 section 6.2, RFC 7714 section 12: bytes of master key and salt.
KEY_BYTES: Final[dict[Suite, int]] = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
}

MAX_LINES: Final = 32  # of a=crypto in one section
_DEFAULT_LIFETIME: Final = 1 << 48


class CryptoError(ValueError):
    """An a=crypto line that isn't one, or that asks for what we don't do."""


class SecurityRefused(Exception):
    """What the peer says of SRTP doesn't fit the leg's policy; answered 488."""


class Crypto(msgspec.Struct, frozen=True, array_like=True):
    """One a=crypto line: what its author encrypts with.

    key: master key and salt; mki: "" or the bytes that the author puts in each packet;
    lifetime_packets: after so many the author takes another key.
    """

    tag: int
    suite: Suite
    key: bytes
    mki: bytes = b""
    lifetime_packets: int = _DEFAULT_LIFETIME

    def __repr__(self) -> str:
        """Return what may be logged: never the key."""
        return f"Crypto(tag={self.tag}, suite={self.suite!r})"


class Security(msgspec.Struct, frozen=True):
    """What two sides agreed on: our key and theirs."""

    ours: Crypto
    theirs: Crypto


# --- a=crypto lines ----------------------------------------------------------


def parse(value: str) -> Crypto:
    """Read what stands behind "a=crypto:".

    Raises CryptoError for a line outside of RFC 4568 section 9, an unknown suite, several keys, or
    session parameters that change how packets look.
    """
    fields = value.split()
    if len(fields) < 3:
        raise CryptoError("crypto needs a tag, a suite and a key")
    tag, suite_name, key_params, *parameters = fields
    if not _is_number(tag, 9):
        raise CryptoError("the tag is not a number of at most 9 digits")
    suite = next((one for one in SUITES if one == suite_name.upper()), None)
    if suite is None:
        raise CryptoError("unknown suite")
    for parameter in parameters:
        # RFC 4568 section 6.3.7: what begins with "-" may be ignored, all else must be understood.
        # A window size (6.3.6) is advice; the others (KDR, UNENCRYPTED_…, FEC_…) change the packets.
        if not parameter.startswith(("-", "WSH=")):
            raise CryptoError("a session parameter that we don't do")
    method, colon, info = key_params.partition(":")
    if method.lower() != "inline" or not colon or ";" in info:
        raise CryptoError("not one inline key")
    encoded, *more = info.split("|")
    lifetime, mki = _lifetime_and_mki(more)
    return Crypto(int(tag), suite, _key(encoded, KEY_BYTES[suite]), mki, lifetime)


def _is_number(text: str, digits: int) -> bool:
    return 1 <= len(text) <= digits and text.isascii() and text.isdecimal()


def _key(encoded: str, length: int) -> bytes:
    try:
        # Some phones leave the padding out.
        key = base64.b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise CryptoError("the key is not base64") from None
    if len(key) != length:
        raise CryptoError(f"a key of {len(key)} bytes instead of {length}")
    return key


def _lifetime_and_mki(fields: list[str]) -> tuple[int, bytes]:
    """Read what stands behind the key: |LIFETIME and |MKI:LENGTH, both optional, in this order."""
    lifetime, mki = _DEFAULT_LIFETIME, b""
    if fields and ":" not in fields[0]:
        text = fields.pop(0)
        power = text.startswith("2^")
        if not _is_number(text.removeprefix("2^"), 2 if power else 15):
            raise CryptoError("a lifetime that is not a number")
        lifetime = 1 << int(text[2:]) if power else int(text)
        if not 0 < lifetime <= _DEFAULT_LIFETIME:
            raise CryptoError("a lifetime outside of 1 to 2^48")
    if fields:
        number, _, length = fields.pop(0).partition(":")
        if not (_is_number(number, 39) and _is_number(length, 3) and 1 <= int(length) <= 128):
            raise CryptoError("an MKI that is not NUMBER:LENGTH")
        if int(number) >= 1 << (8 * int(length)):
            raise CryptoError("an MKI longer than its length")
        mki = int(number).to_bytes(int(length))
    if fields:
        raise CryptoError("more behind the key than a lifetime and an MKI")
    return lifetime, mki


def build(crypto: Crypto) -> str:
    """Return the line, "a=crypto:" included."""
    line = f"a=crypto:{crypto.tag} {crypto.suite} inline:{base64.b64encode(crypto.key).decode()}"
    if crypto.lifetime_packets != _DEFAULT_LIFETIME:
        line += f"|{crypto.lifetime_packets}"
    if crypto.mki:
        line += f"|{int.from_bytes(crypto.mki)}:{len(crypto.mki)}"
    return line


def lines_of(media: MediaDescription) -> list[Crypto]:
    """Return the usable a=crypto lines of a section, in the peer's order; others are left out.

    Raises CryptoError when two have one tag (RFC 4568 section 4.1), or there are more than MAX_LINES.
    """
    values = [line[9:] for line in media.lines if line.startswith("a=crypto:")]
    if len(values) > MAX_LINES:
        raise CryptoError(f"more than {MAX_LINES} crypto lines")
    usable: list[Crypto] = []
    for value in values:
        try:
            usable.append(parse(value))
        except CryptoError:
            continue  # RFC 4568 section 5.1.2: a line that isn't supported is passed over
    if len({crypto.tag for crypto in usable}) != len(usable):
        raise CryptoError("two crypto lines with one tag")
    return usable


def new_key(tag: int, suite: Suite, random: Random) -> Crypto:
    """Return a key of our own. random: gives that many bytes nobody can guess."""
    return Crypto(tag, suite, random(KEY_BYTES[suite]))


# --- offer and answer --------------------------------------------------------


def offered_security(policy: Policy, random: Random, before: Crypto | None = None) -> list[Crypto]:
    """Return the a=crypto lines of an offer of ours, none when the policy is `off`.

    before: our key in force, which stands first and goes on (RFC 4568 section 7.1.4: a new key in a
    new offer would begin a new rollover counter). The profile to offer is `offered_profile`.
    """
    if policy == "off":
        return []
    suites = [suite for suite in SUITES if before is None or suite != before.suite]
    lines = [] if before is None else [before]
    tags = (tag for tag in range(1, len(SUITES) + 2) if before is None or tag != before.tag)
    return lines + [new_key(tag, suite, random) for tag, suite in zip(tags, suites, strict=False)]


def offered_profile(policy: Policy, *, feedback: bool = False) -> str:
    """Return the m= line's profile for an offer of ours. feedback: with RTCP feedback (RFC 4585, 5124).

    RFC 8643 section 3.1: who prefers SRTP without asking for it puts keys into the plain profile.
    """
    return ("RTP/SAVP" if policy == "required" else "RTP/AVP") + ("F" if feedback else "")


def answered_security(
    policy: Policy, media: MediaDescription, random: Random, before: Crypto | None = None
) -> Security | None:
    """Take one section of the peer's offer; return the keys, None when both speak in clear.

    The answer has the offer's own profile, and `ours` as its only a=crypto line, with the tag that was
    chosen (RFC 4568 section 5.1.2). before: our key in force, kept when the peer still wants its suite.
    Raises SecurityRefused when the offer doesn't fit the policy.
    """
    lines = _lines(media)
    secure = media.protocol in ("RTP/SAVP", "RTP/SAVPF")
    if policy == "off":
        if secure:
            raise SecurityRefused("the peer asks for SRTP and the leg's policy is off")
        return None
    if not (secure or media.protocol in ("RTP/AVP", "RTP/AVPF")):
        raise SecurityRefused(f"no SRTP by SDP in {media.protocol[:40]}")
    if not lines:
        if secure or policy == "required":
            raise SecurityRefused("no usable key in the peer's offer")
        return None
    # The peer's order is its preference; the short tag is taken only when there is no other.
    theirs = next((one for one in lines if one.suite != "AES_CM_128_HMAC_SHA1_32"), lines[0])
    if before is not None and before.suite == theirs.suite:
        ours = msgspec.structs.replace(before, tag=theirs.tag)
    else:
        ours = new_key(theirs.tag, theirs.suite, random)
    return Security(ours, theirs)


def agreed_security(policy: Policy, offered: list[Crypto], media: MediaDescription) -> Security | None:
    """Take one section of the peer's answer to `offered`; return the keys, None when both speak in clear.

    Raises SecurityRefused when it took none and the policy requires one, took several, or took one that
    wasn't offered (RFC 4568 section 5.1.3).
    """
    secure = "SAVP" in media.protocol
    lines = _lines(media)
    if not media.has_crypto:
        if policy == "required" or secure:
            raise SecurityRefused("no key in the peer's answer")
        return None
    if len(lines) != 1:
        raise SecurityRefused("the peer's answer has no usable key, or several")
    theirs = lines[0]
    ours = next((one for one in offered if one.tag == theirs.tag and one.suite == theirs.suite), None)
    if ours is None:
        raise SecurityRefused("the peer's answer takes a key that was not offered")
    return Security(ours, theirs)


def _lines(media: MediaDescription) -> list[Crypto]:
    try:
        return lines_of(media)
    except CryptoError as error:
        raise SecurityRefused(str(error)) from None
