"""Past calls: found, exported, and each with its parties, its messages, and why it went where it went."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import asdict, replace
from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import StreamingResponse

from dialplan.explaining import explain
from dialplan.plan import Plan
from pbx import control
from pbx.accounts.actor import Actor
from pbx.call_table import heading, lines_of
from pbx.messages.index import kept_since, messages_of
from pbx.messages.ladder import Ladder, call_ids_of, ladder_of, span_of
from pbx.people.directory import Directory
from pbx.plans.past_call import NotExplainedError, walked_again
from pbx.records import CallRecord
from pbx.store.call_notes import (
    CallNote,
    keep_note,
    missed_seen_until,
    notes_of,
    own_notes,
    see_missed,
)
from pbx.store.call_search import LEAST_OUTSIDE_DIGITS, MOST_FOUND, Search, find_calls
from pbx.store.calls import calls_by_id, children_of, is_named
from pbx.store.schema import people
from pbx.web.access import may, own_extension
from pbx.web.heavy import heavy
from pbx.web.node import Node, TheNode
from pbx.web.past_calls import (
    Eyes,
    LadderShown,
    Missed,
    MissedSeen,
    NoteShown,
    NotesShown,
    PastCall,
    PastCalls,
    StepShown,
    WantedNote,
    WholeCall,
    WhyShown,
)
from pbx.web.plan_desk import people_of
from pbx.web.problems import Problem

router = APIRouter(prefix="/history", tags=["history"])

MOST_CHILDREN = 100
MOST_NAMED = 300
MOST_MISSED = 99
_MISSED = frozenset({"no_answer", "busy", "message", "refused", "failed"})
_SEPARATORS = {ord(one): None for one in " .-()/\u00a0\u202f"}

Word = Annotated[str, Query(max_length=60, pattern=r"^[^\x00-\x1f]*$")]
At = Annotated[float | None, Query(ge=0, le=1e11, allow_inf_nan=False)]
CallId = Annotated[str, Path(pattern=r"^[0-9a-z-]{1,60}$", description="The call's id.")]
Own = Annotated[Actor, may("own")]
Reader = Annotated[Actor, may("history.read")]


class Asked:
    """What is asked of past calls: all that is given must hold."""

    def __init__(
        self,
        number: Annotated[Word, Query(description="Of any party, in any form, or as dialled.")] = "",
        extension: Annotated[Word, Query(description="Of anybody who had a part in it.")] = "",
        name: Annotated[
            Word, Query(description="Of the caller or of somebody of ours: how words begin.")
        ] = "",
        service: Annotated[Word, Query(description="As in the plan.")] = "",
        trunk: Annotated[Word, Query(description="As in the plan.")] = "",
        direction: Literal["", "internal", "inbound", "outbound"] = "",
        outcome: Literal["", "answered", "missed"] = "",
        cause: Annotated[Word, Query(description="The word or status that ended it.")] = "",
        recorded: Annotated[bool, Query(description="Only those of which something was recorded.")] = False,
        quality_below: Annotated[float | None, Query(ge=1, le=5, allow_inf_nan=False)] = None,
        since: At = None,
        until: At = None,
    ) -> None:
        self.number = number.strip()
        self.name = name.strip()
        self._search = Search(
            terms=tuple((term,) for term in (extension, service, trunk) if term),
            name=self.name,
            since=since,
            until=until,
            direction=direction,
            outcome=outcome or None,
            cause=cause,
            recorded=recorded,
            quality_below=quality_below,
        )

    async def search(self, node: Node, extension: str) -> Search:
        """Return it as the database is asked. extension: whose own calls alone, "" for everybody's."""
        asked = replace(self._search, extension=extension)
        if self.number:
            asked = replace(asked, terms=(*asked.terms, forms_of(node.plan(), self.number)))
        if self.name:
            asked = replace(asked, numbers_of_name=await self._numbers_of_name(node))
        return asked

    async def _numbers_of_name(self, node: Node) -> tuple[str, ...]:
        """The extensions of those of ours whose name has these beginnings of words."""
        known = {one.extension: one.name for one in node.plan().people.values()}
        query = sa.select(people.c.extension, people.c.name)
        known |= {
            row[0]: row[1] for row in await node.read(lambda connection: connection.execute(query).all())
        }

        def chosen() -> tuple[str, ...]:
            found = (number for number, name in known.items() if is_named(name, self.name))
            return tuple(found)[:MOST_NAMED]

        return await asyncio.to_thread(chosen)

    def said(self) -> dict[str, str]:
        """What was asked for, for the audit journal: never a number or a name, which may be a citizen's."""
        told = asdict(replace(self._search, terms=(), name="", numbers_of_name=()))
        by = [one for one in ("number", "name") if getattr(self, one)]
        return {name: str(value) for name, value in told.items() if value} | {"by": " ".join(by)}


def forms_of(plan: Plan, number: str) -> tuple[str, ...]:
    """The ways in which a record may have a number that somebody writes: as it is, and in full."""
    bare = number.translate(_SEPARATORS)
    found = [number, bare]
    if bare.removeprefix("+").isdecimal() and len(bare) >= LEAST_OUTSIDE_DIGITS:
        found.append(plan.country.international_form(bare))
    return tuple(dict.fromkeys(one for one in found if one))


@router.get("", summary="Past calls, the newest first")
async def list_calls(
    node: TheNode,
    actor: Own,
    asked: Annotated[Asked, Depends()],
    whose: Annotated[
        Literal["mine", "all"], Query(description="`all` needs the right `history.read`.")
    ] = "mine",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str, Query(pattern=r"^[0-9a-z-]{0,60}$")] = "",
) -> PastCalls:
    """Return calls that have ended. A page goes on where the one before it ended, whatever has come since."""
    if whose == "all" and not actor.may("history.read"):
        raise Problem(403, "forbidden", "everybody's past calls need the right history.read")
    extension = "" if whose == "all" else own_extension(actor)
    search = await asked.search(node, extension)
    found = await node.read(lambda connection: find_calls(connection, search, limit + 1, after))
    shown = found[:limit]
    eyes = await _eyes(node, extension, shown)
    items = await _noted(node, actor, [eyes.call(call) for call in shown])
    return PastCalls(items=items, next=shown[-1].id if len(found) > limit else "")


@router.get("/missed", summary="The calls that one missed and hasn't seen yet")
async def list_missed(node: TheNode, actor: Own) -> Missed:
    """Return them, the newest first."""
    extension = own_extension(actor)
    since = await node.read(lambda connection: missed_seen_until(connection, actor.account))
    search = Search(extension=extension, outcome="missed", since=since)
    found = await node.read(lambda connection: find_calls(connection, search, MOST_MISSED, ""))
    eyes = await _eyes(node, extension, found)
    told = [one for call in found if (one := eyes.call(call)).way == "in" and one.outcome in _MISSED]
    return Missed(count=len(told), seen_until_at=since, items=await _noted(node, actor, told))


@router.put("/missed", status_code=204, summary="Say until when one has seen the calls that one missed")
async def seen_missed(node: TheNode, actor: Own, seen: MissedSeen) -> None:
    """Those before aren't counted any more."""
    until = min(seen.until_at, node.clock())
    await node.write(lambda connection: see_missed(connection, actor.account, until))
    await node.audit.enter(node.clock(), "history.missed_seen", actor)


@router.get(
    "/export",
    summary="Past calls as a table",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}}}},
)
async def export(node: TheNode, actor: Reader, asked: Annotated[Asked, Depends()]) -> StreamingResponse:
    """Return every call that is like this, as CSV (RFC 4180), the newest first."""
    search = await asked.search(node, "")
    await node.audit.enter(node.clock(), "history.export", actor, **asked.said())
    headers = {"Content-Disposition": 'attachment; filename="calls.csv"'}
    return StreamingResponse(_table(node, search), 200, headers, "text/csv; charset=utf-8")


async def _table(node: Node, search: Search) -> AsyncIterator[str]:
    yield heading()
    after = ""
    while True:
        found = await node.read(_page(search, after))
        yield await asyncio.to_thread(lines_of, found)
        if len(found) < MOST_FOUND:
            return
        after = found[-1].id


def _page(search: Search, after: str) -> Callable[[sa.Connection], list[CallRecord]]:
    return lambda connection: find_calls(connection, search, MOST_FOUND, after)


@router.get("/{call_id}", summary="A past call")
async def show(node: TheNode, actor: Own, call_id: CallId) -> WholeCall:
    """Return one call with its parties, who heard whom and when, and the calls it came from or led to."""
    call = await _call(node, actor, call_id)
    parents = await node.read(lambda connection: calls_by_id(connection, call.parents))
    children = await node.read(lambda connection: children_of(connection, call.id, MOST_CHILDREN))
    eyes = await _eyes(node, _whose(actor), [call, *parents, *children])
    since = await asyncio.to_thread(kept_since, node.configuration.messages_dir)
    has_messages = bool(call_ids_of(call)) and since <= call.ended
    whole = eyes.whole(call, parents, children, has_messages=has_messages)
    await _noted(node, actor, [whole])
    return whole


@router.put("/{call_id}/note", summary="Note something of a call")
async def note(node: TheNode, actor: Own, call_id: CallId, wanted: WantedNote) -> NoteShown:
    """Keep it in place of the note before; of a call that goes on as well. Nobody else reads it by this."""
    await _is_theirs(node, actor, call_id)
    made = CallNote(call_id, actor.account, wanted.text, node.clock())
    await node.write(lambda connection: keep_note(connection, made))
    await node.audit.enter(node.clock(), "history.note", actor, call=call_id, length=len(wanted.text))
    return NoteShown(account=made.account, text=made.text, written_at=made.written_at)


@router.get("/{call_id}/note", summary="What one has noted of a call")
async def show_note(node: TheNode, actor: Own, call_id: CallId) -> NoteShown:
    """Return it; an empty one where there is none."""
    found = await node.read(lambda connection: own_notes(connection, actor.account, [call_id]))
    kept = found.get(call_id) or CallNote(call_id, actor.account, "", 0.0)
    return NoteShown(account=kept.account, text=kept.text, written_at=kept.written_at)


@router.get("/{call_id}/notes", summary="What everybody has noted of a call")
async def show_notes(node: TheNode, actor: Reader, call_id: CallId) -> NotesShown:
    """Return the notes; that they were read is entered in the audit journal."""
    await _call(node, actor, call_id)
    found = await node.read(lambda connection: notes_of(connection, [call_id]))
    await node.audit.enter(node.clock(), "history.notes", actor, call=call_id, notes=len(found))
    items = [NoteShown(account=one.account, text=one.text, written_at=one.written_at) for one in found]
    return NotesShown(items=items)


@router.get("/{call_id}/ladder", summary="A past call's messages")
async def ladder(node: TheNode, actor: Own, call_id: CallId) -> LadderShown:
    """Return what was sent and received, without its secrets; the messages' texts to who reads everybody's
    history."""
    call = await _call(node, actor, call_id)
    eyes = await _eyes(node, _whose(actor), [call])
    if not eyes.extension:
        await node.audit.enter(node.clock(), "history.messages", actor, call=call.id)
    drawn = await asyncio.to_thread(_drawn, node, call)
    return await asyncio.to_thread(eyes.ladder, call, drawn)


@router.get("/{call_id}/explanation", summary="Why a past call went where it went")
async def explanation(node: TheNode, actor: Reader, call_id: CallId) -> WhyShown:
    """Walk the call again by the plan of that time, with the people there are now."""
    call = await _call(node, actor, call_id)
    directory = await people_of(node)
    return await heavy(lambda: _why(node, call, directory))


def _drawn(node: Node, call: CallRecord) -> Ladder:
    folder = node.configuration.messages_dir
    try:
        found = messages_of(folder, call_ids_of(call), *span_of(call))
        return ladder_of(call, found, kept_since(folder))
    except OSError as error:
        detail = f"the stored messages can't be read: {error.strerror}"
        raise Problem(503, "messages_unreadable", detail, mend="`beffroi doctor` says more") from None


def _why(node: Node, call: CallRecord, directory: Directory) -> WhyShown:
    version = call.plan_version
    is_in_force = version == node.plan().version
    try:
        past = walked_again(node.configuration, call, directory)
    except NotExplainedError as error:
        return WhyShown(
            plan_version=version, is_in_force=is_in_force, steps=[], lines=[], unknown=[], note=str(error)
        )
    trace = past.decision.trace
    return WhyShown(
        plan_version=version,
        is_in_force=is_in_force,
        steps=[StepShown(line=step.line, rule=step.rule, outcome=step.outcome) for step in trace],
        lines=explain(past.plan, past.decision),
        unknown=list(past.unknown),
        note="",
    )


def _whose(actor: Actor) -> str:
    """Whose calls somebody sees: "" for everybody's."""
    return "" if actor.may("history.read") else own_extension(actor)


async def _call(node: Node, actor: Actor, call_id: str) -> CallRecord:
    """A call that the actor may see. Raises Problem (404) for one that isn't there, or isn't theirs."""
    found = await node.read(lambda connection: calls_by_id(connection, [call_id]))
    if not found or not Eyes(_whose(actor)).may_see(found[0]):
        raise Problem(404, "no_call", f"no ended call has the id {call_id}")
    return found[0]


async def _is_theirs(node: Node, actor: Actor, call_id: str) -> None:
    """Raises Problem (404) for a call that isn't there, over or going on, or that isn't the actor's."""
    try:
        await _call(node, actor, call_id)
    except Problem as problem:
        answer = await node.ask(control.ListCalls("" if actor.may("calls.read") else own_extension(actor)))
        assert isinstance(answer, control.CallsNow)
        if call_id not in {view.id for view in answer.calls}:
            raise problem from None


async def _noted(node: Node, actor: Actor, shown: list[PastCall]) -> list[PastCall]:
    """Calls with what the actor has noted of each."""
    ids = [one.id for one in shown]
    found = await node.read(lambda connection: own_notes(connection, actor.account, ids))
    for one in shown:
        if one.id in found:
            one.note = found[one.id].text
    return shown


async def _eyes(node: Node, extension: str, calls: Iterable[CallRecord]) -> Eyes:
    """Eyes that know the names of whoever had a part in these calls."""
    numbers: set[str] = set()
    for call in calls:
        numbers |= {call.from_, call.to, call.dialled, *(leg.number for leg in call.legs)}
        numbers |= {leg.via for leg in call.legs}
    plan = node.plan()
    names = {number: plan.people[number].name for number in numbers if number in plan.people}
    names |= {number: number for number in numbers if number in plan.services}
    missing = sorted(numbers - names.keys() - {""})[:MOST_NAMED]
    if missing:
        query = sa.select(people.c.extension, people.c.name).where(people.c.extension.in_(missing))
        rows = await node.read(lambda connection: connection.execute(query).all())
        names |= {row[0]: row[1] for row in rows}
    return Eyes(extension, names)
