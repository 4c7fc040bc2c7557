"""A simpler offer for a peer that refused the first one: G.711 and telephone events, and nothing else.

Engines that carry the sound make it themselves, since they convert (`MediaEngine.offer`, `simple`); where
the sound passes by, `simpler_offer` does. The media lines stay, in number and order, so that an answer to
the simpler offer can still answer the original one (RFC 3264 section 6); all but the first audio line are
switched off.
"""

from __future__ import annotations

from media.agreement import first_voice
from media.sdp import Codec, MediaDescription, SdpError, parse

_VOICES = frozenset({"PCMA", "PCMU"})


def can_be_simpler(offer: bytes) -> bool:
    """Say whether what another party was offered of this can be made simpler.

    It had more than G.711 then: codecs of ours are added to every offer that has one. False for an offer
    that can't be read, or has nothing that G.711 could be made of.
    """
    try:
        media = parse(offer).media
    except SdpError:
        return False
    return any(one.kind == "audio" and one.port and first_voice(one.codecs) is not None for one in media)


def simpler_offer(offer: bytes) -> bytes:
    """The offer with G.711 and events only; the same bytes where it can't be made any simpler.

    Returns what it was given when it can't be read, or has no G.711: there is nothing to fall back on.
    """
    try:
        media = parse(offer).media
    except SdpError:
        return offer
    audio = next((one for one in media if one.kind == "audio" and one.port), None)
    if audio is None:
        return offer
    kept = [codec for codec in audio.codecs if _is_plain(codec)]
    if not any(codec.name.upper() in _VOICES for codec in kept):
        return offer
    if len(kept) == len(audio.codecs) and all(one is audio or not one.port for one in media):
        return offer
    return _rewritten(offer, media, audio, {codec.payload_type for codec in kept})


def _is_plain(codec: Codec) -> bool:
    return codec.name.upper() in _VOICES or codec.is_event


def _rewritten(offer: bytes, media: list[MediaDescription], audio: MediaDescription, kept: set[int]) -> bytes:
    lines: list[str] = []
    section = -1
    for line in offer.decode("latin-1").splitlines():
        if line.startswith("m="):
            section += 1
            line = _media_line(line, kept) if media[section] is audio else _switched_off(line)
        elif section >= 0 and media[section] is audio:
            name, _, rest = line.partition(":")
            if name in {"a=rtpmap", "a=fmtp", "a=rtcp-fb"} and rest.split(" ")[0] not in map(str, kept):
                continue
        lines.append(line)
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")


def _media_line(line: str, kept: set[int]) -> str:
    kind, port, profile, *formats = line.split()
    return " ".join([kind, port, profile, *(one for one in formats if int(one) in kept)])


def _switched_off(line: str) -> str:
    kind, _, *rest = line.split()
    return " ".join([kind, "0", *rest])
