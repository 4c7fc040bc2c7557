"""`beffroi doctor` on a real LAN: dnsmasq hands out our own lines, and the doctor reads what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from provisioning.dhcp import lines
from tests.interop.namespaces import Namespace, hold

pytestmark = pytest.mark.peer

URL = "https://pbx.valmont.example:8443/"
_ASK = """
import json
from pbx.phones.lan import Interface, listen
(heard,) = listen([Interface("eth0", "10.54.1.5")], 1.0)
print(json.dumps([heard.troubles, [[one.server, one.settings(), one.addresses(42)] for one in heard.offers]]))
"""


@contextmanager
def lan() -> Iterator[tuple[Namespace, Namespace]]:
    """A DHCP server's namespace and a PBX's, on one link."""
    with ExitStack() as stack:
        server = hold(IPv4Address("10.54.1.1"), beside=None)
        stack.callback(server.close)
        pbx = hold(IPv4Address("10.54.1.5"), beside=server)
        stack.callback(pbx.close)
        peer = ["peer", "name", "eth0", "netns", str(pbx.holder.pid)]
        server.run("ip", "link", "add", "lan", "type", "veth", *peer)
        for one, link in ((server, "lan"), (pbx, "eth0")):
            one.run("ip", "address", "add", f"{one.address}/24", "dev", link)
            one.run("ip", "link", "set", link, "up")
        yield server, pbx


def test_what_dnsmasq_hands_out_is_read_and_no_address_is_taken(tmp_path: Path):
    configuration, leases = tmp_path / "dnsmasq.conf", tmp_path / "leases"
    configuration.write_text(
        "port=0\nuser=\ninterface=lan\nbind-interfaces\ndhcp-authoritative\nno-ping\n"
        f"dhcp-range=10.54.1.100,10.54.1.199\ndhcp-leasefile={leases}\ndhcp-option=42,10.54.1.1\n"
        + lines("dnsmasq", URL)
    )
    with lan() as (server, pbx):
        command = server.command("dnsmasq", "--no-daemon", f"--conf-file={configuration}", "--pid-file=")
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as dnsmasq:
            assert dnsmasq.stderr is not None
            while "DHCP" not in (said := dnsmasq.stderr.readline()):  # it says so once it listens
                assert said, "dnsmasq ended"
            try:
                troubles, offers = json.loads(pbx.run(sys.executable, "-c", _ASK))
            finally:
                dnsmasq.terminate()
                dnsmasq.stderr.read()
    assert troubles == []
    assert offers == [["10.54.1.1", {"160": URL, "66": URL, "43": URL}, ["10.54.1.1"]]]
    assert not leases.exists() or leases.read_text() == ""
