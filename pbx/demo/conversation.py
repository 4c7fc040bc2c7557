"""A call that plays itself: two softphones sign in, talk through the town and say what they heard."""

from __future__ import annotations

import asyncio
import secrets
import socket
from dataclasses import dataclass

from media.engine import MediaRefused
from pbx.demo.ladder import Ladder
from pbx.demo.town import Town
from pbx.demo.voice import SAME_HZ, Voice
from sip.net.udp import UdpTransport
from sip.user_agent import CallFailed, RegistrationRefused, UserAgent

CALLER, CALLEE = "1001", "1002"
CALLER_HZ, CALLEE_HZ = 440, 1000
REGISTER_SECONDS = 120
RING_SECONDS = 0.5
TALK_SECONDS = 3.0
ENOUGH_SECONDS = 0.8 * TALK_SECONDS  # of sound heard: a busy machine may lose some
PATIENCE_SECONDS = 15.0  # for everything together


@dataclass(frozen=True, slots=True)
class Hearing:
    """What one phone heard. wanted_hz: the other's tone; hz: the one measured, 0.0 for none."""

    phone: str
    wanted_hz: int
    hz: float
    seconds: float
    packets: int
    codec: str

    @property
    def right(self) -> bool:
        """Whether it heard the other phone, for most of the call."""
        return abs(self.hz - self.wanted_hz) <= SAME_HZ and self.seconds >= ENOUGH_SECONDS


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the call went. failure: what ended it early, empty otherwise."""

    hearings: tuple[Hearing, ...]
    failure: str = ""

    @property
    def good(self) -> bool:
        """Whether both heard the right tone."""
        return not self.failure and all(hearing.right for hearing in self.hearings)


class Phone:
    """A softphone on a UDP port of its own, with a voice."""

    def __init__(self, town: Town, extension: str, speaks_hz: int, expects_hz: int) -> None:
        host = town.server[0]
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind((host, 0))
        self.name = extension
        self.agent = UserAgent(town.account(extension), secrets.token_bytes(16))
        self._transport = UdpTransport(self.agent.driver, bound)
        self.agent.outbound = self._transport.flow_to(town.server)
        self.voice = Voice(host, speaks_hz, expects_hz)

    def hearing(self) -> Hearing:
        """What it heard so far."""
        voice = self.voice
        return Hearing(
            self.name, voice.expects_hz, voice.measured_hz(), voice.heard_seconds, voice.packets, voice.codec
        )

    def close(self) -> None:
        """Give its ports back."""
        self.voice.close()
        self.agent.close()
        self._transport.close()


async def converse(town: Town, ladder: Ladder) -> Verdict:
    """Let 1001 call 1002 and both speak; the ladder shows it meanwhile."""
    caller = Phone(town, CALLER, CALLER_HZ, CALLEE_HZ)
    callee = Phone(town, CALLEE, CALLEE_HZ, CALLER_HZ)
    failure = ""
    try:
        for phone in (caller, callee):
            ladder.place(phone.name, phone.agent.outbound.local)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _call(caller, callee, ladder)
    except (CallFailed, RegistrationRefused, MediaRefused) as error:
        failure = str(error)
    except TimeoutError:
        failure = f"the call wasn't over after {PATIENCE_SECONDS:.0f} s"
    finally:
        for phone in (caller, callee):
            phone.close()
    return Verdict((caller.hearing(), callee.hearing()), failure)


async def _call(caller: Phone, callee: Phone, ladder: Ladder) -> None:
    for phone in (caller, callee):
        ladder.note(f"{phone.name} signs in")
        await phone.agent.register(REGISTER_SECONDS)
    ladder.note(f"{caller.name} dials {callee.name}, which rings")
    going = caller.agent.invite(callee.name, caller.voice.offer())
    coming = await callee.agent.incoming()
    coming.ring()
    await going.ringing()
    await asyncio.sleep(RING_SECONDS)
    ladder.note(f"{callee.name} answers")
    coming.answer(callee.voice.answer(coming.offer))
    caller.voice.take_answer(await going.answered())
    await coming.acknowledged()
    await _talk(caller, callee, ladder)
    ladder.note(f"{caller.name} hangs up")
    going.hang_up()
    await coming.ended()
    # The town acknowledges the BYE when the call's record is written.
    await ladder.received(caller.name, "200 OK to BYE")


async def _talk(caller: Phone, callee: Phone, ladder: Ladder) -> None:
    """Both speak at once for TALK_SECONDS; each first recognition is drawn when it happens."""
    ladder.note(
        f"both speak for {TALK_SECONDS:.0f} s: {caller.name} {CALLER_HZ} Hz, {callee.name} {CALLEE_HZ} Hz"
    )
    for phone in (caller, callee):
        label = f"{phone.voice.expects_hz} Hz, {phone.voice.codec}"
        phone.voice.recognised.add_done_callback(
            lambda _, phone=phone, label=label: ladder.sound(phone.name, label)  # type: ignore[misc]
        )
        phone.voice.speak()
    await asyncio.sleep(TALK_SECONDS)
    for phone in (caller, callee):
        phone.voice.hush()
