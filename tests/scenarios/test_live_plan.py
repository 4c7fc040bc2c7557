"""The sample plan's own tests as real calls, against both of its operators at once.

Each test of the plan that says which trunk a call of ours goes over is called; those of different callers
together, so that both operators have calls in progress at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialplan.decision import Location
from dialplan.loading import parse_plan
from dialplan.plan import PlanTest
from pbx.trunks.location import location_part
from tests.pidf_lo import mistakes
from tests.scenarios.town import ADDRESSES, PLAN_TEXT, SECRETS, Town, TownPhone, start
from tests.sim.wire import Message
from tests.sim.world import World, scenario

LOCATING = PLAN_TEXT.replace("    transport: udp\n", "    transport: udp\n    options: [location]\n")
OPERATORS = ("operateur-a", "operateur-b")


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def live_set() -> list[PlanTest]:
    """The plan's tests of calls that leave over a trunk, at any hour, from a phone of ours."""
    tests = parse_plan(PLAN_TEXT, "valmont.yaml").tests
    outside = [test for test in tests if test.expect.trunk is not None or test.expect.to is not None]
    return [test for test in outside if not test.from_trunk and test.at is None]


def rounds(tests: list[PlanTest]) -> Iterator[dict[str, PlanTest]]:
    """The tests in groups that have each caller once."""
    left = list(tests)
    while left:
        at_once: dict[str, PlanTest] = {}
        for test in list(left):
            if test.caller not in at_once:
                at_once[test.caller] = test
                left.remove(test)
        yield at_once


def shown(invite: Message) -> str:
    """The number that an INVITE shows."""
    return invite.header("From").partition("sip:")[2].partition("@")[0]


def matches(test: PlanTest, operator: str, invite: Message) -> bool:
    """Whether an INVITE that an operator got is the one that a test expects."""
    expect = test.expect
    number = invite.uri.partition(":")[2].partition("@")[0]
    dialled = "18" if test.dial == "018" else test.dial
    return (
        (expect.trunk is None or operator == expect.trunk)
        and (expect.caller_id is None or shown(invite) == expect.caller_id)
        and number.endswith((expect.to or dialled).lstrip("+"))
        and (invite.all("Priority") == ["emergency"]) is bool(expect.emergency)
    )


async def call_all(town: Town, at_once: dict[str, PlanTest], phones: dict[str, TownPhone]) -> list[Message]:
    """Call what these tests dial, all of them answered before anybody hangs up; return the INVITEs."""
    operators = {name: phones[name] for name in OPERATORS}
    for caller, test in at_once.items():
        if test.expect.emergency and ADDRESSES[caller].startswith("10.54."):
            phones[caller].invite(test.dial)  # from a site's network: never challenged
        else:
            await phones[caller].call(test.dial)
    await town.world.sleep(0.2)
    got: list[tuple[str, Message]] = []
    for name, operator in operators.items():
        wanted = _taken(town).count(name)
        got += [(name, await operator.expect("INVITE")) for _ in range(wanted)]
    for test in at_once.values():
        found = [one for one in got if matches(test, *one)]
        assert found, f"line {test.line}: nobody was called as {test.dial} from {test.caller} expects"
    for name, invite in got:
        operators[name].answer(invite)
        await operators[name].expect("ACK")
    for caller in at_once:
        phones[caller].ack(await phones[caller].expect(200))
    for caller in at_once:
        phones[caller].bye()
        await phones[caller].expect("200 BYE")
    for name, _ in got:
        operators[name].reply(await operators[name].expect("BYE"), 200)
    return [invite for _, invite in got]


def _taken(town: Town) -> list[str]:
    """The trunks that calls in progress are being tried on."""
    return [leg.device for leg in town.exchange.legs() if leg.device in OPERATORS]


@scenario()
async def test_what_the_plan_expects_is_what_two_operators_get(world: World) -> None:
    """RFC 6442 section 4.1: every emergency call says where it comes from, in a PIDF-LO that is one."""
    town = await start(world, LOCATING)
    tests = live_set()
    assert len(tests) >= 7
    assert {test.expect.trunk for test in tests} >= set(OPERATORS)
    phones = {name: town.operator(name) for name in OPERATORS}
    for caller in dict.fromkeys(test.caller for test in tests):
        phones[caller] = town.phone(caller)
        await phones[caller].register()
    invites: list[Message] = []
    for at_once in rounds(tests):
        invites += await call_all(town, at_once, phones)
    emergencies = [invite for invite in invites if invite.all("Priority") == ["emergency"]]
    assert len(emergencies) == sum(bool(test.expect.emergency) for test in tests)
    for invite in emergencies:
        boundary = invite.header("Content-Type").partition("boundary=")[2].encode()
        located = invite.body.split(b"--" + boundary)[2].partition(b"\r\n\r\n")[2]
        assert mistakes(located.strip()) == []
    for invite in invites:
        if invite not in emergencies:
            assert invite.all("Geolocation") == []


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)


@given(
    address=st.dictionaries(
        st.sampled_from(
            ["street", "city", "postcode", "floor", "room", "building", "insee", "door", "region"]
        ),
        texts,
        max_size=8,
    ),
    point=st.none() | st.tuples(st.floats(-90, 90), st.floats(-180, 180)),
    source=st.sampled_from(["network", "configuration", "confirmed", "assumed"]),
    title=texts,
    number=st.sampled_from(["", "+33383000100", "2010"]),
)
def test_every_place_is_told_in_a_pidf_lo(address, point, source, title, number):
    """RFC 5491 section 3, RFC 5139 section 4."""
    location = Location("mairie", source, {key: text for key, text in address.items() if text.strip()}, point)
    if not location.address and point is None:
        return
    part = location_part(
        location, title=title.strip(), country="FR", number=number, domain="valmont.example", at=0.0
    )
    assert mistakes(part.body) == []


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        (b"<ca:A3>", b"<ca:A3></ca:A3><ca:A3>", "comes twice"),
        (b"<ca:country>FR", b"<ca:country>France", "not of ISO 3166"),
        (b"<gml:pos>48.69", b"<gml:pos>148.69", "nowhere on Earth"),
        (b"EPSG::4326", b"EPSG::4979", "srsName"),
        (b"<gp:method>Wiremap", b"<gp:method>Guess", "isn't registered"),
        (b"<gp:usage-rules/>", b"", "no {urn:ietf:params:xml:ns:pidf:geopriv10}usage-rules"),
        (b"1970-01-01T", b"yesterday ", "no dateTime"),
        (b"</dm:device>", b"</dm:device><dm:device/>", "not one device"),
        (b"<ca:A3>Valmont</ca:A3>", b"<ca:town>Valmont</ca:town>", "town"),
        (b"<presence", b"<!DOCTYPE a><presence", "a document type"),
    ],
)
def test_a_document_that_is_not_one_would_be_noticed(old, new, mistake):
    location = Location("mairie", "network", {"street": "1 place", "city": "Valmont"}, (48.6921, 6.1844))
    part = location_part(location, title="Mairie", country="FR", number="1", domain="v.example", at=0.0)
    assert mistakes(part.body) == []
    assert old in part.body
    assert any(mistake in one for one in mistakes(part.body.replace(old, new)))
