"""What is said about plans in JSON: requests and answers of `/plan` and `/trunks`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dialplan.document import MAX_CHARACTERS

Version = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$", examples=["3f9a0c51e7d2"])]
Expected = Annotated[
    str,
    Field(
        pattern=r"^([0-9a-f]{12})?$",
        description='The version in force when this was decided, "" for none: another one is answered 409.',
    ),
]
Reason = Annotated[str, Field(max_length=500, description="Why, for the history.")]
# Longer ones are told as a finding, which says how long a plan may be.
Text = Annotated[str, Field(max_length=2 * MAX_CHARACTERS, description="The plan, in YAML.")]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PlanShown(BaseModel):
    """The plan in force.

    text: "" where it isn't kept. masked: there are passwords in it, shown as a mask to who may not change it.
    at: Unix seconds, 0 for one that isn't in the history; in_file: the version that lies in the plan's file,
    which differs where somebody has edited the file and not put it in force. sites, trunks: their names.
    """

    version: str
    text: str
    masked: bool
    running: bool
    at: float
    author: str
    reason: str
    in_file: str
    file: str
    timezone: str
    sites: list[str]
    trunks: list[str]
    trouble: str


class FindingShown(BaseModel):
    """One thing about a plan. line, column: from 1, 0 for what has no place. field: of a form, or ""."""

    code: str
    severity: Literal["error", "warning", "note"]
    line: int
    column: int
    message: str
    hint: str
    field: str = ""


class PlanText(_Asked):
    """A plan that is only asked about."""

    text: Text


class Checked(BaseModel):
    """What was found. findings: the first ones, errors before warnings before notes; counts: of all."""

    version: str
    findings: list[FindingShown]
    errors: int
    warnings: int
    notes: int


class TestShown(BaseModel):
    """One of the plan's own tests. at: Unix seconds, of the instant that `got` is of."""

    line: int
    caller: str
    dial: str
    at: float
    expected: str
    got: str
    passed: bool


class Tested(BaseModel):
    """The plan's own tests, in order."""

    version: str
    tests: list[TestShown]
    failed: int


class ExplainPlan(_Asked):
    """Who calls what, when, from where. text: another plan than that in force. when: "" for now, or
    `2026-12-25 10:00`, `sun 03:00`, in the plan's time zone."""

    caller: Annotated[str, Field(min_length=1, max_length=40, examples=["1001"])]
    dialled: Annotated[str, Field(min_length=1, max_length=128, examples=["0612345678"])]
    when: Annotated[str, Field(max_length=40)] = ""
    site: Annotated[str, Field(max_length=64)] = ""
    trunks_down: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=50)] = []
    text: Text = ""


class StepShown(BaseModel):
    """One rule that was looked at. line: in the plan, 0 for what is built in."""

    line: int
    rule: str
    outcome: str


class Explanation(BaseModel):
    """Why a call goes where it goes. kind: `user`, `service`, `feature`, `trunks` or `refused`."""

    version: str
    at: float
    dialled: str
    site: str
    kind: str
    summary: str
    caller_id: str
    anonymous: bool
    steps: list[StepShown]


class ComparePlans(_Asked):
    """Two plans to compare. text or version: the new one; against: the old one, "" for that in force."""

    text: Text = ""
    version: Annotated[str, Field(pattern=r"^([0-9a-f]{12})?$")] = ""
    against: Annotated[str, Field(pattern=r"^([0-9a-f]{12})?$")] = ""


class ChangeShown(BaseModel):
    """One change. kind: `emergency`, `inside`, `in` or `part`; caller, dialled, at: a call that shows it."""

    kind: str
    who: str
    before: str
    after: str
    callers: list[str]
    caller: str
    dialled: str
    at: float


class Comparison(BaseModel):
    """What changes from one plan to another. changes: the first ones; count: of all.

    trouble: why they can't be compared, "" where they are. passed: how many of the new plan's tests pass.
    """

    version: str
    against: str
    changes: list[ChangeShown]
    count: int
    trouble: str
    findings: list[FindingShown]
    errors: int
    passed: int
    failed: int


class ApplyPlan(_Asked):
    """A plan to put in force."""

    text: Text
    expected: Expected
    reason: Reason = ""


class RollBack(_Asked):
    """A former plan to put in force again."""

    version: Version
    expected: Expected
    reason: Reason = ""


class Applied(BaseModel):
    """A plan was put in force. running: a node has it now; otherwise it has it when it starts."""

    version: str
    previous: str
    at: float
    running: bool


class HistoryEntry(BaseModel):
    """A plan was put in force. at: Unix seconds. kept: its text is still there."""

    at: float
    version: str
    previous: str
    author: str
    reason: str
    kept: bool


class HistoryPage(BaseModel):
    """Some of the history, the newest first. next: what to ask for the following ones, "" at the end."""

    items: list[HistoryEntry]
    next: str


class VersionText(BaseModel):
    """The text of a version; a mask for each password, for who may not change the plan."""

    version: str
    text: str
    masked: bool
