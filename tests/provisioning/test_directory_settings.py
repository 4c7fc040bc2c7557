"""`provisioning:` about directories: ours, or another one whose password each telephone then holds."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from dialplan.finding import PlanError
from pbx.configuration import parse_configuration
from provisioning.brand import load_brands
from provisioning.rendering import render
from provisioning.telephone import Ldap
from tests.provisioning.telephones import telephone

HERE = Path("/srv/town/beffroi.yaml")
HTTPS = "provisioning:\n  https: 192.0.2.1:8443\n"
OTHER = "  directory: {url: ldaps://ad.valmont.example, base: 'dc=v', user: 'cn=a', password: {env: AD}"


def test_another_directory_is_read_and_its_password_is_a_note():
    read = parse_configuration(f"{HTTPS}{OTHER}, filter: (objectClass=user)}}", HERE)
    other = read.provisioning.directory
    assert other is not None
    assert (other.host, other.port, other.encrypted, other.filter) == (
        "ad.valmont.example",
        636,
        True,
        "(objectClass=user)",
    )
    assert [note.code for note in read.notes] == ["password_in_telephones"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (HTTPS + OTHER.replace("ldaps:", "ldap:") + "}", "not_encrypted"),
        (HTTPS + OTHER.replace("ldaps:", "https:") + "}", "wrong_url"),
        (HTTPS + OTHER + ", filter: objectClass=user}", "wrong_filter"),
        ("provisioning: {ldaps: 192.0.2.1:636}", "no_https"),
    ],
)
def test_what_would_harm_is_refused(text: str, code: str):
    with pytest.raises(PlanError) as caught:
        parse_configuration(text, HERE)
    assert code in [finding.code for finding in caught.value.findings]


@pytest.mark.parametrize(("brand", "model"), [("snom", "D865"), ("grandstream", "GRP2615"), ("fanvil", "X7")])
def test_another_directorys_filter_is_part_of_what_telephones_ask(brand: str, model: str):
    made = load_brands()[brand]
    ldap = Ldap("ad.valmont.example", 636, "dc=v", "cn=a", "secret", filter="(objectClass=user)")
    content = list(render(made, telephone(made, model, ldap=ldap)).values())[-1]
    texts = [one.text for one in ElementTree.fromstring(content).iter() if one.text]
    assert "(&(objectClass=user)(|(cn=%)(sn=%)))" in texts
    assert "(&(objectClass=user)(|(telephoneNumber=%)(mobile=%)))" in texts
