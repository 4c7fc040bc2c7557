"""What is wrong in a plan that loaded: what no single line shows, and the plan's own tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dialplan.checks.codes import check_codes
from dialplan.checks.duties import check_duties
from dialplan.checks.mobiles import check_mobiles
from dialplan.checks.owned import check_nested_networks, check_owned
from dialplan.checks.paths import check_paths
from dialplan.checks.queues import check_queues
from dialplan.checks.rules import check_rules
from dialplan.checks.srtp import check_srtp
from dialplan.decision import (
    NORMAL,
    Conditions,
    Decision,
    Facts,
    Reject,
    Target,
    ToFeature,
    ToPerson,
    ToService,
    ToTrunks,
)
from dialplan.document import did_you_mean
from dialplan.explaining import describe
from dialplan.finding import Finding, Severity
from dialplan.plan import (
    Destination,
    Expectation,
    ExtensionRange,
    Members,
    NameKey,
    Overflow,
    Placed,
    Plan,
    PlanTest,
    RingStep,
    Service,
    ToStep,
    Trunk,
)
from dialplan.proof import check_emergency
from dialplan.ranges import NumberRange, RangeSet
from dialplan.recorded import recorded_by
from dialplan.routing import route
from dialplan.schedule import boundaries

# `check` has no `now`: tests that must hold at every hour are tried over a week of this year.
_SOME_WEEK = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TestResult:
    """One of the plan's tests. `at` is the instant that `got` and `decision` are of: where it failed, else
    the last one tried."""

    __test__ = False  # pytest: this isn't a test class

    test: PlanTest
    passed: bool
    expected: str
    got: str
    at: datetime
    decision: Decision


def check(plan: Plan, now: datetime = _SOME_WEEK) -> list[Finding]:
    """Every finding about a plan, in the order of the file: an error must be mended before use, a warning
    should be, a note is only told. now: the instant around which the plan's tests are tried."""
    findings = [
        *plan.findings,
        *_check_ranges(plan),
        *_check_networks(plan),
        *_check_emergency_likeness(plan),
        *_check_caller_ids(plan),
        *check_codes(plan),
        *_check_destinations(plan),
        *_check_groups(plan),
        *_check_closed(plan),
        *_check_trunks(plan),
        *_check_people(plan),
        *check_paths(plan),
        *check_rules(plan),
        *check_owned(plan),
        *check_nested_networks(plan),
        *check_duties(plan),
        *check_queues(plan),
        *check_srtp(plan),
        *check_mobiles(plan, now),
        *check_emergency(plan, now),
        *_check_tests(plan, now),
    ]
    return sorted(findings, key=lambda finding: (finding.line, finding.column))


def run_tests(plan: Plan, now: datetime) -> list[TestResult]:
    """The plan's own tests, in order. One without `at:` is tried at `now` and, where a schedule had a part
    in the answer, just before and at every change of the plan's schedules."""
    instants = sorted(
        {instant for schedule in plan.schedules.values() for instant in boundaries(schedule, now)}
    )
    return [_run_test(plan, test, now, instants) for test in plan.tests]


# The plan's tests


def _run_test(plan: Plan, test: PlanTest, now: datetime, instants: list[datetime]) -> TestResult:
    facts = _facts(plan, test)
    expected = _expected(test.expect)
    at = test.at or now
    decision = route(plan, facts, at)
    mismatch = _mismatch(plan, test, decision)
    depends_on_hours = any(step.rule.startswith("schedule ") for step in decision.trace)
    if test.at is None and depends_on_hours:
        for instant in instants:
            if mismatch:
                break
            at = instant
            decision = route(plan, facts, at)
            mismatch = _mismatch(plan, test, decision)
    return TestResult(test, not mismatch, expected, mismatch or describe(decision.target), at, decision)


def _facts(plan: Plan, test: PlanTest) -> Facts:
    if not test.from_trunk:
        down = Conditions(trunks_down=frozenset((test.trunk_down,))) if test.trunk_down else NORMAL
        return Facts(test.dial, caller=test.caller, site=test.at_site, conditions=down)
    number = plan.country.international_form(test.dial)
    owners = [
        trunk.name for trunk in plan.trunks.values() if any(number in numbers for numbers in trunk.owns)
    ]
    return Facts(test.dial, trunk=[*owners, *plan.trunks, ""][0], caller_number=test.caller)


def _mismatch(plan: Plan, test: PlanTest, decision: Decision) -> str:
    """What came instead of what was expected; "" when all is as expected."""
    if not test.from_trunk and test.caller not in plan.people:
        return f"nobody has extension {test.caller}"
    got = _aspects(decision)
    for aspect, wanted in _wanted(test.expect):
        if aspect == "recorded":
            policies = recorded_by(plan, decision)
            if wanted not in (policies or ("nothing",)):
                return f"{describe(decision.target)}, recorded {' and '.join(policies) or 'nothing'}"
        elif got.get(aspect) != wanted:
            shown = got.get(aspect)
            detail = f", {aspect} {shown}" if shown is not None and aspect in ("trunk", "caller_id") else ""
            return describe(decision.target) + detail
    return ""


def _wanted(expect: Expectation) -> Iterator[tuple[str, str | bool]]:
    for aspect in Expectation.__slots__:
        value = getattr(expect, aspect)
        if value is not None:
            yield aspect, value


def _aspects(decision: Decision) -> Mapping[str, str | bool | None]:
    aspects: dict[str, str | bool | None] = {"emergency": False, "caller_id": decision.caller_id}
    target: Target = decision.target
    match target:
        case ToPerson():
            aspects["user"] = target.extension
        case ToService():
            aspects["service"] = target.name
        case ToFeature():
            aspects["feature"] = target.name
        case ToTrunks():
            aspects["to"] = target.number
            aspects["trunk"] = target.trunks[0] if target.trunks else None
            aspects["emergency"] = target.emergency
        case Reject():
            aspects["reject"] = target.reason
    return aspects


def _expected(expect: Expectation) -> str:
    words = [
        f"{aspect} {str(value).lower() if value in (True, False) else value}"
        for aspect, value in _wanted(expect)
    ]
    return ", ".join(words)


def _check_tests(plan: Plan, now: datetime) -> Iterator[Finding]:
    zone = ZoneInfo(plan.timezone)
    for result in run_tests(plan, now):
        if not result.passed:
            when = f" at {result.at.astimezone(zone):%Y-%m-%d %H:%M}"
            message = (
                f"test fails: {result.test.caller} dials {result.test.dial}{when}: "
                f"expected {result.expected}, got {result.got}"
            )
            yield _finding(plan, "test_failed", "error", result.test, message)


# Numbers


def _check_ranges(plan: Plan) -> Iterator[Finding]:
    for item in plan.ranges:
        if item.public is not None and len(item.public) != len(item.numbers):
            message = (
                f"this block isn't one to one: {len(item.public)} public numbers "
                f"and {len(item.numbers)} numbers inside"
            )
            yield _finding(
                plan, "block_not_one_to_one", "error", item, message, "make both ranges equally long"
            )
    inside = [(item.numbers, item) for item in plan.ranges]
    public = [(item.public, item) for item in plan.ranges if item.public is not None]
    for ranges in (inside, public):
        ranges.sort(key=lambda entry: (len(entry[0].first), entry[0].first))
        widest: tuple[NumberRange, ExtensionRange] | None = None  # of those before, the one that ends last
        for numbers, item in ranges:
            if widest is not None and widest[0].overlaps(numbers):
                message = f"{numbers} overlaps {widest[0]}"
                yield _finding(
                    plan, "overlapping_ranges", "error", item, message, f"see line {widest[1].line}"
                )
                if numbers.last <= widest[0].last:
                    continue
            widest = (numbers, item)


def _check_networks(plan: Plan) -> Iterator[Finding]:
    seen: dict[object, str] = {}
    for site in plan.sites.values():
        for network in site.networks:
            other = seen.setdefault(network, site.name)
            if other != site.name:
                message = f"network {network} of site {site.name} is also that of site {other}"
                hint = "a phone is at one site; give each site a network of its own"
                yield _finding(plan, "overlapping_networks", "error", site, message, hint)


def _check_emergency_likeness(plan: Plan) -> Iterator[Finding]:
    """Numbers inside that are, or begin like, what is dialled for an emergency."""
    forms = {form for number in plan.emergency for form in (number, plan.outside_prefix + number)}
    dialled = sorted(forms, key=lambda form: (len(form), form))
    for numbers, part, name in _numbers_inside(plan):
        same = [form for form in dialled if form in numbers]
        beginning = [form for form in dialled if _holds_beginning(numbers, form)]
        if same:
            message = f"{name}: {same[0]} is an emergency number and can't be anything else"
            yield _finding(plan, "is_emergency_number", "error", part, message, "choose another number")
        elif beginning:
            message = f"{name} begins like the emergency number {beginning[0]}"
            hint = "a telephone that dials without waiting would call it; choose another number"
            yield _finding(plan, "begins_like_emergency", "warning", part, message, hint)


def _holds_beginning(numbers: NumberRange, beginning: str) -> bool:
    """Whether a range holds a longer number that begins so."""
    rest = len(numbers.first) - len(beginning)
    return rest > 0 and numbers.overlaps(NumberRange(beginning + "0" * rest, beginning + "9" * rest))


def _numbers_inside(plan: Plan) -> Iterator[tuple[NumberRange, Placed, str]]:
    for item in plan.ranges:
        yield item.numbers, item, f"range {item.numbers}"
    for person in plan.people.values():
        if not plan.tables.extensions.find(person.extension):
            yield NumberRange(person.extension, person.extension), person, f"user {person.extension}"
    for service in plan.services.values():
        if service.numbers is not None:
            yield service.numbers, service, f"service {service.name} ({service.number})"
    for alarm in plan.alarms.values():
        for number in alarm.dial:
            yield NumberRange(number, number), alarm, f"alarm {alarm.name} ({number})"


def _check_caller_ids(plan: Plan) -> Iterator[Finding]:
    if not plan.trunks:
        return
    shown = RangeSet(numbers for trunk in plan.trunks.values() for numbers in trunk.owns + trunk.presents)
    hint = "add it to `owns:` or `presents:` of a trunk"
    for site in plan.sites.values():
        if site.main_number is not None and site.main_number not in shown:
            message = f"no trunk owns or presents {site.main_number}, the main number of site {site.name}"
            yield _finding(plan, "caller_id_not_ours", "error", site, message, hint)
    for item in plan.ranges:
        if item.public is not None and not shown.covers(item.public):
            message = f"no trunk owns or presents all of the direct numbers {item.public}"
            yield _finding(plan, "caller_id_not_ours", "error", item, message, hint)
    for person in plan.people.values():
        if person.caller_id not in ("", "anonymous") and person.caller_id not in shown:
            message = f"no trunk owns or presents {person.caller_id}, which user {person.extension} shows"
            yield _finding(plan, "caller_id_not_ours", "error", person, message, hint)
    for group in plan.groups.values():
        if group.caller_id and group.caller_id not in shown:
            message = f"no trunk owns or presents {group.caller_id}, which group {group.name} shows"
            yield _finding(plan, "caller_id_not_ours", "error", group, message, hint)


# Features, destinations, groups


def _check_destinations(plan: Plan) -> Iterator[Finding]:
    """Numbers inside that the plan sends calls to, and that nobody has."""
    for number, part in _numbers_used(plan):
        if number in plan.people or plan.tables.holder_of(number):
            continue
        if plan.tables.extensions.find(number):
            yield _finding(plan, "nobody_there", _absence(plan), part, f"nobody has extension {number}")
        else:
            hint = did_you_mean(number, [*plan.people, *plan.tables.services])
            if len(number) > 6:
                hint = "an outside number is written whole, with + and the country code"
            yield _finding(plan, "unknown_number", "error", part, f"nothing has the number {number}", hint)


def _numbers_used(plan: Plan) -> Iterator[tuple[str, Placed]]:
    for part in _parts(plan):
        if isinstance(part, Destination) and part.kind == "inside" and part.value:
            yield part.value, part
        elif isinstance(part, Members):
            for number in part.numbers:
                if not number.startswith("+"):
                    yield number, part


def _parts(plan: Plan) -> Iterator[object]:
    """Every destination and every list of members of a plan."""
    yield plan.unassigned
    for service in plan.services.values():
        yield service.when_closed
        for setting in service.settings.values():
            if isinstance(setting, Mapping):
                yield from setting.values()
            elif isinstance(setting, tuple):
                for step in setting:
                    yield (
                        step.members
                        if isinstance(step, RingStep)
                        else step.to
                        if isinstance(step, ToStep)
                        else None
                    )
            elif isinstance(setting, NameKey):
                yield setting.people
            else:
                yield setting.to if isinstance(setting, Overflow) else setting
    for alarm in plan.alarms.values():
        yield alarm.call
        yield alarm.escalate
    for policy in plan.recordings.values():
        yield policy.listeners


def _absence(plan: Plan) -> Severity:
    """How bad it is that somebody isn't there: without any people, they are still to come."""
    return "warning" if plan.people else "note"


def _check_groups(plan: Plan) -> Iterator[Finding]:
    groups = {group for person in plan.people.values() for group in person.groups}
    for part in _parts(plan):
        if not isinstance(part, Members):
            continue
        for group in part.groups:
            if group not in groups:
                message = f'nobody is in group "{group}"'
                yield _finding(
                    plan, "empty_group", _absence(plan), part, message, did_you_mean(group, groups)
                )


def _check_closed(plan: Plan) -> Iterator[Finding]:
    for service in plan.services.values():
        if service.schedule is not None and service.when_closed is None:
            message = f"service {service.name} closes with nowhere to go: callers are refused"
            yield _finding(plan, "closed_dead_end", "warning", service, message, "add `when_closed: {to: …}`")
        seen = [service.name]
        following: Service | None = service
        while following is not None and following.when_closed is not None:
            to = following.when_closed
            following = (plan.services if to.kind == "service" else plan.tables.services).get(to.value)
            if following is not None and following.name == service.name:
                message = f"closed services send calls in a circle: {' -> '.join([*seen, service.name])}"
                yield _finding(plan, "loop", "error", service, message, "let one of them end elsewhere")
            if following is None or following.name in seen:
                break
            seen.append(following.name)


def _check_trunks(plan: Plan) -> Iterator[Finding]:
    for site in plan.sites.values():
        if plan.trunks and not site.trunks:
            message = f"site {site.name} has no trunk of its own: only emergency calls and `routes:` leave it"
            yield _finding(plan, "site_without_trunk", "warning", site, message, "add `trunks: [...]`")
    told_apart: dict[str, Trunk] = {}
    for trunk in plan.trunks.values():
        if trunk.certificates and trunk.transport not in {"tls", "auto"}:
            message = f"trunk {trunk.name} has certificates and no TLS: they are never seen"
            yield _finding(plan, "certificates_without_tls", "warning", trunk, message, "transport: tls")
        wanted = sorted(trunk.options & {"account_in_from", "account_in_contact"})
        if wanted and not trunk.account:
            message = f"trunk {trunk.name} has no account for its option {wanted[0]}"
            yield _finding(plan, "no_account", "error", trunk, message, "add `account:` or `username:`")
        other = told_apart.setdefault(trunk.host.lower(), trunk)
        if other is not trunk and not (trunk.registers and "no_line" not in trunk.options):
            message = f"trunk {trunk.name} has the host of {other.name}: its calls are taken for the other's"
            hint = "harmless where both have the same channels; a trunk that registers is told apart"
            yield _finding(plan, "same_host", "note", trunk, message, hint)


def _check_people(plan: Plan) -> Iterator[Finding]:
    written = [person for person in plan.people.values() if person.line and person.password is not None]
    if written:
        message = f"{len(written)} passwords are written in the plan"
        hint = "good for tests and the demo only; elsewhere devices get generated ones"
        yield _finding(plan, "password_in_plan", "note", written[0], message, hint)
    for person in plan.people.values():
        if plan.ranges and not plan.tables.extensions.find(person.extension):
            message = f"extension {person.extension} ({person.name}) is in no range of `numbers:`"
            yield _finding(plan, "outside_ranges", "note", person, message)


def _finding(
    plan: Plan, code: str, severity: Severity, part: Placed, message: str, hint: str = ""
) -> Finding:
    """A finding about a part of the plan, at its place."""
    return Finding(code, severity, plan.path, part.line, part.column, message, hint)
