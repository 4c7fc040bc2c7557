"""`beffroi ban`: sources whose messages are dropped unread. It works with the node running, and without."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.entering import entered_question
from pbx.cli.printing import print_json, print_table
from pbx.cli.reading import configured, fail, misused, now, planned, why_silent

if TYPE_CHECKING:
    from pbx.configuration import Configuration
    from pbx.control import BanList, Question
    from pbx.defence.bans import Ban
    from pbx.defence.gate import Gate

ban = typer.Typer(help="Addresses whose messages are dropped unread.", no_args_is_help=True)
application.add_typer(ban, name="ban")

_DURATION = re.compile(r"([1-9][0-9]{0,4})(m|h|d)")
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86_400.0}

SourceArgument = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="An IPv4 address, or an IPv6 one: its /64 is meant.")
]


@ban.command("list")
def list_(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List the bans in force: who, until when, and why."""
    from pbx.control import ListBans

    settings = configured(configuration)
    _print(_asked(settings, ListBans()), as_json)


@ban.command()
def add(
    address: SourceArgument,
    why: Annotated[str, typer.Argument(metavar="[WHY]", help="A few words for the list.")] = "by hand",
    configuration: ConfigurationOption = None,
    for_: Annotated[str, typer.Option("--for", help="How long: 30m, 24h, 7d.")] = "24h",
    as_json: JsonOption = False,
) -> None:
    """Ban an address. Networks of sites, trunks and loopback are never banned."""
    from pbx.control import AddBan

    settings = configured(configuration)
    found = _DURATION.fullmatch(for_)
    if found is None:
        misused("--for", f'"{for_[:20]}" is no duration; write 30m, 24h or 7d')
    seconds = int(found[1]) * _SECONDS[found[2]]
    question = AddBan(_source(address), why, seconds)
    with entered_question(settings, question):
        answer = _asked(settings, question)
        if answer.problem:
            fail(answer.problem)
    _print(answer, as_json)


@ban.command()
def remove(
    address: SourceArgument, configuration: ConfigurationOption = None, as_json: JsonOption = False
) -> None:
    """Lift the ban of an address, and forget those before it."""
    from pbx.control import RemoveBan

    settings = configured(configuration)
    question = RemoveBan(_source(address))
    with entered_question(settings, question):
        answer = _asked(settings, question)
        if answer.problem:
            fail(answer.problem)
    _print(answer, as_json)


def _source(text: str) -> str:
    from pbx.defence.bans import read_source

    try:
        return read_source(text)
    except ValueError:
        misused("ADDRESS", f'"{text[:60]}" is no IP address; write 203.0.113.7 or 2001:db8::1')


def _asked(settings: Configuration, question: Question) -> BanList:
    """What the running node answers; where none runs, what the file says after the change."""
    from pbx.control import BanList, NotRunningError, ask

    try:
        answer = ask(settings.data_dir, question)
    except NotRunningError as error:
        if not isinstance(error.__cause__, FileNotFoundError | ConnectionRefusedError):
            fail(why_silent(error, settings.data_dir, ""))
        return _in_file(settings, question)
    assert isinstance(answer, BanList)
    return answer


def _in_file(settings: Configuration, question: Question) -> BanList:
    from pbx.defence.answers import answer_about_bans
    from pbx.defence.bans import KeptBans
    from pbx.kept import KeptError, read_kept, write_kept

    try:
        gate = _gate(settings, read_kept(settings.bans_file, KeptBans))
        answer = answer_about_bans(gate, question)
        if gate.bans.changed:
            write_kept(settings.bans_file, gate.kept())
    except KeptError as error:
        fail(error)
    return answer


def _gate(settings: Configuration, kept: Any) -> Gate:
    """The gate that the node would have, as far as the plan alone tells what is ours."""
    from pbx.defence.gate import Gate

    plan = planned(settings)
    trunks = {trunk.host.strip("[]") for trunk in plan.trunks.values()}
    instant = now().timestamp()
    return Gate(
        clock=lambda: instant,
        is_ours=lambda address: address in trunks or bool(plan.tables.networks.find(address)),
        settings=settings.defence,
        kept=kept,
    )


def _print(answer: BanList, as_json: bool) -> None:
    if as_json:
        print_json([_printable(one) for one in answer.bans])
    elif not answer.bans:
        typer.echo("nobody is banned")
    else:
        rows = [_printable(one) for one in answer.bans]
        columns = ("source", "since", "until", "times", "why")
        print_table(columns, ([str(row[column]) for column in columns] for row in rows))


def _printable(one: Ban) -> dict[str, Any]:
    from pbx.records import rfc3339

    return {
        "source": one.source,
        "since": rfc3339(one.since),
        "until": rfc3339(one.until),
        "times": one.times,
        "manual": one.manual,
        "why": one.why,
    }
