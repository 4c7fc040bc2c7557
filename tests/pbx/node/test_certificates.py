"""The node's certificates: made, kept, renewed, taken while it runs, and what doctor says of them."""

from __future__ import annotations

import ssl
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from pbx.configuration import Configuration, load_configuration
from pbx.node.certificates import (
    CertificatesInUse,
    certificate_files,
    certificate_findings,
    node_certificates,
    own_names,
)
from sip.net.certificates import CertificateError
from sip.net.tls import TlsSession
from tests.net.authority import LONG_AGO, Authority

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SIP = "sip: {tls: 127.0.0.1:5061, wss: '[::1]:5063'%s}\n"


def town(folder: Path, more: str = "", domain: str = "pbx.valmont.example") -> Configuration:
    file = folder / "beffroi.yaml"
    file.write_text(f"domain: {domain}\ndata_dir: .\n{SIP % more}")
    return load_configuration(file)


def codes(settings: Configuration, now: datetime = NOW) -> dict[str, str]:
    return {finding.code: finding.severity for finding in certificate_findings(settings, now)}


def test_our_own_certificate_speaks_for_the_domain_and_where_sip_is_heard(tmp_path: Path):
    (made,) = node_certificates(town(tmp_path), NOW)
    assert {"pbx.valmont.example", "127.0.0.1", "::1"} <= set(made.names)
    assert not made.self_signed
    assert made.not_after - NOW == timedelta(days=397)


def test_the_key_is_its_owners_alone(tmp_path: Path):
    (made,) = node_certificates(town(tmp_path), NOW)
    assert stat.S_IMODE(made.key_path.stat().st_mode) == 0o600
    assert not list(tmp_path.glob("*.new"))


def test_our_own_certificate_is_kept_until_a_month_before_its_end(tmp_path: Path):
    settings = town(tmp_path)
    (first,) = node_certificates(settings, NOW)
    (kept,) = node_certificates(settings, first.not_after - timedelta(days=31))
    (renewed,) = node_certificates(settings, first.not_after - timedelta(days=30))
    assert kept == first
    assert renewed.not_after > first.not_after


def test_who_trusts_our_authority_trusts_what_it_makes_later(tmp_path: Path):
    """A telephone isn't told again whom to believe: not at a renewal, not for another name."""
    (first,) = node_certificates(town(tmp_path), NOW)
    trusted = (tmp_path / "authority.crt").read_bytes()
    later = first.not_after - timedelta(days=29)
    node_certificates(town(tmp_path, domain="other.example"), later)
    assert (tmp_path / "authority.crt").read_bytes() == trusted
    made, authority = x509.load_pem_x509_certificates((tmp_path / "tls.crt").read_bytes())
    assert authority == x509.load_pem_x509_certificate(trusted)
    made.verify_directly_issued_by(authority)


def test_an_authority_that_cannot_be_read_is_made_anew(tmp_path: Path):
    (first,) = node_certificates(town(tmp_path), NOW)
    authority = tmp_path / "authority.crt"
    before = authority.read_bytes()
    authority.write_text("nothing")
    node_certificates(town(tmp_path), first.not_after)
    assert authority.read_bytes() != before
    assert stat.S_IMODE((tmp_path / "authority.key").stat().st_mode) == 0o600


def test_another_domain_needs_another_certificate(tmp_path: Path):
    node_certificates(town(tmp_path), NOW)
    (made,) = node_certificates(town(tmp_path, domain="other.example"), NOW)
    assert "other.example" in made.names


def test_a_damaged_pair_of_ours_is_made_anew(tmp_path: Path):
    settings = town(tmp_path)
    (first,) = node_certificates(settings, NOW)
    first.path.write_text("nothing")
    (again,) = node_certificates(settings, NOW)
    assert again.stamp != first.stamp


def test_a_client_that_trusts_our_own_authority_accepts_what_it_made(tmp_path: Path):
    """RFC 5280: strict checks too, which Python 3.13 makes by default."""
    settings = town(tmp_path)
    in_use = CertificatesInUse(settings, NOW.timestamp)
    assert in_use.contexts is not None
    context = ssl.create_default_context(cafile=str(tmp_path / "authority.crt"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="pbx.valmont.example")
    server = TlsSession(in_use.contexts.default)
    for _ in range(3):
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            server.receive(outgoing.read())
            incoming.write(server.to_send())
    found = client.getpeercert()
    assert found is not None
    assert ("DNS", "pbx.valmont.example") in tuple(found["subjectAltName"])


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_a_listener_on_every_address_puts_reachable_ones_into_the_certificate(tmp_path: Path, host: str):
    file = tmp_path / "beffroi.yaml"
    file.write_text(f"domain: localhost\nsip: {{tls: '{host}:5061'}}\n")
    names = own_names(load_configuration(file))
    assert not {"0.0.0.0", "::"} & set(names)
    assert {"127.0.0.1", "::1"} & set(names)


def test_a_configured_certificate_is_taken_and_nothing_is_made(tmp_path: Path):
    given = Authority(tmp_path).issue("pbx.valmont.example")
    settings = town(tmp_path, f", certificate: {given.path}, key: {given.key_path}")
    assert node_certificates(settings, NOW) == [given]
    assert not (tmp_path / "tls.key").exists()


def test_several_certificates_have_several_keys_in_their_order(tmp_path: Path):
    authority = Authority(tmp_path)
    first, second = authority.issue("a.example"), authority.issue("b.example")
    settings = town(
        tmp_path, f", certificate: [{first.path}, {second.path}], key: [{first.key_path}, {second.key_path}]"
    )
    assert certificate_files(settings) == (
        (first.path, first.key_path),
        (second.path, second.key_path),
    )
    assert node_certificates(settings, NOW) == [first, second]


def test_keys_in_the_wrong_order_are_told(tmp_path: Path):
    authority = Authority(tmp_path)
    first, second = authority.issue("a.example"), authority.issue("b.example")
    settings = town(tmp_path, f", certificate: {first.path}, key: {second.key_path}")
    with pytest.raises(CertificateError, match="belongs to another certificate"):
        node_certificates(settings, NOW)


def test_a_file_that_changes_is_taken_and_one_that_breaks_leaves_the_former(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    authority = Authority(tmp_path)
    first, second = authority.issue("a.example"), authority.issue("b.example")
    settings = town(tmp_path, f", certificate: {first.path}, key: {first.key_path}")
    in_use = CertificatesInUse(settings, NOW.timestamp)
    before = in_use.contexts
    assert not in_use.refresh()
    second.path.replace(first.path)  # the key doesn't fit yet
    assert not in_use.refresh()
    assert not in_use.refresh()
    assert in_use.contexts is before
    assert [record.levelname for record in caplog.records] == ["ERROR"]  # told once
    second.key_path.replace(first.key_path)
    assert in_use.refresh()
    assert in_use.certificates[0].names == ("b.example",)
    assert in_use.contexts is not before


def test_a_running_node_renews_its_own_certificate(tmp_path: Path):
    seconds = [NOW.timestamp()]
    in_use = CertificatesInUse(town(tmp_path), lambda: seconds[0])
    first = in_use.certificates[0]
    seconds[0] = first.not_after.timestamp() - 86_400.0
    assert in_use.refresh()
    assert in_use.certificates[0].not_after > first.not_after


# What doctor says


def test_a_certificate_of_our_own_authority_is_a_note(tmp_path: Path):
    settings = town(tmp_path)
    node_certificates(settings, NOW)
    assert codes(settings) == {"own_authority": "note"}


def test_a_certificate_of_an_authority_with_the_right_name_is_no_finding(tmp_path: Path):
    given = Authority(tmp_path).issue("*.valmont.example")
    given.key_path.chmod(0o600)
    settings = town(tmp_path, f", certificate: {given.path}, key: {given.key_path}")
    assert codes(settings) == {}


def test_what_is_wrong_with_a_certificate_is_told(tmp_path: Path):
    authority = Authority(tmp_path)
    given = authority.issue("other.example", until=datetime(2026, 12, 1, tzinfo=UTC))
    given.key_path.chmod(0o644)
    settings = town(tmp_path, f", certificate: {given.path}, key: {given.key_path}")
    assert codes(settings) == {
        "certificate_ends": "warning",
        "certificate_name": "warning",
        "key_open": "warning",
    }
    assert codes(settings, datetime(2026, 12, 2, tzinfo=UTC))["certificate_ended"] == "error"
    assert codes(settings, LONG_AGO - timedelta(days=1))["certificate_early"] == "error"


def test_files_that_are_away_or_no_certificates_are_errors(tmp_path: Path):
    (tmp_path / "empty.pem").write_text("")
    settings = town(
        tmp_path,
        ", certificate: [a.pem, empty.pem], key: [a.key, b.key], client_ca: c.pem, server_ca: empty.pem",
    )
    found = list(certificate_findings(settings, NOW))
    assert [(finding.code, finding.severity) for finding in found] == [
        ("certificate_unusable", "error"),
        ("certificate_unusable", "error"),
        ("ca_unusable", "error"),
        ("ca_unusable", "error"),
    ]
    assert found[0].message.endswith("a.pem: No such file or directory")


def test_a_certificate_that_is_too_large_is_not_read(tmp_path: Path):
    given = Authority(tmp_path).issue("pbx.valmont.example")
    given.path.write_bytes(b"x" * (2 << 20))
    settings = town(tmp_path, f", certificate: {given.path}, key: {given.key_path}")
    with pytest.raises(CertificateError, match="too large"):
        node_certificates(settings, NOW)


def test_a_domain_that_no_certificate_could_hold_leaves_the_other_names(tmp_path: Path):
    settings = replace(town(tmp_path), domain="é" * 70)
    assert "127.0.0.1" in own_names(settings)
