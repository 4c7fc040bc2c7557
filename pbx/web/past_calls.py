"""Past calls as pages and programs see them, and what of them somebody sees whose calls they are.

Who may read everybody's history sees all. Who sees their own calls sees who they spoke with, and neither a
caller that hid from them nor the outside number to which somebody forwarded a call (a mobile of their own).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pbx.call_table import Outcome, Quality, mos_of, outcome_of, quality_of
from pbx.messages.ladder import Ladder, Row
from pbx.records import CAME, CallRecord, LegRecord


class PastCall(BaseModel):
    """A call that has ended. way: `in` or `out` for whose history it is, "" in everybody's."""

    id: str = Field(examples=["019bf3a0c1d4a8e17b22"])
    direction: str = Field(description="`internal`, `inbound` or `outbound`.", examples=["inbound"])
    way: Literal["in", "out", ""]
    from_number: str = Field(examples=["+33612345678"])
    from_name: str = Field(examples=["M. Durand"])
    is_hidden: bool = Field(description="The caller didn't want to be shown.")
    dialled: str = Field(examples=["+33383001010"])
    to: str = Field(description="An extension, a service, or a number outside.", examples=["2010"])
    to_name: str = Field(examples=["État civil"])
    started_at: float = Field(examples=[1795371300.5])
    answered_at: float | None = Field(examples=[1795371304.0])
    ended_at: float = Field(examples=[1795371364.0])
    outcome: Outcome
    cause: str = Field(description="The word or SIP status that ended it.", examples=["completed"])
    is_recorded: bool
    mos: float | None = Field(description="Of the party that was heard worst (ITU-T G.107).", examples=[4.3])
    quality: Quality
    note: str = Field("", description="What one has noted of it oneself.", examples=["Rappeler jeudi."])


class PastCalls(BaseModel):
    """Past calls, the newest first."""

    items: list[PastCall]
    next: str = Field("", description="`after` of the page behind this one; empty for none.")


class Missed(BaseModel):
    """The calls that one missed and hasn't seen yet, the newest first; count: as many as are told at most."""

    count: int = Field(examples=[3])
    seen_until_at: float = Field(description="Unix seconds; 0 for never.", examples=[1795371300.0])
    items: list[PastCall]


class MissedSeen(BaseModel):
    """Until when one has seen the calls that one missed."""

    model_config = ConfigDict(extra="forbid")

    until_at: float = Field(ge=0, le=1e11, allow_inf_nan=False, examples=[1795371300.0])


class WantedNote(BaseModel):
    """What is noted of a call."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    text: str = Field(max_length=2000, description="Empty: nothing any more.", examples=["Rappeler jeudi."])


class NoteShown(BaseModel):
    """A note. account: whose."""

    account: str = Field(examples=["alice"])
    text: str = Field(examples=["Rappeler jeudi."])
    written_at: float = Field(description="Unix seconds.", examples=[1795371364.0])


class NotesShown(BaseModel):
    """Everybody's notes of a call, the oldest first."""

    items: list[NoteShown]
    next: str = ""


class QualityShown(BaseModel):
    """How a party was heard."""

    mos: float
    word: Quality
    loss_percent: float | None
    jitter_ms: float | None
    round_trip_ms: float | None


class LegShown(BaseModel):
    """A party. reached: how it came into the call (pbx.records.LegRecord); via: by whom, or which service."""

    leg: str = Field(examples=["a"])
    number: str = Field(examples=["1002"])
    name: str = Field(examples=["Bruno Petit"])
    device: str = Field(examples=["1002-app"])
    address: str = Field(description='"" for who sees only their own calls.', examples=["192.0.2.1:5060"])
    transport: str = Field(examples=["udp"])
    codec: str = Field(examples=["PCMA"])
    media: str = Field(description="`relayed` or `direct`.", examples=["relayed"])
    started_at: float
    answered_at: float | None
    ended_at: float | None
    cause: str
    reached: str = Field(examples=["dialled"])
    via: str = Field(examples=[""])
    quality: QualityShown | None


class IntervalShown(BaseModel):
    """Who heard whom, or what (pbx.records.Interval). legs: by their names in `legs`."""

    kind: str = Field(examples=["talk"])
    started_at: float
    ended_at: float | None
    legs: list[str] = Field(examples=[["a", "b1"]])
    where: str


class WholeCall(PastCall):
    """A call with its parties and its times, and the calls that it came from or led to."""

    legs: list[LegShown]
    intervals: list[IntervalShown]
    parents: list[PastCall]
    children: list[PastCall]
    plan_version: str
    plan_lines: list[int]
    has_messages: bool = Field(description="Whether its messages may still be kept.")


class StepShown(BaseModel):
    """A rule that was looked at. line: of the plan, 0 for one that isn't written there."""

    line: int
    rule: str
    outcome: str


class WhyShown(BaseModel):
    """Why a call went where it went. note: why that can't be told any more, or what isn't certain."""

    plan_version: str
    is_in_force: bool
    steps: list[StepShown]
    lines: list[str]
    unknown: list[str]
    note: str


class ColumnShown(BaseModel):
    """A column of a ladder."""

    name: str = Field(examples=["1001"])
    number: str
    person: str = Field(examples=["Alice Martin"])
    kind: Literal["party", "trunk", "beffroi"]


class RowShown(BaseModel):
    """A message (pbx.messages.ladder.Row). text: "" for who may not read everybody's history."""

    at: float
    sender: int = Field(description="Which column, from 0 on.")
    receiver: int
    label: str = Field(examples=["200 INVITE (sdp)"])
    method: str
    status: int
    phrase: str
    has_sdp: bool
    codecs: list[str]
    again: bool
    mark: str = Field(description="`held`, `resumed`, `transfer` or empty.")
    about: str
    transport: str
    text: str


class LadderShown(BaseModel):
    """A call's messages. is_whole: none is missing; without rows they aren't kept (any more)."""

    columns: list[ColumnShown]
    rows: list[RowShown]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Eyes:
    """Who looks. extension: whose own calls are seen, "" for everybody's. names: of people and services."""

    extension: str = ""
    names: dict[str, str] = field(default_factory=dict)

    def may_see(self, call: CallRecord) -> bool:
        """Whether the call is theirs, or they see all."""
        if not self.extension:
            return True
        parties = {call.from_, call.dialled, call.to}
        for leg in call.legs:
            parties |= {leg.number, leg.via}  # not by its device, which may be another's desk
        return self.extension in parties

    def call(self, call: CallRecord) -> PastCall:
        """What is seen of a call in a list."""
        shows_caller = not self.extension or not call.hidden or call.from_ == self.extension
        to = call.to
        if self.extension and call.direction != "outbound" and to not in self.names and to != call.dialled:
            to = ""  # somebody's forward
        mos = mos_of(call)
        return PastCall(
            id=call.id,
            direction=call.direction,
            way="" if not self.extension else "out" if call.from_ == self.extension else "in",
            from_number=call.from_ if shows_caller else "",
            from_name=(call.from_name or self.names.get(call.from_, "")) if shows_caller else "",
            is_hidden=call.hidden,
            dialled=call.dialled,
            to=to,
            to_name=self.names.get(to, ""),
            started_at=call.started,
            answered_at=call.answered,
            ended_at=call.ended,
            outcome=outcome_of(call, self.extension),
            cause=call.cause,
            is_recorded=call.recorded,
            mos=mos,
            quality=quality_of(mos),
            note="",
        )

    def whole(
        self, call: CallRecord, parents: list[CallRecord], children: list[CallRecord], *, has_messages: bool
    ) -> WholeCall:
        """What is seen of it on its page; of the calls around it, those that may be seen."""
        return WholeCall(
            **self.call(call).model_dump(),
            legs=[self._leg(call, leg) for leg in call.legs],
            intervals=[
                IntervalShown(
                    kind=one.kind,
                    started_at=one.started,
                    ended_at=one.ended,
                    legs=list(one.legs),
                    where=one.where,
                )
                for one in call.intervals
            ],
            parents=[self.call(one) for one in parents if self.may_see(one)],
            children=[self.call(one) for one in children if self.may_see(one)],
            plan_version=call.plan_version,
            plan_lines=[line for line in call.plan_lines if line],
            has_messages=has_messages,
        )

    def ladder(self, call: CallRecord, ladder: Ladder) -> LadderShown:
        """What is seen of its messages."""
        places = {column.name: place for place, column in enumerate(ladder.columns)}
        numbers = {leg.device: self._number(call, leg) for leg in reversed(call.legs)}
        columns = [
            ColumnShown(
                name=column.name,
                number=(number := numbers.get(column.name, "")),
                person=self.names.get(number, ""),
                kind="trunk" if column.is_trunk else "party" if column.number else "beffroi",
            )
            for column in ladder.columns
        ]
        rows = [self._row(row, places) for row in ladder.rows]
        return LadderShown(columns=columns, rows=rows, is_whole=ladder.is_whole)

    def _row(self, row: Row, places: dict[str, int]) -> RowShown:
        sees_all = not self.extension
        return RowShown(
            at=row.at,
            sender=places[row.sender],
            receiver=places[row.receiver],
            label=row.label,
            method=row.method,
            status=row.status,
            phrase=row.phrase,
            has_sdp=row.has_sdp,
            codecs=list(row.codecs),
            again=row.again,
            mark=row.mark,
            about=row.about if sees_all or row.about in self.names else "",
            transport=row.transport,
            text=row.text if sees_all else "",
        )

    def _leg(self, call: CallRecord, leg: LegRecord) -> LegShown:
        number, quality = self._number(call, leg), leg.quality
        return LegShown(
            leg=leg.name,
            number=number,
            name=self.names.get(number, ""),
            device=leg.device,
            address="" if self.extension else leg.address,
            transport=leg.transport,
            codec=leg.codec or "",
            media=leg.media or "",
            started_at=leg.started,
            answered_at=leg.answered,
            ended_at=leg.ended,
            cause=leg.cause,
            reached=leg.reached,
            via=leg.via if not self.extension or leg.via in self.names else "",
            quality=None
            if quality is None
            else QualityShown(
                mos=quality.mos,
                word=quality_of(quality.mos),
                loss_percent=quality.loss_percent,
                jitter_ms=quality.jitter_ms,
                round_trip_ms=quality.round_trip_ms,
            ),
        )

    def _number(self, call: CallRecord, leg: LegRecord) -> str:
        """The number of a party, where it may be seen."""
        if not self.extension or leg.number in self.names or leg.number == self.extension:
            hides = self.extension and call.hidden and leg is call.legs[0] and leg.number != self.extension
            return "" if hides else leg.number
        if leg.reached in CAME:
            return "" if call.hidden else leg.number
        is_dialled = call.direction == "outbound" and leg.number == call.to and leg.reached == "dialled"
        return leg.number if is_dialled else ""
