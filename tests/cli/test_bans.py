"""`beffroi ban`, beside a running node and without one."""

from __future__ import annotations

import socket

import pytest

from tests.cli.conftest import Town


def sources(town: Town) -> list[str]:
    return [ban["source"] for ban in town.run("ban", "list", "--json").json]


def test_a_ban_is_added_listed_and_lifted_without_a_node(town: Town):
    assert town.run("ban", "list").out == "nobody is banned\n"
    added = town.run("ban", "add", "203.0.113.7", "calls at night", "--for", "2h", "--json").json
    assert [(ban["source"], ban["why"], ban["manual"]) for ban in added] == [
        ("203.0.113.7", "calls at night", True)
    ]
    assert "calls at night" in town.run("ban", "list").out
    assert town.run("ban", "remove", "203.0.113.7").status == 0
    assert sources(town) == []


def test_an_ipv6_address_is_banned_with_its_64(town: Town):
    town.run("ban", "add", "2001:db8:1:2::3")
    assert sources(town) == ["2001:db8:1:2::/64"]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.54.1.7", "::1"])
def test_ours_is_never_banned(town: Town, address: str):
    refused = town.run("ban", "add", address)
    assert refused.status == 1
    assert "never banned" in refused.err
    assert sources(town) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "everybody"), "is no IP address"),
        (("add", "10.0.0.0/8"), "is no IP address"),
        (("add", "203.0.113.7", "--for", "long"), "is no duration"),
        (("remove", "203.0.113.7"), "isn't banned"),
    ],
)
def test_what_can_not_be_done_is_told_in_a_sentence(town: Town, arguments: tuple[str, ...], said: str):
    refused = town.run("ban", *arguments)
    assert refused.status in (1, 2)
    assert said in refused.err
    assert refused.err.count("\n") == 1


def test_a_damaged_file_is_told_and_stays(town: Town):
    town.settings.data_dir.mkdir()
    town.settings.bans_file.write_text("{")
    refused = town.run("ban", "add", "203.0.113.7")
    assert refused.status == 1
    assert "bans.json" in refused.err
    assert town.settings.bans_file.read_text() == "{"


def ask_options(town: Town) -> bytes:
    """The answer of the node to an OPTIONS; nothing when it is silent for a second."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(1)
        asking.connect(("127.0.0.1", town.port))
        asking.send(
            b"OPTIONS sip:localhost SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1;rport\r\n"
            b"From: <sip:a@localhost>;tag=1\r\nTo: <sip:localhost>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
            b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        try:
            return asking.recv(4096)
        except TimeoutError:
            return b""


def test_a_running_node_takes_bans_at_once_and_keeps_them(town: Town):
    with town.configuration_file.open("a") as configuration:
        configuration.write("defence: {ban_loopback: true}\n")
    with town.serving():
        assert ask_options(town).startswith(b"SIP/2.0 200")
        assert town.run("ban", "add", "127.0.0.1", "test").status == 0
        assert ask_options(town) == b""
    assert sources(town) == ["127.0.0.1"]
    with town.serving():
        assert ask_options(town) == b""
        town.run("ban", "remove", "127.0.0.1")
        assert ask_options(town).startswith(b"SIP/2.0 200")
        assert sources(town) == []
