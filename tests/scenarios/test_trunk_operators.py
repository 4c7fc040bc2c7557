"""Three kinds of operators, each as its public guide says: registering, static, encrypted."""

from __future__ import annotations

import pytest

from pbx.control import TrunkStatus
from pbx.events import TrunkChanged
from sip.net.resolver import Naptr, Records, Srv
from tests.scenarios.town import BEFFROI, PLAN_TEXT, Town, TownPhone, reason_of
from tests.sim.operator import ENCRYPTED, REGISTERING, STATIC, Operator, Profile
from tests.sim.world import World, scenario

ROUTES = "  - {to: mobile,        via: [operateur-b, operateur-a]}\n"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATEUR_A_SECRET", "secret-a")
    monkeypatch.setenv("OPERATEUR_B_SECRET", "secret-b")


def plan(trunk: str) -> str:
    """The sample plan with another operateur-a, alone on the route to mobiles."""
    start = PLAN_TEXT.index("  operateur-a:\n")
    owns = PLAN_TEXT.index("    owns:", start)
    text = PLAN_TEXT[:start] + "  operateur-a:\n" + trunk + PLAN_TEXT[owns:]
    return text.replace(ROUTES, "  - {to: mobile, via: [operateur-a]}\n")


def operator(town: Town, name: str, address: str, profile: Profile, account: str = "1234567t0") -> Operator:
    host = town.world.host(name, address)
    made = Operator(host, profile, account=account, password="secret-a", server=BEFFROI)
    town.world.watch(name, made)
    town.world.closing.push_async_callback(made.close)
    return made


async def watched(world: World, trunk: str, profile: Profile) -> tuple[Town, TownPhone, Operator]:
    """The town with its trunks watched, 2010, and the operator at 203.0.113.50."""
    town = Town(world, plan(trunk))
    made = operator(town, "operator", "203.0.113.50", profile)
    town.names |= {"proxy.sipconnect.example": "203.0.113.50", "btip.example": "203.0.113.50"}
    del town.names["sip.operateur-b.example"]  # it plays no part here
    town.records["secure.example", "NAPTR"] = Records(
        (Naptr(10, 10, "s", "SIPS+D2T", "_sips._tcp.secure.example."),), 600
    )
    town.records["_sips._tcp.secure.example", "SRV"] = Records(
        (Srv(1, 0, 5061, "sbc1.secure.example."),), 600
    )
    town.names["sbc1.secure.example"] = "203.0.113.50"
    town.certificates["203.0.113.50"] = ("secure.example",)
    (office,) = await town.phones("2010")
    await town.exchange.trunks.start()
    await world.sleep(1)
    return town, office, made


def status(town: Town) -> TrunkStatus:
    return town.exchange.trunks.statuses()[0]


# A registrar behind a separate proxy

REGISTERS = """    host: sipconnect.example
    proxy: proxy.sipconnect.example
    transport: udp
    register: true
    username: 1234567t0
    secret: {env: OPERATEUR_A_SECRET}
    numbers_out: digits
    caller_id_out: preferred
    options: [account_in_from, called_in_to]
"""


@scenario()
async def test_a_trunk_registers_over_its_proxy_and_renews_well_before_the_end(world: World) -> None:
    """RFC 3261 section 10.2; the interval of the registrar is taken (10.2.8)."""
    town, _, op = await watched(world, REGISTERS, REGISTERING)
    first = next(message for message in op.seen if message.method == "REGISTER")
    assert first.uri == "sip:sipconnect.example"
    assert first.all("Route") == ["<sip:proxy.sipconnect.example;lr>"]
    assert first.header("To") == "<sip:1234567t0@sipconnect.example>"
    assert op.registered.contact.startswith("sip:1234567t0@10.54.0.10:5060;line=")
    assert (status(town).state, op.registered.times) == ("up", 1)
    assert status(town).registered_until == pytest.approx(world.wall().timestamp() + 599, abs=2)
    await world.sleep(600 * 0.8)
    assert op.registered.times == 2
    numbers = [message.cseq for message in op.seen if message.method == "REGISTER"]
    assert numbers == sorted(set(numbers))
    assert len({message.call_id for message in op.seen if message.method == "REGISTER"}) == 1
    await town.exchange.trunks.stop()
    await world.sleep(1)
    assert (op.seen[-1].method, op.seen[-1].header("Expires")) == ("REGISTER", "0")


@scenario()
async def test_an_interval_too_brief_is_lengthened(world: World) -> None:
    """RFC 3261 section 10.2.8."""
    town = Town(world, plan(REGISTERS + "    register_seconds: 60\n"))
    op = operator(town, "operator", "203.0.113.50", REGISTERING)
    town.names["proxy.sipconnect.example"] = "203.0.113.50"
    await town.exchange.trunks.start()
    await world.sleep(1)
    assert op.registered.until - world.loop.time() == pytest.approx(119, abs=2)
    await town.exchange.trunks.stop()


@scenario()
async def test_a_call_out_is_as_the_guide_of_the_registering_operator_says(world: World) -> None:
    town, office, op = await watched(world, REGISTERS, REGISTERING)
    await office.call("00612345678")
    invite = await op.expect("INVITE")
    assert invite.uri == "sip:33612345678@sipconnect.example"
    assert invite.header("P-Preferred-Identity") == "<sip:33383001010@sipconnect.example>"
    assert invite.header("From").startswith('"État civil" <sip:1234567t0@sipconnect.example>')
    op.answer(invite)
    await op.expect("ACK")
    office.ack(await office.expect(200))
    await town.hang_up(office, op)
    assert op.complaints == []
    await town.exchange.trunks.stop()


@scenario()
async def test_a_caller_who_hides_is_known_to_the_operator_and_to_nobody_else(world: World) -> None:
    """RFC 3323 section 4.1, RFC 3325 section 9.3."""
    town, office, op = await watched(world, REGISTERS, REGISTERING)
    await town.call_with(office, "00612345678", {"Privacy": "id"})
    invite = await op.expect("INVITE")
    assert invite.all("Privacy") == ["id"]
    assert "État civil" not in invite.header("From")
    assert invite.header("P-Preferred-Identity") == "<sip:33383001010@sipconnect.example>"
    op.reply(invite, 486)
    await op.expect("ACK")
    await office.expect(486)
    await town.exchange.trunks.stop()


@scenario()
async def test_a_call_in_is_known_by_our_contact_wherever_it_comes_from(world: World) -> None:
    """The mark in our Contact tells the trunk; the number called stands in To."""
    town, office, op = await watched(world, REGISTERS, REGISTERING)
    other = operator(town, "other", "203.0.113.99", REGISTERING)
    other.registered = op.registered
    other.registered.flow = None
    other.call_in("33383001010")
    invite = await office.expect("INVITE")
    assert invite.header("From").startswith("<sip:+33699999999@valmont.example>")
    office.answer(invite)
    await office.expect("ACK")
    other.ack(await other.expect(200))
    await town.hang_up(other, office)
    assert (await town.record()).startswith("inbound +33699999999 dialled 33383001010 to 2010: completed")
    await town.exchange.trunks.stop()


@pytest.mark.parametrize("mark", ["", ";line=", ";line=0123456789abcdef0123456789abcdef"])
@scenario()
async def test_a_stranger_who_guesses_our_contact_is_challenged(world: World, mark: str) -> None:
    town, office, _ = await watched(world, REGISTERS, REGISTERING)
    stranger = town.phone("2020", address="203.0.113.66")
    stranger.uri = f"sip:1234567t0@10.54.0.10:5060{mark}"
    stranger.invite("33383001010")
    await stranger.expect(401)
    await office.expect_silence(1)
    await town.exchange.trunks.stop()


@scenario()
async def test_the_service_route_of_the_registrar_is_the_way_of_calls(world: World) -> None:
    """RFC 3608 section 5."""
    town, office, op = await watched(world, REGISTERS, REGISTERING)
    op.service_route = "<sip:edge.sipconnect.example;lr>, <sip:proxy.sipconnect.example;lr>"
    await world.sleep(481)
    await office.call("00612345678")
    invite = await op.expect("INVITE")
    assert ", ".join(invite.all("Route")) == op.service_route
    op.reply(invite, 486)
    await op.expect("ACK")
    await office.expect(486)
    await town.exchange.trunks.stop()


@scenario()
async def test_a_wrong_password_is_not_insisted_upon(
    world: World,
) -> None:
    """Registrars ban those who insist: two REGISTERs, and five minutes of silence."""
    town = Town(world, plan(REGISTERS))
    op = operator(town, "operator", "203.0.113.50", REGISTERING)
    op.secret = "another"
    town.names["proxy.sipconnect.example"] = "203.0.113.50"
    await town.exchange.trunks.start()
    await world.sleep(299)
    assert len([message for message in op.seen if message.method == "REGISTER"]) == 2
    assert (status(town).state, status(town).registration_status) == ("unregistered", 401)
    assert status(town).refusal.startswith("REGISTER: 401 ")
    assert 0 < town.exchange.clock() - status(town).refused_at < 299
    op.secret = "secret-a"
    await world.sleep(3)
    assert (status(town).state, status(town).registration_status) == ("up", None)
    await town.exchange.trunks.stop()


@scenario()
async def test_a_registrar_that_is_away_is_asked_with_growing_waits(world: World) -> None:
    """RFC 5626 section 4.5."""
    town = Town(world, plan(REGISTERS + "    supervise_seconds: 3600\n"))
    op = operator(town, "operator", "203.0.113.50", REGISTERING)
    op.refuses_register = 500
    town.names["proxy.sipconnect.example"] = "203.0.113.50"
    await town.exchange.trunks.start()
    await world.sleep(1800)
    asked = len([message for message in op.seen if message.method == "REGISTER"])
    assert 6 <= asked <= 10  # 10, 20, 40 … 600 s, each drawn from its upper half
    op.refuses_register = 0
    await world.sleep(601)
    assert status(town).state == "up"
    await town.exchange.trunks.stop()


@scenario()
async def test_the_next_server_of_the_proxy_registers_us_when_the_first_is_silent(world: World) -> None:
    """RFC 3263 section 4.3; calls then go where we are registered."""
    town = Town(world, plan(REGISTERS))
    first = operator(town, "first", "203.0.113.50", REGISTERING)
    second = operator(town, "second", "203.0.113.51", REGISTERING)
    first.silent = True
    town.records["proxy.sipconnect.example", "A"] = Records(("203.0.113.50", "203.0.113.51"), 600)
    (office,) = await town.phones("2010")
    await town.exchange.trunks.start()
    await world.sleep(33)
    assert (status(town).state, second.registered.times) == ("up", 1)
    assert status(town).servers[0] == "udp 203.0.113.51:5060"
    await office.call("00612345678")
    second.reply(await second.expect("INVITE"), 486)
    await second.expect("ACK")
    await office.expect(486)
    await town.exchange.trunks.stop()


# Known addresses, nothing registered

STATIC_TRUNK = """    host: btip.example
    transport: udp
    sources: [203.0.113.48/29]
    supervise_seconds: 30
    options: [user_phone]
"""


@scenario()
async def test_a_call_out_is_as_the_guide_of_the_static_operator_says(world: World) -> None:
    town, office, op = await watched(world, STATIC_TRUNK, STATIC)
    await office.call("00612345678")
    invite = await op.expect("INVITE")
    assert invite.uri == "sip:+33612345678@btip.example;user=phone"
    assert invite.header("P-Asserted-Identity") == "<sip:+33383001010@btip.example;user=phone>"
    assert not invite.all("Route")
    op.answer(invite)
    await op.expect("ACK")
    office.ack(await office.expect(200))
    await town.hang_up(office, op)
    assert op.complaints == []
    await town.exchange.trunks.stop()


@scenario()
async def test_an_emergency_number_is_left_as_it_is(world: World) -> None:
    town, office, op = await watched(world, STATIC_TRUNK, STATIC)
    await town.call_with(office, "18", {"Privacy": "id"})
    invite = await op.expect("INVITE")
    assert invite.uri == "sip:18@btip.example;user=phone"
    assert not invite.all("Privacy")  # design, promise 3: help is never called anonymously
    op.reply(invite, 486)
    await op.expect("ACK")
    await office.expect(183)
    town.finish_playing()
    await office.expect(480)
    await town.exchange.trunks.stop()


@scenario()
async def test_a_call_in_is_known_by_the_operators_network(world: World) -> None:
    town, office, _ = await watched(world, STATIC_TRUNK, STATIC)
    other = operator(town, "other", "203.0.113.54", STATIC)
    other.call_in("+33383001010", caller="+33601020304")
    invite = await office.expect("INVITE")
    assert invite.header("From").startswith("<sip:+33601020304@valmont.example>")
    office.reply(invite, 486)
    await office.expect("ACK")
    await other.expect(486)
    other.acknowledges_refusals = True
    await town.exchange.trunks.stop()


@scenario()
async def test_supervision_sees_a_trunk_go_down_and_come_back(world: World) -> None:
    """Up after the first OPTIONS, down after three that nobody answered, up again at once."""
    town, _, op = await watched(world, STATIC_TRUNK, STATIC)
    assert (status(town).state, status(town).options_delay_ms) == ("up", 2.0)
    told: list[TrunkChanged] = []
    town.exchange.events.subscribe(told.append, TrunkChanged)
    op.silent = True
    before = status(town).since
    await world.sleep(30 + 3 * 10 + 5)
    assert status(town).state == "down"
    assert before < status(town).since < town.exchange.clock()
    assert status(town).refusal == "OPTIONS was not answered"
    op.silent = False
    await world.sleep(11)
    assert status(town).state == "up"
    changes = [(event.trunk, event.before, event.state) for event in told]
    assert changes == [("operateur-a", "up", "down"), ("operateur-a", "down", "up")]
    await town.exchange.trunks.stop()


@pytest.mark.parametrize("answer", [405, 404, 403])
@scenario()
async def test_any_answer_to_options_is_a_sign_of_life(world: World, answer: int) -> None:
    """RFC 3261 section 11: a border controller may refuse OPTIONS; it is there all the same."""
    town = Town(world, plan(STATIC_TRUNK))
    op = operator(town, "operator", "203.0.113.50", STATIC)
    op.options_status = answer
    town.names["btip.example"] = "203.0.113.50"
    await town.exchange.trunks.start()
    await world.sleep(200)
    assert status(town).state == "up"
    await town.exchange.trunks.stop()


@scenario()
async def test_a_border_controller_that_never_answers_options_is_not_called_down(world: World) -> None:
    town = Town(world, plan(STATIC_TRUNK))
    op = operator(town, "operator", "203.0.113.50", STATIC)
    op.options_status = 0
    town.names["btip.example"] = "203.0.113.50"
    await town.exchange.trunks.start()
    await world.sleep(300)
    assert status(town).state == "unknown"
    await town.exchange.trunks.stop()


@scenario()
async def test_without_supervision_no_options_are_sent(world: World) -> None:
    trunk = STATIC_TRUNK.replace("[user_phone]", "[user_phone, no_options]")
    town, _, op = await watched(world, trunk, STATIC)
    await world.sleep(300)
    assert [message.method for message in op.seen] == []
    await town.exchange.trunks.stop()


# TLS

ENCRYPTED_TRUNK = """    host: secure.example
    username: 1234567t0
    secret: {env: OPERATEUR_A_SECRET}
"""


@scenario()
async def test_an_encrypted_trunk_is_found_by_naptr_and_called_over_tls(world: World) -> None:
    """RFC 3263 section 4.1: the operator's DNS says TLS; RFC 5922: its certificate says who it is."""
    town, office, op = await watched(world, ENCRYPTED_TRUNK, ENCRYPTED)
    assert status(town).servers == ["tls 203.0.113.50:5061"]
    await office.call("00612345678")
    invite = await op.expect("INVITE")
    assert invite.header("Via").startswith("SIP/2.0/TLS ")
    assert "Digest" in invite.header("Proxy-Authorization")
    op.answer(invite)
    await op.expect("ACK")
    office.ack(await office.expect(200))
    await town.hang_up(office, op)
    assert op.complaints == []
    await town.exchange.trunks.stop()


@scenario()
async def test_a_server_whose_certificate_has_another_name_gets_no_call(world: World) -> None:
    """RFC 5922 section 7.2: the domain that was asked for, not the server's own name."""
    town, office, op = await watched(world, ENCRYPTED_TRUNK, ENCRYPTED)
    await town.exchange.trunks.stop()
    town.certificates["203.0.113.50"] = ("sbc1.secure.example",)
    for stream in list(town.host.streams):
        stream.close()
    op.seen.clear()
    await office.call("00612345678")
    await office.expect(183)
    town.finish_playing()
    assert reason_of(await office.expect(480)) == 'Q.850;cause=34;text="No circuit available"'
    assert op.seen == []


@scenario()
async def test_a_registration_whose_connection_broke_is_made_again_at_once(world: World) -> None:
    """RFC 5626 section 4.4: calls to us come over that connection."""
    trunk = ENCRYPTED_TRUNK + "    register: true\n"
    town, office, op = await watched(world, trunk, ENCRYPTED)
    assert op.registered.times == 1
    for stream in list(op.host.streams):
        stream.close()
    await world.sleep(6)
    assert op.registered.times == 2
    op.call_in("+33383001010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await op.expect(486)
    await town.exchange.trunks.stop()


@scenario()
async def test_a_trunk_that_is_down_or_unregistered_is_still_tried_last_for_help(world: World) -> None:
    """Design, promise 3."""
    town, office, op = await watched(world, STATIC_TRUNK, STATIC)
    b = operator(town, "b", "203.0.113.2", Profile("b.example"))
    town.names["sip.operateur-b.example"] = "203.0.113.2"
    op.silent = True
    await world.sleep(120)
    assert status(town).state == "down"
    b.seen.clear()
    fire = town.phone("2010", address="10.54.1.99")
    fire.invite("18")
    b.reply(await b.expect("INVITE"), 503)  # the site's second trunk comes first now
    await b.expect("ACK")
    op.silent = False
    invite = await op.expect("INVITE")
    op.answer(invite)
    await op.expect("ACK")
    fire.ack(await fire.expect(200))
    await town.hang_up(fire, op)
    await office.expect_silence(1)
    await town.exchange.trunks.stop()


# What operators refuse


@pytest.mark.parametrize(
    ("refused", "headers", "told"),
    [
        (486, [], 486),
        (404, [], 404),
        (603, [], 603),
        (480, [("Reason", 'Q.850;cause=20;text="Subscriber absent"')], 480),
    ],
)
@scenario()
async def test_the_called_persons_answer_ends_the_search(
    world: World, refused: int, headers: list[tuple[str, str]], told: int
) -> None:
    town = Town(world, PLAN_TEXT)
    first = operator(town, "operateur-b", "203.0.113.2", STATIC)
    second = operator(town, "operateur-a", "203.0.113.1", STATIC)
    first.invite_status, first.invite_headers = refused, headers
    await town.exchange.trunks.resolve()
    (office,) = await town.phones("2010")
    await office.call("00612345678")
    await (town.refused(office, told) if told == 404 else office.expect(told))
    assert [message.method for message in second.seen] == []


@pytest.mark.parametrize(
    ("refused", "headers"),
    [
        (403, []),
        (480, []),
        (500, []),
        (502, []),
        (504, []),
        (503, []),
        (503, [("Retry-After", "20")]),
        (404, [("Reason", "Q.850;cause=3")]),
        (410, [("Reason", "Q.850;cause=34")]),
    ],
)
@scenario()
async def test_a_trunk_that_cannot_carry_the_call_leads_to_the_next(
    world: World, refused: int, headers: list[tuple[str, str]]
) -> None:
    """RFC 3261 section 16.7 step 6 and RFC 3263 section 4.3, by what pbx.trunks.failover says."""
    town = Town(world, PLAN_TEXT)
    first = operator(town, "operateur-b", "203.0.113.2", Profile("b.example"))
    second = operator(town, "operateur-a", "203.0.113.1", Profile("a.example"))
    first.invite_status, first.invite_headers = refused, headers
    await town.exchange.trunks.resolve()
    (office,) = await town.phones("2010")
    await office.call("00612345678")
    second.reply(await second.expect("INVITE"), 486)
    await second.expect("ACK")
    await office.expect(486)
    assert [message.method for message in first.seen] == ["INVITE"]


@scenario()
async def test_a_trunk_that_said_retry_after_is_left_alone_until_then_but_for_emergencies(
    world: World,
) -> None:
    """RFC 3261 section 21.5.4, and design, promise 3."""
    town = Town(world, PLAN_TEXT)
    first = operator(town, "operateur-b", "203.0.113.2", Profile("b.example"))
    second = operator(town, "operateur-a", "203.0.113.1", Profile("a.example"))
    second.invite_status = 503
    first.invite_status, first.invite_headers = 503, [("Retry-After", "60")]
    await town.exchange.trunks.resolve()
    (office,) = await town.phones("2010")
    for expected in (1, 1, 2):
        await office.call("00612345678")
        await office.expect(183)
        town.finish_playing()
        await office.expect(480)
        assert len([message for message in first.seen if message.method == "INVITE"]) == expected
        await world.sleep(31)
    first.seen.clear()
    fire = town.phone("2201")
    fire.invite("18")
    await fire.expect(183)
    town.finish_playing()
    await fire.expect(480)
    assert [message.method for message in first.seen] == ["INVITE"]


@scenario()
async def test_the_trunks_next_server_is_tried_before_the_next_trunk(world: World) -> None:
    """RFC 3263 section 4.3; the silent one is then passed over for a minute."""
    town = Town(world, PLAN_TEXT)
    del town.names["sip.operateur-b.example"]
    town.records["_sip._udp.sip.operateur-b.example", "SRV"] = Records(
        (Srv(1, 0, 5060, "b1.example."), Srv(2, 0, 5060, "b2.example.")), 600
    )
    town.names |= {"b1.example": "203.0.113.2", "b2.example": "203.0.113.12"}
    operator(town, "b1", "203.0.113.2", Profile("b.example")).silent = True
    second = operator(town, "b2", "203.0.113.12", Profile("b.example"))
    await town.exchange.trunks.resolve()
    (office,) = await town.phones("2010")
    await office.call("00612345678")
    await world.sleep(3.9)
    second.reply(await second.expect("INVITE", within_seconds=0.3), 486)
    await second.expect("ACK")
    await office.expect(486)
    await office.call("00612345678")
    second.reply(await second.expect("INVITE", within_seconds=0.1), 486)
    await second.expect("ACK")
    await office.expect(486)
