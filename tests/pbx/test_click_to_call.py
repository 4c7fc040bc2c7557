"""Click to call and screen-pop in the configuration: what may be written, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialplan.finding import PlanError
from pbx.configuration import Configuration, parse_configuration

HERE = Path("/srv/town/beffroi.yaml")
BUTTON = "click_to_call: [{name: mairie, service: standard, sites: %s}]"


def errors(text: str) -> str:
    with pytest.raises(PlanError) as caught:
        parse_configuration(text, HERE)
    return "\n".join(str(finding) for finding in caught.value.findings)


def popping(fields: str) -> Configuration:
    return parse_configuration(f"web: {{screen_pop: {fields}}}", HERE)


def test_a_button_has_limits_where_none_are_written():
    (button,) = parse_configuration(BUTTON % '["https://www.Valmont.example/"]', HERE).click_to_call
    assert button.sites == ("https://www.valmont.example",)
    assert (button.most_calls, button.most_calls_per_visitor, button.device) == (4, 6, "click mairie")


@pytest.mark.parametrize(
    "site", ["http://www.valmont.example", "https://www.valmont.example/contact", "*", "https://"]
)
def test_a_site_is_an_origin_over_https(site: str):
    assert "is no site over https" in errors(BUTTON % f'["{site}"]')


def test_a_button_without_a_site_is_shown_nowhere_and_refused():
    assert "1 to 20 sites" in errors(BUTTON % "[]")


def test_two_buttons_of_one_name_are_refused():
    one = '{name: mairie, service: standard, sites: ["https://a.example"]}'
    assert '"mairie" is there twice' in errors(f"click_to_call: [{one}, {one}]")


def test_a_name_that_cannot_be_in_an_address_is_refused():
    text = 'click_to_call: [{name: "../x", service: standard, sites: ["https://a.example"]}]'
    assert "can't be in an address" in errors(text)


def test_no_screen_pop_opens_where_none_is_written():
    assert parse_configuration("", HERE).web.screen_pops == ()


def test_a_screen_pop_opens_when_a_call_is_answered_unless_it_says_otherwise():
    (one,) = popping('{url: "https://crm.example/?tel={number}"}').web.screen_pops
    assert (one.when, one.services, one.classes) == ("answered", (), ())
    (other,) = popping('[{url: "https://crm.example/", when: ringing, services: [standard]}]').web.screen_pops
    assert (other.when, other.services) == ("ringing", ("standard",))


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.example/?tel={number}",
        "javascript:alert(1)",
        "https://{number}.example/",
        "https://user@crm.example/",
        "//crm.example/",
        "https://crm.example/a b",
    ],
)
def test_a_screen_pop_leads_to_a_written_host_over_https(url: str):
    assert "is no address over https" in errors(f'web: {{screen_pop: {{url: "{url}"}}}}')


@pytest.mark.parametrize("url", ["https://crm.example/?pin={pin}", "https://crm.example/?a={number"])
def test_a_screen_pop_has_only_places_that_are_filled(url: str):
    assert "are filled" in errors(f'web: {{screen_pop: {{url: "{url}"}}}}')
