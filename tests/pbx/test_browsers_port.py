"""Where browsers' sound comes: the one UDP port of `media.rtc`, and what the doctor says of it."""

from pathlib import Path

import pytest

from dialplan.finding import PlanError
from pbx.configuration import Configuration, parse_configuration
from pbx.media_addresses import browsers_port
from pbx.node.browsers import browsers_findings, browsers_state
from pbx.settings.values import Listen

HERE = Path("/srv/town/beffroi.yaml")
HOME = "web: {public_url: 'https://pbx.valmont.example'}\nmedia: {address: 10.1.2.3}\n"


def read(text: str, path: Path = HERE) -> Configuration:
    return parse_configuration(text, path)


def test_it_is_one_port_of_the_media_addresses_where_there_are_pages():
    found = browsers_port(read("web: 127.0.0.1:0\nmedia: {address: [192.0.2.1, '2001:db8::1']}"))
    assert found == (Listen("192.0.2.1", 19_999), Listen("2001:db8::1", 19_999))


def test_there_is_none_without_pages_and_websockets_and_none_where_none_is_wanted():
    nobody = "web: []\nsip: {wss: [], ws: []}\n"
    assert browsers_port(read(nobody)) == ()
    assert browsers_port(read(f"{nobody}media: {{rtc: 192.0.2.1:4000}}")) == (Listen("192.0.2.1", 4000),)
    assert browsers_port(read("media: {rtc: []}")) == ()
    assert browsers_port(read("media: {engine: passthrough}")) == ()


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("rtc: 0.0.0.0:19999", "browsers are told this address"),
        ("rtc: [192.0.2.1:1, 192.0.2.2:2]", "several addresses of one kind"),
        ("rtc: everywhere", "no address with a port"),
        ("rtc_codec: speex", "speex"),
    ],
)
def test_what_browsers_cannot_be_told_is_an_error(written: str, reason: str):
    with pytest.raises(PlanError, match=reason):
        read(f"media: {{{written}}}")


def test_browsers_at_home_that_are_told_a_private_address_are_a_warning():
    (found,) = browsers_findings(read(HOME), running=False)
    assert (found.code, found.severity) == ("browsers_behind_nat", "warning")
    assert "10.1.2.3:19999" in found.message


@pytest.mark.parametrize("mend", ["external_address: 203.0.113.7", "turn: {urls: [], secret: {env: X}}"])
def test_a_public_address_or_a_relay_mends_it(mend: str):
    if mend.startswith("turn"):
        mend = "turn: {urls: ['turn:relay.valmont.example:3478'], secret: {env: TURN_SECRET}}"
    assert not list(browsers_findings(read(HOME + mend), running=False))


def test_a_node_that_runs_without_its_rtc_process_is_an_error(tmp_path: Path):
    (tmp_path / "processes.json").write_text("[]")
    settings = read(f"data_dir: {tmp_path}\nmedia: {{rtc: 127.0.0.1:5000}}")
    (found,) = browsers_findings(settings, running=True)
    assert (found.code, found.severity) == ("no_browsers", "error")
    assert browsers_state(settings) == "UDP 127.0.0.1:5000"
