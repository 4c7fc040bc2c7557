"""Exports by two persons: who has asked, who has agreed, and what is still to be used.

```
asked ──(another listener, within GOOD_SECONDS)──> approved ──(who asked, within GOOD_SECONDS)──> used
```
All of it is in the journal, and what is decided here is decided from the journal's entries about one
recording. An approval serves one export. Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from recording.archive.requests import ExportAsked, Said

GOOD_SECONDS: Final = 86_400.0
ASKED: Final = "export asked"
APPROVED: Final = "export approved"
EXPORTED: Final = "exported"


class Approval(NamedTuple):
    """What lets somebody export a recording now. request: the entry that asked; by: who approved."""

    request: int
    by: str


class NotApproved(Exception):
    """Why somebody may not export a recording now; the text says what to do, word is the pages' for it."""

    def __init__(self, why: str, word: Literal["ask_first", "waits_for_another"]) -> None:
        super().__init__(why)
        self.word: Literal["ask_first", "waits_for_another"] = word


def still_open(history: Iterable[Said], now: float) -> list[ExportAsked]:
    """Return the requests that are of use still. history: of one recording."""
    asked: dict[int, ExportAsked] = {}
    for said in history:
        number = said.about.get("request", -1)
        if said.what == ASKED and now - said.at < GOOD_SECONDS:
            why = str(said.about.get("why", ""))
            asked[said.number] = ExportAsked(
                said.number, said.recording, said.by, why, said.at + GOOD_SECONDS
            )
        elif said.what == APPROVED and number in asked:
            asked[number] = replace(asked[number], approved_by=said.by)
        elif said.what == EXPORTED:
            asked.pop(number, None)
    return list(asked.values())


def granted(history: Iterable[Said], person: str, now: float) -> Approval:
    """Return the approval that a person may use. history: of the recording. Raises NotApproved."""
    asked: dict[int, float] = {}
    approved: dict[int, str] = {}
    for said in history:
        if said.what == ASKED and said.by == person and now - said.at < GOOD_SECONDS:
            asked[said.number] = said.at
        elif said.what == APPROVED and said.about.get("request") in asked:
            approved[said.about["request"]] = said.by
        elif said.what == EXPORTED:
            asked.pop(said.about.get("request", -1), None)
    for number in asked:
        if number in approved:
            return Approval(number, approved[number])
    if asked:
        number = max(asked)
        raise NotApproved(
            f"request {number} waits for another listener: `beffroi recording approve {number}`, "
            "within 24 hours of the request",
            "waits_for_another",
        )
    why = "two persons export this: ask first, by `beffroi recording ask-export`"
    raise NotApproved(why, "ask_first")
