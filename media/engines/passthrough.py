"""An engine that lets the parties' sound flow directly between them: SDP goes through untouched.

For benches of signalling alone, and for laboratories. It can't answer a phone itself: what needs sound
of ours (announcements, echo, digits) is refused with 488.
"""

import re
from collections.abc import Callable
from typing import Final, NoReturn

from media.engine import NO_TRACK, CallMedia, LegQuality, MediaEvent, MediaRefused, Multicast, Source
from media.sdes import Policy
from media.sdp import STATIC_ENCODINGS
from media.simpler import simpler_offer
from media.snapshot import CallMediaSnapshot

_AUDIO: Final = re.compile(rb"(?:\A|\n)m=audio [1-9][0-9]* [\w/]+ ([0-9]{1,3})\b", re.ASCII)
_ENCODING: Final = re.compile(rb"\na=rtpmap:[0-9]+ ([\w.\-]+)/", re.ASCII)
_NO_SOUND: Final = "this media engine has no sound of its own"


class PassthroughEngine:
    """A `media.engine.MediaEngine` that keeps each call's last answer and nothing else.

    events: never called. An answer is only read when `codec` is asked for.
    """

    carries = False
    records = False
    tapes = False
    speaks_webrtc = False

    def __init__(self, events: Callable[[MediaEvent], None] | None = None) -> None:
        self.events: Callable[[MediaEvent], None] = events or _ignore
        self._answers: dict[str, bytes] = {}

    def inventory(self) -> dict[str, int]:
        """Return how many calls are held now."""
        return {"media_calls": len(self._answers)}

    def secure(self, call: str, leg: str, policy: Policy) -> None:
        """Do nothing: the parties agree on their keys between them, and we see none of their sound."""

    async def offer(
        self,
        call: str,
        leg: str,
        to: str,
        sdp: bytes,
        *,
        nat: bool = False,
        advertise: str = "",
        simple: bool = False,
    ) -> bytes:
        """Return the offer as it is, or its G.711 alone when `simple`."""
        return simpler_offer(sdp) if simple else sdp

    async def answer(
        self, call: str, leg: str, to: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> bytes:
        """Return the answer as it is."""
        self._answers[call] = sdp
        return sdp

    async def publish(
        self, call: str, leg: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> bytes:
        """Raise MediaRefused (488)."""
        _refuse()

    async def terminate_offer(self, call: str, leg: str, *, advertise: str = "") -> bytes:
        """Raise MediaRefused (488)."""
        _refuse()

    async def terminate_answer(self, call: str, leg: str, sdp: bytes, *, nat: bool = False) -> None:
        """Raise MediaRefused (488)."""
        _refuse()

    async def play(self, call: str, leg: str, source: Source, *, repeat: bool = False) -> None:
        """Raise MediaRefused (488)."""
        _refuse()

    async def stop(self, call: str, leg: str) -> None:
        """Do nothing: nothing plays."""

    async def echo(self, call: str, leg: str) -> None:
        """Raise MediaRefused (488)."""
        _refuse()

    async def record(
        self,
        call: str,
        leg: str,
        path: str,
        *,
        seconds: float,
        silence_seconds: float = 0.0,
        keys: str = "",
    ) -> None:
        """Raise MediaRefused (488)."""
        _refuse()

    async def stop_recording(self, call: str, leg: str) -> None:
        """Do nothing: nothing is recorded."""

    async def tape(self, call: str, leg: str, slot: int, by_leg: int, to_leg: int) -> None:
        """Raise MediaRefused (488), unless it is to end: no packet is seen."""
        if not by_leg == to_leg == NO_TRACK:
            _refuse()

    async def dtmf(self, call: str, leg: str, digits: str) -> None:
        """Raise MediaRefused (488)."""
        _refuse()

    def ask_for_picture(self, call: str, leg: str) -> None:
        """Do nothing: the parties ask each other."""

    async def multicast(self, call: str, leg: str, to: Multicast) -> None:
        """Raise MediaRefused (488)."""
        _refuse()

    async def join(self, call: str, leg: str, room: str, *, speaks: bool = True, hears: bool = True) -> None:
        """Raise MediaRefused (488)."""
        _refuse()

    async def leave(self, call: str, leg: str) -> None:
        """Do nothing: no leg is in a room."""

    async def whisper(self, call: str, leg: str, to: str | None, *, to_call: str = "") -> None:
        """Raise MediaRefused (488)."""
        _refuse()

    async def query(self, call: str) -> CallMedia:
        """Return nothing: no packet is seen."""
        return CallMedia({})

    async def delete(self, call: str) -> None:
        """Forget the call."""
        self._answers.pop(call, None)

    def reserve(self, call: str) -> None:
        """Do nothing: there are no ports."""

    async def renew(self, call: str, leg: str) -> None:
        """Raise MediaRefused (488)."""
        _refuse()

    async def move(self, call: str, leg: str, to_call: str, to_leg: str) -> bool:
        """Return False: the parties send to each other."""
        return False

    def codec(self, call: str, leg: str) -> str:
        """Return the first voice codec of the last answer, "" when there is none or it can't be read."""
        body = self._answers.get(call)
        if body is None or (stream := _AUDIO.search(body)) is None:
            return ""
        payload_type = stream[1]
        mapped = body.find(b"\na=rtpmap:" + payload_type + b" ")
        named = _ENCODING.match(body, mapped) if mapped >= 0 else None
        if named is not None:
            return named[1].decode()
        return STATIC_ENCODINGS.get(payload_type.decode(), "").partition("/")[0]

    def leg_codecs(self, call: str, leg: str) -> dict[str, str]:
        """Return nothing: no packet is seen."""
        return {}

    def quality(self, call: str, leg: str) -> LegQuality | None:
        """Return None: no packet is seen."""
        return None

    def snapshot(self, call: str) -> CallMediaSnapshot:
        """Return no legs: nothing is held that sound needs."""
        return CallMediaSnapshot(call, [])

    def restore(self, snapshot: CallMediaSnapshot) -> None:
        """Do nothing: the parties' sound never came here."""


def _refuse() -> NoReturn:
    raise MediaRefused(488, _NO_SOUND)


def _ignore(event: MediaEvent) -> None:
    """Take an event; this engine makes none."""
