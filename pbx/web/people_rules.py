"""What routes about people and devices check in the same way, each refusal with its code."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from dialplan.finding import Finding
from pbx.accounts.actor import Actor
from pbx.accounts.rights import Right
from pbx.people.admission import NotAdmitted, Objection, admit
from pbx.people.directory import Person
from pbx.people.search import Entry
from pbx.web.directory_now import Everybody
from pbx.web.node import Node
from pbx.web.problems import Problem

_FIELDS = {"class": "class_name"}


def entry_of(everybody: Everybody, id_: str, where: str) -> Entry:
    """Return an entry of the directory. Raises Problem (404)."""
    try:
        return everybody.index.entry(id_)
    except KeyError:
        raise _nobody(id_, where) from None


def person_entry(everybody: Everybody, extension: str) -> Entry:
    """Return a person's entry. Raises Problem (404)."""
    return entry_of(everybody, f"person:{extension}", "extension")


def stored_person(everybody: Everybody, extension: str) -> Person:
    """Return somebody of the database. Raises Problem: 409 for somebody of the plan, 404 for nobody."""
    for person in everybody.stored.people:
        if person.extension == extension:
            return person
    planned = everybody.written.people.get(extension)
    if planned is None:
        raise _nobody(extension, "extension")
    detail = f"{extension} is written in the plan, line {planned.line}"
    raise Problem(409, "written_in_plan", detail, mend="change it there", where="extension")


async def admitted(node: Node, everybody: Everybody, person: Person) -> list[str]:
    """Return what is worth telling of taking somebody. Raises Problem (422): the plan can't."""
    others = [one for one in everybody.stored.people if one.extension != person.extension]
    instant = datetime.fromtimestamp(node.clock(), UTC)
    try:
        told = await asyncio.to_thread(admit, everybody.written, others, person, instant)
    except NotAdmitted as error:
        raise not_admitted(error.objections) from None
    return told_of(told)


def not_admitted(objections: Sequence[Objection]) -> Problem:
    """The problem of somebody whom the plan can't take."""
    errors = [{"where": _where(one), "detail": one.message, "mend": one.mend} for one in objections]
    first = objections[0]
    return Problem(422, first.code, first.message, mend=first.mend, where=_where(first), errors=errors)


def told_of(findings: Sequence[Finding]) -> list[str]:
    """What findings say, in a sentence each."""
    return [f"{one.message}; {one.hint}" if one.hint else one.message for one in findings]


def own_or(actor: Actor, extension: str, right: Right) -> None:
    """Let somebody do what is about themselves, and others with a right. Raises Problem (403)."""
    if not actor.owns(extension) and not actor.may(right):
        raise Problem(403, "not_yours", f"{extension[:20]} isn't your extension: this needs {right}")


def _where(objection: Objection) -> str:
    return _FIELDS.get(objection.field, objection.field)


def _nobody(what: str, where: str) -> Problem:
    return Problem(404, "person_not_found", f"there is no {what[:60]}", where=where)
