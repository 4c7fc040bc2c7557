"""Recordings as the API shows them: what the recorder answers, in the API's names. Times are Unix seconds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, Field

from pbx.web.listening.hearings import Hearing
from recording.archive import requests
from recording.archive.rights import MOST_REASON

Recording = Annotated[str, Path(pattern=r"^[0-9]{8}-[0-9A-Za-z-]{1,60}$", examples=["20261122-093000-a1"])]
Format = Literal["wav", "flac", "opus"]


class Reason(BaseModel):
    """Why: it is journalled for ever, so it holds nobody's telephone number."""

    reason: str = Field("", max_length=MOST_REASON, examples=["dossier 12"])


class Search(Reason):
    """Which recordings: all that is given must hold. number: as somebody writes it; until_at is excluded."""

    number: str = Field("", max_length=40, examples=["06 12 34 56 78"])
    user: str = Field("", max_length=64)
    line: str = Field("", max_length=64, examples=["secours"])
    policy: str = Field("", max_length=64)
    call: str = Field("", max_length=64)
    since_at: float | None = Field(None, ge=0, le=1e11)
    until_at: float | None = Field(None, ge=0, le=1e11)
    shortest_seconds: float | None = Field(None, ge=0, le=1e9)
    longest_seconds: float | None = Field(None, ge=0, le=1e9)
    limit: int = Field(50, ge=1, le=200)
    after: str = Field("", max_length=200)


class Last(Reason):
    """The newest recording of a line or of a person. last_seconds: of its end alone, 0 for all."""

    line: str = Field("", max_length=64, examples=["secours"])
    user: str = Field("", max_length=64)
    last_seconds: float = Field(0.0, ge=0, le=86_400)
    passphrase: str = Field("", max_length=500)


class Listen(Reason):
    """last_seconds: of its end alone, 0 for all; passphrase: of the private key, where it has one."""

    last_seconds: float = Field(0.0, ge=0, le=86_400)
    passphrase: str = Field("", max_length=500)


class Export(Reason):
    """How a package is wanted. mixed: everybody in one channel."""

    format: Format = "wav"
    mixed: bool = False
    passphrase: str = Field("", max_length=500)


class Hold(Reason):
    """Until when recordings stay, whatever the plan says."""

    until_at: float = Field(ge=0, le=1e11)


class HoldSeveral(Hold):
    """Which recordings, too."""

    recordings: list[str] = Field(max_length=200)


class Release(Reason):
    """Which holds end, by their numbers."""

    holds: list[int] = Field(max_length=200)


class About(Reason):
    """Whose number: as somebody writes it."""

    number: str = Field(max_length=40, examples=["06 12 34 56 78"])


class RecordingItem(BaseModel):
    """A recording in a list. seconds: None while it goes on; keep_until_at: None where the plan doesn't say.

    held_until_at: of the hold that lasts longest, None without any.
    """

    recording: str
    begun_at: float
    ended_at: float | None
    seconds: float | None
    policy: str
    call: str
    line: str
    user: str
    caller: str
    called: str
    direction: str
    site: str
    state: str
    bytes: int
    keep_until_at: float | None
    held_until_at: float | None


class RecordingList(BaseModel):
    """A page of recordings, the newest first. next: what `after` asks for the next one, "" for the last."""

    items: list[RecordingItem]
    next: str


class PolicyItem(BaseModel):
    """A policy as it is in force. lines: the services that it records; keep_days: None where it has gone."""

    name: str
    legal_basis: str
    register_number: str
    keep_days: int | None
    least_days: int
    export: str
    listeners: list[str]
    lines: list[str] = []


class HoldItem(BaseModel):
    """A hold. hold: its number."""

    hold: int
    recording: str
    by: str
    reason: str
    made_at: float
    until_at: float


class HoldList(BaseModel):
    """Holds; refused: of recordings that were asked for in vain, why."""

    items: list[HoldItem]
    refused: dict[str, str] = {}


class JournalEntry(BaseModel):
    """What was done. by: an extension, an account of the pages or of the machine, or `node`.

    over_pages: by somebody signed in; else by a command, which says who it is for.
    """

    number: int
    at: float
    what: str
    recording: str
    by: str
    reason: str
    over_pages: bool
    about: dict[str, Any]


class ExportRequest(BaseModel):
    """A request to export that waits, or that was approved (`approved_by`). own: of who asks."""

    request: int
    recording: str
    by: str
    reason: str
    until_at: float
    approved_by: str
    own: bool


class ExportRequests(BaseModel):
    """Requests to export, the oldest first."""

    items: list[ExportRequest]


class RecordingFacts(RecordingItem):
    """All that is known of a recording. is_key_here: whether it can be opened on this node."""

    continues: str
    packets: int
    head: str
    rules: PolicyItem
    holds: list[HoldItem]
    journal: list[JournalEntry]
    exports: list[ExportRequest]
    is_key_here: bool


class Custody(BaseModel):
    """What was done with a recording, and nothing of who spoke in it."""

    recording: str
    begun_at: float
    ended_at: float | None
    state: str
    keep_until_at: float | None
    rules: PolicyItem
    holds: list[HoldItem]
    journal: list[JournalEntry]


class Channel(BaseModel):
    """Who is heard in a channel: a number, an extension, or `to EXTENSION` for what Beffroi played to it."""

    party: str
    silences: list[tuple[float, float]]


class PartItem(BaseModel):
    """What the call does from a second on: ringing, talk, hold, parked, transferred, conference."""

    second: float
    what: str
    parties: list[str]


class LossItem(BaseModel):
    """Packets that came and weren't kept."""

    second: float
    packets: int
    why: str


class Listening(BaseModel):
    """A recording opened for its listener. sound_begun_at: of second 0; goes_on: the call hadn't ended.

    damage: why what follows can't be heard, "" where all is whole; unheard: packets of what is no sound, by
    codec; points: of the waveform in all.
    """

    listening: str
    recording: RecordingItem
    rules: PolicyItem
    sound_begun_at: float
    seconds: float
    goes_on: bool
    channels: list[Channel]
    parts: list[PartItem]
    losses: list[LossItem]
    unheard: dict[str, int]
    damage: str
    points: int


class ListeningState(BaseModel):
    """How far the sound is made. peaks: points from `peaks_from` on, each channel's loudness, 0 to 1000.

    quiet: from when to when nobody speaks, seconds; known when all is made. failed: a code, "" for none.
    """

    seconds_made: float
    finished: bool
    failed: str
    peaks: list[list[int]]
    quiet: list[tuple[float, float]]


class PackageState(BaseModel):
    """A package. part: of its sound that is made, 0 to 1; failed: a code, "" for none."""

    package: str
    recording: str
    state: Literal["making", "made", "failed"]
    part: float
    failed: str


class Verification(BaseModel):
    """What was verified. opened: segments that the key opened, None where the private key isn't here.

    journal_entries: each checked against the one before and its signature. findings: what isn't as it was
    written, in English; proved_seconds: how much of a damaged recording is proved, None for all.
    """

    recording: str
    whole: bool
    goes_on: bool
    segments: int
    bytes: int
    opened: int | None
    journal_entries: int
    findings: list[str]
    proved_seconds: float | None


def item(found: requests.Found) -> RecordingItem:
    """Show a recording."""
    return RecordingItem(**_item(found))


def _item(found: requests.Found) -> dict[str, Any]:
    return {
        "recording": found.recording,
        "begun_at": found.begun,
        "ended_at": found.ended,
        "seconds": round(found.ended - found.begun, 1) if found.ended is not None else None,
        "policy": found.policy,
        "call": found.call,
        "line": found.line,
        "user": found.user,
        "caller": found.caller,
        "called": found.called,
        "direction": found.direction,
        "site": found.site,
        "state": found.state,
        "bytes": found.bytes,
        "keep_until_at": found.over,
        "held_until_at": found.held_until or None,
    }


def facts(shown: requests.Shown, person: str, *, is_key_here: bool) -> RecordingFacts:
    """Show all that is known. person: who looks."""
    return RecordingFacts(
        **_item(shown.found),
        continues=shown.found.continues,
        packets=shown.found.packets,
        head=shown.found.head,
        rules=policy(shown.policy),
        holds=[hold(one) for one in shown.holds],
        journal=[entry(one) for one in shown.history],
        exports=[export_request(one, person) for one in shown.exports],
        is_key_here=is_key_here,
    )


def custody(told: requests.InCustody) -> Custody:
    """Show what was done with a recording."""
    return Custody(
        recording=told.recording,
        begun_at=told.begun,
        ended_at=told.ended,
        state=told.state,
        keep_until_at=told.over,
        rules=policy(told.policy),
        holds=[hold(one) for one in told.holds],
        journal=[entry(one) for one in told.history],
    )


def policy(told: requests.PolicyTold) -> PolicyItem:
    """Show a policy."""
    return PolicyItem(
        name=told.name,
        legal_basis=told.legal_basis,
        register_number=told.register,
        keep_days=told.keep_days,
        least_days=told.least_days,
        export=told.export,
        listeners=told.listeners,
    )


def hold(made: requests.HoldMade) -> HoldItem:
    """Show a hold."""
    return HoldItem(
        hold=made.number,
        recording=made.recording,
        by=made.by,
        reason=made.why,
        made_at=made.made,
        until_at=made.until,
    )


def entry(said: requests.Said) -> JournalEntry:
    """Show an entry of the journal."""
    about = {name: value for name, value in said.about.items() if name not in ("why", "over", "mark")}
    return JournalEntry(
        number=said.number,
        at=said.at,
        what=said.what,
        recording=said.recording,
        by=said.by,
        reason=str(said.about.get("why", "")),
        over_pages=said.about.get("over") == "pages",
        about=about,
    )


def export_request(asked: requests.ExportAsked, person: str) -> ExportRequest:
    """Show a request to export. person: who looks."""
    return ExportRequest(
        request=asked.request,
        recording=asked.recording,
        by=asked.by,
        reason=asked.why,
        until_at=asked.until,
        approved_by=asked.approved_by,
        own=asked.by == person,
    )


async def listening(made: Hearing) -> Listening:
    """Show what there is to hear. Raises Problem."""
    outlined = await made.outline()
    return Listening(
        listening=made.id,
        recording=item(made.found),
        rules=policy(made.policy),
        sound_begun_at=outlined.begun,
        seconds=outlined.samples / outlined.rate,
        goes_on=made.found.ended is None,
        channels=[Channel(party=one.name, silences=one.silences) for one in outlined.parties],
        parts=[PartItem(second=one.second, what=one.what, parties=one.parties) for one in outlined.parts],
        losses=[LossItem(second=one.second, packets=one.packets, why=one.why) for one in outlined.losses],
        unheard=outlined.unheard,
        damage=outlined.damage,
        points=outlined.points if outlined.parties else 0,
    )


def state(made: Hearing, peaks_from: int) -> ListeningState:
    """Show how far a sound is made."""
    rate = made.outlined.rate if made.outlined is not None else 1
    return ListeningState(
        seconds_made=made.made / rate,
        finished=made.finished,
        failed=made.failed.word if made.failed is not None else "",
        peaks=made.peaks[peaks_from:],
        quiet=made.quiet,
    )
