"""`beffroi trunk`, against a real node whose operators are on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cli.conftest import Town


@contextmanager
def answering() -> Iterator[int]:
    """Something that answers every SIP request with 200 on a loopback port."""
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
                lines = data.decode("latin-1").split("\r\n")
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


def test_trunks_are_listed_with_their_state_and_delay(town: Town):
    with answering() as port:
        town.change_plan(
            "host: sip.operateur-a.example\n    transport: tls", f"host: 127.0.0.1\n    port: {port}"
        )
        town.change_plan("sip.operateur-b.example", "127.0.0.2")
        with town.serving() as log_until:
            log_until("trunk=operateur-a is up")
            first, second = town.run("trunk", "list", "--json").json
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
