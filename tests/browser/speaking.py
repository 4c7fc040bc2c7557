"""Calls with sound on a running town: two telephones that speak a tone each, or one that leaves a message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pbx.demo.voice import Voice
from sip.user_agent import IncomingCall, UserAgent
from tests.browser.town import HOST, TEST_SECONDS, Town

CALLER_HZ, CALLED_HZ = 440, 1000


@asynccontextmanager
async def telephone(town: Town, extension: str) -> AsyncIterator[UserAgent]:
    """A telephone that is signed in."""
    agent, transport = town.phone(extension)
    try:
        await agent.register(120)
        yield agent
    finally:
        agent.close()
        transport.close()


@asynccontextmanager
async def conversation(town: Town, caller: str, number: str, called: str) -> AsyncIterator[None]:
    """`caller` dials a number where `called` answers; both speak until the end of the block."""
    ours, theirs = Voice(HOST, CALLER_HZ, CALLED_HZ), Voice(HOST, CALLED_HZ, CALLER_HZ)
    try:
        async with (
            telephone(town, caller) as first,
            telephone(town, called) as second,
            asyncio.timeout(TEST_SECONDS),
        ):
            going = first.invite(number, ours.offer())
            coming: IncomingCall = await second.incoming()
            coming.ring()
            coming.answer(theirs.answer(coming.offer))
            ours.take_answer(await going.answered())
            await coming.acknowledged()
            for voice in (ours, theirs):
                voice.speak()
            await asyncio.gather(ours.recognised, theirs.recognised)
            yield
            for voice in (ours, theirs):
                voice.hush()
            going.hang_up()
            await coming.ended()
    finally:
        ours.close()
        theirs.close()


async def leave_message(town: Town, caller: str, number: str, seconds: float) -> None:
    """`caller` dials a number that takes messages, and speaks for so long."""
    voice = Voice(HOST, CALLER_HZ, CALLED_HZ)
    try:
        async with telephone(town, caller) as agent, asyncio.timeout(TEST_SECONDS):
            going = agent.invite(number, voice.offer())
            voice.take_answer(await going.answered())
            voice.speak()
            await asyncio.sleep(seconds)
            going.hang_up()
    finally:
        voice.close()
