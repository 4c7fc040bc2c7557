"""`beffroi plan`: a plan is checked, tested and explained before it is in force."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.entering import entered
from pbx.cli.printing import clean, print_findings, print_json, print_table, printable_findings, tally
from pbx.cli.reading import (
    configured,
    fail,
    misused,
    now,
    plan_or_complain,
    plan_to_check,
    planned,
    read_instant,
    settings_in_force,
    why_silent,
)

if TYPE_CHECKING:
    from dialplan.budgets import Spending
    from dialplan.checking import TestResult
    from dialplan.decision import Decision, Target
    from dialplan.finding import Finding
    from dialplan.plan import Plan

FileArgument = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="The plan. Default: the one that the configuration names."),
]

plan = typer.Typer(
    help="The numbering plan: check it, test it, ask it, put it in force.", no_args_is_help=True
)
application.add_typer(plan, name="plan")


@plan.command()
def check(
    file: FileArgument = None, configuration: ConfigurationOption = None, as_json: JsonOption = False
) -> None:
    """Tell everything that is wrong with a plan, each with its place and the mend.

    The people of the database are seen where a configuration is used: with -c, or without FILE.

    The exit status is 1 when there is an error.
    """
    from pbx.plans.proposal import has_error

    findings = _findings(file, configuration)
    if as_json:
        print_json(printable_findings(findings))
    else:
        print_findings(findings)
        typer.echo(tally(findings))
    if has_error(findings):
        raise typer.Exit(1)


@plan.command()
def test(
    file: FileArgument = None, configuration: ConfigurationOption = None, as_json: JsonOption = False
) -> None:
    """Run the tests that a plan carries. The exit status is 1 when one fails."""
    from dialplan.checking import run_tests

    tested = plan_or_complain(file, configuration)
    results = run_tests(tested, now())
    if as_json:
        print_json([_printable_result(tested, result) for result in results])
    elif not results:
        typer.echo(f"{tested.path} has no `tests:`")
    else:
        print_table(
            ("", "line", "from", "dials", "at", "expected", "got"), (_row(tested, one) for one in results)
        )
        failed = sum(not result.passed for result in results)
        typer.echo(f"{len(results) - failed} passed, {failed} failed")
    if not all(result.passed for result in results):
        raise typer.Exit(1)


@plan.command()
def explain(
    number: Annotated[
        str | None, typer.Argument(metavar="NUMBER", help="What is dialled, as it would be dialled.")
    ] = None,
    caller: Annotated[
        str | None,
        typer.Option("--from", metavar="CALLER", help="An extension, or an outside number (+33…)."),
    ] = None,
    configuration: ConfigurationOption = None,
    at: Annotated[
        str | None,
        typer.Option(help='When: "2026-12-25 10:00" or "sun 03:00", in the plan\'s time zone. Default: now.'),
    ] = None,
    at_site: Annotated[str | None, typer.Option(help="The site where the caller's telephone is.")] = None,
    trunk_down: Annotated[
        list[str] | None, typer.Option(metavar="TRUNK", help="As if this trunk were down; may be repeated.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="Ask this plan, not the configuration's.")
    ] = None,
    call_id: Annotated[
        str | None,
        typer.Option("--call", metavar="ID", help="A call that has ended, by the plan that it ran under."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say where a call would go, or why one went there: each rule that is looked at, with its line."""
    if call_id is not None:
        if number or caller or at or at_site or trunk_down or file:
            misused("--call", "the record says the rest; give nothing else")
        _explain_past(call_id, configuration, as_json=as_json)
        return
    if number is None or caller is None:
        misused("NUMBER --from CALLER", "give both, or --call ID for a call that has ended")
    from dataclasses import replace

    from dialplan.explaining import explain as explained
    from dialplan.routing import route_thoroughly
    from pbx.plans.question import QuestionError, facts_of, with_settings

    asked = plan_or_complain(file, configuration)
    instant = read_instant(asked, at, "--at") if at is not None else now()
    try:
        facts = facts_of(asked, number, caller, site=at_site or "", trunks_down=trunk_down or ())
    except QuestionError as error:
        fail(error)
    if file is None:
        facts = with_settings(asked, facts, settings_in_force(configured(configuration)))
    if asked.budgets and file is None:
        facts = replace(facts, spending=_spent(configuration, instant))
    decision = route_thoroughly(asked, facts, instant)
    if as_json:
        print_json(_printable_decision(asked, caller, instant, decision))
        return
    for line in explained(asked, decision):
        typer.echo(clean(line))


@plan.command()
def reload(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """Check the plan and put it in force in the running node; calls in progress keep the former one.

    A plan with an error is refused, and the former one stays. The version in force is printed.
    """
    from pbx.control import NotRunningError, Reloaded, ReloadPlan, ask
    from pbx.plans.proposal import has_error

    settings = configured(configuration)
    findings = [finding for finding in _findings(None, settings.path) if finding.severity != "note"]
    if has_error(findings):
        refuse(findings, as_json)
    with entered(settings, "plan.reload", version=planned(settings).version):
        try:
            answer = ask(settings.data_dir, ReloadPlan(author_or_user()))
        except NotRunningError as error:
            fail(why_silent(error, settings.data_dir, "the plan has no error, and is read when one starts"))
        assert isinstance(answer, Reloaded)
        if answer.problems:
            # It was changed, or damaged, between our check and the node's.
            fail(f"the node refused the plan and keeps {answer.plan_version}: {'; '.join(answer.problems)}")
    if answer.not_kept:
        typer.echo(f"beffroi: not in the history: {answer.not_kept}", err=True)
    if as_json:
        print_json({"plan_version": answer.plan_version, "findings": printable_findings(findings)})
        return
    print_findings(findings, err=True)
    typer.echo(f"plan {answer.plan_version} is in force")


def author_or_user(author: str | None = None) -> str:
    """Who changes the plan: as given, or the user who typed the command, also behind sudo."""
    import os

    from pbx.plans.history import user_name

    return author or os.environ.get("SUDO_USER") or user_name(os.getuid())


def refuse(findings: list[Finding], as_json: bool) -> NoReturn:
    """End the command because of a plan's errors."""
    if as_json:
        print_json({"plan_version": None, "findings": printable_findings(findings)})
        raise typer.Exit(1)
    print_findings(findings, err=True)
    fail(f"the plan stays as it was ({tally(findings)} in the new one)")


def _findings(file: Path | None, configuration: Path | None) -> list[Finding]:
    """Everything about a plan, and about reading it."""
    from dialplan.finding import PlanError

    try:
        read, findings = plan_to_check(file, configuration)
    except PlanError as error:
        return list(error.findings)
    from pbx.plans.proposal import findings_of

    return [*findings, *findings_of(read, Path(read.path), now())]


# test


def _row(tested: Plan, result: TestResult) -> tuple[str, ...]:
    verdict = "ok" if result.passed else "FAILED"
    return (
        verdict,
        str(result.test.line),
        result.test.caller,
        result.test.dial,
        _at(tested, result),
        result.expected,
        result.got,
    )


def _at(tested: Plan, result: TestResult) -> str:
    """When: always, an instant, or the first one where it failed."""
    from zoneinfo import ZoneInfo

    if result.test.at is None and result.passed:
        return "any time"
    return f"{result.at.astimezone(ZoneInfo(tested.timezone)):%Y-%m-%d %H:%M}"


def _printable_result(tested: Plan, result: TestResult) -> dict[str, Any]:
    from pbx.records import rfc3339

    return {
        "file": tested.path,
        "line": result.test.line,
        "from": result.test.caller,
        "dial": result.test.dial,
        "at": rfc3339(result.at.timestamp()),
        "expected": result.expected,
        "got": result.got,
        "passed": result.passed,
    }


# explain


def _explain_past(call_id: str, configuration: Path | None, *, as_json: bool) -> None:
    from dialplan.explaining import explain as explained
    from pbx.cli.plan_past import recorded_call, walked
    from pbx.plans.past_call import NotExplainedError

    settings = configured(configuration)
    record = recorded_call(settings, call_id)
    try:
        past = walked(settings, record)
    except NotExplainedError as error:
        fail(clean(str(error)))
    if as_json:
        printed = _printable_decision(past.plan, past.caller, past.instant, past.decision)
        print_json({"call": record.id, **printed, "cause": record.cause, "not_recorded": list(past.unknown)})
        return
    caller = past.caller or "a hidden number"
    typer.echo(clean(f"{record.id}: {caller} dialled {record.dialled} under plan {past.plan.version}"))
    for line in explained(past.plan, past.decision):
        typer.echo(clean(line))
    typer.echo(f"not in the record: {'; '.join(past.unknown)}")


def _spent(configuration: Path | None, instant: datetime) -> Spending:
    """What the node wrote down of the budgets; calls in progress aren't in it."""
    from pbx.defence.spending import KeptSpending
    from pbx.defence.spending import Spending as Spent
    from pbx.kept import KeptError, read_kept

    try:
        kept = read_kept(configured(configuration).spending_file, KeptSpending)
    except KeptError as error:
        fail(error)
    return Spent(instant.timestamp, kept)


def _printable_decision(asked: Plan, caller: str, instant: datetime, decision: Decision) -> dict[str, Any]:
    from dialplan.explaining import describe
    from pbx.records import rfc3339

    return {
        "plan_version": asked.version,
        "file": asked.path,
        "from": caller,
        "dialled": decision.dialled,
        "at": rfc3339(instant.timestamp()),
        "site": decision.site,
        "caller_id": decision.caller_id,
        "caller_name": decision.caller_name,
        "target": _printable_target(decision.target),
        "summary": describe(decision.target),
        "steps": [{"line": step.line, "rule": step.rule, "outcome": step.outcome} for step in decision.trace],
    }


def _printable_target(target: Target) -> dict[str, Any]:
    from dialplan.decision import ToFeature, ToPerson, ToService, ToTrunks

    match target:
        case ToPerson(extension, name):
            return {"kind": "user", "extension": extension, "name": name}
        case ToService(name, kind, number):
            return {"kind": "service", "name": name, "type": kind, "number": number}
        case ToFeature(name, argument):
            return {"kind": "feature", "name": name, "argument": argument}
        case ToTrunks(number, trunks, emergency):
            return {"kind": "trunks", "number": number, "trunks": list(trunks), "emergency": emergency}
        case _:
            return {"kind": "reject", "reason": target.reason, "status": target.status}
