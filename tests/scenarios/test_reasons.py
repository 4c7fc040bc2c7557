"""Why a call can't be, said to the caller in early media, in their language, before the final refusal."""

from __future__ import annotations

import pytest

from tests.scenarios.test_settings import town_with
from tests.scenarios.town import SECRETS, reason_of
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

NOT_IN_SERVICE = "Le numéro que vous avez composé n'est pas attribué."
CHANGED = "Le numéro que vous avez composé n'est plus en service."
INCOMPLETE = "Le numéro que vous avez composé est incomplet."


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("status", "reason", "said"),
    [
        (404, "", NOT_IN_SERVICE),
        (410, "", CHANGED),
        (484, "", INCOMPLETE),
        (480, 'Q.850;cause=1;text="Unallocated number"', NOT_IN_SERVICE),
        (404, "Q.850;cause=22", CHANGED),
    ],
)
@scenario()
async def test_an_operators_refusal_is_said(world: World, status: int, reason: str, said: str) -> None:
    """RFC 3326 section 2: the Q.850 cause says more than the status."""
    town, (alice,) = await town_with(world, "1001")
    b = town.operator("operateur-b")
    await alice.call("00612345678")
    b.reply(await b.expect("INVITE"), status, headers=[("Reason", reason)] if reason else [])
    await b.expect("ACK")
    refusal = await town.refused(alice, status)
    assert town.spoken() == [said]
    assert reason_of(refusal) == reason
    if not reason and status == 404:
        assert_golden("outside-not-in-service", town.ladder)


@scenario()
async def test_what_the_network_has_said_itself_is_not_said_again(world: World) -> None:
    town, (alice,) = await town_with(world, "1001")
    b = town.operator("operateur-b")
    await alice.call("00612345678")
    invite = await b.expect("INVITE")
    b.reply(invite, 183, body=b.sdp())
    await alice.expect(183)
    await world.sleep(5)
    b.reply(invite, 404)
    await b.expect("ACK")
    await alice.expect(404)
    assert town.spoken() == []


@pytest.mark.parametrize("status", [486, 603])
@scenario()
async def test_who_declines_or_is_busy_is_told_by_a_tone(world: World, status: int) -> None:
    town, (alice,) = await town_with(world, "1001")
    b = town.operator("operateur-b")
    await alice.call("00612345678")
    b.reply(await b.expect("INVITE"), status)
    await b.expect("ACK")
    await alice.expect(status)
    assert town.spoken() == []


@scenario()
async def test_a_colleague_hears_it_in_their_own_language(world: World) -> None:
    town, (bruno,) = await town_with(world, "1002")
    await bruno.call("2010")
    await town.refused(bruno, 480)
    assert town.spoken() == ["The person you called cannot be reached."]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("+33699999999", "Votre correspondant n'est pas joignable."),
        ("+32470123456", "Votre correspondant n'est pas joignable."),
        ("+4915112345678", "The person you called cannot be reached."),
    ],
)
@scenario()
async def test_an_outside_caller_hears_it_in_the_language_of_their_country(
    world: World, number: str, said: str
) -> None:
    town, _ = await town_with(world, "1001")
    a = town.operator("operateur-a")
    a.headers["P-Asserted-Identity"] = f"<sip:{number}@sip.operateur-a.example>"
    a.invite("+33383001010")
    await town.refused(a, 480)
    assert town.spoken() == [said]


@scenario()
async def test_who_gives_up_while_it_is_said_is_recorded_with_the_reason(world: World) -> None:
    town, (alice,) = await town_with(world, "1001")
    await alice.call("2010")
    await alice.expect(183)
    await world.sleep(0.5)
    alice.cancel(alice.last_invite)
    await alice.expect("200 CANCEL")
    await alice.expect(487)
    assert "unreachable" in await town.record()
