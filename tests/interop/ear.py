"""What a phone hears, found in its recording while the recording is still being written."""

from __future__ import annotations

import asyncio

from tests.interop.patience import PeerError, until
from tests.interop.tone import Recording, ToneError, are_heard, heard_frequency, is_heard, is_silent

HEARING_SECONDS = 1.0  # how long a tone, or silence, must last to count
_PATIENCE_SECONDS = 45.0


class Ear:
    """Half of a phone: `user` names it, `recording` gives all that its calls brought up to now.

    Methods raise PeerError when what is waited for isn't heard in time.
    """

    user: str

    def recording(self) -> Recording:
        """All that was heard, in the order of its coming. Raises ToneError while there is nothing."""
        raise NotImplementedError

    async def hears(self, frequency_hz: int, seconds: float = _PATIENCE_SECONDS) -> None:
        """Wait until the last second of what is heard is this one tone."""
        try:
            await until(
                lambda: self._hears_now(frequency_hz), f"{self.user} to hear {frequency_hz} Hz", seconds
            )
        except PeerError as error:
            error.add_note(f"what {self.user} heard: {self._what_was_heard()}")
            raise

    async def hears_nothing(self, seconds: float = _PATIENCE_SECONDS) -> None:
        """Wait for a second in which nothing comes, or nothing but silence."""
        try:
            await until(self._nothing_now, f"{self.user} to hear nothing", seconds)
        except PeerError as error:
            error.add_note(f"what {self.user} heard: {self._what_was_heard()}")
            raise

    async def hears_sound(self, but_hz: int = 0, seconds: float = _PATIENCE_SECONDS) -> None:
        """Wait until the last second of what is heard is sound, whichever, but for this one tone."""
        try:
            await until(lambda: self._sound_now(but_hz), f"{self.user} to hear music or a voice", seconds)
        except PeerError as error:
            error.add_note(f"what {self.user} heard: {self._what_was_heard()}")
            raise

    async def hears_together(
        self, frequencies_hz: set[int], but_hz: int, seconds: float = _PATIENCE_SECONDS
    ) -> None:
        """Wait until the last second of what is heard is these tones at once, without this other one."""

        async def heard_now() -> bool:
            try:
                heard = self.recording().last(HEARING_SECONDS)
            except ToneError:
                return False
            return heard.seconds >= HEARING_SECONDS and are_heard(frequencies_hz, heard, but_hz)

        wanted = " and ".join(str(tone) for tone in sorted(frequencies_hz))
        await until(heard_now, f"{self.user} to hear {wanted} Hz together, not {but_hz} Hz", seconds)

    def heard_frequency(self) -> int:
        """The one tone in all that was heard, in Hz. Raises ToneError when there isn't one."""
        return heard_frequency(self.recording())

    async def _hears_now(self, frequency_hz: int) -> bool:
        try:
            heard = self.recording().last(HEARING_SECONDS)
        except ToneError:  # nothing yet
            return False
        return heard.seconds >= HEARING_SECONDS and is_heard(frequency_hz, heard)

    async def _sound_now(self, but_hz: int) -> bool:
        before = self._seconds()
        await asyncio.sleep(HEARING_SECONDS)
        new = self._seconds() - before
        if new < HEARING_SECONDS / 2:  # it stands still
            return False
        heard = self.recording().last(new)
        return not is_silent(heard) and not (but_hz and is_heard(but_hz, heard))

    async def _nothing_now(self) -> bool:
        before = self._seconds()
        await asyncio.sleep(HEARING_SECONDS)
        new = self._seconds() - before
        return new <= 0 or is_silent(self.recording().last(new))

    def _seconds(self) -> float:
        try:
            return self.recording().seconds
        except ToneError:
            return 0.0

    def _what_was_heard(self) -> str:
        try:
            return f"{self.heard_frequency()} Hz"
        except ToneError as error:
            return str(error)
