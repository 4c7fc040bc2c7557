"""A voice network of two namespaces: the switch's side, with the node and dnsmasq, and the telephones'.

    switch 10.54.1.1 ── veth ── telephones: each with the address that it was leased
           10.99.0.1            and 10.99.0.5, somebody on the same wire who is in no voice network

dnsmasq hands out exactly what `beffroi phone dhcp dnsmasq` prints, and addresses. Needs Debian's
dnsmasq-base.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from tests.interop.namespaces import Namespace, hold

SWITCH = "10.54.1.1"
STRANGER = "10.99.0.5"
INTERFACE = "eth0"

PATIENCE_SECONDS = 45.0
"""For one answer, on a slow machine with other work."""
_STOP_SECONDS = 45.0


@dataclass
class Lan:
    """Both sides. leased: addresses that the telephones' side has by now."""

    switch: Namespace
    telephones: Namespace
    leased: set[str] = field(default_factory=set)

    def take(self, address: str) -> None:
        """Give the telephones' side an address that one of them was leased."""
        if address not in self.leased:
            self.telephones.run("ip", "address", "add", f"{address}/24", "dev", INTERFACE)
            self.leased.add(address)

    def connected(self, own: str, remote: tuple[str, int]) -> socket.socket:
        """A TCP connection of a telephone with this address."""
        made = self.telephones.socket(socket.SOCK_STREAM)
        made.settimeout(PATIENCE_SECONDS)
        made.bind((own, 0))
        made.connect(remote)
        return made

    def datagrams(self, own: str, port: int = 0) -> socket.socket:
        """A UDP socket of a telephone with this address."""
        made = self.telephones.socket(socket.SOCK_DGRAM)
        made.settimeout(PATIENCE_SECONDS)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, INTERFACE.encode())
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((own, port))
        return made


@contextmanager
def lan() -> Iterator[Lan]:
    """The network, without a node and without DHCP. Nothing of it is left at the end."""
    switch = hold(IPv4Address(SWITCH), beside=None)
    try:
        telephones = hold(IPv4Address(STRANGER), beside=switch)
        try:
            peer = ["peer", "name", INTERFACE, "netns", str(telephones.holder.pid)]
            switch.run("ip", "link", "add", "voice", "type", "veth", *peer)
            for address in (SWITCH, "10.99.0.1"):
                switch.run("ip", "address", "add", f"{address}/24", "dev", "voice")
            switch.run("ip", "link", "set", "voice", "up")
            telephones.run("ip", "address", "add", f"{STRANGER}/24", "dev", INTERFACE)
            telephones.run("ip", "link", "set", INTERFACE, "up")
            yield Lan(switch, telephones)
        finally:
            telephones.close()
    finally:
        switch.close()


@contextmanager
def dhcp_server(network: Lan, folder: Path, printed: str) -> Iterator[subprocess.Popen[bytes]]:
    """dnsmasq on the switch's side for the length of the block. printed: by `beffroi phone dhcp dnsmasq`."""
    configuration = folder / "dnsmasq.conf"
    configuration.write_text(
        "port=0\ninterface=voice\nbind-interfaces\nno-ping\nuser=root\n"
        f"dhcp-leasefile={folder / 'leases'}\n"
        "dhcp-range=10.54.1.100,10.54.1.199,255.255.255.0,1h\n" + printed
    )
    words = network.switch.command("dnsmasq", "--keep-in-foreground", f"--conf-file={configuration}")
    with (folder / "dnsmasq.log").open("wb") as log:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)
