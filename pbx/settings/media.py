"""How sound is relayed: `media:` of the configuration."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from dialplan.document import Node
from media.speech import VOICES as LANGUAGES
from pbx.settings.values import (
    IPAddress,
    Listen,
    choice_of,
    file_of,
    listens_of,
    path_of,
    reachable,
    section_of,
)

Engine: TypeAlias = Literal["auto", "python", "passthrough", "native", "rtpengine"]

RtcCodec: TypeAlias = Literal["any", "opus"]

ENGINES: dict[str, Engine] = {
    "auto": "auto",
    "python": "python",
    "passthrough": "passthrough",
    "native": "native",
    "rtpengine": "rtpengine",
}

RTC_CODECS: dict[str, RtcCodec] = {"any": "any", "opus": "opus"}

RTC_PORT = 19_999

FEWEST_PORTS = 4

_MEDIA_KEYS = (
    "engine",
    "address",
    "ports",
    "threads",
    "rtpengine",
    "rtpengine_digits",
    "music",
    "voices",
    "emergency_pairs",
    "rtc",
    "rtc_codec",
)

_PORTS = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")


RTPENGINE_DIGITS = Listen("127.0.0.1", 2224)


@dataclass(frozen=True, slots=True)
class Media:
    """How sound is relayed. addresses: put in SDP, at most one of IPv4 and one of IPv6; none written is the
    first of each kind that SIP listens on, or where that is all of them, the one of the default route.

    Ports are first_port to last_port, both included: RTP on even ones, RTCP on the next (RFC 3550 section
    11). threads: that move packets in the native engine; one carries about a thousand calls.
    rtpengine: the ng sockets of the daemons of that engine, which have addresses and ports of their own;
    rtpengine_digits: where they tell the keys that telephones press (their `dtmf-log-dest`).
    music: a WAV for who is on hold, None for our own melody; voices: piper's voice files, by language.
    emergency_pairs: of ports, which emergency calls alone may take, of each kind of address.
    rtc: the one UDP port of all browsers, on an address of each kind; None for RTC_PORT on the media
    addresses where there are pages or SIP over WebSocket, empty for no browsers. rtc_codec: what browsers
    speak: what the other party has, or Opus always, which stands losses best.
    """

    engine: Engine = "auto"
    addresses: tuple[IPAddress, ...] = ()
    first_port: int = 20000
    last_port: int = 29999
    threads: int = 1
    rtpengine: tuple[Listen, ...] = (Listen("127.0.0.1", 2223),)
    rtpengine_digits: Listen = RTPENGINE_DIGITS
    music: Path | None = None
    voices: tuple[tuple[str, Path], ...] = ()
    emergency_pairs: int = 8
    rtc: tuple[Listen, ...] | None = None
    rtc_codec: RtcCodec = "any"

    @property
    def has_process(self) -> bool:
        """Whether sound passes through a process of ours."""
        return self.engine not in ("passthrough", "rtpengine")


def read_media(keys: Mapping[str, Node], folder: Path) -> Media:
    """Return what `media:` says; folder: what paths are relative to."""
    section = section_of(keys, "media", _MEDIA_KEYS)
    voices = section_of(section, "voices", LANGUAGES)
    first, last = _ports(section["ports"]) if "ports" in section else (Media().first_port, Media().last_port)
    return Media(
        engine=choice_of(section, "engine", ENGINES),
        addresses=_media_addresses(section["address"]) if "address" in section else (),
        first_port=first,
        last_port=last,
        threads=section["threads"].integer(1, 64) if "threads" in section else Media().threads,
        rtpengine=_daemons(section, "rtpengine", Media().rtpengine),
        rtpengine_digits=_daemons(section, "rtpengine_digits", (Media().rtpengine_digits,))[0],
        music=file_of(section, "music", folder),
        voices=tuple((name, path_of(voices, name, folder, "")) for name in voices),
        emergency_pairs=_emergency_pairs(section, (last + 1) // 2 - (first + 1) // 2),
        rtc=_browsers_port(section),
        rtc_codec=choice_of(section, "rtc_codec", RTC_CODECS),
    )


def _browsers_port(section: Mapping[str, Node]) -> tuple[Listen, ...] | None:
    """Where browsers' sound comes: one address of IPv4 and one of IPv6 at most, as browsers are told it."""
    if "rtc" not in section:
        return None
    found = listens_of(section, "rtc", ())
    node = section["rtc"]
    kinds = [":" in listen.host for listen in found]
    if len(set(kinds)) < len(kinds):
        node.error("two_addresses", "several addresses of one kind", "one of IPv4 and one of IPv6 at most")
    if any(ipaddress.ip_address(listen.host).is_unspecified for listen in found):
        node.error("wrong_address", "browsers are told this address", f"such as 192.0.2.1:{RTC_PORT}")
        return ()
    return found


def _daemons(section: Mapping[str, Node], name: str, default: tuple[Listen, ...]) -> tuple[Listen, ...]:
    """Sockets with a port: one at least, and one only where the default is one that can't be several."""
    found = listens_of(section, name, default)
    if not found or not all(listen.port for listen in found):
        section[name].error("wrong_address", "expected an address with a port", f"such as {default[0]}")
        return default
    if name == "rtpengine_digits" and len(found) > 1:
        section[name].error("two_addresses", "digits are heard at one address", f"such as {default[0]}")
    return found


def _emergency_pairs(section: Mapping[str, Node], pairs: int) -> int:
    """How many of the pairs are kept for emergency calls: half of them at most."""
    if "emergency_pairs" not in section:
        return min(Media().emergency_pairs, pairs // 2)
    node = section["emergency_pairs"]
    kept = node.integer(0, 1000)
    if kept > pairs // 2:
        message = f"{kept} pairs of ports are kept for emergency calls, and there are {pairs} in `ports`"
        node.error("too_many_ports", message, "keep half of them at most, or widen `ports`")
    return kept


def _media_addresses(node: Node) -> tuple[IPAddress, ...]:
    """One address, or a list with one of IPv4 and one of IPv6."""
    found: list[IPAddress] = []
    for one in node.sequence() if node.is_sequence else [node]:
        address = reachable(one)
        if address is not None and address.version in (other.version for other in found):
            one.error(
                "two_addresses", f"a second address of IPv{address.version}", "one of each kind at most"
            )
        if address is not None:
            found.append(address)
    if not found and node.is_sequence and not node.sequence():
        node.error("wrong_address", "no address", "leave the key out to use those that SIP listens on")
    return tuple(found)


def _ports(node: Node) -> tuple[int, int]:
    found = _PORTS.fullmatch(node.text())
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if first >= 1024 and last <= 65535 and last - first + 1 >= FEWEST_PORTS:
        return first, last
    node.error("wrong_ports", "expected two ports between 1024 and 65535", "such as 20000-29999")
    return Media().first_port, Media().last_port
