"""Relays for browsers: what the configuration may say of them, and the credentials that they take."""

from __future__ import annotations

import base64
import hmac
from pathlib import Path

import pytest

from dialplan.finding import PlanError
from pbx.configuration import Configuration, parse_configuration
from pbx.settings.values import Secret
from pbx.turn import TURN_SECONDS, Relay, ice_policy, ice_servers

HERE = Path("/srv/town/beffroi.yaml")
NOW = 1_800_000_000.5
SECRETS = {"TURN_SECRET": "une clef"}


def configured(lines: str) -> Configuration:
    return parse_configuration(f"turn: {lines}", HERE)


def errors(lines: str) -> str:
    with pytest.raises(PlanError) as caught:
        configured(lines)
    return "\n".join(str(finding) for finding in caught.value.findings)


TOWN = '{urls: ["turn:turn.valmont.example", "turns:turn.valmont.example:443"], secret: {env: TURN_SECRET}}'


def test_without_relays_a_browser_gets_none_and_goes_directly():
    plain = parse_configuration("", HERE)
    assert (plain.turn, ice_servers(plain, "alice", NOW), ice_policy(plain)) == (None, [], "all")


def test_a_relay_is_read_in_its_parts_with_the_port_and_transport_that_its_scheme_implies():
    # RFC 7065 section 3.2
    turn = configured('{urls: ["turn:a.example", "turns:[2001:db8::1]"], secret: {file: turn}}').turn
    assert turn is not None
    assert turn.relays == (
        Relay("turn:a.example", "a.example", 3478, "udp", tls=False),
        Relay("turns:[2001:db8::1]", "2001:db8::1", 5349, "tcp", tls=True),
    )
    assert turn.secret == Secret(file=HERE.parent / "turn")


@pytest.mark.parametrize(
    "url",
    [
        "stun:a.example",
        "turn:",
        "turn:a.example:0",
        "turn:a.example:65536",
        "turn:a.example?transport=sctp",
        "turns:a.example?transport=udp",
        "turn://a.example",
        "turn:user@a.example",
    ],
)
def test_what_is_no_relay_is_an_error_with_its_place(url: str):
    assert errors(f'{{urls: ["{url}"], secret: {{env: TURN_SECRET}}}}').startswith(
        "/srv/town/beffroi.yaml:1:"
    )


def test_a_secret_that_stands_in_the_configuration_is_refused_and_not_repeated():
    told = errors('{urls: ["turn:a.example"], secret: hunter2}')
    assert "{env: NAME} or {file: PATH}" in told
    assert "hunter2" not in told


def test_relays_need_urls_and_a_secret_and_are_few():
    assert "urls" in errors("{secret: {env: TURN_SECRET}}")
    assert "secret" in errors('{urls: ["turn:a.example"]}')
    assert "1 to 8" in errors("{urls: [], secret: {env: TURN_SECRET}}")
    many = ", ".join(f'"turn:a{number}.example"' for number in range(9))
    assert "1 to 8" in errors(f"{{urls: [{many}], secret: {{env: TURN_SECRET}}}}")


def test_credentials_are_what_coturn_finds_from_the_shared_secret():
    (server,) = ice_servers(configured(TOWN), "alice", NOW, SECRETS)
    assert server["urls"] == ["turn:turn.valmont.example", "turns:turn.valmont.example:443"]
    expected = hmac.new(b"une clef", server["username"].encode(), "sha1").digest()
    assert server["credential"] == base64.b64encode(expected).decode()


def test_credentials_say_until_when_they_hold_and_not_whose_they_are():
    (server,) = ice_servers(configured(TOWN), "alice.martin", NOW, SECRETS)
    ends_at, whose = server["username"].split(":")
    assert int(ends_at) == int(NOW) + TURN_SECONDS
    assert "alice" not in whose


def test_somebody_keeps_the_same_hash_so_that_quotas_count_and_others_have_another():
    configuration = configured(TOWN)

    def whose(who: str, now: float) -> str:
        return ice_servers(configuration, who, now, SECRETS)[0]["username"].split(":")[1]

    assert whose("alice", NOW) == whose("alice", NOW + 3600) != whose("bruno", NOW)


def test_a_secret_that_is_missing_leaves_calls_without_relay_and_says_so(caplog: pytest.LogCaptureFixture):
    assert ice_servers(configured(TOWN), "alice", NOW, {}) == []
    assert "TURN_SECRET" in caplog.text


def test_all_sound_passes_through_relays_where_the_configuration_says_only():
    assert ice_policy(configured(TOWN[:-1] + ", only: true}")) == "relay"
    assert ice_policy(configured(TOWN)) == "all"
