"""Races and rules of the protocol that phones seldom show, played by SIPp against a running Beffroi.

The caller is the État civil (2010), the called Urbanisme (2020); over TCP, where SIPp tells a repeated one
from a new message, the called is the school (2401). What needs long times is tested in the virtual world.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.interop.baresip import Baresip
from tests.interop.beffroi import Beffroi
from tests.interop.namespaces import Namespace, Town
from tests.interop.patience import until
from tests.interop.sipp import Account, Sipp, register

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("other phones"),
    pytest.mark.asyncio(loop_scope="module"),
]

CALLER = Account("2010", "pw2010")
CALLEES = {"udp": Account("2020", "pw2020"), "tcp": Account("2401", "pw2401")}


@dataclass
class Stage:
    """Where SIPp plays the caller and the called, both known to Beffroi."""

    pbx: Beffroi
    left: Namespace
    right: Namespace

    def caller(self, folder: Path, scenario: str, transport: str = "udp", dialled: str = "") -> Sipp:
        """The caller's side of a scenario."""
        dialled = dialled or CALLEES[transport].user
        return Sipp(self.left, folder, scenario, self.pbx.address, [CALLER], transport, dialled=dialled)

    def callee(self, folder: Path, scenario: str, transport: str = "udp") -> Sipp:
        """The called side of a scenario."""
        return Sipp(self.right, folder, scenario, self.pbx.address, [CALLEES[transport]], transport)

    async def play(self, folder: Path, caller: str, callee: str, transport: str = "udp") -> None:
        """One call between two scenarios; PeerError unless both went as written. Nothing of it is left."""
        async with self.callee(folder, callee, transport), self.caller(folder, caller, transport):
            pass

        async def nothing_left() -> bool:
            return bool((await self.pbx.status())["calls"] == 0)

        await until(nothing_left, "Beffroi to be without a call", 5.0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    standing_pbx: Beffroi, standing_town: Town, tmp_path_factory: pytest.TempPathFactory
) -> Stage:
    """The called is registered over each transport."""
    left, right = standing_town.plug("10.54.1.71"), standing_town.plug("10.54.1.72")
    folder = tmp_path_factory.mktemp("registrations")
    for transport, account in CALLEES.items():
        await register(right, folder, standing_pbx.address, [account], transport)
    return Stage(standing_pbx, left, right)


# --- Crossings ---------------------------------------------------------------------------------------------


async def test_a_cancel_that_crosses_the_answer_ends_the_call(stage: Stage, tmp_path: Path) -> None:
    """RFC 3261 section 9.1: ACK and BYE to the one, 487 to the other."""
    await stage.play(tmp_path, "cancel", "late_answer")


async def test_a_bye_that_crosses_a_bye_is_answered(stage: Stage, tmp_path: Path) -> None:
    """RFC 3261 section 15."""
    await stage.play(tmp_path, "call", "bye_crosses")


async def test_offers_that_cross_are_refused_and_made_again(stage: Stage, tmp_path: Path) -> None:
    """RFC 3261 section 14: 491 to both, then the one of the caller passes."""
    await stage.play(tmp_path, "change_codec", "glare")


async def test_an_answer_that_is_not_acknowledged_comes_again(stage: Stage, tmp_path: Path) -> None:
    """RFC 3261 section 13.3.1.4, over TCP too."""
    await stage.play(tmp_path, "ack_late", "answer", "tcp")


async def test_an_answer_that_comes_again_is_acknowledged_again(stage: Stage, tmp_path: Path) -> None:
    """RFC 3261 section 13.2.2.4."""
    await stage.play(tmp_path, "call", "answer_twice", "tcp")


# --- Extensions --------------------------------------------------------------------------------------------


async def test_a_caller_that_requires_it_gets_a_ringing_that_must_arrive(
    stage: Stage, tmp_path: Path
) -> None:
    """RFC 3262 section 3, towards a called party that knows nothing of it."""
    await stage.play(tmp_path, "prack_asked", "answer")


async def test_a_called_party_that_rings_reliably_gets_its_prack(stage: Stage, tmp_path: Path) -> None:
    """RFC 3262 section 4, for a caller that knows nothing of it."""
    await stage.play(tmp_path, "call", "prack_wanted")


async def test_reliable_ringing_on_both_sides(stage: Stage, tmp_path: Path) -> None:
    """RFC 3262: each leg has numbers of its own."""
    await stage.play(tmp_path, "prack_asked", "prack_wanted")


async def test_update_holds_and_refreshes(stage: Stage, tmp_path: Path) -> None:
    """RFC 3311 section 5.2."""
    await stage.play(tmp_path, "update", "answer")


async def test_a_call_without_an_offer_gets_one(stage: Stage, tmp_path: Path) -> None:
    """RFC 3261 section 13.2.1."""
    await stage.play(tmp_path, "late_offer", "answer")


async def test_a_session_timer_is_agreed_and_refreshed(stage: Stage, tmp_path: Path) -> None:
    """RFC 4028 sections 7.1 and 9."""
    await stage.play(tmp_path, "session_timer", "answer")


async def test_a_session_timer_that_is_too_short_is_refused_with_the_least(
    stage: Stage, tmp_path: Path
) -> None:
    """RFC 4028 section 6."""
    async with stage.caller(tmp_path, "session_too_short"):
        pass


# --- Replaces ----------------------------------------------------------------------------------------------


async def test_another_phone_of_the_same_person_takes_over_her_call(
    stage: Stage, standing_town: Town, tmp_path: Path
) -> None:
    """RFC 3891 section 3: the call of Alice's phone, named as Beffroi and that phone name it."""
    desk, other = standing_town.plug("10.54.1.73"), standing_town.plug("10.54.3.74")
    server, second_phone = stage.pbx.address, Account("1001", "pw1001")
    async with (
        Baresip(desk, tmp_path, "1001", "pw1001", server, "udp", 440) as alice,
        Baresip(other, tmp_path, "1002", "pw1002", server, "udp", 850) as bruno,
    ):
        await alice.registered()
        await bruno.registered()
        await alice.dial("1002")
        await bruno.rung()
        await bruno.answer()
        await alice.answered()
        dialog = answered_dialog(stage.pbx.configuration.with_name("serve.log"), str(desk.address))
        async with Sipp(
            stage.left, tmp_path, "replaces", server, [second_phone], dialled="1002", more=dialog
        ):
            await alice.closed()
            await bruno.hang_up()


def answered_dialog(log: Path, address: str) -> str:
    """Call-ID, our tag and theirs of the call whose 200 was last sent to an address: a scenario's fields."""
    answer = re.compile(r"\nSIP/2\.0 200 .*\nCSeq: \d+ INVITE\n", re.DOTALL)
    sent = log.read_text(errors="replace").split(" sip.trace ")
    text = [one for one in sent if f"-> {address}:" in one and answer.search(one)][-1]
    (call_id,) = re.findall(r"\nCall-ID: (\S+)", text)
    (to_tag,) = re.findall(r"\nTo:.*;tag=(\w+)", text)
    (from_tag,) = re.findall(r"\nFrom:.*;tag=(\w+)", text)
    return f"{call_id};{to_tag};{from_tag}"


async def test_nobody_takes_over_a_call_that_is_not_there(stage: Stage, tmp_path: Path) -> None:
    """RFC 3891 section 3."""
    async with stage.caller(tmp_path, "replaces_nothing"):
        pass
