"""The configuration of an OpenID Connect provider and of an LDAP directory."""

from pathlib import Path

import pytest

from dialplan.finding import PlanError
from pbx.accounts.elsewhere import Ldap, OpenId
from pbx.configuration import load_configuration
from pbx.node.identity import identity_findings, identity_state
from pbx.settings.values import Secret, SecretMissing

OPENID = "issuer: https://id.valmont.example, client_id: beffroi"
LDAP = "url: 'ldaps://dc1.valmont.example', base: 'DC=valmont,DC=example'"


def read(folder: Path, section: str):
    file = folder / "beffroi.yaml"
    file.write_text(f"domain: localhost\nweb: {{listen: '127.0.0.1:0', {section}}}\n")
    return load_configuration(file).web


def test_provider_is_read_with_its_defaults(tmp_path: Path):
    assert read(tmp_path, f"openid: {{{OPENID}}}").openid == OpenId("https://id.valmont.example", "beffroi")


def test_provider_is_read_whole(tmp_path: Path):
    said = (
        "client_secret: {env: SECRET}, claim: sub, create: true, name: Compte de la ville, scopes: [groups], "
        "roles: {claim: realm, map: {admins: administrator, watch: auditor}}, "
        "second_factor_by_provider: true, acr: [gold], ca_file: ca.pem"
    )
    assert read(tmp_path, f"openid: {{{OPENID}, {said}}}").openid == OpenId(
        issuer="https://id.valmont.example",
        client_id="beffroi",
        client_secret=Secret(env="SECRET"),
        claim="sub",
        roles_claim="realm",
        roles=(("admins", "administrator"), ("watch", "auditor")),
        create=True,
        name="Compte de la ville",
        second_factor_by_provider=True,
        acr=("gold",),
        scopes=("openid", "groups"),
        ca_file=tmp_path / "ca.pem",
    )


def test_directory_is_read_whole(tmp_path: Path):
    said = (
        "bind_dn: 'CN=b', bind_password: {file: secret}, filter: '(cn={name})', name: displayName, "
        "roles: {attribute: groups, map: {'CN=admins,DC=x': administrator}}, create: true, start_tls: true"
    )
    assert read(tmp_path, f"ldap: {{{LDAP}, {said}}}").ldap == Ldap(
        url="ldaps://dc1.valmont.example",
        base="DC=valmont,DC=example",
        bind_dn="CN=b",
        bind_password=Secret(file=tmp_path / "secret"),
        filter="(cn={name})",
        name_attribute="displayName",
        groups_attribute="groups",
        roles=(("CN=admins,DC=x", "administrator"),),
        create=True,
        start_tls=True,
    )


@pytest.mark.parametrize(
    ("section", "code"),
    [
        ("openid: {client_id: b}", "missing_key"),
        ("openid: {issuer: 'http://id.valmont.example', client_id: b}", "wrong_url"),
        ("openid: {issuer: 'https://id.valmont.example/?a=b', client_id: b}", "wrong_url"),
        ("openid: {issuer: 'https://[::1', client_id: b}", "wrong_url"),
        (f"openid: {{{OPENID}, client_secret: hunter2}}", "wrong_secret"),
        (f"openid: {{{OPENID}, roles: {{map: {{x: king}}}}}}", "unknown_role"),
        (f"openid: {{{OPENID}, colour: red}}", "unknown_key"),
        ("ldap: {base: 'DC=x'}", "missing_key"),
        ("ldap: {url: 'ldap://dc1.valmont.example', base: 'DC=x'}", "not_encrypted"),
        ("ldap: {url: 'https://dc1.valmont.example', base: 'DC=x'}", "wrong_url"),
        (f"ldap: {{{LDAP}, bind_dn: 'CN=b'}}", "missing_key"),
        (f"ldap: {{{LDAP}, filter: '(uid=chef)'}}", "wrong_filter"),
        (f"ldap: {{{LDAP}, filter: '(uid={{name}}'}}", "wrong_filter"),
    ],
)
def test_what_cant_be_is_told_by_its_code(tmp_path: Path, section: str, code: str):
    with pytest.raises(PlanError) as refused:
        read(tmp_path, section)
    assert [finding.code for finding in refused.value.findings] == [code]
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("url", ["ldap://127.0.0.1:3890", "ldap://localhost", "ldap://[::1]"])
def test_directory_on_this_machine_needs_no_encryption(tmp_path: Path, url: str):
    assert read(tmp_path, f"ldap: {{url: '{url}', base: 'DC=x'}}").ldap.url == url


def test_secrets_are_read_where_they_are(tmp_path: Path):
    (tmp_path / "secret").write_text("hunter2\n")
    assert Secret(file=tmp_path / "secret").read({}) == "hunter2"
    assert Secret(env="S").read({"S": "hunter3"}) == "hunter3"


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
def test_secret_that_isnt_there_is_told(tmp_path: Path, content: bytes | None):
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    with pytest.raises(SecretMissing):
        Secret(file=tmp_path / "secret").read({})
    with pytest.raises(SecretMissing):
        Secret(env="S").read({})


def test_doctor_tells_of_a_secret_that_isnt_there(tmp_path: Path):
    file = tmp_path / "beffroi.yaml"
    openid = f"openid: {{{OPENID}, client_secret: {{env: NOWHERE}}}}"
    ldap = f"ldap: {{{LDAP}, bind_dn: 'CN=b', bind_password: {{file: none}}, ca_file: none.pem}}"
    file.write_text(f"domain: localhost\nweb: {{listen: '127.0.0.1:0', {openid}, {ldap}}}\n")
    settings = load_configuration(file)
    assert identity_state(settings) == "https://id.valmont.example, ldaps://dc1.valmont.example"
    found = [(one.code, one.severity) for one in identity_findings(settings, {})]
    assert found == [("secret_not_set", "note"), ("secret_not_set", "warning"), ("no_authority", "warning")]
