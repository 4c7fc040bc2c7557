"""How a telephone finds where its settings are: plug and play, DHCP, and its own MAC address."""

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.brand import Brand, load_brands
from provisioning.dhcp import SERVERS, DhcpError, lines, vendor_options
from provisioning.mac_address import MacAddressError, mac_address, spoken
from provisioning.plug_and_play import Asking, NotAsking, asking

URL = "https://pbx.valmont.example:8443/"
BRANDS: dict[str, Brand] = {
    name: brand for name, brand in load_brands().items() if name not in ("generic", "linphone")
}


@pytest.mark.parametrize("text", ["805ec0123456", "805EC0123456", "80:5e:c0:12:34:56", "80-5E-C0-12-34-56"])
def test_a_mac_address_has_one_form(text: str):
    assert mac_address(text) == "805ec0123456"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "805ec012345",
        "805ec01234567",
        "80:5e:c0-12:34:56",
        "8 05ec0123456",
        "../05ec0123456",
        "000000000000",
        "ffffffffffff",
        "01005e000001",
        "٨05ec0123456",
    ],
)
def test_what_is_no_devices_address_is_refused(text: str):
    with pytest.raises(MacAddressError):
        mac_address(text)


def test_a_mac_address_is_shown_as_it_is_printed_on_the_box():
    assert spoken("805ec0123456") == "80:5E:C0:12:34:56"


@pytest.mark.parametrize(
    ("user", "event", "found"),
    [
        (
            "MAC%3a805ec0123456",
            'ua-profile;profile-type="device";vendor="Yealink";model="T54W";version="96.86.0.23"',
            Asking("805ec0123456", "Yealink", "T54W", "96.86.0.23"),
        ),
        (
            "MAC%3A000413922D24",
            'ua-profile;profile-type="device";vendor="snom";model="snomD785";version="10.1.33.33"',
            Asking("000413922d24", "snom", "snomD785", "10.1.33.33"),
        ),
        ("0c383e07e16c", "ua-profile;vendor=Fanvil;model=X4U", Asking("0c383e07e16c", "Fanvil", "X4U", "")),
        ("MAC=0c383e07e16c", "ua-profile", Asking("0c383e07e16c", "", "", "")),
        ("mac:c074ad0b63ee", "UA-Profile", Asking("c074ad0b63ee", "", "", "")),
    ],
)
def test_a_telephone_that_asks_says_who_it_is(user: str, event: str, found: Asking):
    assert asking(user, event) == found


@pytest.mark.parametrize(
    ("user", "event"),
    [
        ("MAC%3a805ec0123456", "presence"),
        ("alice", "ua-profile"),
        ("MAC%3affffffffffff", "ua-profile"),
        ("", ""),
        ("MAC%3a805ec0123456/../x", "ua-profile"),
    ],
)
def test_what_asks_for_something_else_is_left_alone(user: str, event: str):
    with pytest.raises(NotAsking):
        asking(user, event)


@given(user=st.text(max_size=60), event=st.text(max_size=200))
def test_nothing_but_a_refusal_comes_of_other_words(user: str, event: str):
    try:
        found = asking(user, event)
    except NotAsking:
        return
    assert len(found.mac) == 12


def test_each_dhcp_server_is_told_the_same_three_options():
    written = {server: lines(server, URL, "10.54.1.0") for server in SERVERS}
    assert written["dnsmasq"] == (
        'dhcp-option=66,"https://pbx.valmont.example:8443/"\n'
        'dhcp-option=160,"https://pbx.valmont.example:8443/"\n'
        f"dhcp-option=43,{vendor_options(URL).hex(':')}\n"
    )
    kea = json.loads("{" + written["kea"] + "}")  # Kea puts option 43 together from its space of sub-options
    assert [(one["code"], one["space"]) for one in kea["option-def"]] == [
        (160, "dhcp4"),
        (1, "vendor-encapsulated-options-space"),
    ]
    assert [one["data"] for one in kea["option-data"] if "data" in one] == [URL] * 3
    assert "-ScopeId 10.54.1.0 -OptionId 43 -Value 0x01,0x21" in written["windows"]
    assert f" option 43 hex {vendor_options(URL).hex()}\n" in written["cisco"]


def test_a_brand_is_known_by_what_it_calls_itself_and_by_its_addresses():
    assert lines("dnsmasq", URL, brands={"snom": BRANDS["snom"]}) == (
        "dhcp-vendorclass=set:snom,snom\n"
        "dhcp-mac=set:snom,00:04:13:*:*:*\n"
        f'dhcp-option=tag:snom,66,"{URL}"\n'
        f'dhcp-option=tag:snom,160,"{URL}"\n'
        f"dhcp-option=tag:snom,43,{vendor_options(URL, 66).hex(':')}\n"
    )
    kea = json.loads("{" + lines("kea", URL, brands={"snom": BRANDS["snom"]}) + "}")
    (found,) = kea["client-classes"]
    assert found["test"] == "substring(option[60].hex,0,4) == 'snom' or substring(pkt4.mac,0,3) == 0x000413"
    assert [one["code"] for one in kea["option-def"]] == [160, 66]
    windows = lines("windows", URL, "10.54.1.0", {"snom": BRANDS["snom"]})
    assert '-ScopeId 10.54.1.0 -Name "snom" -Condition OR -MacAddress EQ,"000413*"\n' in windows
    assert '-ScopeId 10.54.1.0 -PolicyName "snom" -OptionId 43 -Value 0x42,0x21' in windows


@pytest.mark.parametrize("brands", [{}, BRANDS])
def test_dnsmasq_and_kea_take_what_is_written_for_them(tmp_path: Path, brands: dict[str, Brand]):
    (tmp_path / "dnsmasq.conf").write_text(lines("dnsmasq", URL, brands=brands))
    (tmp_path / "kea.conf").write_text(
        '{"Dhcp4": {"interfaces-config": {"interfaces": []}, "lease-database": {"type": "memfile"},\n'
        + lines("kea", URL, brands=brands)
        + "}}"
    )
    for command in (
        ["/usr/sbin/dnsmasq", "--test", f"--conf-file={tmp_path / 'dnsmasq.conf'}"],
        ["/usr/sbin/kea-dhcp4", "-t", str(tmp_path / "kea.conf")],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60.0)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("server", "brand", "words"),
    [("cisco", "snom", "same options to all"), ("dnsmasq", "linphone", "which devices are linphone")],
)
def test_a_brand_that_a_server_cannot_know_is_refused(server: str, brand: str, words: str):
    chosen = next(one for one in SERVERS if one == server)
    with pytest.raises(DhcpError, match=words):
        lines(chosen, URL, brands={brand: load_brands()[brand]})


def test_a_town_s_brand_without_addresses_is_unknown_to_windows(tmp_path: Path):
    (tmp_path / "acme").mkdir()
    said = "name: Acme\nsyntax: xml\nouis: []\nagents: []\nfiles: []\nmodels: {}\nvendor_classes: [Acme]\n"
    (tmp_path / "acme" / "brand.yaml").write_text(
        said + "resync: {event: check-sync, reboots: true}\nrestart: {event: check-sync, reboots: true}\n"
    )
    acme = {"acme": load_brands(tmp_path)["acme"]}
    assert "dhcp-vendorclass=set:acme,Acme\n" in lines("dnsmasq", URL, brands=acme)
    with pytest.raises(DhcpError, match="MAC addresses"):
        lines("windows", URL, brands=acme)


def test_the_vendor_option_is_a_url_with_its_length():
    assert vendor_options("http://a/") == b"\x01\x09http://a/"


@pytest.mark.parametrize("url", ['http://a/"\n', "http://é/", "http://a b/", "http://" + "a" * 250])
def test_an_address_that_a_dhcp_option_cannot_hold_is_refused(url: str):
    for server in SERVERS:
        with pytest.raises(ValueError, match="ASCII"):
            lines(server, url)
