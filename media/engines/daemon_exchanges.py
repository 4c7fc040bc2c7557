"""Offers and answers with an rtpengine daemon: which two parties belong together, and what each of them said.

The daemon gives each of them a port. A party that is alone belongs to its shadow, who is nowhere, or to
itself where it hears an echo. Keys are planted first, as `media.engines.rtpengine` tells.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from msgspec import structs

from media.engine import MediaMisuse, MediaRefused, MediaUnavailable
from media.engines.daemon_counts import first_stream, integer, text
from media.engines.daemon_parties import DaemonCall, DaemonLeg, FurtherLine, Party, same_suite
from media.engines.daemon_words import (
    description,
    no_address,
    said_nowhere,
    said_of,
    said_of_other,
    said_to_convert,
)
from media.engines.daemons import place_in
from media.engines.ng import NgRefused, Reply, Said

NOT_HERE: Final = 488

# Ask the call's daemon. Raises MediaRefused (480 without a port, else 488), MediaUnavailable.
Ask: TypeAlias = Callable[[DaemonCall, str, dict[str, Said]], Awaitable[Reply]]


class Exchanges:
    """What is agreed with the daemons about parties. All its verbs raise MediaRefused or MediaUnavailable."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def exchange(
        self, call: DaemonCall, one: str, one_said: dict[str, Said], other: str, other_said: dict[str, Said]
    ) -> None:
        """Tell the daemon that two parties belong together, and what each of them said.

        The ports that it gives are noted. Raises MediaRefused (480, 488), MediaUnavailable.
        """
        tags: dict[str, Said] = {"from-tag": one, "to-tag": other}
        offered = await self._ask(call, "offer", {**one_said, **tags, **said_of_other(other_said)})
        answered = await self._ask(call, "answer", {**other_said, **tags, **said_of_other(one_said)})
        for tag, reply in ((other, offered), (one, answered)):
            try:
                _, port = place_in(reply)
            except NgRefused as error:
                raise MediaUnavailable(str(error)) from None
            if tag in call.parties:
                call.parties[tag].port = port

    async def place(self, call: DaemonCall, *streams: Party) -> None:
        """Have a port for each of these parties.

        Raises MediaRefused (480) when none is left, MediaUnavailable.
        """
        missing = [stream for stream in streams if not stream.port]
        if len(missing) == 2:
            one, other = missing
            await self.exchange(call, one.name, said_nowhere(one), other.name, said_nowhere(other))
        else:
            for one in missing:
                await self.exchange(call, one.name, said_nowhere(one), one.shadow, said_nowhere(one))

    async def join(self, call: DaemonCall, one: Party, other: Party) -> None:
        """Let two parties hear each other, as both have agreed. They come in the order of `in_order`."""
        if one.remote is None or other.remote is None:
            return
        await self._plant(call, one)
        await self._plant(call, other)
        # RFC 4568 section 6.1: of one suite, the other would be sent what this one's key encrypts.
        beside = other.planted if same_suite(one, other) else None
        said = said_of(call, one, one.remote, beside)
        if isinstance(one, DaemonLeg) and isinstance(other, DaemonLeg):
            said |= said_to_convert(one, other)
        await self.exchange(call, one.name, said, other.name, said_of(call, other, other.remote))

    async def leave_alone(self, call: DaemonCall, stream: DaemonLeg) -> None:
        """Let a leg belong to its shadow: it can be played to, and hears itself where it echoes."""
        if stream.remote is None:
            return
        await self._plant(call, stream)
        shadow = said_nowhere(stream)
        # It speaks what the leg speaks: the daemon forgets all that only one of two has, events included.
        shadow["sdp"] = description(stream.remote, *no_address(stream), "sendrecv")
        if stream.echoes:
            shadow["sdp"] = await self._mirror(call, stream)
        elif stream.ear is not None:
            shadow["sdp"] = description(stream.remote, *stream.ear.place, "sendrecv")
        await self.exchange(call, stream.name, said_of(call, stream, stream.remote), stream.shadow, shadow)

    async def send_nowhere(self, call: DaemonCall, line: FurtherLine) -> None:
        """Let what comes on a line beside the sound go to nobody."""
        if line.joined:
            line.joined, line.planted = False, None
            await self.hear(call, line, "")
            await self.exchange(call, line.name, said_nowhere(line), line.shadow, said_nowhere(line))

    async def hear(self, call: DaemonCall, stream: Party, hushed: str) -> None:
        """Let a party hear all but this one."""
        if hushed == stream.hushed:
            return
        before, stream.hushed = stream.hushed, hushed
        if before:
            await self._ask(call, "unblock media", {"from-tag": before})
        if hushed:
            await self._ask(call, "block media", {"from-tag": hushed})

    async def _plant(self, call: DaemonCall, stream: Party) -> None:
        """Let the daemon encrypt with our key what the leg hears from here on (RFC 4568 section 6.1)."""
        security = stream.security if stream.remote is not None and stream.remote.port else None
        if stream.remote is None or security is None:
            stream.planted = None
            return
        ours = structs.replace(security.ours, tag=stream.tag)
        if ours == stream.planted:
            return
        shadow = said_nowhere(stream)
        shadow["sdp"] = description(stream.remote, *no_address(stream), "sendrecv", keys=(ours,))
        said = said_of(call, stream, stream.remote)
        await self.exchange(call, stream.shadow, shadow, stream.name, said)
        stream.planted = ours

    async def _mirror(self, call: DaemonCall, stream: DaemonLeg) -> bytes:
        """Return the description of a shadow that hears itself: its address is the daemon's port for it."""
        if stream.remote is None:
            raise MediaMisuse(f"leg {stream.name} has agreed to nothing")
        said = said_of(call, stream, stream.remote)
        await self.exchange(call, stream.name, said, stream.shadow, said_nowhere(stream))
        reply = await self._ask(call, "query", {})
        port = first_stream(reply, stream.shadow)
        host, number = text(port.get("local address")), integer(port.get("local port"))
        if not (host and number):
            raise MediaRefused(NOT_HERE, "this rtpengine doesn't say where an echo would come back")
        return description(stream.remote, host, number, "sendrecv")
