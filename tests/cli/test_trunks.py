"""`beffroi trunk`, against a real node whose operators are on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cli.conftest import Town


@contextmanager
def answering(seen: list[str]) -> Iterator[int]:
    """Something that answers every SIP request with 200 on a loopback port, and writes them to `seen`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.settimeout(0.2)
        stop = threading.Event()

        def answer() -> None:
            while not stop.is_set():
                try:
                    data, source = bound.recvfrom(65_535)
                except TimeoutError:
                    continue
                seen.append(data.decode("latin-1"))
                lines = seen[-1].split("\r\n")
                kept = [
                    line for line in lines[1:] if line.startswith(("Via", "From", "To", "Call-ID", "CSeq"))
                ]
                text = "\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""])
                bound.sendto(text.encode("latin-1"), source)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield bound.getsockname()[1]
        finally:
            stop.set()
            thread.join()


def settled(town: Town) -> list[dict[str, Any]]:
    """The trunks, once the first one is up."""
    for _ in range(200):
        listed: list[dict[str, Any]] = town.run("trunk", "list", "--json").json
        if listed[0]["state"] == "up":
            return listed
        time.sleep(0.05)
    raise AssertionError(f"the trunk didn't come up: {listed[0]}")


def test_trunks_are_listed_with_their_state_and_delay(town: Town):
    with answering([]) as port:
        town.change_plan(
            "host: sip.operateur-a.example\n    transport: tls", f"host: 127.0.0.1\n    port: {port}"
        )
        town.change_plan("sip.operateur-b.example", "127.0.0.2")
        with town.serving():
            first, second = settled(town)
            shown = town.run("trunk", "list").out
            one = town.run("trunk", "show", "operateur-a").out
            nobody = town.run("trunk", "show", "nobody")
    assert (first["name"], first["channels"], first["channels_in_use"]) == ("operateur-a", 30, 0)
    assert first["servers"] == [f"udp 127.0.0.1:{port}"]
    assert first["options_delay_ms"] > 0
    assert (second["state"], second["options_delay_ms"]) == ("unknown", None)
    assert "operateur-a" in shown
    assert "0 of 30" in shown
    assert f"udp 127.0.0.1:{port}" in one
    assert nobody.status == 1
    assert 'no trunk "nobody" in the plan in force; known: operateur-a, operateur-b' in nobody.err


def test_without_a_node_there_is_nothing_to_list(town: Town):
    outcome = town.run("trunk", "list")
    assert outcome.status == 1
    assert "no node runs" in outcome.err


def test_a_node_registers_at_its_operator_and_takes_the_binding_away_when_it_stops(
    town: Town, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPERATEUR_A_SECRET", "s")
    seen: list[str] = []
    with answering(seen) as port:
        town.change_plan(
            "host: sip.operateur-a.example\n    transport: tls",
            "host: sip.operateur-a.example\n    transport: udp\n    register: true\n"
            f"    proxy: 127.0.0.1:{port}",
        )
        town.change_plan("sip.operateur-b.example", "127.0.0.2")
        with town.serving():
            first, _ = settled(town)
            shown = town.run("trunk", "list").out
    registers = [text for text in seen if text.startswith("REGISTER sip:sip.operateur-a.example SIP/2.0")]
    assert first["registers"] is True
    assert first["registered_until"] in shown
    assert "\r\nExpires: 600\r\n" in registers[0]
    assert "\r\nExpires: 0\r\n" in registers[-1]
