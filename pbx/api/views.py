"""What pages and commands are told of the calls in progress, and of what people are doing."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

ColleagueState: TypeAlias = Literal["free", "in_call", "ringing", "do_not_disturb", "away", "not_there"]
"""What somebody is doing (pbx.services.colleagues)."""


class PartyView(Struct, frozen=True):
    """One party of a call. leg: as in the call record. number: its extension, else its number outside.

    state: `calls` (nobody has answered it), `called`, `rings`, `talks`, `holds`, `held` (its peer holds),
    `confers` (in a room), `waits` (for a service, or alone). muted: nobody hears it, by our doing.
    dialog: the Call-ID of its dialog with us, by which a telephone finds its own call here.
    may_record: whether it may have the call recorded from now on.
    """

    leg: str
    device: str
    number: str
    name: str
    state: str
    muted: bool = False
    dialog: str = ""
    may_record: bool = False


class CallView(Struct, frozen=True):
    """A call in progress. started, answered: Unix seconds. to: who or what it reached, as in the record.

    service: that it came to first, "" for none. recorded: `on`, `stopped` by somebody in it, or "";
    stoppable: whether they may. conference: the others in the room that it is in, by name, "" for who is
    none of ours or hides.
    """

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
    service: str = ""
    recorded: str = ""
    stoppable: bool = False
    conference: tuple[str, ...] = ()


class ColleagueStatus(Struct, frozen=True):
    """What somebody is doing. is_forwarded: all their calls are sent elsewhere."""

    extension: str
    state: ColleagueState
    is_forwarded: bool = False


class Done(Struct, frozen=True):
    """What came of something that was asked. call: the call that it is about, "" where that is over.

    state: `done`; of a transfer also `rings` (it is under way); place: where a caller is parked.
    """

    call: str = ""
    state: str = "done"
    place: str = ""
