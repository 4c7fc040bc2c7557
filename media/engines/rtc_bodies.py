"""What a browser says in SDP, and what it is told (RFC 8829, RFC 8866), made into plain RTP and back.

To the engine within, a browser is a leg with plain RTP whose address is the RTC worker's:

    browser's body                          plain body
    m=audio 9 UDP/TLS/RTP/SAVPF 111 8       m=audio 40002 RTP/AVP 111 8        the worker's plain socket
    ICE, DTLS, BUNDLE, header extensions    -
    direction, rtpmap, fmtp, ptime          the same

Sound and pictures in codecs that browsers share with telephones pass: Opus, G.722, G.711, telephone-event,
VP8, and H.264 in packetization-mode 1. What belongs to one browser's way of sending (RED, retransmission
streams, comfort noise, simulcast, data channels) is refused; loss is the RTC worker's matter (NACK).
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from media import agreement, pictures, sdp
from media.engine import MediaRefused
from media.sdp import Codec, MediaDescription, SdpError, SessionDescription

PROFILE: Final = "UDP/TLS/RTP/SAVPF"
NOT_ACCEPTABLE: Final = 488
SOUND: Final = frozenset({"opus", "g722", "pcmu", "pcma", "telephone-event"})
_COSTS: Final = {"g722": 0, "pcma": 1, "pcmu": 2, "opus": 3}  # the cheapest that isn't narrow first
PICTURES: Final = frozenset({"vp8", "h264"})
_KINDS: Final = {"audio": SOUND, "video": PICTURES}
MOST_LINES: Final = 4  # that one browser may have carried: each takes a socket of the worker's
_STREAM_ID: Final = "beffroi"
_FEEDBACK: Final = ("nack", *pictures.FEEDBACK)
_HASHES: Final = frozenset({"sha-1", "sha-224", "sha-256", "sha-384", "sha-512"})
_MOST_FINGERPRINTS: Final = 8
_FINGERPRINT: Final = re.compile(r"[0-9A-F]{2}(?::[0-9A-F]{2}){19,63}")
_ICE: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")  # RFC 8839 section 5.4
_MID: Final = re.compile(r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]{1,32}")  # a token, of a length that nobody exceeds

Fingerprint = tuple[str, str]
"""A hash function's name (RFC 8122) and the certificate's digest, as in a=fingerprint."""


Renumbered = dict[int, dict[int, int]]
"""By m= line, each payload type of the media plane's that a browser knows by another number, and that number.

RFC 8843 section 9.1: in a bundle a number stands for one thing; telephones give it one a line.
"""


class Section(msgspec.Struct, frozen=True):
    """One m= line of a browser's body. mid: "" where it has none; carried: whether anything of it is taken.

    description: with the codecs that pass; line: protocol and formats as it has them; nack: whether it asks
    again for what is lost.
    """

    mid: str
    carried: bool
    description: MediaDescription
    line: str
    nack: bool


class Said(msgspec.Struct, frozen=True):
    """What a browser says: its half of ICE and DTLS, and its m= lines.

    setup: "actpass", "active" or "passive" (RFC 8842), "" where it doesn't say.
    """

    ufrag: str
    fingerprints: tuple[Fingerprint, ...]
    setup: str
    sections: list[Section]
    origin: list[str]


class Door(msgspec.Struct, frozen=True):
    """Where a browser finds us. addresses: the RTC worker's, the best first; fingerprint: as it shows."""

    ufrag: str
    password: str
    fingerprint: Fingerprint
    addresses: tuple[tuple[str, int], ...]


def is_webrtc(body: bytes) -> bool:
    """Say whether a body is a browser's: ICE and DTLS-SRTP."""
    return b" UDP/TLS/RTP/SAVP" in body


def read(body: bytes) -> Said:
    """Read a browser's offer or answer. Raises MediaRefused (488) for what isn't one."""
    try:
        session = sdp.parse(body)
    except SdpError as error:
        raise MediaRefused(NOT_ACCEPTABLE, f"SDP: {error}") from None
    if "a=ice-lite" in session.lines:
        raise MediaRefused(NOT_ACCEPTABLE, "ICE-lite on both sides: nobody would begin")
    bundled = _bundled(session)
    sections: list[Section] = []
    first: MediaDescription | None = None
    mids: set[str] = set()
    count = 0
    for media in session.media:
        mid = media.attribute("mid")
        if mid and (_MID.fullmatch(mid) is None or mid in mids):
            raise MediaRefused(NOT_ACCEPTABLE, "SDP: a=mid that isn't one, or twice")
        mids.add(mid)
        # RFC 8843 section 6: a line that is only there within the bundle has port 0 in an offer.
        open_ = media.port != 0 or "a=bundle-only" in media.lines
        passing = _passing(media)
        carried = open_ and bool(passing.codecs) and media.protocol == PROFILE
        carried = carried and count < MOST_LINES and (first is None or mid in bundled)
        if carried and not media.rtcp_mux:
            raise MediaRefused(NOT_ACCEPTABLE, f"a=rtcp-mux is missing in {media.protocol}")
        if carried and first is None:
            first = media
        count += carried
        line = f"{media.protocol} {' '.join(media.formats)}"
        sections.append(Section(mid, carried, passing, line, _asks_again(media)))
    if first is None:
        if any(media.port for media in session.media):
            profile = next(media.protocol for media in session.media if media.port)
            raise MediaRefused(NOT_ACCEPTABLE, f"nothing that can be carried in profile {profile[:40]}")
        return Said("", (), "", sections, session.origin)
    ufrag = _said_once(session, first, "ice-ufrag")
    if _ICE.fullmatch(ufrag) is None or not _ICE.fullmatch(_said_once(session, first, "ice-pwd")):
        raise MediaRefused(NOT_ACCEPTABLE, f"no ICE in a body of {PROFILE}")
    setup = _said_once(session, first, "setup").lower()
    return Said(ufrag, _fingerprints(session, first), setup, sections, session.origin)


def plain(
    said: Said,
    sockets: Sequence[tuple[str, int]],
    renumbered: Renumbered,
    *,
    opus_only: bool = False,
    for_us: bool = False,
) -> bytes:
    """Return a browser's body as plain RTP. sockets: the worker's, one for each line carried, in order.

    opus_only: of the codecs of its sound, nothing but Opus and its keys. for_us: we are the other party, and
    what is cheap to make for many comes first.
    """
    host = sockets[0][0] if sockets else "127.0.0.1"
    family = "IP6" if ":" in host else "IP4"
    lines = ["v=0", f"o={' '.join(said.origin)}", "s=-", f"c=IN {family} {host}", "t=0 0"]
    ports = iter(sockets)
    for place, section in enumerate(said.sections):
        media = section.description
        if not section.carried:
            lines.append(f"m={media.kind} 0 {section.line}")
            continue
        if opus_only:
            media = _only(media, _for_lossy_networks(media.codecs))
        elif for_us:
            media = _only(media, sorted(media.codecs, key=_cost))
        media = _numbered(media, {new: old for old, new in renumbered.get(place, {}).items()})
        _, port = next(ports)
        lines += [
            f"m={media.kind} {port} RTP/AVP {' '.join(media.formats)}",
            *media.passed,
            f"a=rtcp:{port}",
            "a=rtcp-mux",
            *(pictures.told(None) if media.kind == "video" else ()),  # RFC 8834 section 5.1: all know it
            f"a={media.direction}",
        ]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def passing(body: bytes, renumbered: Renumbered, *, opus_only: bool = False) -> SessionDescription:
    """Return what the engine within says, with what a browser is told of it; port 0 where nothing passes.

    renumbered: numbers that have to be others for the browser are added to it.
    """
    session = sdp.parse(body)
    spare = [
        number
        for number in (*range(127, 95, -1), *range(35, 64))
        if all(number != codec.payload_type for media in session.media for codec in media.codecs)
    ]
    taken: set[int] = set()
    told_media: list[MediaDescription] = []
    for place, media in enumerate(session.media):
        telling = _telling(media, opus_only=opus_only)
        changed = renumbered.get(place, {})
        for codec in telling.codecs if telling.port else ():
            if changed.get(codec.payload_type, codec.payload_type) in taken and spare:
                changed = renumbered.setdefault(place, {})
                changed[codec.payload_type] = next(number for number in spare if number not in taken)
            taken.add(changed.get(codec.payload_type, codec.payload_type))
        told_media.append(_numbered(telling, changed))
    return replace(session, media=told_media)


def told(session: SessionDescription, door: Door, mids: Sequence[str], setup: str, version: int) -> bytes:
    """Return what is `passing` to a browser as WebRTC.

    mids: of each m= line; setup: "actpass" in an offer, "active" or "passive" in an answer; version: of o=.
    """
    host, port = door.addresses[0]
    where = f"IN {'IP6' if ':' in host else 'IP4'} {host}"
    bundle = [mid for mid, media in zip(mids, session.media, strict=True) if media.port and mid]
    lines = ["v=0", f"o=- {session.origin[1]} {version} {where}", "s=-", f"c={where}", "t=0 0", "a=ice-lite"]
    if bundle:
        lines.append(f"a=group:BUNDLE {' '.join(bundle)}")
    lines.append(f"a=msid-semantic:WMS {_STREAM_ID}")
    for mid, media in zip(mids, session.media, strict=True):
        named = [f"a=mid:{mid}"] if mid else []
        if not media.port:
            profile = PROFILE if media.kind in _KINDS else media.protocol
            lines += [f"m={media.kind} 0 {profile} {' '.join(media.formats) or '0'}", *named, "a=inactive"]
            continue
        lines += [f"m={media.kind} {port} {PROFILE} {' '.join(media.formats)}", *media.passed]
        if media.kind == "video":
            numbers = [codec.payload_type for codec in media.codecs]
            lines += [f"a=rtcp-fb:{number} {word}" for number in numbers for word in _FEEDBACK]
        lines += [
            *named,
            f"a={media.direction}",
            f"a=msid:{_STREAM_ID} {media.kind}",
            "a=rtcp-mux",
            f"a=ice-ufrag:{door.ufrag}",
            f"a=ice-pwd:{door.password}",
            f"a=fingerprint:{door.fingerprint[0]} {door.fingerprint[1]}",
            f"a=setup:{setup}",
            *_candidates(door.addresses),
            "a=end-of-candidates",
        ]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def new_mids(known: Sequence[str], lines: int) -> list[str]:
    """Return the mids of so many m= lines: those that are known, and for the others what nobody has used."""
    mids = list(known)
    number = 0
    while len(mids) < lines:
        if str(number) not in mids:
            mids.append(str(number))
        number += 1
    return mids


def narrowed(said: Said, numbers: dict[int, frozenset[int]]) -> Said:
    """Return what a browser says with these payload types alone, by m= line: those that it was answered."""
    sections = [
        replace(
            section,
            description=_only(
                section.description,
                [codec for codec in section.description.codecs if codec.payload_type in numbers[place]],
            ),
        )
        if numbers.get(place)
        else section
        for place, section in enumerate(said.sections)
    ]
    return replace(said, sections=sections)


# --- reading -----------------------------------------------------------------


def _said_once(session: SessionDescription, media: MediaDescription, name: str) -> str:
    """Return what a line, else the session, says of one attribute; "" for nothing."""
    prefix = f"a={name}:"
    own = media.attribute(name)
    return own or next((line[len(prefix) :] for line in session.lines if line.startswith(prefix)), "")


def _fingerprints(session: SessionDescription, media: MediaDescription) -> tuple[Fingerprint, ...]:
    """Return the usable fingerprints of a body. Raises MediaRefused (488) when there is none."""
    prefix = "a=fingerprint:"
    values = [line[len(prefix) :] for line in media.lines if line.startswith(prefix)]
    values = values or [line[len(prefix) :] for line in session.lines if line.startswith(prefix)]
    found: list[Fingerprint] = []
    for value in values[:_MOST_FINGERPRINTS]:
        name, _, digest = value.partition(" ")
        digest = digest.strip().upper()
        if name.lower() in _HASHES and _FINGERPRINT.fullmatch(digest):
            found.append((name.lower(), digest))
    if not found:
        raise MediaRefused(NOT_ACCEPTABLE, f"no usable fingerprint in a body of {PROFILE}")
    return tuple(found)


def _bundled(session: SessionDescription) -> set[str]:
    """Return the mids of the first bundle."""
    prefix = "a=group:BUNDLE"
    line = next((line for line in session.lines if line.startswith(prefix)), "")
    return set(line[len(prefix) :].split())


def _asks_again(media: MediaDescription) -> bool:
    """Say whether lost packets are asked for again (RFC 4585 section 6.2.1)."""
    return any(re.fullmatch(r"a=rtcp-fb:\S+ nack", line) for line in media.lines)


def _passing(media: MediaDescription) -> MediaDescription:
    """Return a line with the codecs that pass between browsers and telephones, and what is said of them."""
    names = _KINDS.get(media.kind, frozenset())
    return _only(media, [codec for codec in media.codecs if _passes(media, codec, names)])


def _passes(media: MediaDescription, codec: Codec, names: frozenset[str]) -> bool:
    name = codec.name.lower()
    if name not in names:
        return False
    return name != "h264" or "packetization-mode=1" in _fmtp(media, codec)


def _fmtp(media: MediaDescription, codec: Codec) -> str:
    prefix = f"a=fmtp:{codec.payload_type} "
    return next((line[len(prefix) :] for line in media.lines if line.startswith(prefix)), "")


def _only(media: MediaDescription, codecs: list[Codec]) -> MediaDescription:
    """Return a line with these codecs alone, and of the rest what holds on both sides of the worker."""
    numbers = {str(codec.payload_type) for codec in codecs}
    kept: list[str] = []
    for line in media.passed:
        name, _, value = line[2:].partition(":")
        of_packets = name in ("ptime", "maxptime")
        of_codec = name in ("rtpmap", "fmtp") and value.partition(" ")[0] in numbers
        if line[:2] == "b=" or (line[:2] == "a=" and (of_packets or of_codec)):
            kept.append(line)
    return replace(media, formats=[str(codec.payload_type) for codec in codecs], codecs=codecs, passed=kept)


def _cost(codec: Codec) -> int:
    """Return what a codec comes after, when it is we who speak it."""
    return _COSTS.get(codec.name.lower(), len(_COSTS))


def _for_lossy_networks(codecs: list[Codec]) -> list[Codec]:
    """Return Opus and its keys alone, all where there is no Opus."""
    kept = [codec for codec in codecs if codec.name.lower() in ("opus", "telephone-event")]
    return codecs if all(codec.is_auxiliary for codec in kept) else kept


# --- writing -----------------------------------------------------------------


def _telling(media: MediaDescription, *, opus_only: bool) -> MediaDescription:
    """Return a line with what the browser is told of it, port 0 where nothing of it passes."""
    if not media.port or media.kind not in _KINDS:
        return replace(media, port=0)
    codecs = _passing(media).codecs
    if opus_only:
        codecs = _for_lossy_networks(codecs)
    if all(codec.is_auxiliary for codec in codecs):
        return replace(media, port=0)
    return _only(media, codecs)


def _numbered(media: MediaDescription, changed: dict[int, int]) -> MediaDescription:
    """Return a line with these payload types by their other numbers."""
    if not changed:
        return media
    codecs = [
        replace(codec, payload_type=changed.get(codec.payload_type, codec.payload_type))
        for codec in media.codecs
    ]
    names = {str(old): str(new) for old, new in changed.items()}
    passed = [agreement.renumber_line(line, names) for line in media.passed]
    formats = [names.get(text, text) for text in media.formats]
    return replace(media, formats=formats, codecs=codecs, passed=passed)


def _candidates(addresses: tuple[tuple[str, int], ...]) -> list[str]:
    """Return the a=candidate lines, the best first (RFC 8445 section 5.1.2, RFC 8839 section 5.1)."""
    return [
        f"a=candidate:{place + 1} 1 udp {126 << 24 | (65535 - place) << 8 | 255} {host} {port} typ host"
        for place, (host, port) in enumerate(addresses)
    ]
