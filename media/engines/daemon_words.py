"""What an rtpengine daemon is told of a party: who it is to it, where it is, what it speaks, with which keys.

A description is a party's own words with nothing of the rest of its SDP; `media.engines.rtpengine` says why.
"""

from collections.abc import Sequence
from typing import Final

from media import sdes
from media.engines.daemon_parties import DaemonCall, DaemonLeg, Party
from media.engines.daemons import nowhere
from media.engines.ng import Said
from media.line import is_rtp
from media.sdes import Crypto
from media.sdp import MediaDescription

# A port stays a leg's for good, and only the address in the leg's SDP may send there.
KNOWN: Final = "endpoint-learning-off"
STRICT: Final = ("port-latching", "strict-source", KNOWN)


def said_nowhere(stream: Party) -> dict[str, Said]:
    """Return what is said of a party that has no address yet."""
    said: dict[str, Said] = {
        "ICE": "remove",
        "DTLS": "off",
        "flags": list(STRICT),
        "replace": ["zero-address"],
        "rtcp-mux": ["accept", "offer"],  # RFC 5761: each leg as it has agreed with us
    }
    if isinstance(stream, DaemonLeg):
        said["sdp"] = nowhere(":" in stream.address)
        said["generate RTCP"] = "on"
    else:  # reports and feedback (RFC 4585) of what we don't look into are its parties' own
        said["sdp"] = description(stream.carried, *no_address(stream), "sendrecv")
    return said


def no_address(stream: Party) -> tuple[str, int]:
    """Return the address of a party that has none."""
    return "::" if ":" in stream.address else "0.0.0.0", 9  # noqa: S104 - told, never bound


def said_of_other(said: dict[str, Said]) -> dict[str, Said]:
    """Return what is said of the party that a message of the other one is for: its address, its profile."""
    body = said["sdp"]
    assert isinstance(body, bytes)
    _, _, line = body.partition(b"\r\nm=")
    return {
        "address family": "IP6" if b"c=IN IP6" in body else "IP4",
        "transport-protocol": line.split(b" ", 3)[2],
    }


def _known_by(tag: int, key: Crypto) -> Crypto:
    """Return a key by the tag that the daemon has for its leg; for how long it is good is not its affair."""
    return Crypto(tag, key.suite, key.key, key.mki)


def description(
    media: MediaDescription,
    host: str,
    port: int,
    direction: str,
    *,
    mux: bool = False,
    keys: Sequence[Crypto] = (),
) -> bytes:
    """Return a leg's own words for the daemon: its address, codecs and keys, and nothing else of it."""
    family = "IP6" if ":" in host else "IP4"
    unknown: list[str] = []
    if media.kind != "audio" and is_rtp(media):  # it would write an rtpmap without a name
        named = {str(codec.payload_type) for codec in media.codecs}
        unknown = [number for number in media.formats if number not in named]
    kept = ("a=rtpmap:", "a=fmtp:", "a=ptime:")
    # Keys in the plain profile (RFC 8643) are in force once both have agreed: the daemon is told so.
    # Feedback (RFC 4585) is left out of what goes on in a profile without it, so only the sound's has none.
    feedback = "F" if media.kind != "audio" or media.protocol.endswith("F") else ""
    profile = ("RTP/SAVP" if keys else "RTP/AVP") + feedback if is_rtp(media) else media.protocol
    # RFC 3605: behind a NAT, or where a telephone has a port for all its reports.
    reports_elsewhere = not mux and port == media.port and media.rtcp_port != port + 1
    lines = [
        "v=0",
        f"o=- 1 1 IN {family} {host}",
        "s=-",
        f"c=IN {family} {host}",
        "t=0 0",
        f"m={media.kind} {port} {profile} {' '.join(media.formats)}",
        *(line for line in media.lines if line.startswith(kept)),
        *(f"a=rtpmap:{number} unknown/90000" for number in unknown),
        *(sdes.build(key) for key in keys),
        *(["a=rtcp-mux"] if mux else []),
        *([f"a=rtcp:{media.rtcp_port}"] if reports_elsewhere else []),
        f"a={direction}",
        "",
    ]
    return "\r\n".join(lines).encode("latin-1")


def said_to_convert(one: DaemonLeg, other: DaemonLeg) -> dict[str, Said]:
    """Return what makes the daemon convert, where the voice of `other` is nothing that `one` has."""
    if one.remote is None or other.voice is None:
        return {}
    if any(codec.key == other.voice.key for codec in one.remote.codecs):
        return {}
    voice = other.voice
    name = voice.name if voice.channels == 1 else f"{voice.name}/{voice.clock_rate}/{voice.channels}"
    return {"codec": {"transcode": [name]}}


def said_of(
    call: DaemonCall, stream: Party, remote: MediaDescription, beside: Crypto | None = None
) -> dict[str, Said]:
    """Return what the daemon is told of a leg: where it is, what it speaks, how its address is learnt.

    beside: a key that it offers behind its own.
    """
    said = said_nowhere(stream)
    flags = list(STRICT)
    if call.injects:
        flags.append("inject-DTMF")
    said["flags"] = flags
    if stream.nat:  # the first packet after an answer shows where it is
        flags[flags.index(KNOWN)] = "endpoint-learning-immediate"
    if remote.port:
        direction = remote.effective_direction
        keys: tuple[Crypto, ...] = ()
        if stream.security is not None:
            keys = (_known_by(stream.tag, stream.security.theirs),)
            if beside is not None:
                keys += (beside,)
        said["sdp"] = description(remote, remote.host, remote.port, direction, mux=stream.mux, keys=keys)
    return said
