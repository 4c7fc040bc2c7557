"""How a telephone finds where its settings are: plug and play, DHCP, and its own MAC address."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.dhcp import SERVERS, lines, vendor_options
from provisioning.mac_address import MacAddressError, mac_address, spoken
from provisioning.plug_and_play import Asking, NotAsking, asking

URL = "https://pbx.valmont.example:8443/"


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


def test_the_vendor_option_is_a_url_with_its_length():
    assert vendor_options("http://a/") == b"\x01\x09http://a/"


@pytest.mark.parametrize("url", ['http://a/"\n', "http://é/", "http://a b/", "http://" + "a" * 250])
def test_an_address_that_a_dhcp_option_cannot_hold_is_refused(url: str):
    for server in SERVERS:
        with pytest.raises(ValueError, match="ASCII"):
            lines(server, url)
