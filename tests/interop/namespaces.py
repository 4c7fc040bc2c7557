"""A small town network: a hub where the PBX listens, and phones, each alone in a network namespace.

    phone 10.54.1.11 ── veth ──┐
    phone 10.54.3.12 ── veth ──┤ hub 10.54.0.1 (routes between phones)
    phone 10.54.1.13 ── veth ──┘

A namespace has no name: it lives as long as its holder, a small process that ends when the pipe to its
parent closes. So nothing is left when a test fails, or even when the test run is killed; two runs never
meet. The holder also opens sockets inside the namespace and passes them out, so that a test speaks with
a phone's control port without entering it.

Needs root, or unprivileged user namespaces (as `unshare -Urn` does). Needs Debian's iproute2 and util-linux.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

HUB_ADDRESS = IPv4Address("10.54.0.1")

_SETUP_SECONDS = 45  # for any one `ip` command; a loaded machine takes some milliseconds

_HOLDER = """
import socket
parent = socket.socket(fileno=0)
parent.send(b"+")
while kind := parent.recv(1):
    with socket.socket(socket.AF_INET, kind[0]) as made:
        socket.send_fds(parent, [b"+"], [made.fileno()])
"""


class NamespaceError(Exception):
    """A namespace or a link could not be made; the text is what the tool said."""


@dataclass
class Namespace:
    """One network namespace, with one address of the town."""

    address: IPv4Address
    holder: subprocess.Popen[bytes]
    pipe: socket.socket = field(repr=False)
    own_user_namespace: bool

    def command(self, *words: str | Path) -> list[str]:
        """The command line that runs `words` in here. It is an exec: the process keeps its pid."""
        user = ["--user", "--preserve-credentials"] if self.own_user_namespace else []
        return ["nsenter", f"--target={self.holder.pid}", *user, "--net", "--", *map(str, words)]

    def run(self, *words: str | Path) -> str:
        """Run a short command in here and return its output; NamespaceError if it fails."""
        return _run(self.command(*words))

    async def start(
        self, words: Sequence[str | Path], log: Path, **environment: str
    ) -> asyncio.subprocess.Process:
        """Start a program in here, in the folder of `log`, where its output and errors go.

        It leads a session of its own, as a daemon does.
        """
        with log.open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *self.command(*words),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=log.parent,
                start_new_session=True,
                env={**os.environ, **environment},
            )

    def socket(self, kind: socket.SocketKind) -> socket.socket:
        """A non-blocking IPv4 socket that lives in here, not yet bound or connected."""
        self.pipe.send(bytes([kind]))
        _, descriptors, _, _ = socket.recv_fds(self.pipe, 1, 1)
        if not descriptors:
            raise NamespaceError(f"the holder of {self.address} is gone")
        made = socket.socket(fileno=descriptors[0])
        made.setblocking(False)
        return made

    def listens(self, port: int) -> bool:
        """Whether a UDP or a listening TCP socket is bound to this port in here."""
        # proc(5), net/udp and net/tcp: address:port and state in hexadecimal.
        for protocol, ready in (("udp", "07"), ("tcp", "0A")):
            for line in Path(f"/proc/{self.holder.pid}/net/{protocol}").read_text().splitlines()[1:]:
                _, local, _, state, *_ = line.split()
                if int(local.rpartition(":")[2], 16) == port and state == ready:
                    return True
        return False

    def processes(self) -> dict[int, str]:
        """Who is alive in here, the holder apart: process id and command line."""
        here = os.readlink(f"/proc/{self.holder.pid}/ns/net")
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == self.holder.pid:
                continue
            try:
                if os.readlink(entry / "ns/net") != here or _is_zombie(entry):
                    continue
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ").strip()
            except OSError:  # it ended while we looked, or it isn't ours
                continue
        return found

    def kill_processes(self) -> None:
        """End whoever is left in here, at once."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def close(self) -> None:
        """Let the namespace go, and whoever is still in it."""
        self.kill_processes()
        self.pipe.close()
        self.holder.communicate(timeout=_SETUP_SECONDS)


@dataclass
class Town:
    """The hub and a way to plug phones into it."""

    hub: Namespace
    stack: ExitStack = field(repr=False)
    links: int = 0

    def plug(self, address: str) -> Namespace:
        """A new namespace behind a link of its own, with this address; the hub is its router."""
        phone = hold(IPv4Address(address), beside=self.hub)
        self.stack.callback(phone.close)
        self.links += 1
        link = f"p{self.links}"
        peer = ["peer", "name", "eth0", "netns", str(phone.holder.pid)]
        self.hub.run("ip", "link", "add", link, "type", "veth", *peer)
        self.hub.run("ip", "link", "set", link, "up")
        self.hub.run("ip", "route", "add", address, "dev", link, "src", str(self.hub.address))
        phone.run("ip", "address", "add", f"{address}/32", "dev", "eth0")
        phone.run("ip", "link", "set", "eth0", "up")
        phone.run("ip", "route", "add", str(self.hub.address), "dev", "eth0", "src", address)
        phone.run("ip", "route", "add", "default", "via", str(self.hub.address), "src", address)
        return phone


@contextmanager
def town() -> Iterator[Town]:
    """A hub with HUB_ADDRESS and no phone yet. All of it is gone at the end, whatever happens."""
    with ExitStack() as stack:
        hub = hold(HUB_ADDRESS, beside=None)
        stack.callback(hub.close)
        # The loopback interface carries the address: every phone reaches it, whichever link it hangs on.
        hub.run("ip", "address", "add", f"{HUB_ADDRESS}/32", "dev", "lo")
        hub.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        yield Town(hub, stack)


def hold(address: IPv4Address, beside: Namespace | None) -> Namespace:
    """A namespace with its loopback up. Phones of an unprivileged run share the hub's user namespace."""
    own_user_namespace = os.geteuid() != 0
    holder = [sys.executable, "-I", "-S", "-c", _HOLDER]
    if not own_user_namespace:
        command = ["unshare", "--net", "--", *holder]
    elif beside is None:
        command = ["unshare", "--user", "--map-root-user", "--net", "--", *holder]
    else:
        enter = ["nsenter", f"--target={beside.holder.pid}", "--user", "--preserve-credentials"]
        command = [*enter, "--", "unshare", "--net", "--", *holder]
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
    ours.settimeout(_SETUP_SECONDS)
    namespace = Namespace(address, process, ours, own_user_namespace)
    # The holder speaks once it is inside; before that its pid still belongs to our own network.
    if not ours.recv(1):
        _, said = process.communicate(timeout=_SETUP_SECONDS)
        ours.close()
        raise NamespaceError(f"no network namespace here: {said.decode(errors='replace').strip()}")
    namespace.run("ip", "link", "set", "lo", "up")
    return namespace


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SETUP_SECONDS)
    if done.returncode != 0:
        raise NamespaceError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def _is_zombie(process: Path) -> bool:
    # proc(5): the state follows the command name, which is in parentheses and may hold any character.
    return (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
