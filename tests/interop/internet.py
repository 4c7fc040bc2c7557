"""An internet of network namespaces with real NAT boxes on it, made of nftables rules.

    phone 192.168.1.11 ──┐
    phone 192.168.1.12 ──┤ box 198.51.100.1 ──┐
                                              ├── internet ── box 203.0.113.7 ── Beffroi 10.54.0.1
    phone 192.168.1.11 ──  box 198.51.100.2 ──┘                                   └ phone 10.54.1.11

A box masquerades what leaves it and lets nothing in that nobody inside asked for, but for the ports that it
forwards. Its memory of UDP is short, so that a test needn't wait long to see it forget. Needs nftables.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from tests.interop.namespaces import Namespace, hold

UDP_MEMORY_SECONDS = 12

_RULES = """
table ip nat {{
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        {forward}
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        oifname "out" masquerade
    }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
        iifname "out" ct state established,related accept
        iifname "out" ct status dnat accept
        iifname "out" drop
    }}
}}
"""


@dataclass
class Box:
    """A NAT box, and where it stands."""

    namespace: Namespace
    outside: str
    inside: str
    links: int = 0


@dataclass
class Internet:
    """The middle, where only public addresses are routed."""

    middle: Namespace
    folder: Path
    stack: ExitStack = field(repr=False)
    links: int = 0

    def box(self, outside: str, inside: str, *, forward: str = "", to: str = "") -> Box:
        """A NAT box: its address outside, its address inside; forward: ports for the machine at `to`."""
        box = self._hold(inside)
        self.links += 1
        link = f"b{self.links}"
        self._link(self.middle, link, box, "out")
        self.middle.run("ip", "route", "add", outside, "dev", link)
        box.run("ip", "address", "add", f"{outside}/32", "dev", "out")
        box.run("ip", "address", "add", f"{inside}/32", "dev", "lo")
        box.run("ip", "route", "add", "default", "dev", "out", "src", outside)
        box.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        rules = [
            f'iifname "out" {protocol} dport {{ {forward} }} dnat to {to}'
            for protocol in ("udp", "tcp")
            if forward
        ]
        file = self.folder / f"{outside}.nft"
        file.write_text(_RULES.format(forward="\n        ".join(rules)))
        box.run("nft", "-f", file)
        for memory in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
            box.run("sh", "-c", f"echo {UDP_MEMORY_SECONDS} > /proc/sys/net/netfilter/{memory}")
        return Box(box, outside, inside)

    def behind(self, box: Box, address: str) -> Namespace:
        """A machine behind a box."""
        machine = self._hold(address)
        box.links += 1
        link = f"m{box.links}"
        self._link(box.namespace, link, machine, "eth0")
        box.namespace.run("ip", "route", "add", address, "dev", link, "src", box.inside)
        machine.run("ip", "address", "add", f"{address}/32", "dev", "eth0")
        machine.run("ip", "route", "add", box.inside, "dev", "eth0", "src", address)
        machine.run("ip", "route", "add", "default", "via", box.inside, "src", address)
        return machine

    def _hold(self, address: str) -> Namespace:
        held = hold(IPv4Address(address), beside=self.middle)
        self.stack.callback(held.close)
        return held

    def _link(self, one: Namespace, name: str, other: Namespace, peer_name: str) -> None:
        peer = ["peer", "name", peer_name, "netns", str(other.holder.pid)]
        one.run("ip", "link", "add", name, "type", "veth", *peer)
        one.run("ip", "link", "set", name, "up")
        one.run("sh", "-c", f"echo 1 > /proc/sys/net/ipv4/conf/{name}/proxy_arp")
        other.run("ip", "link", "set", peer_name, "up")


@contextmanager
def internet(folder: Path) -> Iterator[Internet]:
    """The middle alone. All that is plugged in is gone at the end, whatever happens."""
    with ExitStack() as stack:
        middle = hold(IPv4Address("203.0.113.254"), beside=None)
        stack.callback(middle.close)
        middle.run("ip", "address", "add", "203.0.113.254/32", "dev", "lo")
        middle.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        yield Internet(middle, folder, stack)
