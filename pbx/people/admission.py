"""Whether a plan can take people: what keeps somebody out, in words, with the mend.

Commands, pages and imports ask the same question here before they write: each field is what it must be, class
and site are the plan's, and the plan with these people has no error about them that it hadn't without. What
makes a test of the plan fail, and an extension outside of every range, is told and keeps nobody out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dialplan.checking import check
from dialplan.document import did_you_mean
from dialplan.finding import Finding
from dialplan.plan import Plan
from pbx.people.devices import with_directory
from pbx.people.directory import Directory, PeopleError, Person, checked

MENDS: Mapping[str, str] = {
    "extension": "an extension is 1 to 15 digits, such as 2010",
    "name": "a name is 1 to 200 characters that can be printed",
    "groups": "the name of a group is 1 to 200 characters that can be printed",
    "mobile": "a mobile number is written +33612345678, with + and the country code",
}
_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Objection:
    """Why somebody can't be taken. field: of the person, "" where none is more to blame than another.

    code: a word that stays the same, for whoever translates: `wrong_FIELD`, `unknown_class`, `unknown_site`,
    `number_taken`, or `not_admitted` for what else the plan says.
    """

    extension: str
    field: str
    message: str
    mend: str = ""
    code: str = "not_admitted"

    def __str__(self) -> str:
        return f"{self.message}; {self.mend}" if self.mend else self.message


class NotAdmitted(PeopleError):
    """The plan can't take somebody; the objections say why, one at least."""

    def __init__(self, objections: Sequence[Objection]) -> None:
        super().__init__(str(objections[0]))
        self.objections = objections


@dataclass(frozen=True, slots=True)
class Admission:
    """What comes of taking some people: what keeps them out, and what is only told."""

    objections: Sequence[Objection]
    told: Sequence[Finding]


def admission(plan: Plan, others: Iterable[Person], people: Sequence[Person], now: datetime) -> Admission:
    """Return what comes of taking these people into a plan beside others, who are in the database already."""
    objections = [found for person in people if (found := _objection(plan, person)) is not None]
    kept_out = {one.extension for one in objections}
    fine = [person for person in people if person.extension not in kept_out]
    there = list(others)
    before = set(check(with_directory(plan, Directory(people=there)), now))
    joined = with_directory(plan, Directory(people=[*there, *fine]))
    new = [one for one in check(joined, now) if one not in before]
    names = {person.extension for person in fine}
    told = []
    for finding in new:
        # Line 0: about somebody of the database, and not about a line of the plan.
        if finding.severity == "error" and finding.line == 0:
            about = next((number for number in _NUMBER.findall(finding.message) if number in names), "")
            code = "number_taken" if finding.code == "duplicate_number" else "not_admitted"
            objections.append(Objection(about, "extension", finding.message, finding.hint, code))
        else:
            told.append(finding)
    return Admission(objections, told)


def admit(plan: Plan, others: Iterable[Person], person: Person, now: datetime) -> Sequence[Finding]:
    """Return what is worth telling of taking somebody. Raises NotAdmitted."""
    found = admission(plan, others, [person], now)
    if found.objections:
        raise NotAdmitted(found.objections)
    return found.told


def _objection(plan: Plan, person: Person) -> Objection | None:
    """The first thing that is wrong with somebody's own fields."""
    try:
        checked(person)
    except PeopleError as error:
        field = str(error).partition(":")[0].partition("[")[0]
        return Objection(person.extension, field, MENDS.get(field, str(error)), code=f"wrong_{field}")
    for field, texts in (("name", (person.name,)), ("groups", person.groups)):
        if not all(text.isprintable() for text in texts):
            return Objection(person.extension, field, MENDS[field], code=f"wrong_{field}")
    for field, word, known in (
        ("class", person.class_name, plan.classes),
        ("site", person.site, plan.sites),
    ):
        if word is not None and word not in known:
            hint = did_you_mean(word, known)
            message = f'the plan has no {field} "{word[:60]}"'
            return Objection(person.extension, field, message, hint, f"unknown_{field}")
    return None
