"""What Debian's coturn needs to be a relay for this node's browsers: its turnserver.conf, ready to be copied.

It relays to where we hear browsers and to nobody else, so that a credential opens no way into the network
that the relay stands in. coturn knows no ports of those that it relays to: the firewall's lines beside it do.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

FIRST_RELAY_PORT: Final = 61000
"""Above what Linux gives to other programs by itself (32768 to 60999): a firewall tells them apart."""
LAST_RELAY_PORT: Final = 65535

_RECIPE = """\
# /etc/turnserver.conf of Debian's coturn, for the browsers of {domain}. The port of TLS is 443, which passes
# where nothing else does: give the relay a machine, or an address, that has no web server.
#
#   apt-get install coturn
#   install -m 640 -g turnserver THIS_FILE /etc/turnserver.conf
#   printf 'static-auth-secret=%s\\n' "$(cat turn-secret)" >> /etc/turnserver.conf   # `secret:` of `turn:`
#   systemctl edit coturn        # [Service], then AmbientCapabilities=CAP_NET_BIND_SERVICE
#   systemctl restart coturn
#
# A secret is made by `openssl rand -hex 32 > turn-secret`. Behind NAT say the public address too:
# external-ip=203.0.113.8/192.0.2.8
listening-port=3478
tls-listening-port=443
no-dtls
no-tlsv1
no-tlsv1_1
# The whole chain and its key, of a public authority; user turnserver reads both.
cert=/etc/turnserver/fullchain.pem
pkey=/etc/turnserver/key.pem
realm={domain}
use-auth-secret
fingerprint
stale-nonce=600
# Whom the relay speaks to: this node's browsers' port, and nobody else.
denied-peer-ip=0.0.0.0-255.255.255.255
denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
{allowed}no-multicast-peers
no-tcp-relay
min-port={first}
max-port={last}
# One person's calls and everybody's; bytes a second of one of them (video is some 250,000).
user-quota=12
total-quota=600
max-bps=500000
no-cli
no-stun
no-rfc5780
no-software-attribute
syslog
#
# And in /etc/nftables.conf of that machine, since coturn knows no ports of those that it speaks to:
#   table inet beffroi_turn {{
#     chain relayed {{
#       type filter hook output priority filter;
{rules}#       udp sport {first}-{last} drop
#     }}
#   }}
"""


def recipe(domain: str, reached: Sequence[tuple[str, int]]) -> str:
    """Return a turnserver.conf with how to put it in place, without its secret.

    domain: the realm. reached: where we hear browsers, literal addresses with their ports.
    """
    rules = ""
    for host, port in reached:
        to = f"ip6 daddr {host}" if ipaddress.ip_address(host).version == 6 else f"ip daddr {host}"
        rules += f"#       udp sport {FIRST_RELAY_PORT}-{LAST_RELAY_PORT} {to} udp dport {port} accept\n"
    return _RECIPE.format(
        domain=domain,
        allowed="".join(f"allowed-peer-ip={host}\n" for host in dict.fromkeys(host for host, _ in reached)),
        first=FIRST_RELAY_PORT,
        last=LAST_RELAY_PORT,
        rules=rules,
    )
