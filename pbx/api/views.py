"""What pages and commands are told of the calls in progress."""

from __future__ import annotations

from msgspec import Struct


class PartyView(Struct, frozen=True):
    """One party of a call. leg: as in the call record. number: its extension, else its number outside.

    state: `calls` (nobody has answered it), `called`, `rings`, `talks`, `holds`, `held` (its peer holds),
    `confers` (in a room), `waits` (for a service, or alone). muted: nobody hears it, by our doing.
    """

    leg: str
    device: str
    number: str
    name: str
    state: str
    muted: bool = False


class CallView(Struct, frozen=True):
    """A call in progress. started, answered: Unix seconds. to: who or what it reached, as in the record."""

    id: str
    direction: str
    from_number: str
    from_name: str
    dialled: str
    to: str
    started: float
    answered: float | None
    parties: tuple[PartyView, ...]
    parents: tuple[str, ...] = ()


class Done(Struct, frozen=True):
    """What came of something that was asked. call: the call that it is about, "" where that is over.

    state: `done`; of a transfer also `rings` (it is under way); place: where a caller is parked.
    """

    call: str = ""
    state: str = "done"
    place: str = ""
