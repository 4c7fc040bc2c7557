"""What isn't well and is about no single recording: told when it begins, changes, and is over."""

from __future__ import annotations

from typing import Final

from recording.live.wire import Trouble, TroubleOver


class Troubled:
    """One thing that may not be well. what: as in Trouble."""

    __slots__ = ("_what", "_why")

    def __init__(self, what: str) -> None:
        self._what: Final = what
        self._why = ""

    def __bool__(self) -> bool:
        """Whether it isn't well, as told last."""
        return bool(self._why)

    def told(self, why: str) -> list[Trouble | TroubleOver]:
        """Return what is to be told now that this is so; why: "" where all is well."""
        if why == self._why:
            return []
        self._why = why
        return [Trouble(self._what, why) if why else TroubleOver(self._what)]
