"""`beffroi settings` and `beffroi override`: what people and operators set by hand, beside the plan."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.entering import ask_entered
from pbx.cli.plans import author_or_user
from pbx.cli.printing import print_json, print_table, shown_time
from pbx.cli.reading import configured, misused, planned, read_instant, settings_in_force

if TYPE_CHECKING:
    from pbx.control import SettingsInForce, SettingsQuestion
    from pbx.records import ForwardSetting, OverrideRecord, PersonSettings, Switch

settings = typer.Typer(
    help="What people set from their phones: forwards, do not disturb, call waiting.", no_args_is_help=True
)
application.add_typer(settings, name="settings")
override = typer.Typer(
    help="Services and schedules opened or closed by hand, for a while.", no_args_is_help=True
)
application.add_typer(override, name="override")

_WHENS = {"always": "always", "busy": "busy", "no-answer": "no_answer", "unreachable": "unreachable"}
_DO_NOT_DISTURB = "do-not-disturb"
_SWITCHES = {"anonymous-rejection": "anonymous_rejection", "call-waiting": "call_waiting"}
_RING = "ring"
_WAYS = {"together": "together", "in-turn": "in_turn", "devices": "devices"}
_WORDS = ", ".join((*_WHENS, _DO_NOT_DISTURB, *_SWITCHES, _RING))

ExtensionArgument = Annotated[str, typer.Argument(metavar="EXTENSION", help="Whose.")]
WhatArgument = Annotated[str, typer.Argument(metavar="WHAT", help=f"One of {_WORDS}.")]
ByOption = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who sets it. Default: the user of the command.")
]


@settings.command("list")
def list_settings(
    extension: Annotated[
        str, typer.Argument(metavar="[EXTENSION]", help="Of one person. Default: of all.")
    ] = "",
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what people have set, who set it and when, in UTC. It works without a running node."""
    people = settings_in_force(configured(configuration)).people
    _print_people([one for one in people if extension in ("", one.extension)], as_json)


@settings.command("set")
def set_(
    extension: ExtensionArgument,
    what: WhatArgument,
    number: Annotated[
        str,
        typer.Argument(
            metavar="[NUMBER]",
            help="Where calls go, as EXTENSION would dial it; `none` cancels the plan's. For "
            "anonymous-rejection and call-waiting: `on` or `off`; for ring: `together`, `in-turn` or "
            "`devices`.",
        ),
    ] = "",
    configuration: ConfigurationOption = None,
    after: Annotated[int, typer.Option(metavar="SECONDS", help="How long it rings before no-answer.")] = 0,
    callers: Annotated[
        list[str] | None,
        typer.Option(
            "--caller",
            metavar="CALLER",
            help="Only these: an extension, +33…, inside, outside, anonymous; may be repeated.",
        ),
    ] = None,
    hours: Annotated[
        list[str] | None,
        typer.Option(metavar="HOURS", help='Only then, such as "mon-fri 12:00-14:00"; may be repeated.'),
    ] = None,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forward somebody's calls, or say which don't ring their phones. The person's own rights count."""
    from pbx.control import SetDoNotDisturb, SetForward, SetRing, SetSwitch, StopForwarding

    who = author_or_user(by)
    question: SettingsQuestion
    if what == _DO_NOT_DISTURB:
        if number or after or callers or hours:
            misused("WHAT", f"{_DO_NOT_DISTURB} takes nothing else")
        question = SetDoNotDisturb(extension, True, who)
    elif what in _SWITCHES:
        if number not in ("on", "off") or after or callers or hours:
            misused("NUMBER", f"{what} is `on` or `off`, and takes nothing else")
        question = SetSwitch(extension, _SWITCHES[what], number == "on", who)
    elif what == _RING:
        if number not in _WAYS or after or callers or hours:
            misused("NUMBER", f"{what} is one of {', '.join(_WAYS)}, and takes nothing else")
        question = SetRing(extension, _WAYS[number], who)
    elif not number:
        misused("NUMBER", "say where the calls go, or `none`")
    elif number == "none":
        question = StopForwarding(extension, who, _when(what))
    else:
        question = SetForward(
            extension, _when(what), number, who, after, tuple(callers or ()), tuple(hours or ())
        )
    _print_people(_asked(configuration, question).people, as_json)


@settings.command()
def clear(
    extension: ExtensionArgument,
    what: Annotated[str, typer.Argument(metavar="[WHAT]", help=f"One of {_WORDS}. Default: all.")] = "",
    configuration: ConfigurationOption = None,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget what somebody has set: what the plan says holds again."""
    from pbx.control import ClearSettings, SetDoNotDisturb

    who = author_or_user(by)
    if what == _DO_NOT_DISTURB:
        answer = _asked(configuration, SetDoNotDisturb(extension, False, who))
    else:
        when = _SWITCHES.get(what) or (_when(what) if what and what != _RING else what)
        answer = _asked(configuration, ClearSettings(extension, who, when))
    _print_people(answer.people, as_json)


@override.command()
def add(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="A service or a schedule of the plan.")],
    until: Annotated[
        str, typer.Option(help='Until when: "14:00", "mon 08:00" or "2026-12-26 08:00", in the plan\'s time.')
    ],
    configuration: ConfigurationOption = None,
    is_open: Annotated[bool, typer.Option("--open", help="Open it; without, it is closed.")] = False,
    to: Annotated[
        str, typer.Option(help="Where its calls go while it is closed. Default: as the plan says.")
    ] = "",
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close a service or a schedule by hand, or open it, until an instant: then it is as planned again."""
    from pbx.control import AddOverride

    instant = read_instant(planned(configured(configuration)), until, "--until")
    question = AddOverride(service, is_open, instant.timestamp(), author_or_user(by), to)
    _print_overrides(configuration, _asked(configuration, question).overrides, as_json)


@override.command("list")
def list_overrides(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List what is open or closed by hand, until when, and who did it. It works without a running node."""
    overrides = settings_in_force(configured(configuration)).overrides
    _print_overrides(configuration, overrides, as_json)


@override.command()
def remove(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="A service or a schedule of the plan.")],
    configuration: ConfigurationOption = None,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a service or a schedule be as planned again, at once."""
    from pbx.control import RemoveOverride

    answer = _asked(configuration, RemoveOverride(service, author_or_user(by)))
    _print_overrides(configuration, answer.overrides, as_json)


def _when(what: str) -> str:
    if what not in _WHENS:
        misused("WHAT", f'"{what[:40]}" is none of {_WORDS}')
    return _WHENS[what]


def _asked(configuration: Path | None, question: SettingsQuestion) -> SettingsInForce:
    """What is set once the running node did what was asked; where it refuses, or none runs, this ends."""
    from pbx.control import SettingsInForce

    settings = configured(configuration)
    answer = ask_entered(settings, question, "settings are changed in a running node")
    assert isinstance(answer, SettingsInForce)
    return answer


def _print_people(people: list[PersonSettings], as_json: bool) -> None:
    if as_json:
        print_json([_printable_person(one) for one in people])
    elif not people:
        typer.echo("nothing is set by hand")
    else:
        columns = ("extension", "what", "to", "only", "set by", "at")
        print_table(columns, [row for one in people for row in _rows(one)])


def _rows(kept: PersonSettings) -> Iterable[tuple[str, ...]]:
    if kept.do_not_disturb is not None:
        at = shown_time(kept.do_not_disturb.at)
        yield kept.extension, _DO_NOT_DISTURB, "", "", kept.do_not_disturb.by, at
    for name, switch in _switched(kept):
        state = "on" if switch.on else "off"
        yield kept.extension, name, state, "", switch.set_by.by, shown_time(switch.set_by.at)
    if kept.ring is not None:
        way = kept.ring.way.replace("_", "-")
        yield kept.extension, _RING, way, "", kept.ring.set_by.by, shown_time(kept.ring.set_by.at)
    for pause in kept.pauses:
        what = f"pause {pause.reason}".strip()
        yield kept.extension, what, "", pause.service, pause.set_by.by, shown_time(pause.set_by.at)
    for one in kept.forwards:
        what = one.when.replace("_", "-") + (f" after {one.seconds} s" if one.seconds else "")
        only = ", ".join((*one.callers, *one.hours))
        yield kept.extension, what, one.to or "none", only, one.set_by.by, shown_time(one.set_by.at)


def _switched(kept: PersonSettings) -> Iterable[tuple[str, Switch]]:
    for name, field in _SWITCHES.items():
        switch: Switch | None = getattr(kept, field)
        if switch is not None:
            yield name, switch


def _printable_person(kept: PersonSettings) -> dict[str, Any]:
    from pbx.records import rfc3339

    undisturbed = kept.do_not_disturb
    return {
        "extension": kept.extension,
        "do_not_disturb": {"by": undisturbed.by, "at": rfc3339(undisturbed.at)} if undisturbed else None,
        **{
            _SWITCHES[name]: {"on": one.on, "by": one.set_by.by, "at": rfc3339(one.set_by.at)}
            for name, one in _switched(kept)
        },
        "ring": {
            "way": kept.ring.way,
            "by": kept.ring.set_by.by,
            "at": rfc3339(kept.ring.set_by.at),
        }
        if kept.ring is not None
        else None,
        "forwards": [_printable_forward(one) for one in kept.forwards],
        "pauses": [
            {
                "service": one.service or None,
                "reason": one.reason or None,
                "by": one.set_by.by,
                "at": rfc3339(one.set_by.at),
            }
            for one in kept.pauses
        ],
    }


def _printable_forward(one: ForwardSetting) -> dict[str, Any]:
    from pbx.records import rfc3339

    return {
        "when": one.when,
        "to": one.to or None,
        "seconds": one.seconds or None,
        "callers": list(one.callers),
        "hours": list(one.hours),
        "by": one.set_by.by,
        "at": rfc3339(one.set_by.at),
    }


def _print_overrides(configuration: Path | None, overrides: list[OverrideRecord], as_json: bool) -> None:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from pbx.records import rfc3339

    if as_json:
        print_json(
            [
                {
                    "kind": one.kind,
                    "name": one.name,
                    "state": "open" if one.is_open else "closed",
                    "until": rfc3339(one.until),
                    "to": one.to or None,
                    "by": one.set_by.by,
                    "at": rfc3339(one.set_by.at),
                }
                for one in overrides
            ]
        )
        return
    if not overrides:
        typer.echo("everything is as planned")
        return
    zone = ZoneInfo(planned(configured(configuration)).timezone)
    rows = [
        (
            one.kind,
            one.name,
            "open" if one.is_open else "closed",
            f"{datetime.fromtimestamp(one.until, zone):%Y-%m-%d %H:%M %Z}",
            one.to,
            one.set_by.by,
            shown_time(one.set_by.at),
        )
        for one in overrides
    ]
    print_table(("", "name", "is", "until", "calls go to", "set by", "at"), rows)
