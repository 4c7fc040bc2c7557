"""`beffroi trunk`: the operators' lines: how they are, and what the plan says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.plan_changes import (
    AllOption,
    Asked,
    AuthorOption,
    ReasonOption,
    YesOption,
    in_force_or_fail,
    put_in_force,
)
from pbx.cli.printing import clean, print_json, print_table
from pbx.cli.reading import complain, configured, fail, misused, why_silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pbx.configuration import Configuration
    from pbx.control import TrunkStatus
    from pbx.plans.editing import Value

trunk = typer.Typer(
    help="The operators' lines: how they are, and the plan's `trunks:`.", no_args_is_help=True
)
application.add_typer(trunk, name="trunk")

NameArgument = Annotated[str, typer.Argument(help="The trunk's name in the plan.")]
SettingsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="KEY=VALUE...",
        help="As in the plan: host=sip.operator.example, channels=10, secret='{env: NAME}'.",
    ),
]


@trunk.command("list")
def list_(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List the trunks: state, registration, channels in use, delay of the last OPTIONS."""
    statuses = _asked(configuration)
    if as_json:
        print_json([_printable(status) for status in statuses])
    elif not statuses:
        typer.echo("the plan has no trunk")
    else:
        columns = ("trunk", "state", "registered until", "channels", "delay", "server")
        print_table(columns, [_row(status) for status in statuses])


@trunk.command()
def show(name: NameArgument, configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """Show one trunk, with all its servers in the order of trial."""
    statuses = _asked(configuration)
    for status in statuses:
        if status.name == name:
            break
    else:
        known = ", ".join(one.name for one in statuses) or "none"
        fail(f'no trunk "{name[:60]}" in the plan in force; known: {known}')
    printable = _printable(status)
    if as_json:
        print_json(printable)
        return
    for key, value in printable.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        typer.echo(f"{key.replace('_', ' '):<20} {clean(str('-' if shown in (None, '') else shown))}")


@trunk.command()
def add(
    name: NameArgument,
    settings: SettingsArgument,
    configuration: ConfigurationOption = None,
    author: AuthorOption = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    show_all: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add a trunk to the plan, and put the plan in force; every other line of it stays as it is."""
    wanted = _settings(settings)

    def edit(text: str) -> str:
        from pbx.plans.editing import with_entry

        if name in _names(text):
            fail(f'the plan has a trunk "{name[:60]}" already; `beffroi trunk change` changes it')
        return with_entry(text, "trunks", name, wanted)

    why = reason or f"trunk {name} added"
    _edit(configuration, edit, Asked(author, why, yes, show_all, as_json), "trunk.add", name)


@trunk.command()
def change(
    name: NameArgument,
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE...]", help="What is to be another way.")
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="A key that is to be as by default; may be repeated."),
    ] = None,
    configuration: ConfigurationOption = None,
    author: AuthorOption = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    show_all: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Change what the plan says of a trunk, and put the plan in force."""
    wanted, gone = _settings(settings or []), without or []
    if not wanted and not gone:
        misused("KEY=VALUE", "say what is to change, such as channels=20 or --without port")

    def edit(text: str) -> str:
        from pbx.plans.editing import entry_of, with_entry

        former: Any = entry_of(text, "trunks", name)
        missing = [key for key in gone if key not in former]
        if missing:
            fail(f'trunk {name[:60]} has no "{missing[0][:60]}" in the plan')
        kept = {key: value for key, value in former.items() if key not in gone}
        return with_entry(text, "trunks", name, {**kept, **wanted})

    why = reason or f"trunk {name} changed"
    _edit(configuration, edit, Asked(author, why, yes, show_all, as_json), "trunk.change", name)


@trunk.command()
def remove(
    name: NameArgument,
    configuration: ConfigurationOption = None,
    author: AuthorOption = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    show_all: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a trunk out of the plan, and put the plan in force. What names it is to be changed before."""

    def edit(text: str) -> str:
        from pbx.plans.editing import without_entry

        return without_entry(text, "trunks", name)

    why = reason or f"trunk {name} removed"
    _edit(configuration, edit, Asked(author, why, yes, show_all, as_json), "trunk.remove", name)


# In the plan


def _edit(given: Path | None, edit: Callable[[str], str], asked: Asked, what: str, name: str) -> None:
    """Edit the text of the plan in force, and put it in force as any other."""
    from dialplan.finding import PlanError
    from pbx.plans.editing import EditingError
    from pbx.plans.history import PlanHistory

    settings = configured(given)
    text = _text_in_force(settings, PlanHistory(settings.data_dir, settings.plan))
    try:
        edited = edit(text)
    except PlanError as error:
        complain(error.findings)
    except EditingError as error:
        fail(f"the plan stays as it was: {error}")
    put_in_force(settings, edited, settings.plan.name, asked, what, trunk=name)


def _text_in_force(settings: Configuration, kept: Any) -> str:
    """The text to edit: that in force, so that nothing comes into force that nobody looked at."""
    former = in_force_or_fail(settings, kept)
    if not former.text:
        fail(f"no plan is in force yet that could be edited; write one in {settings.plan}")
    return former.text


def _settings(given: list[str]) -> dict[str, Value]:
    """What KEY=VALUE words say; a secret that is written out ends the command."""
    from pbx.plans.editing import EditingError, read_value

    wanted: dict[str, Value] = {}
    for word in given:
        key, equals, text = word.partition("=")
        if not equals or not key:
            misused("KEY=VALUE", f'"{word[:60]}" is none; write channels=10')
        try:
            wanted[key] = read_value(text)
        except EditingError as error:
            misused(key, str(error))
    secret = wanted.get("secret", {})
    if not isinstance(secret, dict):
        # It stands in the shell's history by now, as it would in the plan's.
        hint = (
            "write secret='{env: NAME}', put the secret in that variable, and change it: others may know it"
        )
        misused("secret", f"a secret is never written in a plan; {hint}")
    return wanted


def _names(text: str) -> list[str]:
    from dialplan.document import read_document

    sections = read_document(text, "plan").mapping()
    return [*sections["trunks"].mapping()] if "trunks" in sections else []


# In the node


def _asked(given: Path | None) -> list[TrunkStatus]:
    from pbx.control import ListTrunks, NotRunningError, TrunkList, ask

    settings = configured(given)
    try:
        answer = ask(settings.data_dir, ListTrunks())
    except NotRunningError as error:
        fail(why_silent(error, settings.data_dir, f"start one with `beffroi serve -c {settings.path}`"))
    assert isinstance(answer, TrunkList)
    return answer.trunks


def _row(status: TrunkStatus) -> list[str]:
    if not status.registers:
        registered = "-"
    elif status.registered_until is None:
        registered = f"no ({status.registration_status})" if status.registration_status else "no"
    else:
        registered = str(_printable(status)["registered_until"])
    delay = "-" if status.options_delay_ms is None else f"{status.options_delay_ms:.0f} ms"
    channels = f"{status.channels_in_use} of {status.channels}"
    return [status.name, status.state, registered, channels, delay, (status.servers or ["not found"])[0]]


def _printable(status: TrunkStatus) -> dict[str, Any]:
    import msgspec

    from pbx.records import rfc3339

    told: dict[str, Any] = msgspec.to_builtins(status)
    told["registered_until"] = rfc3339(status.registered_until)
    told["since"] = rfc3339(status.since)
    told["refused_at"] = rfc3339(status.refused_at) if status.refused_at else None
    return told
