"""`beffroi call now|originate|hold|…`: the calls in progress, and what may be done with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pbx.cli.application import ConfigurationOption, JsonOption
from pbx.cli.calls import call
from pbx.cli.entering import ask_entered
from pbx.cli.printing import print_json, print_table, shown_time
from pbx.cli.reading import configured

if TYPE_CHECKING:
    from pathlib import Path

    from pbx.api.views import CallView, PartyView
    from pbx.control import CallQuestion, CallsNow

WhoArgument = Annotated[
    str, typer.Argument(metavar="WHO", help="An extension, or the number of a party outside.")
]
CallOption = Annotated[
    str, typer.Option("--call", metavar="ID", help="Which of its calls, where it has several.")
]


@call.command()
def now(
    who: Annotated[str, typer.Argument(metavar="[WHO]", help="Of one party. Default: all calls.")] = "",
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the calls in progress: who is in them, and what each one does."""
    from pbx.control import ListCalls

    _print(_asked(configuration, ListCalls(who)), as_json)


@call.command()
def originate(
    extension: Annotated[str, typer.Argument(metavar="EXTENSION", help="Whose telephones ring first.")],
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Whom they call then, as EXTENSION dials.")],
    configuration: ConfigurationOption = None,
    by_itself: Annotated[
        bool, typer.Option("--by-itself", help="Ask the telephones to answer alone.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Place a call for somebody: their telephones ring, and then the number. Their rights count."""
    from pbx.control import Originate

    _print(_asked(configuration, Originate(extension, number, by_itself)), as_json)


@call.command()
def retrieve(
    extension: Annotated[str, typer.Argument(metavar="EXTENSION", help="Whose telephones ring.")],
    place: Annotated[str, typer.Argument(metavar="PLACE", help="Where the party is parked.")],
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Connect somebody with who is parked at a place."""
    from pbx.control import Retrieve

    _print(_asked(configuration, Retrieve(extension, place)), as_json)


@call.command()
def pickup(
    extension: Annotated[str, typer.Argument(metavar="EXTENSION", help="Whose telephones ring.")],
    of: Annotated[str, typer.Argument(metavar="[OF]", help="Whose call. Default: any of their groups.")] = "",
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Connect somebody with the call that rings at another telephone."""
    from pbx.control import PickUp

    _print(_asked(configuration, PickUp(extension, of)), as_json)


@call.command()
def answer(
    who: WhoArgument,
    configuration: ConfigurationOption = None,
    call_id: CallOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let a telephone that rings answer, where it is one that can be asked to."""
    _in_call(configuration, "answer", who, call_id, "", as_json)


@call.command()
def hold(
    who: WhoArgument,
    configuration: ConfigurationOption = None,
    call_id: CallOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let a party hold: the other one hears music."""
    _in_call(configuration, "hold", who, call_id, "", as_json)


@call.command()
def resume(
    who: WhoArgument,
    configuration: ConfigurationOption = None,
    call_id: CallOption = "",
    as_json: JsonOption = False,
) -> None:
    """End a party's hold."""
    _in_call(configuration, "resume", who, call_id, "", as_json)


@call.command()
def mute(
    who: WhoArgument,
    configuration: ConfigurationOption = None,
    call_id: CallOption = "",
    off: Annotated[bool, typer.Option("--off", help="Let the party be heard again.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let nobody hear a party."""
    _in_call(configuration, "unmute" if off else "mute", who, call_id, "", as_json)


@call.command()
def transfer(
    who: WhoArgument,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Whom the other party is connected with.")],
    configuration: ConfigurationOption = None,
    call_id: CallOption = "",
    as_json: JsonOption = False,
) -> None:
    """Connect the party that WHO speaks with with a number; WHO leaves. WHO's rights count."""
    _in_call(configuration, "transfer", who, call_id, number, as_json)


@call.command()
def join(
    who: WhoArgument,
    one: Annotated[str, typer.Argument(metavar="ID", help="One of WHO's calls.")],
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Another one.")],
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Connect the other parties of two calls of somebody, who leaves both (an attended transfer)."""
    _in_call(configuration, "join", who, one, other, as_json)


@call.command()
def merge(
    who: WhoArgument,
    one: Annotated[str, typer.Argument(metavar="ID", help="One of WHO's calls.")],
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Another one.")],
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make one conversation of three of two calls of somebody."""
    _in_call(configuration, "merge", who, one, other, as_json)


@call.command("send-on")
def send_on(
    who: WhoArgument,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Where WHO goes.")],
    by: Annotated[str, typer.Option("--by", metavar="EXTENSION", help="Whose rights count.")],
    configuration: ConfigurationOption = None,
    call_id: CallOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let a party that waits with a service (a queue, parking, a menu) go on to a number."""
    from pbx.control import SendOn

    _print(_asked(configuration, SendOn(who, number, by, call_id)), as_json)


@call.command()
def park(
    who: WhoArgument,
    place: Annotated[
        str, typer.Argument(metavar="[PLACE]", help="Where. Default: the first free place.")
    ] = "",
    configuration: ConfigurationOption = None,
    call_id: CallOption = "",
    as_json: JsonOption = False,
) -> None:
    """Park the party that WHO speaks with."""
    _in_call(configuration, "park", who, call_id, place, as_json)


@call.command()
def hangup(
    who: WhoArgument,
    configuration: ConfigurationOption = None,
    call_id: CallOption = "",
    as_json: JsonOption = False,
) -> None:
    """End a party's call; a telephone that rings declines it."""
    _in_call(configuration, "hang_up", who, call_id, "", as_json)


@call.command()
def digits(
    who: WhoArgument,
    keys: Annotated[str, typer.Argument(metavar="KEYS", help="Such as 1234#.")],
    configuration: ConfigurationOption = None,
    call_id: CallOption = "",
    as_json: JsonOption = False,
) -> None:
    """Press keys for a party: the other one gets them."""
    _in_call(configuration, "digits", who, call_id, keys, as_json)


def _in_call(
    configuration: Path | None, verb: str, who: str, call_id: str, argument: str, as_json: bool
) -> None:
    from pbx.control import InCall

    _print(_asked(configuration, InCall(verb, who, call_id, argument)), as_json)


def _asked(configuration: Path | None, question: CallQuestion) -> CallsNow:
    """The running node's answer; what it didn't do ends the command."""
    from pbx.control import CallsNow

    settings = configured(configuration)
    answer = ask_entered(settings, question, f"start one with `beffroi serve -c {settings.path}`")
    assert isinstance(answer, CallsNow)
    return answer


def _print(answer: CallsNow, as_json: bool) -> None:
    if as_json:
        done = answer.done
        print_json(
            {
                "call": done.call,
                "state": done.state,
                "place": done.place,
                "calls": [_printable(one) for one in answer.calls],
            }
        )
        return
    if answer.done.place:
        typer.echo(f"parked at {answer.done.place}")
    if not answer.calls:
        typer.echo("no call in progress")
        return
    rows = [(one.id, shown_time(one.started), one.dialled, _parties(one)) for one in answer.calls]
    print_table(("id", "started", "dialled", "parties"), rows)


def _parties(one: CallView) -> str:
    return ", ".join(_party(party) for party in one.parties)


def _party(party: PartyView) -> str:
    muted = ", muted" if party.muted else ""
    return f"{party.number or party.device} {party.name}".strip() + f" ({party.state}{muted})"


def _printable(one: CallView) -> dict[str, object]:
    import msgspec

    from pbx.records import rfc3339

    fields: dict[str, object] = msgspec.to_builtins(one)
    return {**fields, "started": rfc3339(one.started), "answered": rfc3339(one.answered)}
