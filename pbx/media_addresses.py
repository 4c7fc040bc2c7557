"""Where sound is told to go: the addresses of the media plane, and the one UDP port of browsers."""

from __future__ import annotations

from pbx.configuration import Configuration
from pbx.settings.media import RTC_PORT
from pbx.settings.values import Listen
from sip.net.addresses import local_address_toward

UNROUTED = ("0.0.0.0", "::")  # noqa: S104 (compared, not bound)


def media_addresses(configuration: Configuration) -> tuple[str, ...]:
    """The addresses put in SDP, one for IPv4, IPv6 or each: those configured, else those SIP listens on.

    Where SIP listens on all addresses, the one of the default route; a kind without a route is left out,
    unless there is no other.
    """
    if configuration.media.addresses:
        return tuple(str(address) for address in configuration.media.addresses)
    sip = configuration.sip
    found: dict[bool, str] = {}
    for listen in (*sip.udp, *sip.tcp, *sip.tls, *sip.ws, *sip.wss):
        if (":" in listen.host) not in found:
            probe = "2001:db8::1" if ":" in listen.host else "192.0.2.1"
            found[":" in listen.host] = local_address_toward((listen.host, 0), (probe, 9))[0]
    usable = tuple(address for address in found.values() if address not in UNROUTED)
    return usable or tuple(found.values())[:1] or ("127.0.0.1",)


def browsers_port(configuration: Configuration) -> tuple[Listen, ...]:
    """Where browsers' sound comes, on one address of each kind at most; empty where there are no browsers.

    What the configuration says, else RTC_PORT on the media addresses, where pages or SIP over WebSocket are
    served and the sound passes through us.
    """
    media, sip = configuration.media, configuration.sip
    if media.engine == "passthrough":
        return ()
    if media.rtc is not None:
        return media.rtc
    if not (configuration.web.listen or sip.ws or sip.wss):
        return ()
    return tuple(Listen(address, RTC_PORT) for address in media_addresses(configuration))
