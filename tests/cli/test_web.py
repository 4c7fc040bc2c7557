"""The web process of a running node: TLS, and that it is started again alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import urllib.request
from itertools import takewhile

from tests.cli.conftest import Town, free_port, serve_command


def without_a_name() -> ssl.SSLContext:
    """Trusts the self-signed certificate, which a browser asks about once."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def read(url: str) -> tuple[int, dict[str, str], bytes]:
    with urllib.request.urlopen(url, timeout=10, context=without_a_name()) as answer:
        return answer.status, dict(answer.headers), answer.read()


def pids(town: Town) -> dict[str, int]:
    return {one["role"]: one["pid"] for one in town.run("status", "--json").json["processes"]}


def test_pages_are_served_over_tls_with_the_nodes_own_certificate(town: Town):
    port = free_port()
    town.change_configuration("web: []", f"web: {{listen: 127.0.0.1:{port}, tls: always}}")
    with town.serving() as log_until:
        log_until("certificate=")
        status, headers, _ = read(f"https://127.0.0.1:{port}/health/live")
    assert status == 200
    assert "strict-transport-security" in headers
    assert (town.settings.data_dir / "tls.crt").exists()


def test_a_port_that_another_program_has_costs_the_pages_and_not_the_telephones(town: Town):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        town.change_configuration("web: []", f"web: {taken}")
        with subprocess.Popen(
            serve_command(town.configuration_file), stderr=subprocess.PIPE, text=True
        ) as node:
            assert node.stderr is not None
            said = list(takewhile(lambda line: "ready plan=" not in line, node.stderr))
            roles = pids(town)
            node.terminate()
    assert any(f"no pages at {taken}, telephones are served without them" in line for line in said)
    assert "signalling" in roles
    assert "web" not in roles


def test_the_web_process_is_started_again_alone(town: Town):
    port = free_port()
    town.change_configuration("web: []", f"web: 127.0.0.1:{port}")
    with town.serving() as log_until:
        log_until("web ready at=")
        before = pids(town)
        os.kill(before["web"], signal.SIGKILL)
        log_until("web ready at=")
        after = pids(town)
        assert json.loads(read(f"http://127.0.0.1:{port}/health/live")[2]) == {"status": "ok"}
    assert after.pop("web") != before.pop("web")
    assert after == before
