"""`beffroi trunk`, against a real node whose operators are on loopback."""

from __future__ import annotations

import difflib
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


# In the plan, where no node runs


def changed_lines(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


NEW = ("host=sip.c.example", "owns=[+33383000500]", "secret={env: C_SECRET}")


def test_a_trunk_is_added_to_the_plan_and_the_rest_stays_as_written(town: Town):
    before = town.plan_file.read_text("utf-8")
    outcome = town.run("trunk", "add", "operateur-c", *NEW, "--yes")
    assert outcome.status == 0, outcome.err
    assert "  trunk operateur-c: new instead of none\n" in outcome.out
    assert changed_lines(before, town.plan_file.read_text("utf-8")) == [
        "+  operateur-c:",
        "+    host: sip.c.example",
        '+    owns: ["+33383000500"]',
        "+    secret: {env: C_SECRET}",
    ]
    (entry, *_) = town.run("plan", "history", "--json").json
    assert entry["reason"] == "trunk operateur-c added"


def test_a_trunk_is_changed_key_by_key(town: Town):
    before = town.plan_file.read_text("utf-8")
    words = ("channels=40", "--without", "transport", "--reason", "more lines", "--yes")
    assert town.run("trunk", "change", "operateur-a", *words).status == 0
    assert changed_lines(before, town.plan_file.read_text("utf-8")) == [
        "-    transport: tls",
        "-    channels: 30",
        "+    channels: 40",
    ]


def test_a_trunk_is_removed_and_one_that_is_used_is_not(town: Town):
    before = town.plan_file.read_text("utf-8")
    assert town.run("trunk", "add", "operateur-c", *NEW, "--yes").status == 0
    assert town.run("trunk", "remove", "operateur-c", "--yes").status == 0
    assert town.plan_file.read_text("utf-8") == before
    used = town.run("trunk", "remove", "operateur-b", "--yes")
    assert used.status == 1
    assert 'unknown trunk "operateur-b"' in used.err
    assert town.plan_file.read_text("utf-8") == before


def test_a_change_of_a_trunk_is_in_the_audit_journal(town: Town):
    assert town.run("trunk", "change", "operateur-a", "channels=40", "--yes").status == 0
    (entry,) = [
        one for one in town.run("audit", "list", "--json").json["items"] if one["what"] == "trunk.change"
    ]
    assert (entry["how"], entry["about"]["trunk"]) == ("command", "operateur-a")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("add", "c", "host=x", "secret=s3cret"), "a secret is never written in a plan"),
        (("add", "operateur-a", "host=x"), 'the plan has a trunk "operateur-a" already'),
        (("add", "c", "host"), '"host" is none; write channels=10'),
        (("add", "c", "host=[x"), "this isn't valid YAML"),
        (("change", "operateur-z", "channels=3"), '`trunks:` has no "operateur-z"'),
        (("change", "operateur-a", "--without", "port"), 'has no "port" in the plan'),
        (("change", "operateur-a"), "say what is to change"),
        (("remove", "operateur-z"), '`trunks:` has no "operateur-z"'),
        (("add", "c", "host=x", "channel=3"), 'unknown key "channel"; did you mean "channels"?'),
    ],
)
def test_what_can_t_be_done_is_said_and_the_plan_stays(town: Town, words: tuple[str, ...], message: str):
    before = town.plan_file.read_text("utf-8")
    outcome = town.run("trunk", *words, "--yes")
    assert outcome.status != 0
    assert message in outcome.err
    assert "s3cret" not in outcome.err + outcome.out
    assert town.plan_file.read_text("utf-8") == before
