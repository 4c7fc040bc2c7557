"""What is done with plans for the web process: everything that takes its time, in functions of a thread.

Routes read the people of the database, call one of these through `heavy`, and answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from dialplan.checking import TestResult, run_tests
from dialplan.decision import Reject, Target, ToFeature, ToPerson, ToService
from dialplan.difference import Change, difference
from dialplan.explaining import describe
from dialplan.finding import Finding, PlanError
from dialplan.loading import parse_plan
from dialplan.plan import Plan
from dialplan.routing import route_thoroughly
from pbx.accounts.actor import Actor
from pbx.configuration import Configuration
from pbx.control import NotRunningError, SettingsInForce
from pbx.people.devices import with_directory
from pbx.people.directory import Directory, DirectoryError, read_directory
from pbx.plans.history import ChangedMeanwhileError, Entry, HistoryError, PlanHistory, version_of
from pbx.plans.masking import masked
from pbx.plans.proposal import (
    KINDS,
    Examined,
    InForce,
    NotTakenError,
    by_kind,
    examined,
    in_force,
    replaced,
    unreadable,
)
from pbx.plans.question import QuestionError, facts_of, instant_of, with_settings
from pbx.store.people import list_people
from pbx.web.node import Node
from pbx.web.plan_shapes import (
    Applied,
    ChangeShown,
    Checked,
    Comparison,
    ExplainPlan,
    Explanation,
    FindingShown,
    PlanShown,
    StepShown,
    Tested,
    TestShown,
    VersionText,
)
from pbx.web.problems import Problem

MOST_FINDINGS = 500
MOST_CHANGES = 500

_RANKS = {"error": 0, "warning": 1, "note": 2}
_MEND = "look at what is in force now, and decide again"


async def people_of(node: Node) -> Directory:
    """Return the people of the database; while it is away, those that were exported last. Raises Problem."""
    try:
        return Directory(people=await node.read(list_people))
    except Problem:
        try:
            return read_directory(node.configuration.directory_file)
        except DirectoryError as error:
            raise Problem(503, "database_away", str(error), mend="`beffroi doctor` says more") from None


class PlanDesk:
    """The plans of one node. now: the instant of the request."""

    def __init__(self, settings: Configuration, directory: Directory, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.history = PlanHistory(settings.data_dir, settings.plan)
        self._directory = directory
        self._at = clock()
        self._now = datetime.fromtimestamp(self._at, UTC)

    # Reading

    def in_force(self) -> InForce:
        """Return the plan in force. Raises Problem."""
        try:
            return in_force(self.settings, self.history)
        except NotRunningError:
            detail = "the telephone exchange doesn't answer"
            raise Problem(503, "signalling_away", detail, mend="try again in a moment") from None
        except HistoryError as error:
            raise _history_problem(error) from None

    def shown(self, *, whole: bool) -> PlanShown:
        """Return the plan in force with its text. whole: passwords included. Raises Problem."""
        now = self.in_force()
        entry = next((one for one in reversed(self.entries()) if one.version == now.version), None)
        text, hidden = (now.text, False) if whole else masked(now.text)
        timezone, sites, trunks = "", list[str](), list[str]()
        try:
            plan = parse_plan(now.text, self.settings.plan.name) if now.text else None
        except PlanError:
            plan = None  # of an older version of Beffroi; its text can be read and mended all the same
        if plan is not None:
            timezone, sites, trunks = plan.timezone, [*plan.sites], [*plan.trunks]
        return PlanShown(
            version=now.version,
            text=text,
            masked=hidden,
            running=now.running,
            at=entry.at if entry else 0.0,
            author=entry.author if entry else "",
            reason=entry.reason if entry else "",
            in_file=now.in_file,
            file=self.settings.plan.name,
            timezone=timezone,
            sites=sites,
            trunks=trunks,
            trouble=now.trouble,
        )

    def entries(self) -> list[Entry]:
        """Return the history, the oldest first. Raises Problem."""
        try:
            return self.history.entries()
        except HistoryError as error:
            raise _history_problem(error) from None

    def version_text(self, version: str, *, whole: bool) -> VersionText:
        """Return the text of a version. Raises Problem (404) for one that isn't kept."""
        text, hidden = self._text_of(version), False
        if not whole:
            text, hidden = masked(text)
        return VersionText(version=version, text=text, masked=hidden)

    def _text_of(self, version: str) -> str:
        try:
            return self.history.text(version)
        except HistoryError as error:
            raise Problem(404, "plan_not_kept", str(error), where="version") from None

    # Asking

    def checked(self, text: str, field_at: Callable[[int], str] = lambda _: "") -> Checked:
        """Return what is wrong with a text, whatever it is. field_at: of a form, by line."""
        try:
            findings: Sequence[Finding] = self._examined(text).findings
        except PlanError as error:
            findings = error.findings
        counts = Counter(finding.severity for finding in findings)
        return Checked(
            version=version_of(text),
            findings=findings_shown(findings, field_at),
            errors=counts["error"],
            warnings=counts["warning"],
            notes=counts["note"],
        )

    def _examined(self, text: str) -> Examined:
        return examined(text, self.settings.plan.name, self.settings, self._directory, self._now)

    def tested(self, text: str) -> Tested:
        """Return how the plan's own tests go. text: "" for the plan in force. Raises Problem."""
        plan = self.plan(text or self._text_in_force())
        tests = run_tests(plan, self._now)
        return Tested(
            version=plan.version,
            tests=[_test_shown(one) for one in tests],
            failed=sum(not one.passed for one in tests),
        )

    def explained(self, asked: ExplainPlan, kept: SettingsInForce | None) -> Explanation:
        """Return why a call goes where it goes. kept: what lies set by hand, for the plan in force.

        Raises Problem (422) for a question that means nothing.
        """
        plan = self.plan(asked.text or self._text_in_force())
        try:
            instant = instant_of(plan, asked.when, self._now) if asked.when else self._now
            facts = facts_of(
                plan, asked.dialled, asked.caller, site=asked.site, trunks_down=asked.trunks_down
            )
        except QuestionError as error:
            where = "caller" if error.where == "from" else error.where
            raise Problem(422, f"unknown_{where}", str(error), where=where) from None
        if kept is not None:
            facts = with_settings(plan, facts, kept)
        decision = route_thoroughly(plan, facts, instant)
        return Explanation(
            version=plan.version,
            at=instant.timestamp(),
            dialled=decision.dialled,
            site=decision.site,
            kind=_kind(decision.target),
            summary=describe(decision.target),
            caller_id=decision.caller_id or "",
            anonymous=decision.anonymous,
            steps=[StepShown(line=s.line, rule=s.rule, outcome=s.outcome) for s in decision.trace],
        )

    def compared(self, text: str, version: str, against: str) -> Comparison:
        """Return what changes from `against` ("": the plan in force) to a text, or to a version.

        Raises Problem for versions that aren't kept; a text that can't be read is told in `findings`.
        """
        text = text or (self._text_of(version) if version else "")
        former = InForce(against, self._text_of(against), False, "") if against else self.in_force()
        found = self.checked(text)
        result = Comparison(
            version=found.version,
            against=former.version,
            changes=[],
            count=0,
            trouble=former.trouble,
            findings=found.findings,
            errors=found.errors,
            passed=0,
            failed=0,
        )
        try:
            new = self._joined(text)
        except PlanError as error:
            result.trouble = unreadable(error)
            return result
        tests = run_tests(new, self._now)
        result.passed = sum(one.passed for one in tests)
        result.failed = len(tests) - result.passed
        if former.text:
            self._compare(former, new, result)
        return result

    def _compare(self, former: InForce, new: Plan, result: Comparison) -> None:
        try:
            old = self._joined(former.text)
        except PlanError as error:
            # Of an older version of Beffroi, or of people who aren't in the database any more.
            result.trouble = unreadable(error)
            return
        changes = difference(old, new, self._now)
        sorted_changes = by_kind(changes, old, new)
        shown = [_change_shown(kind, one) for kind in KINDS for one in sorted_changes[kind]]
        result.changes, result.count = shown[:MOST_CHANGES], len(shown)

    # Changing

    def applied(self, text: str, expected: str, reason: str, actor: Actor) -> Applied:
        """Put a plan in force. expected: the version that was in force when this was decided, "" for none.

        Raises Problem: 409 where somebody else has put another one in force, 422 for a plan with an error,
        503 where the node doesn't take it.
        """
        former = self.in_force()
        self.expect(former, expected)
        try:
            found = self._examined(text)
        except PlanError as error:
            raise _refused(error.findings) from None
        if found.refused:
            raise _refused(found.findings)
        try:
            entry, running = replaced(
                self.settings,
                self.history,
                former,
                text,
                at=self._at,
                author=actor.account,
                reason=reason,
            )
        except ChangedMeanwhileError:
            raise self._overtaken("") from None
        except HistoryError as error:
            raise _history_problem(error) from None
        except NotTakenError as error:
            raise Problem(503, "plan_not_taken", str(error), mend="`beffroi doctor` says more") from None
        return Applied(version=entry.version, previous=former.version, at=entry.at, running=running)

    def expect(self, former: InForce, expected: str) -> None:
        """Raise Problem (409) where another plan is in force than somebody decided about."""
        if former.version != expected:
            raise self._overtaken(former.version)

    def _overtaken(self, version: str) -> Problem:
        """Somebody else was faster: who, and when, as far as the history knows."""
        entry = next(iter(reversed(self.entries())), None)
        if entry is None:
            return Problem(409, "plan_changed", "another plan is in force meanwhile", mend=_MEND)
        at = datetime.fromtimestamp(entry.at, UTC)
        words = f"{entry.author} put plan {version or entry.version} in force at {at:%Y-%m-%d %H:%M:%S} UTC"
        return Problem(409, "plan_changed", words, mend=_MEND, where="expected")

    # Plans

    def _text_in_force(self) -> str:
        former = self.in_force()
        if not former.text:
            raise Problem(404, "no_plan", former.trouble or "no plan is in force yet")
        return former.text

    def _joined(self, text: str) -> Plan:
        """The plan of a text with the people of the database. Raises PlanError."""
        return with_directory(parse_plan(text, self.settings.plan.name), self._directory)

    def plan(self, text: str) -> Plan:
        """Return the plan of a text, with the people of the database. Raises Problem (422)."""
        try:
            return self._joined(text)
        except PlanError as error:
            raise _refused(error.findings) from None


def findings_shown(
    findings: Sequence[Finding], field_at: Callable[[int], str] = lambda _: ""
) -> list[FindingShown]:
    """Return the first findings, errors before warnings before notes, each kind in the order of the file."""
    first = sorted(findings, key=lambda one: _RANKS[one.severity])[:MOST_FINDINGS]
    return [
        FindingShown(
            code=one.code,
            severity=one.severity,
            line=one.line,
            column=one.column,
            message=one.message,
            hint=one.hint,
            field=field_at(one.line),
        )
        for one in first
    ]


def _refused(findings: Sequence[Finding]) -> Problem:
    """A plan with errors isn't used."""
    errors = [one for one in findings if one.severity == "error"]
    told = [
        {"where": f"{one.line}:{one.column}" if one.line else "", "detail": f"{one.message}; {one.hint}"}
        for one in errors
    ]
    first = errors[0]
    return Problem(
        422, "plan_refused", str(first), mend="mend the plan; nothing was changed", where="text", errors=told
    )


def _history_problem(error: HistoryError) -> Problem:
    return Problem(503, "plan_history", str(error), mend="`beffroi doctor` says more")


def _test_shown(result: TestResult) -> TestShown:
    return TestShown(
        line=result.test.line,
        caller=result.test.caller,
        dial=result.test.dial,
        at=result.at.timestamp(),
        expected=result.expected,
        got=result.got,
        passed=result.passed,
    )


def _change_shown(kind: str, change: Change) -> ChangeShown:
    facts = change.facts
    caller = (facts.caller or facts.caller_number or "") if facts is not None else ""
    return ChangeShown(
        kind=kind,
        who=change.who,
        before=change.before,
        after=change.after,
        callers=list(change.callers[:50]),
        caller=caller,
        dialled=facts.dialled if facts is not None else "",
        at=change.instant.timestamp() if change.instant is not None else 0.0,
    )


def _kind(target: Target) -> str:
    match target:
        case ToPerson():
            return "user"
        case ToService():
            return "service"
        case ToFeature():
            return "feature"
        case Reject():
            return "refused"
        case _:
            return "trunks"
