"""What `beffroi doctor` says of desk telephones: what the LAN hands out, and where they would ask."""

from __future__ import annotations

import http.server
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialplan.loading import load_plan
from dialplan.plan import Plan
from pbx.configuration import Configuration, load_configuration
from pbx.node.certificates import node_certificates
from pbx.phones.doctor import lan_findings, phones_findings
from pbx.phones.lan import Heard, Interface, listen, voice_interfaces
from provisioning.dhcp import vendor_options
from provisioning.dhcp_offers import NotAnOffer, Offer, discover, read_offer, vendor_text

NOW = datetime(2026, 12, 25, 10, tzinfo=UTC)
SAMPLE_PLAN = Path(__file__).parents[3] / "examples" / "valmont.yaml"
VOICE = Interface("eth1", "10.54.1.5")


def configured(folder: Path, provisioning: str = "") -> Configuration:
    file = folder / "beffroi.yaml"
    said = provisioning or "{https: 127.0.0.1:8443, http: 127.0.0.1:8090, tftp: 127.0.0.1:69}"
    file.write_text(f"domain: localhost\nplan: {SAMPLE_PLAN}\nprovisioning: {said}\n")
    return load_configuration(file)


def codes(settings: Configuration, *offers: Offer, configurers: dict[str, str] | None = None) -> list[str]:
    heard = Heard(VOICE, list(offers), configurers or {})
    return [finding.code for finding in lan_findings(settings, [heard])]


def offered(server: str = "10.54.1.1", **options: bytes) -> Offer:
    return Offer(server, {int(name.removeprefix("o")): content for name, content in options.items()})


def test_a_lan_that_sends_telephones_here_has_no_finding(tmp_path: Path):
    url = b"https://127.0.0.1:8443/"
    assert codes(configured(tmp_path), offered(o66=url, o160=url, o43=vendor_options(url.decode()))) == []


@pytest.mark.parametrize(
    ("option", "said", "code"),
    [
        ("o66", b"https://old-pbx.example/", "dhcp_other_pbx"),
        ("o160", b"http://127.0.0.1:8091/", "dhcp_in_clear"),
        ("o66", b"10.9.9.9", "dhcp_tftp"),
        ("o43", vendor_options("http://10.9.9.9/cfg/"), "dhcp_other_pbx"),
        ("o66", b"https://127.0.0.1:9999/", "dhcp_wrong_port"),
        ("o66", b"http://[::bad", "dhcp_other_pbx"),
    ],
)
def test_an_option_that_sends_telephones_elsewhere_is_told(
    tmp_path: Path, option: str, said: bytes, code: str
):
    assert codes(configured(tmp_path), offered(**{option: said})) == [code]


def test_telephones_begin_in_clear_only_where_nobody_vouches_for_our_certificate(tmp_path: Path):
    settings = configured(tmp_path)
    asked = offered(o66=b"http://127.0.0.1:8090/")
    assert codes(settings, asked) == []
    sip = replace(settings.sip, certificates=((tmp_path / "public.crt", tmp_path / "public.key"),))
    assert codes(replace(settings, sip=sip), asked) == ["dhcp_in_clear"]


def test_our_own_tftp_is_where_telephones_may_be_sent(tmp_path: Path):
    assert codes(configured(tmp_path), offered(o66=b"127.0.0.1")) == []


def test_a_server_that_says_nothing_of_telephones_is_a_note(tmp_path: Path):
    assert codes(configured(tmp_path), offered()) == ["dhcp_silent"]


def test_two_servers_that_disagree_are_an_error_with_both_names(tmp_path: Path):
    heard = Heard(VOICE, [offered(o66=b"127.0.0.1"), offered("10.54.1.2", o66=b"")])
    (found,) = lan_findings(configured(tmp_path), [heard])
    assert (found.code, found.severity) == ("dhcp_disagree", "error")
    assert "10.54.1.1 and 10.54.1.2" in found.message


def test_registrar_vlan_and_boot_file_of_another_system_are_told(tmp_path: Path):
    url = b"https://127.0.0.1:8443/"
    other = offered(o66=url, o120=b"\x01\x0a\x09\x09\x09", o132=b"30", o67=b"boot.cfg")
    assert codes(configured(tmp_path), other) == ["dhcp_boot_file", "dhcp_registrar", "dhcp_vlan"]
    named = offered(o66=url, o120=b"\x00\x03pbx\x07example\x00")  # RFC 3361 section 3.1
    assert codes(configured(tmp_path), named) == ["dhcp_registrar"]


def test_somebody_else_who_answers_plug_and_play_is_an_error(tmp_path: Path):
    told = {"10.54.1.9": "http://10.54.1.9/provisioning"}
    assert codes(configured(tmp_path), configurers=told) == ["other_configurer", "dhcp_none"]


def test_a_machine_outside_of_the_telephones_networks_says_that_it_saw_nothing(tmp_path: Path):
    assert [found.code for found in lan_findings(configured(tmp_path), [])] == ["lan_not_seen"]


def test_loopback_is_an_interface_of_its_network():
    import ipaddress

    assert voice_interfaces([ipaddress.IPv4Network("127.0.0.0/8")]) == [Interface("lo", "127.0.0.1")]


# The grammar (RFC 2131, RFC 2132)


def offer_of(transaction: int, options: bytes, file: bytes = b"") -> bytes:
    head = struct.pack("!BBBBIHH16x16x64x128s", 2, 1, 6, 0, transaction, 0, 0, file)
    return head + bytes((99, 130, 83, 99)) + options


def test_an_offer_is_read_with_what_is_in_the_field_of_the_file():
    options = bytes((53, 1, 2, 54, 4, 10, 0, 0, 1, 52, 1, 1, 255))
    found = read_offer(offer_of(7, options, bytes((66, 3)) + b"abc\xff"), 7)
    assert (found.server, found.text(66)) == ("10.0.0.1", "abc")


def test_the_question_takes_no_address():
    asked = discover(7, b"\x02\0\0\0\0\1")
    assert asked[240:243] == bytes((53, 1, 1))  # RFC 2132 section 9.6: DHCPDISCOVER


@given(octets=st.binary(max_size=600))
def test_what_isnt_an_offer_is_refused_and_nothing_else_happens(octets: bytes):
    with pytest.raises(NotAnOffer):
        read_offer(offer_of(7, octets), 8)
    with suppress(NotAnOffer):
        assert read_offer(offer_of(7, octets), 7).server
    assert vendor_text(octets).isprintable()


# Where telephones ask


class _Answers(http.server.BaseHTTPRequestHandler):
    status = 403

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Nothing on the test's output."""


@contextmanager
def serving(settings: Configuration, status: int) -> Iterator[int]:
    """A server with the node's own certificate that answers everything with `status`; its port."""
    settings.data_dir.mkdir(exist_ok=True)
    node_certificates(settings, datetime.now(UTC))  # noqa: DTZ005,TID251,RUF100 (TLS reads the wall clock)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings.data_dir / "tls.crt", settings.data_dir / "tls.key")
    answers = type("Answers", (_Answers,), {"status": status})
    with http.server.HTTPServer(("127.0.0.1", 0), answers) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


@cache
def sample_plan() -> Plan:
    return load_plan(SAMPLE_PLAN)


def asked(settings: Configuration, now: datetime) -> dict[str, str]:
    found = phones_findings(settings, sample_plan(), now, running=True)
    return {finding.code: finding.severity for finding in found}


def test_a_node_that_refuses_what_nobody_has_is_well(tmp_path: Path):
    with serving(configured(tmp_path), 403) as port:
        said = f"{{https: 127.0.0.1:{port}, networks: [198.51.100.0/24], time_server: 127.0.0.1}}"
        found = asked(configured(tmp_path, said), datetime.now(UTC))  # noqa: DTZ005,TID251,RUF100
    assert set(found) <= {"lan_not_seen", "phones_time", "phones_key"}


def test_a_program_that_answers_for_everything_is_an_error(tmp_path: Path):
    with serving(configured(tmp_path), 200) as port:
        said = f"{{https: 127.0.0.1:{port}, networks: [198.51.100.0/24]}}"
        later = datetime.now(UTC) + timedelta(days=5000)  # noqa: DTZ005,TID251,RUF100
        found = asked(configured(tmp_path, said), later)
    assert found["phones_not_refused"] == "error"
    assert found["phones_certificate_ends"] == "warning"


def test_a_name_that_nobody_knows_is_an_error(tmp_path: Path):
    settings = configured(
        tmp_path,
        "{https: 127.0.0.1:8443, url: 'https://nowhere.invalid:8443', networks: [198.51.100.0/24],"
        " time_server: 127.0.0.1}",
    )
    assert asked(settings, NOW)["phones_name"] == "error"


def test_a_port_that_nobody_listens_on_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pbx.phones.doctor.ANSWER_SECONDS", 0.05)
    settings = configured(tmp_path, "{https: 127.0.0.1:1, networks: [198.51.100.0/24], tftp: 127.0.0.1:1}")
    found = asked(settings, NOW)
    assert (found["phones_not_reached"], found["phones_tftp"]) == ("error", "warning")


def test_a_question_that_cannot_be_asked_is_told_and_nothing_is_raised():
    (heard,) = listen([Interface("no-such-link", "192.0.2.77")], seconds=0.0)
    assert heard.offers == [] and heard.configurers == {}
