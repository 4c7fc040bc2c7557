"""An engine that lets the parties' sound flow directly between them: SDP goes through untouched.

For benches of signalling alone, and for laboratories. It can't answer a phone itself: what needs sound
of ours (announcements, echo, digits) is refused with 488.
"""

from collections.abc import Callable
from typing import Final, NoReturn

from media import sdp as session_description
from media.engine import CallMedia, MediaEvent, MediaRefused, Source

_NO_SOUND: Final = "this media engine has no sound of its own"


class PassthroughEngine:
    """A `media.engine.MediaEngine` that keeps each call's last answer and nothing else.

    events: never called. An answer is only read when `codec` is asked for.
    """

    def __init__(self, events: Callable[[MediaEvent], None] | None = None) -> None:
        self.events: Callable[[MediaEvent], None] = events or _ignore
        self._answers: dict[str, dict[str, bytes]] = {}

    def inventory(self) -> dict[str, int]:
        """Return how many calls are held now."""
        return {"media_calls": len(self._answers)}

    async def offer(
        self, call: str, leg: str, to: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> bytes:
        """Return the offer as it is."""
        return sdp

    async def answer(
        self, call: str, leg: str, to: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> bytes:
        """Return the answer as it is."""
        answers = self._answers.setdefault(call, {})
        answers[leg] = answers[to] = sdp
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

    async def dtmf(self, call: str, leg: str, digits: str) -> None:
        """Raise MediaRefused (488)."""
        _refuse()

    async def query(self, call: str) -> CallMedia:
        """Return nothing: no packet is seen."""
        return CallMedia({})

    async def delete(self, call: str) -> None:
        """Forget the call."""
        self._answers.pop(call, None)

    def codec(self, call: str, leg: str) -> str:
        """Return the first voice codec of the last answer, "" when there is none or it can't be read."""
        body = self._answers.get(call, {}).get(leg)
        if body is None:
            return ""
        try:
            session = session_description.parse(body)
        except session_description.SdpError:
            return ""
        voices = [
            codec.name
            for media in session.media
            if media.kind == "audio" and media.port
            for codec in media.codecs
            if not codec.is_auxiliary
        ]
        return voices[0] if voices else ""


def _refuse() -> NoReturn:
    raise MediaRefused(488, _NO_SOUND)


def _ignore(event: MediaEvent) -> None:
    """Take an event; this engine makes none."""
