"""Scanners, guessers and floods, against the town: they get silence, and the town's people notice nothing."""

from __future__ import annotations

import itertools

import pytest

from pbx.defence.gate import Gate
from sip.core.flow import Flow
from tests.scenarios.town import BEFFROI, DOMAIN, PLAN_TEXT, Town, TownPhone, start
from tests.sim.network import Host
from tests.sim.phone import Unexpected
from tests.sim.world import World, scenario

STRANGER = "203.0.113.66"


class Stranger:
    """A machine that sends what it likes; `answers` is what came back."""

    def __init__(self, world: World, address: str = STRANGER, *, host: Host | None = None) -> None:
        self.host = host or world.host(f"stranger {address}", address)
        self.answers: list[bytes] = []
        self._endpoint = self.host.bind(5099, lambda data, flow: self.answers.append(data))
        self._numbers = itertools.count(1)
        self.address = self.host.address
        world.closing.callback(self._endpoint.close)

    def raw(self, data: bytes) -> None:
        flow: Flow = self._endpoint.flow(BEFFROI)
        flow.send(data)

    def ask(
        self, method: str = "REGISTER", user: str = "100", *, to: str = "", agent: str = "", extra: str = ""
    ) -> None:
        number = next(self._numbers)
        uri = to or f"sip:{DOMAIN}"
        named = f"User-Agent: {agent}\r\n" if agent else ""
        self.raw(
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.address}:5099;branch=z9hG4bK{number};rport\r\n"
            f"From: <sip:{user}@{DOMAIN}>;tag={number}\r\nTo: <sip:{user}@{DOMAIN}>\r\n"
            f"Call-ID: {number}@{self.address}\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:{user}@{self.address}:5099>\r\n{named}{extra}Content-Length: 0\r\n\r\n".encode()
        )


def banned(town: Town) -> list[str]:
    return [ban.source for ban in town.exchange.gate.bans_in_force()]


async def guess(phone: TownPhone, times: int) -> list[int]:
    """Register so many times with the phone's password; returns the final statuses, 0 for silence."""
    outcomes = []
    for _ in range(times):
        phone.send("REGISTER", f"sip:{phone.user}@{DOMAIN}", headers=[("Contact", phone.contact())])
        outcomes.append(await outcome(phone))
    return outcomes


async def outcome(phone: TownPhone) -> int:
    """The final status of what was sent, a challenge answered; 0 for silence."""
    try:
        first = await phone._next("401", 1.0)
        if first.status != 401:
            return first.status
        phone.authenticate(first)
        return (await phone._next("403", 1.0)).status
    except Unexpected:
        return 0


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "INVITE"])
@scenario()
async def test_a_known_scanner_gets_silence_and_a_ban(world: World, method: str) -> None:
    town = await start(world)
    scanner = Stranger(world)
    scanner.ask(method, agent="friendly-scanner", to=f"sip:1001@{DOMAIN}")
    await world.sleep(1)
    scanner.ask("OPTIONS")
    await world.sleep(1)
    assert scanner.answers == []
    assert banned(town) == [STRANGER]
    assert town.exchange.gate.counts["from banned sources"] == 1


@scenario()
async def test_an_ordinary_options_of_a_stranger_is_answered(world: World) -> None:
    await start(world)
    stranger = Stranger(world)
    stranger.ask("OPTIONS", agent="Yealink SIP-T46U")
    await world.sleep(1)
    assert stranger.answers[0].startswith(b"SIP/2.0 200")


@scenario()
async def test_who_tries_one_unknown_name_after_the_other_is_banned(world: World) -> None:
    town = await start(world)
    host = world.host("guesser", STRANGER)
    outcomes = []
    for port in range(5100, 5108):
        phone = TownPhone(host, user=f"{port}", password="x", server=BEFFROI, domain=DOMAIN, port=port)
        outcomes += await guess(phone, 1)
        await phone.close()
    assert outcomes == [403] * 6 + [0, 0]
    assert banned(town) == [STRANGER]


@scenario()
async def test_methods_that_no_telephone_uses_lead_to_a_ban(world: World) -> None:
    town = await start(world)
    stranger = Stranger(world)
    for _ in range(5):
        stranger.ask("EXPLORE", to=f"sip:1001@{DOMAIN}")
    await world.sleep(1)
    assert banned(town) == [STRANGER]


@scenario()
async def test_a_register_flood_is_answered_a_little_then_banned(world: World) -> None:
    town = await start(world)
    stranger = Stranger(world)
    for _ in range(600):
        stranger.ask("REGISTER")
        await world.sleep(0.05)
    assert 50 <= len(stranger.answers) < 150
    assert banned(town) == [STRANGER]


@scenario()
async def test_a_flood_from_many_addresses_leaves_calls_alone(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    strangers = [Stranger(world, f"198.18.0.{number}") for number in range(1, 41)]

    async def flood() -> None:
        for _ in range(80):
            for stranger in strangers:
                for _ in range(5):
                    stranger.ask("REGISTER")
            await world.sleep(0.25)

    flooding = world.loop.create_task(flood())
    for _ in range(3):
        await town.talk(alice, bruno)
        await town.hang_up(alice, bruno)
    await flooding
    assert len(banned(town)) == 40
    assert [call.cause for call in town.calls] == ["completed"] * 3


@scenario()
async def test_behind_an_address_with_a_telephone_only_what_is_unauthenticated_is_throttled(
    world: World,
) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    scanner = Stranger(world, host=alice.host)
    for _ in range(3000):
        scanner.ask("REGISTER")
    scanner.ask("OPTIONS", agent="friendly-scanner")
    await world.sleep(0.5)
    assert len(scanner.answers) < 1200
    assert banned(town) == []
    await town.talk(bruno, alice)
    await town.hang_up(alice, bruno)


@scenario()
async def test_behind_an_address_with_a_telephone_the_failing_account_alone_is_refused(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    wrong = TownPhone(alice.host, user="1002", password="guessed", server=BEFFROI, domain=DOMAIN, port=5070)
    assert await guess(wrong, 12) == [403] * 10 + [503] * 2
    right = TownPhone(alice.host, user="1002", password="pw1002", server=BEFFROI, domain=DOMAIN, port=5072)
    assert await guess(right, 1) == [503]  # as if it were wrong: who guesses learns nothing
    other = TownPhone(alice.host, user="2010", password="pw2010", server=BEFFROI, domain=DOMAIN, port=5074)
    assert await guess(other, 1) == [200]
    assert banned(town) == []
    for phone in (wrong, right, other):
        await phone.close()


@scenario()
async def test_a_neighbour_who_guesses_an_account_does_not_lock_out_its_telephone(world: World) -> None:
    """Lockout can't be used against the telephone that is registered from the very same address."""
    town = await start(world)
    (alice,) = await town.phones("1001")
    wrong = TownPhone(alice.host, user="1001", password="guessed", server=BEFFROI, domain=DOMAIN, port=5070)
    assert await guess(wrong, 12) == [403] * 10 + [503] * 2
    assert await guess(alice, 1) == [200]
    await wrong.close()


@scenario()
async def test_guesses_from_elsewhere_lock_nobody_out(world: World) -> None:
    town = await start(world)
    for number in range(3):
        far = town._machine(
            f"far {number}", f"198.18.9.{number + 1}", user="1001", domain=DOMAIN, password="guessed"
        )
        await guess(far, 15)
    await town.phone("1001").register()


@scenario()
async def test_a_device_that_registers_without_end_is_told_to_wait(world: World) -> None:
    """RFC 3261 section 21.5.4."""
    town = await start(world)
    outcomes = await guess(town.phone("1001"), 40)
    assert outcomes[:30] == [200] * 30
    assert outcomes[-1] == 503


@scenario()
async def test_a_device_that_calls_without_end_is_refused_and_others_are_not(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    town.exchange.gate.allows_call(alice.host.address, "1001", town.exchange.driver.now)
    while town.exchange.gate.allows_call(alice.host.address, "1001", town.exchange.driver.now):
        pass
    await alice.call("1002")
    refused = await alice.expect(480)
    assert "Q.850;cause=42" in refused.header("Reason")
    await bruno.call("9196")
    bruno.ack(await bruno.expect(200))
    await town.hang_up(bruno)


def exhaust(town: Town, phone: TownPhone) -> None:
    """Every limit that a site's phone could meet is used up."""
    gate, now, host = town.exchange.gate, town.exchange.driver.now, phone.host.address
    for _ in range(5000):
        gate.admits(host, now)
        gate.answers_stranger(host, now, "friendly-scanner")
        gate.wrong_credentials(host, phone.user, now, known_user=True)
        gate.wrong_credentials(host, "nobody", now, known_user=False)
        gate.allows_call(host, phone.user, now)
        gate.allows_register(host, phone.user, now)
        gate.accuse(host, 1000, "anything", now, proven=True)
    assert gate.tries_too_often(host, phone.user, now)
    assert not gate.allows_call(host, phone.user, now)
    assert not gate.answers_stranger(host, now)


@pytest.mark.parametrize("user", ["2010", "2201", "2301", "2401"])
@scenario()
async def test_an_emergency_call_from_a_site_goes_through_every_limit(world: World, user: str) -> None:
    """Design, promise 3."""
    town = await start(world)
    phone = town.phone(user)
    operators = [town.operator("operateur-a"), town.operator("operateur-b")]
    first = operators[1] if user == "2201" else operators[0]
    exhaust(town, phone)
    assert banned(town) == []
    phone.invite("18")
    invite = await first.expect("INVITE")
    assert invite.header("Priority") == "emergency"
    first.answer(invite)
    await first.expect("ACK")
    phone.ack(await phone.expect(200))
    await town.hang_up(phone, first)


@scenario()
async def test_an_emergency_call_of_a_device_away_from_its_site_isnt_counted_either(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    operator = town.operator("operateur-a")
    while town.exchange.gate.allows_call(alice.host.address, "1001", town.exchange.driver.now):
        pass
    await town.talk_outside(alice, "18", operator)
    await town.hang_up(alice, operator)


@scenario()
async def test_a_trunk_is_never_banned_whatever_it_sends(world: World) -> None:
    town = await start(world)
    operator = town.operator("operateur-a")
    rogue = Stranger(world, host=operator.host)
    for _ in range(50):
        rogue.ask("EXPLORE", agent="friendly-scanner", to=f"sip:+33383000100@{DOMAIN}")
        rogue.ask("OPTIONS", agent="friendly-scanner")
    await world.sleep(1)
    assert banned(town) == []


@scenario()
async def test_a_new_plan_with_a_new_site_makes_its_network_ours_at_once(world: World) -> None:
    town = await start(world)
    stranger = Stranger(world)
    stranger.ask("OPTIONS", agent="friendly-scanner")
    await world.sleep(1)
    town.reload(PLAN_TEXT.replace("networks: [10.54.4.0/24]", "networks: [10.54.4.0/24, 203.0.113.64/26]"))
    await world.sleep(1)
    stranger.ask("OPTIONS")
    await world.sleep(1)
    assert len(stranger.answers) == 1


@scenario()
async def test_bans_are_the_same_after_a_restart(world: World) -> None:
    town = await start(world)
    stranger = Stranger(world)
    stranger.ask("OPTIONS", agent="friendly-scanner")
    await world.sleep(1)
    kept = town.exchange.gate.kept()
    assert [ban.source for ban in kept.bans] == [STRANGER]
    again = Gate(clock=town.exchange.clock, kept=kept)
    assert not again.admits(STRANGER, 0.0)
