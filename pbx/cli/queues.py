"""`beffroi queue`: who waits, who answers, and what was done, live and from the call records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.calls import read_since
from pbx.cli.entering import ask_entered
from pbx.cli.plans import author_or_user
from pbx.cli.printing import clean, print_json, print_table
from pbx.cli.reading import configured, database, fail

if TYPE_CHECKING:
    from pbx.control import QueueQuestion, QueueStatus
    from pbx.queues.figures import AgentFigures, Figures, QueueFigures

queue = typer.Typer(help="Queues: who waits, who answers, what was done.", no_args_is_help=True)
application.add_typer(queue, name="queue")

ExtensionArgument = Annotated[str, typer.Argument(metavar="EXTENSION", help="Whose.")]
ServiceOption = Annotated[
    str, typer.Option("--service", metavar="NAME", help="Of one queue or group. Default: of all.")
]
ByOption = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who sets it. Default: the user of the command.")
]


@queue.command("list")
def list_(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List the queues of the running node: who waits, who answers, the figures since it began."""
    from pbx.control import ListQueues

    statuses = _asked(configuration, ListQueues())
    if as_json:
        print_json([_printable(status) for status in statuses])
    elif not statuses:
        typer.echo("the plan has no queue")
    else:
        columns = ("queue", "number", "waiting", "longest", "agents free", "offered", "answered", "abandoned")
        print_table(columns, [_row(status) for status in statuses])


@queue.command()
def show(
    name: Annotated[str, typer.Argument(metavar="QUEUE", help="The queue's name in the plan.")],
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one queue: each caller who waits, each agent and what it does."""
    from pbx.control import ListQueues

    statuses = _asked(configuration, ListQueues())
    found = [status for status in statuses if status.name == name]
    if not found:
        known = ", ".join(status.name for status in statuses) or "none"
        fail(f'no queue "{clean(name[:60])}" in the plan in force; known: {known}')
    (status,) = found
    if as_json:
        print_json(_printable(status))
        return
    if status.waiting:
        rows = [(one.number, f"{one.waited_seconds:.0f} s", one.state, one.call) for one in status.waiting]
        print_table(("caller", "waits", "is", "call"), rows)
    else:
        typer.echo("nobody waits")
    if status.expected_seconds is not None:
        typer.echo(f"who comes now waits about {status.expected_seconds:.0f} s")
    print_table(
        ("agent", "name", "is", "offered", "answered", "talked"),
        [
            (one.extension, one.name, f"{one.state} {one.reason}".strip(), *_figures_of(one.figures))
            for one in status.agents
        ],
    )


@queue.command()
def report(
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    since: Annotated[
        str | None, typer.Option(help='Only who came then or later: "2026-12-25 10:00" (UTC), or 7d.')
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only who came before then.")] = None,
) -> None:
    """Report what queues and agents did, from the records of ended calls. It works without a running node."""
    from pbx.store.queues import queue_figures

    first, last = read_since(since, "--since"), read_since(until, "--until")
    with database(configured(configuration)) as opened:
        figures = opened.read(lambda connection: queue_figures(connection, since=first, until=last))
    if as_json:
        print_json([{"queue": name, **_counted(one)} for name, one in sorted(figures.queues.items())])
    elif not figures.queues:
        typer.echo("nobody came to a queue")
    else:
        _print_report(figures)


@queue.command()
def pause(
    extension: ExtensionArgument,
    configuration: ConfigurationOption = None,
    service: ServiceOption = "",
    reason: Annotated[str, typer.Option(metavar="DIGITS", help="One of the plan's `pauses:`.")] = "",
    by: ByOption = None,
) -> None:
    """Give somebody no calls of queues and groups until `queue resume`, or their own code."""
    from pbx.control import PauseAgent

    _asked(configuration, PauseAgent(extension, author_or_user(by), service, reason))
    typer.echo(f"{clean(extension)} is paused" + (f" from {clean(service)}" if service else ""))


@queue.command()
def resume(
    extension: ExtensionArgument,
    configuration: ConfigurationOption = None,
    service: ServiceOption = "",
    by: ByOption = None,
) -> None:
    """Let somebody get calls of queues and groups again, whatever kept them from it."""
    from pbx.control import ResumeAgent

    _asked(configuration, ResumeAgent(extension, author_or_user(by), service))
    typer.echo(f"{clean(extension)} takes calls again")


def _asked(given: Path | None, question: QueueQuestion) -> list[QueueStatus]:
    """How the queues are once the running node did what was asked; where it refuses, this ends."""
    from pbx.control import QueueList

    settings = configured(given)
    answer = ask_entered(settings, question, "queues are those of a running node")
    assert isinstance(answer, QueueList)
    return answer.queues


def _row(status: QueueStatus) -> tuple[str, ...]:
    longest = max((one.waited_seconds for one in status.waiting), default=0.0)
    free = sum(agent.state == "free" for agent in status.agents)
    figures = status.figures
    return (
        status.name,
        status.number,
        str(len(status.waiting)),
        f"{longest:.0f} s" if status.waiting else "",
        f"{free} of {len(status.agents)}",
        str(figures.offered),
        str(figures.answered),
        str(figures.abandoned),
    )


def _print_report(figures: Figures) -> None:
    rows: list[tuple[str, ...]] = []
    for name, one in sorted(figures.queues.items()):
        mean = f"{one.waited_seconds / one.offered:.0f} s" if one.offered else ""
        counted = (one.offered, one.answered, one.abandoned, one.sent_on, one.to_call_back)
        rows.append((name, "", *map(str, counted), mean, f"{one.talked_seconds:.0f} s"))
        for agent, its in sorted(one.agents.items()):
            offered, answered, talked = _figures_of(its)
            rows.append((name, agent, offered, answered, "", "", "", "", talked))
    outcomes = ("offered", "answered", "abandoned", "sent on", "to call back")
    print_table(("queue", "agent", *outcomes, "mean wait", "talked"), rows)


def _figures_of(figures: AgentFigures) -> tuple[str, str, str]:
    return str(figures.offered), str(figures.answered), f"{figures.talked_seconds:.0f} s"


def _printable(status: QueueStatus) -> dict[str, Any]:
    from msgspec import structs

    from pbx.records import rfc3339

    return {
        "queue": status.name,
        "number": status.number or None,
        "since": rfc3339(status.since),
        "expected_seconds": status.expected_seconds,
        "waiting": [structs.asdict(one) for one in status.waiting],
        "state_of_agents": [
            {"extension": one.extension, "name": one.name, "state": one.state, "reason": one.reason or None}
            for one in status.agents
        ],
        **_counted(status.figures),
    }


def _counted(figures: QueueFigures) -> dict[str, Any]:
    from msgspec import structs

    agents = {agent: structs.asdict(its) for agent, its in sorted(figures.agents.items())}
    return {**structs.asdict(figures), "agents": agents}
