"""Who may come in: RFC 7616 and RFC 8760 as the exchange uses them, seen from the network."""

from __future__ import annotations

import re

import pytest

from pbx.people.directory import Directory, Person, device_credentials
from tests.scenarios.town import DOMAIN, TownPhone, start
from tests.sim.wire import Message
from tests.sim.world import World, scenario


def register(phone: TownPhone) -> None:
    """Send a REGISTER without credentials."""
    phone.send("REGISTER", f"sip:{phone.user}@{DOMAIN}", headers=[("Contact", phone.contact())])


def masked(answer: Message) -> bytes:
    """The bytes of an answer without what differs between any two: tags, nonces, names and addresses."""
    text = re.sub(rb'(tag=|nonce="|branch=|Call-ID: )[^;",\r\n]+', rb"\1", answer.raw)
    return re.sub(rb"sip:[0-9]+@|192\.0\.2\.[0-9]+|CSeq: [0-9]+", b"", text)


@scenario()
async def test_a_stranger_and_a_wrong_password_get_the_same_answers(world: World) -> None:
    town = await start(world)
    wrong = town.phone("1001", password="guessed")
    stranger = town.phone("7777", address="192.0.2.77")
    answers = []
    for phone in (wrong, stranger):
        register(phone)
        challenge = await phone.expect(401)
        phone.authenticate(challenge)
        answers.append((masked(challenge), masked(await phone.expect(403))))
    assert answers[0] == answers[1]


@scenario()
async def test_a_wrong_password_calls_nobody(world: World) -> None:
    town = await start(world)
    (bruno,) = await town.phones("1002")
    alice = town.phone("1001", password="guessed")
    await alice.call("1002")
    await alice.expect(403)
    await bruno.expect_silence(1)
    assert town.calls == []


@scenario()
async def test_both_algorithms_are_offered_the_better_one_first(world: World) -> None:
    """RFC 8760 section 2.4."""
    town = await start(world)
    alice = town.phone("1001")
    register(alice)
    offered = (await alice.expect(401)).all("WWW-Authenticate")
    assert [re.findall(r"algorithm=([^,]+)", value)[0] for value in offered] == ["SHA-256", "MD5"]


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
@scenario()
async def test_a_phone_signs_in_with_the_algorithm_that_it_knows(world: World, algorithm: str) -> None:
    town = await start(world)
    alice = town.phone("1001")
    alice.algorithms = (algorithm,)
    await alice.register()


@scenario()
async def test_a_phone_that_fails_on_sha_256_is_offered_md5_alone(world: World) -> None:
    """Debian 12's baresip gives up when SHA-256 is offered, even beside MD5."""
    town = await start(world)
    alice = town.phone("1001")
    alice.headers["User-Agent"] = "baresip v1.0.0 (x86_64/linux)"
    register(alice)
    assert [
        value for value in (await alice.expect(401)).all("WWW-Authenticate") if "algorithm=MD5" not in value
    ] == []


@scenario()
async def test_a_device_that_is_set_so_is_offered_md5_alone(world: World) -> None:
    device = device_credentials("3001", DOMAIN, "pw3001", md5_only=True)
    people = [Person(extension="3001", name="Ascenseur 2", class_name="interne", devices=[device])]
    town = await start(world, directory=Directory(revision=1, people=people))
    lift = town.phone("3001", address="192.0.2.30")
    register(lift)
    assert len((await lift.expect(401)).all("WWW-Authenticate")) == 1


@scenario()
async def test_a_nonce_serves_again_with_the_next_count(world: World) -> None:
    """RFC 7616 section 3.4: no second challenge."""
    town = await start(world)
    alice = town.phone("1001")
    register(alice)
    challenge = await alice.expect(401)
    for _ in range(3):
        alice.authenticate(challenge)
        await alice.expect(200)


@scenario()
async def test_a_count_that_was_used_is_stale_and_not_wrong(world: World) -> None:
    """RFC 7616 section 3.3: the phone tries again without asking its user."""
    town = await start(world)
    alice = town.phone("1001")
    register(alice)
    challenge = await alice.expect(401)
    alice.authenticate(challenge, count=1)
    await alice.expect(200)
    alice.authenticate(challenge, count=1)
    again = await alice.expect(401)
    assert "stale=true" in again.header("WWW-Authenticate")
    alice.authenticate(again)
    await alice.expect(200)


@scenario()
async def test_a_nonce_that_is_too_old_is_stale(world: World) -> None:
    town = await start(world)
    alice = town.phone("1001")
    register(alice)
    challenge = await alice.expect(401)
    assert "stale" not in challenge.header("WWW-Authenticate")
    await world.sleep(301)
    alice.authenticate(challenge)
    assert "stale=true" in (await alice.expect(401)).header("WWW-Authenticate")


@scenario()
async def test_credentials_for_another_uri_are_refused_with_400(world: World) -> None:
    """RFC 7616 section 3.4.6."""
    town = await start(world)
    alice = town.phone("1001")
    alice.invite("1002")
    challenge = await alice.expect(401)
    alice.uri = f"sip:9196@{DOMAIN}"  # what is asked for; the digest is still for 1002
    alice.authenticate(challenge)
    await alice.expect(400)


@scenario()
async def test_credentials_for_another_realm_are_none(world: World) -> None:
    town = await start(world)
    alice = town.phone("1001")
    alice.headers["Authorization"] = (
        'Digest username="1001", realm="elsewhere", nonce="n", uri="sip:valmont.example", response="00"'
    )
    register(alice)
    await alice.expect(401)


@pytest.mark.parametrize("value", ["Digest", "Digest x", 'Digest username="', "Basic YTpi", "Digest a=b,a=c"])
@scenario()
async def test_credentials_that_cannot_be_read_let_nobody_in(world: World, value: str) -> None:
    town = await start(world)
    alice = town.phone("1001")
    alice.headers["Authorization"] = value
    register(alice)
    await world.sleep(0.1)
    assert town.ladder.labels()[-1] in {"Beffroi > 1001: 400 REGISTER", "Beffroi > 1001: 401 REGISTER"}
    await alice.expect(int(town.ladder.labels()[-1].split()[3]))
    assert town.exchange.status()["bindings"] == 0


@scenario()
async def test_a_call_is_the_devices_that_proved_itself_whatever_its_from_says(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    alice.headers["From"] = f'"Chef" <sip:2301@{DOMAIN}>;tag=1001-tag-forged'
    alice.invite("1002")
    alice.authenticate(await alice.expect(401))
    to_bruno = await bruno.expect("INVITE")
    assert to_bruno.header("From").startswith(f'"Alice Martin" <sip:1001@{DOMAIN}>')
    bruno.reply(to_bruno, 486)
    await bruno.expect("ACK")
    await alice.expect(486)
    assert (await town.record()).startswith("internal 1001 (Alice Martin)")
