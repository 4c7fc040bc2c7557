"""The scripted phone: what it writes, what it accepts, and what it says when the script is wrong."""

from __future__ import annotations

import pytest

from tests.sim.network import CUT, Link
from tests.sim.phone import Phone, Unexpected
from tests.sim.quiescence import NotQuiet
from tests.sim.wire import Challenge, digest, parse, parse_challenge, take_message
from tests.sim.world import World, run, scenario

BRUNO = "sip:bruno@192.0.2.2"


def two_phones(world: World) -> tuple[Phone, Phone]:
    return world.phone("alice", "192.0.2.1"), world.phone("bruno", "192.0.2.2")


async def talking(alice: Phone, bruno: Phone) -> None:
    """Alice calls Bruno, Bruno answers."""
    alice.invite(BRUNO)
    bruno.answer(await bruno.expect("INVITE"))
    alice.ack(await alice.expect(200))
    await bruno.expect("ACK")


@scenario()
async def test_two_phones_call_and_hang_up(world: World) -> None:
    alice, bruno = two_phones(world)
    await talking(alice, bruno)
    bruno.bye()
    alice.reply(await alice.expect("BYE"), 200)
    await bruno.expect("200 BYE")


@scenario()
async def test_a_dialog_keeps_its_tags_and_counts_its_requests(world: World) -> None:
    alice, bruno = two_phones(world)
    await talking(alice, bruno)
    first = alice.send("INFO")
    second = alice.send("INFO")
    assert first.from_tag == second.from_tag == "alice-tag-1"
    assert first.to_tag == "bruno-tag-1"
    assert (first.cseq, second.cseq) == (2, 3)
    assert first.branch != second.branch
    for _ in range(2):
        bruno.reply(await bruno.expect("INFO"), 200)
        await alice.expect("200 INFO")


@scenario()
async def test_requests_of_a_dialog_go_to_the_contact_by_the_recorded_routes(world: World) -> None:
    alice, bruno = two_phones(world)
    invite = alice.invite(BRUNO)
    request = await bruno.expect("INVITE")
    routes = (("Record-Route", "<sip:second.example;lr>"), ("Record-Route", "<sip:first.example;lr>"))
    bruno.reply(request, 200, headers=routes)
    ack = alice.ack(await alice.expect(200))
    assert ack.uri == "sip:bruno@192.0.2.2:5060"
    assert ack.all("Route") == ["<sip:first.example;lr>", "<sip:second.example;lr>"]  # RFC 3261 12.1.2
    assert ack.branch != invite.branch
    await bruno.expect("ACK")


@scenario()
async def test_a_refusal_is_acknowledged_in_the_transaction_of_its_invite(world: World) -> None:
    alice, bruno = two_phones(world)
    invite = alice.invite(BRUNO)
    bruno.reply(await bruno.expect("INVITE"), 486)
    await alice.expect(486)
    ack = await bruno.expect("ACK")
    assert (ack.branch, ack.cseq, ack.uri) == (invite.branch, invite.cseq, invite.uri)


@scenario()
async def test_a_phone_can_be_told_to_acknowledge_no_refusal(world: World) -> None:
    alice, bruno = two_phones(world)
    alice.acknowledges_refusals = False
    alice.invite(BRUNO)
    bruno.reply(await bruno.expect("INVITE"), 486)
    await alice.expect(486)
    await bruno.expect_silence(40)


@scenario()
async def test_cancel_has_the_branch_and_number_of_its_invite(world: World) -> None:
    alice, bruno = two_phones(world)
    invite = alice.invite(BRUNO)
    request = await bruno.expect("INVITE")
    bruno.reply(request, 180)
    await alice.expect(180)
    alice.cancel(invite)
    cancel = await bruno.expect("CANCEL")
    assert (cancel.branch, cancel.cseq, cancel.uri) == (invite.branch, invite.cseq, invite.uri)
    bruno.reply(cancel, 200)
    bruno.reply(request, 487)
    refusal, _ = await alice.expect_in_any_order("487 INVITE", "200 CANCEL")
    assert refusal.status == 487
    await bruno.expect("ACK")


@scenario()
async def test_a_cancel_and_a_200_can_cross(world: World) -> None:
    alice, bruno = two_phones(world)
    world.network.link(alice.host, bruno.host, Link(latency_seconds=0.1))
    invite = alice.invite(BRUNO)
    request = await bruno.expect("INVITE")
    bruno.reply(request, 180)
    await alice.expect(180)
    alice.cancel(invite)
    bruno.answer(request)
    bruno.reply(await bruno.expect("CANCEL"), 481)
    answer = await alice.expect("200 INVITE")
    await alice.expect("481 CANCEL")
    alice.ack(answer)
    alice.bye()
    await bruno.expect("ACK")
    bruno.reply(await bruno.expect("BYE"), 200)
    await alice.expect("200 BYE")


@scenario()
async def test_a_retransmission_is_passed_over_unless_asked_for(world: World) -> None:
    alice, bruno = two_phones(world)
    invite = alice.send("OPTIONS", BRUNO)
    request = await bruno.expect("OPTIONS")
    alice.again(invite)
    await bruno.expect_again(request)
    alice.again(invite)
    await bruno.expect_silence(1)
    response = bruno.reply(request, 200)
    bruno.again(response)
    await alice.expect(200)


@scenario()
async def test_expect_again_fails_when_nothing_is_repeated(world: World) -> None:
    alice, bruno = two_phones(world)
    alice.send("OPTIONS", BRUNO)
    request = await bruno.expect("OPTIONS")
    with pytest.raises(Unexpected, match="nothing"):
        await bruno.expect_again(request)


@scenario()
async def test_a_100_is_passed_over_unless_asked_for(world: World) -> None:
    alice, bruno = two_phones(world)
    for wanted in (("100", "180"), ("180",)):
        alice.invite(BRUNO)
        request = await bruno.expect("INVITE")
        bruno.reply(request, 100)
        bruno.reply(request, 180)
        for label in wanted:
            await alice.expect(label)


@scenario()
async def test_another_message_than_the_script_says_is_shown_whole(world: World) -> None:
    alice, bruno = two_phones(world)
    alice.send("OPTIONS", BRUNO)
    with pytest.raises(Unexpected) as caught:
        await bruno.expect("INVITE")
    assert "bruno expected INVITE and got OPTIONS (after it: nothing)" in str(caught.value)
    assert "OPTIONS sip:bruno@192.0.2.2 SIP/2.0" in str(caught.value)


@scenario()
async def test_expect_gives_up_after_its_time(world: World) -> None:
    alice, _ = two_phones(world)
    with pytest.raises(Unexpected, match="alice expected 180 and got nothing for 5 s"):
        await alice.expect(180, within_seconds=5)
    assert world.seconds == 5


@scenario()
async def test_silence_that_is_broken_fails(world: World) -> None:
    alice, bruno = two_phones(world)
    alice.send("OPTIONS", BRUNO)
    with pytest.raises(Unexpected, match="bruno expected silence and got OPTIONS"):
        await bruno.expect_silence(1)
    await bruno.expect("OPTIONS")


def test_a_message_that_nobody_read_fails_the_scenario() -> None:
    async def body(world: World) -> None:
        alice, _ = two_phones(world)
        alice.send("OPTIONS", BRUNO)

    with pytest.raises(NotQuiet, match="bruno: 1 unread OPTIONS"):
        run(body)


@scenario()
async def test_a_lost_ack_never_comes(world: World) -> None:
    alice, bruno = two_phones(world)
    alice.invite(BRUNO)
    bruno.answer(await bruno.expect("INVITE"))
    answer = await alice.expect(200)
    world.network.link_one_way(alice.host, bruno.host, CUT)
    alice.ack(answer)
    await bruno.expect_silence(5)


@scenario()
async def test_a_phone_that_repeats_sends_a_lost_request_again_until_its_answer(world: World) -> None:
    alice, bruno = two_phones(world)
    alice.repeats_what_is_lost()
    world.network.link_one_way(alice.host, bruno.host, CUT)
    alice.send("OPTIONS", BRUNO)
    await world.sleep(4)
    assert len(world.ladder.labels()) == 4  # at 0, 0.5, 1.5 and 3.5 s
    world.network.link_one_way(alice.host, bruno.host, Link())
    bruno.reply(await bruno.expect("OPTIONS"), 200)
    await alice.expect(200)
    await bruno.expect_silence(40)
    assert world.ladder.labels()[-2:] == ["alice > bruno: OPTIONS again", "bruno > alice: 200 OPTIONS"]


@scenario()
async def test_a_phone_that_repeats_answers_a_repeated_request_again(world: World) -> None:
    alice, bruno = two_phones(world)
    bruno.repeats_what_is_lost()
    request = alice.send("OPTIONS", BRUNO)
    bruno.reply(await bruno.expect("OPTIONS"), 200)
    answer = await alice.expect(200)
    alice.again(request)
    await alice.expect_again(answer)


@scenario()
async def test_a_phone_that_repeats_acknowledges_a_repeated_2xx_again(world: World) -> None:
    alice, bruno = two_phones(world)
    alice.repeats_what_is_lost()
    alice.invite(BRUNO)
    answer = bruno.answer(await bruno.expect("INVITE"))
    alice.ack(await alice.expect(200))
    ack = await bruno.expect("ACK")
    bruno.again(answer)
    await bruno.expect_again(ack)


@scenario()
async def test_a_phone_that_repeats_sends_its_2xx_until_the_ack(world: World) -> None:
    alice, bruno = two_phones(world)
    bruno.repeats_what_is_lost()
    alice.invite(BRUNO)
    bruno.answer(await bruno.expect("INVITE"))
    answer = await alice.expect(200)
    await alice.expect_again(answer)
    await alice.expect_again(answer)
    alice.ack(answer)
    await bruno.expect("ACK")
    await world.sleep(40)
    assert world.ladder.labels().count("bruno > alice: 200 INVITE (sdp) again") == 2


# --- Streams -----------------------------------------------------------------------------------------------


@scenario()
async def test_a_phone_speaks_over_a_stream_in_pieces(world: World) -> None:
    server, heard = world.host("server", "192.0.2.10"), bytearray()
    world.closing.callback(server.listen(5060, lambda flow: setattr(flow, "receive", hear)).close)

    def hear(data: bytes, flow: object) -> None:
        heard.extend(data)

    alice = world.phone("alice", "192.0.2.1", server=("192.0.2.10", 5060))
    await alice.connect()
    alice.send("OPTIONS", "1002")
    await world.sleep(1)
    request = parse(take_message(heard))
    assert request.method == "OPTIONS"
    assert request.header("Via").startswith("SIP/2.0/TCP 192.0.2.1:")


def test_messages_are_taken_whole_from_a_stream() -> None:
    one = b"MESSAGE sip:a SIP/2.0\r\nl: 5\r\n\r\nhello"
    two = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"
    buffer = bytearray()
    taken: list[bytes] = []
    for byte in b"\r\n\r\n" + one + two:
        buffer.append(byte)
        taken += [message for message in [take_message(buffer)] if message]
    assert taken == [one, two]


# --- Digest ------------------------------------------------------------------------------------------------

HTTP_AUTH = Challenge(
    realm="http-auth@example.org",
    nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    algorithm="MD5",
    qop="auth",
    opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    stale=False,
)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digest_gives_the_responses_of_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    challenge = Challenge(
        HTTP_AUTH.realm, HTTP_AUTH.nonce, algorithm, HTTP_AUTH.qop, HTTP_AUTH.opaque, stale=False
    )
    got = digest(
        challenge,
        user="Mufasa",
        password="Circle of Life",
        method="GET",
        uri="/dir/index.html",
        count=1,
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert got == response


def test_a_challenge_is_read_with_its_quotes_and_bare_words() -> None:
    value = 'Digest realm="a, b", qop="auth-int, auth", algorithm=SHA-256, nonce="n=1", stale=TRUE'
    assert parse_challenge(value) == Challenge("a, b", "n=1", "SHA-256", "auth", "", stale=True)


async def challenge_once(server: Phone, challenges: list[str]) -> str:
    """Answer a request with 401 and these challenges, then 200; returns the credentials that came."""
    request = await server.expect("REGISTER")
    server.reply(request, 401, headers=[("WWW-Authenticate", value) for value in challenges])
    second = await server.expect("REGISTER")
    assert second.cseq == request.cseq + 1
    assert second.call_id == request.call_id
    server.reply(second, 200)
    return second.header("Authorization")


@pytest.mark.parametrize(
    ("known", "chosen"), [(("SHA-256", "MD5"), "SHA-256"), (("MD5",), "MD5")], ids=["modern", "of 2005"]
)
def test_a_phone_registers_with_the_best_algorithm_it_knows(known: tuple[str, ...], chosen: str) -> None:
    async def body(world: World) -> None:
        server = world.phone("server", "192.0.2.10")
        alice = world.phone(
            "alice", "192.0.2.1", user="1001", password="pw1001", server=("192.0.2.10", 5060), domain="town"
        )
        alice.algorithms = known
        offers = [
            f'Digest realm="town", nonce="n", qop="auth", algorithm={name}' for name in ("SHA-256", "MD5")
        ]
        registering = world.loop.create_task(alice.register())
        value = await challenge_once(server, offers)
        assert (await registering).status == 200
        assert f"algorithm={chosen}" in value
        response = digest(
            Challenge("town", "n", chosen, "auth", "", stale=False),
            user="1001",
            password="pw1001",
            method="REGISTER",
            uri="sip:town",
            count=1,
            cnonce="alice-cnonce-1",
        )
        assert f'response="{response}"' in value

    run(body)


@scenario()
async def test_registering_again_counts_on_in_the_same_call_id(world: World) -> None:
    server = world.phone("server", "192.0.2.10")
    alice = world.phone("alice", "192.0.2.1", user="1001", server=("192.0.2.10", 5060))
    requests = []
    for _ in range(2):
        registering = world.loop.create_task(alice.register(expires_seconds=60))
        requests.append(await server.expect("REGISTER"))
        server.reply(requests[-1], 200)
        await registering
    first, second = requests
    assert first.call_id == second.call_id
    assert (first.cseq, second.cseq) == (1, 2)
    assert first.header("Expires") == "60"
    assert first.uri == "sip:192.0.2.10"
    assert first.header("To") == "<sip:1001@192.0.2.10>"


@scenario()
async def test_a_challenged_call_is_sent_again_with_its_offer(world: World) -> None:
    server = world.phone("server", "192.0.2.10")
    alice = world.phone("alice", "192.0.2.1", user="1001", password="pw", server=("192.0.2.10", 5060))
    calling = world.loop.create_task(alice.call("1002"))
    first = await server.expect("INVITE")
    server.reply(first, 407, headers=[("Proxy-Authenticate", 'Digest realm="town", nonce="n"')])
    await server.expect("ACK")
    second = await server.expect("INVITE")
    assert second.cseq == 2
    assert second.body == first.body != b""
    assert 'username="1001"' in second.header("Proxy-Authorization")
    server.answer(second)
    assert (await calling).cseq == 2
    alice.ack(await alice.expect(200))
    await server.expect("ACK")
