"""What one party of a call does while the other is in some state: the rows and columns of docs/offers.md.

A cell is played in a world of its own, and its outcome told in few words: the final responses to what A did,
`told` where B was asked to change or sent a digit, and `ends` where the call is over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from media import sdp
from media.engines.fake import FakeEngine
from media.engines.passthrough import PassthroughEngine
from tests.scenarios.party import MU_LAW, Party, Talk, direction_of, formats_of, place_of
from tests.scenarios.town import ADDRESSES, OPERATORS, Town, start
from tests.sim.world import World

CHALLENGE = (("Proxy-Authenticate", 'Digest realm="r", nonce="n"'),)
VIDEO = "m=video 6000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"
SETTLED_SECONDS = 14.0


async def party(town: Town, user: str) -> Party:
    """A party at its address, registered."""
    host = town.world.host(user, ADDRESSES[user])
    phone = Party(host, user=user, password=f"pw{user}")
    town.world.watch(user, phone)
    town.world.closing.push_async_callback(phone.close)
    await phone.register()
    phone.automatic = True
    return phone


async def connected(town: Town, caller: Party, callee: Party) -> tuple[Talk, Talk]:
    """One calls the other, who has answered after half a second."""
    talk = caller.dial(callee.user)
    await town.world.sleep(0.5)
    (other,) = callee.talking
    return talk, other


# Rows: what A does. Each returns when A has done it; what it leads to comes later.


async def _same(world: World, a: Party, talk: Talk) -> None:
    a.change(talk, talk.said)


async def _refresh(world: World, a: Party, talk: Talk) -> None:
    a.change(talk, a.describe())


async def _move(world: World, a: Party, talk: Talk) -> None:
    a.port = 4100
    a.change(talk, a.describe())


async def _hold(world: World, a: Party, talk: Talk) -> None:
    a.holds = True
    a.change(talk, a.describe())


async def _resume(world: World, a: Party, talk: Talk) -> None:
    a.change(talk, a.describe(direction="sendonly"))
    while talk.asked is not None:
        await world.sleep(0.1)
    a.change(talk, a.describe())


async def _inactive(world: World, a: Party, talk: Talk) -> None:
    a.change(talk, a.describe(direction="inactive"))


async def _zero(world: World, a: Party, talk: Talk) -> None:
    a.change(talk, a.describe(address="0.0.0.0"))  # RFC 3264 section 8.4, as RFC 2543 held


async def _other_codecs(world: World, a: Party, talk: Talk) -> None:
    a.change(talk, a.describe(MU_LAW))


async def _video(world: World, a: Party, talk: Talk) -> None:
    a.change(talk, a.describe(more=VIDEO))


async def _unreadable(world: World, a: Party, talk: Talk) -> None:
    a.change(talk, b"v=0\r\nno media")


async def _ask(world: World, a: Party, talk: Talk) -> None:
    a.change(talk, b"")


async def _ask_and_answer_otherwise(world: World, a: Party, talk: Talk) -> None:
    a.change(talk, b"", answer=MU_LAW)


async def _ask_and_answer_nothing(world: World, a: Party, talk: Talk) -> None:
    a.change(talk, b"", answer=None)


async def _update_hold(world: World, a: Party, talk: Talk) -> None:
    a.holds = True
    a.change(talk, a.describe(), method="UPDATE")


async def _update_codecs(world: World, a: Party, talk: Talk) -> None:
    a.change(talk, a.describe(MU_LAW), method="UPDATE")


async def _update_empty(world: World, a: Party, talk: Talk) -> None:
    a.send("UPDATE", within=talk.invite, headers=[a.allow])


async def _take_back(world: World, a: Party, talk: Talk) -> None:
    change = a.change(talk, a.describe(MU_LAW))
    await world.sleep(0.0015)  # B has the offer by then, and its answer is on the way
    if talk.asked is not None:
        a.cancel(change)


async def _digit(world: World, a: Party, talk: Talk) -> None:
    a.send(
        "INFO",
        within=talk.invite,
        body=b"Signal=5\r\nDuration=160\r\n",
        headers=[("Content-Type", "application/dtmf-relay")],
    )


async def _refer(world: World, a: Party, talk: Talk) -> None:
    a.refer(talk, "sip:2020@valmont.example")  # whose telephone isn't there


async def _bye(world: World, a: Party, talk: Talk) -> None:
    a.leave(talk)


Action = Callable[[World, Party, Talk], Awaitable[None]]
ROWS: dict[str, Action] = {
    "offers what holds already": _same,
    "offers it with a new version": _refresh,
    "offers another port": _move,
    "holds (`sendonly`)": _hold,
    "holds, then resumes": _resume,
    "holds (`inactive`)": _inactive,
    "holds (`c=0.0.0.0`)": _zero,
    "offers other codecs": _other_codecs,
    "offers video too": _video,
    "offers what can't be read": _unreadable,
    "asks for an offer, answers as before": _ask,
    "asks for an offer, answers other codecs": _ask_and_answer_otherwise,
    "asks for an offer, answers nothing": _ask_and_answer_nothing,
    "UPDATE: holds": _update_hold,
    "UPDATE: other codecs": _update_codecs,
    "UPDATE without offer": _update_empty,
    "offers other codecs, CANCEL": _take_back,
    "presses a key (INFO)": _digit,
    "REFER to nobody": _refer,
    "BYE": _bye,
}


# Columns: what B is doing.


async def _idle(world: World, b: Party, talk: Talk) -> None:
    """Nothing."""


async def _offered_before(world: World, b: Party, talk: Talk) -> None:
    b.change(talk, b.describe(MU_LAW))
    await world.sleep(0.0005)


async def _offers_after(world: World, b: Party, talk: Talk) -> None:
    def offer() -> None:
        if not talk.over:
            b.change(talk, b.describe(MU_LAW))

    world.loop.call_later(0.0005, offer)


async def _unacknowledged(world: World, b: Party, talk: Talk) -> None:
    b.acknowledges = False
    b.change(talk, b.describe())
    await world.sleep(0.1)
    b.acknowledges = True
    world.loop.call_later(3.0, b.send_ack, talk)


def _refusing(*refusals: tuple[int, tuple[tuple[str, str], ...]]) -> Action:
    async def refuse(world: World, b: Party, talk: Talk) -> None:
        b.refusals.extend(refusals)

    return refuse


async def _silent(world: World, b: Party, talk: Talk) -> None:
    b.silent = True


async def _leaves(world: World, b: Party, talk: Talk) -> None:
    b.leaves = True


async def _holding(world: World, b: Party, talk: Talk) -> None:
    b.holds = True
    b.change(talk, b.describe())
    await world.sleep(0.5)


COLUMNS: dict[str, Action] = {
    "idle": _idle,
    "has offered": _offered_before,
    "offers too": _offers_after,
    "owes its ACK": _unacknowledged,
    "491 once": _refusing((491, ())),
    "491 always": _refusing(*[(491, ())] * 99),
    "488": _refusing((488, ())),
    "500, later": _refusing((500, (("Retry-After", "2"),))),
    "407": _refusing((407, CHALLENGE)),
    "silent": _silent,
    "hangs up": _leaves,
    "holds": _holding,
}


async def play(world: World, row: str, column: str, *, callee: bool, engine: str) -> str:
    """Play a cell and return its outcome; AssertionError where the two sides and the engine don't agree.

    callee: whether A is the one who was called. engine: `fake` or `passthrough`.
    """
    town = await start(world)
    if engine == "passthrough":
        town.exchange.engine = passing = PassthroughEngine()
        world.watch("passthrough", passing)
    one, other = await party(town, "1001"), await party(town, "1002")
    a_talk, b_talk = await connected(town, one, other)
    a, b = one, other
    if callee:
        a, a_talk, b, b_talk = other, b_talk, one, a_talk
    for talk in (a_talk, b_talk):
        talk.finals.clear()
        talk.got.clear()
    await COLUMNS[column](world, b, b_talk)
    begun = len(town.engine.asked)
    b_talk.got.clear()
    await ROWS[row](world, a, a_talk)
    await world.sleep(SETTLED_SECONDS if not b.silent else 40)
    told = "INVITE" in b_talk.got or any(asked.verb == "dtmf" for asked in town.engine.asked[begun:])
    over = a_talk.over and b_talk.over
    assert a_talk.over == b_talk.over
    if not over and engine == "fake":
        assert_agreed(town, {one: (a_talk, b_talk)[callee], other: (b_talk, a_talk)[callee]})
    elif not over:
        assert same_sound(a_talk.said, b_talk.heard)
        assert same_sound(b_talk.said, a_talk.heard)
    finals = [text.partition(" ")[0] for text in a_talk.finals]
    words = [" ".join([*finals, *a_talk.fragments[-1:]]), *["told"] * told, *["ends"] * over]
    b.silent = b.leaves = False
    a.leave(a_talk)
    await world.sleep(0.5)
    assert a_talk.over
    assert b_talk.over
    assert len(town.calls) == (2 if row.startswith("REFER") and "202" in words[0] else 1)
    assert town.exchange.core.stack.counts["internal error"] == 0
    return " ".join(words)


def assert_agreed(town: Town, talks: dict[Party, Talk]) -> None:
    """What each party said last is what the engine knows of it, and where it sends is a port of its own."""
    (call_id,) = {asked.call for asked in town.engine.asked[-1:]}
    assert_engine_knows(town.engine, call_id, list(talks.values()))


def assert_engine_knows(engine: FakeEngine, call_id: str, talks: list[Talk]) -> None:
    """Of each leg the engine knows what its party said last; and each party sends to its leg's port."""
    legs = {leg.port: leg for leg in engine.snapshot(call_id).legs}
    for talk in talks:
        leg = legs[place_of(talk.heard)]
        said = sdp.parse(talk.said).media[0]
        assert leg.remote is not None
        known = (leg.remote.host, leg.remote.port, leg.remote.formats, leg.remote.effective_direction)
        assert known == (said.host, said.port, said.formats, said.effective_direction)
        sends = formats_of(talk.said)[0]
        assert sends in formats_of(talk.heard), "it sends what it may not"


def same_sound(said: bytes, heard: bytes) -> bool:
    """Whether a description reached the other party as it was said, but for codecs that nobody sends now."""
    return (place_of(said), direction_of(said)) == (place_of(heard), direction_of(heard)) and (
        formats_of(said)[0] in formats_of(heard)
    )


def read_table(text: str, name: str) -> dict[tuple[str, str], str]:
    """The table after the line `<!-- name -->` of a page: outcome by row and column."""
    lines = text.partition(f"<!-- {name} -->\n")[2].splitlines()
    table: dict[tuple[str, str], str] = {}
    columns = [cell.strip() for cell in lines[0].strip("| ").split("|")][1:]
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        row, *cells = [cell.strip() for cell in line.strip("| ").split("|")]
        for column, cell in zip(columns, cells, strict=True):
            table[row, column] = cell
    return table


def operator_party(town: Town, name: str) -> Party:
    """An operator's side of a trunk, which answers what it is sent."""
    for domain, (operator, address) in OPERATORS.items():
        if operator == name:
            host = town.world.host(name, address)
            phone = Party(host, user="+33699999999", password="")
            phone.domain = domain
            phone.automatic = True
            town.world.watch(name, phone)
            town.world.closing.push_async_callback(phone.close)
            return phone
    raise ValueError(name)


def assert_speak(town: Town, one: Party, other: Party) -> None:
    """Each is in one call, with the other: the engine joins them and knows what both said last."""
    (talk,), (second,) = one.talking, other.talking
    for call_id in dict.fromkeys(asked.call for asked in reversed(town.engine.asked)):
        ports = {leg.port: leg for leg in town.engine.snapshot(call_id).legs}
        if place_of(talk.heard) in ports:
            joined = ports[place_of(talk.heard)].peer
            assert ports[place_of(second.heard)].name == joined
            assert_engine_knows(town.engine, call_id, [talk, second])
            return
    raise AssertionError(f"{one.user} sends to no port of the engine's")
