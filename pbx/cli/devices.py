"""`beffroi device`: who uses which device, and where those are that call from outside of every site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.plans import author_or_user
from pbx.cli.printing import clean, print_json, print_table, shown_time
from pbx.cli.reading import configured, fail, misused, why_silent
from pbx.cli.users import user

if TYPE_CHECKING:
    from pbx.control import DeviceList, DeviceQuestion, DeviceStatus
    from pbx.records import AddressRecord

device = typer.Typer(
    help="Devices: who uses them, and where they are for help to come.", no_args_is_help=True
)
application.add_typer(device, name="device")

DeviceArgument = Annotated[
    str, typer.Argument(metavar="DEVICE", help="Its sign-in: an extension, or 1001-app.")
]
ByOption = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who does it. Default: the user of the command.")
]
NetworkOption = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS", help="On which network, by an address of it. Default: where it calls from now."
    ),
]
PartOption = Annotated[str, typer.Option(metavar="TEXT", help="A part of the address.")]


@device.command("list")
def list_(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List devices: whose they are, who uses them, where they can be reached, and their address."""
    from pbx.control import NotRunningError, every_device

    data_dir = configured(configuration).data_dir
    try:
        devices = every_device(data_dir)
    except NotRunningError as error:
        fail(why_silent(error, data_dir, "devices are asked about in a running node"))
    _print(devices, as_json)


@device.command()
def login(
    sign_in: DeviceArgument,
    extension: Annotated[str, typer.Argument(metavar="EXTENSION", help="Whose it is from now on.")],
    configuration: ConfigurationOption = None,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let somebody use a device as theirs, as the code for it and a PIN do, until they log out."""
    from pbx.control import UseDevice

    devices = _asked(configuration, UseDevice(sign_in, extension, author_or_user(by))).devices
    _print(devices, as_json)


@device.command()
def logout(
    sign_in: DeviceArgument,
    configuration: ConfigurationOption = None,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a device back to its own person."""
    from pbx.control import UseDevice

    devices = _asked(configuration, UseDevice(sign_in, "", author_or_user(by))).devices
    _print(devices, as_json)


@device.command()
def address(
    sign_in: DeviceArgument,
    configuration: ConfigurationOption = None,
    street: PartOption = "",
    postcode: PartOption = "",
    city: PartOption = "",
    building: PartOption = "",
    floor: PartOption = "",
    room: PartOption = "",
    landmark: PartOption = "",
    insee: PartOption = "",
    confirm: Annotated[
        bool, typer.Option("--confirm", help="The one who uses it says that this is right.")
    ] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Forget it: its place is assumed again.")] = False,
    network: NetworkOption = "",
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say where a teleworker's device is, confirm it, or forget it.

    Only a confirmed address is told in an emergency call, and only from the network that it was said for.
    """
    from pbx.control import ForgetAddress, SayAddress

    parts = {
        "street": street,
        "postcode": postcode,
        "city": city,
        "building": building,
        "floor": floor,
        "room": room,
        "landmark": landmark,
        "insee": insee,
    }
    said = {key: text for key, text in parts.items() if text}
    if forget and (said or confirm):
        misused("--forget", "an address is forgotten, or said, and not both")
    if not (forget or said or confirm):
        misused("DEVICE", "say --street and --city, --confirm or --forget")
    who = author_or_user(by)
    question: DeviceQuestion = (
        ForgetAddress(sign_in, who, network) if forget else SayAddress(sign_in, said, who, confirm, network)
    )
    devices = _asked(configuration, question).devices
    _print(devices, as_json)


@user.command()
def pin(
    extension: Annotated[str, typer.Argument(metavar="EXTENSION", help="Whose.")],
    configuration: ConfigurationOption = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take it away.")] = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a person a new PIN, which is printed once, and forgive the wrong ones that were entered."""
    from pbx.control import SetPin

    digits = "" if clear else _generated(extension)
    _asked(configuration, SetPin(extension, digits, author_or_user(by)))
    if as_json:
        print_json({"extension": extension, "pin": digits or None})
    elif clear:
        typer.echo(f"{clean(extension)} has no PIN")
    else:
        typer.echo(f"{clean(extension)} has the PIN {digits}   (shown now, and never again)")


def _generated(extension: str) -> str:
    """Six digits that nobody would guess first."""
    import secrets

    from pbx.people.pins import is_simple

    while True:
        digits = "".join(secrets.choice("0123456789") for _ in range(6))
        if not is_simple(digits) and digits != extension:
            return digits


def _asked(configuration: Path | None, question: DeviceQuestion) -> DeviceList:
    """The devices once the running node did what was asked; where it refuses, or none runs, this ends."""
    from pbx.control import DeviceList, NotRunningError, ask

    data_dir = configured(configuration).data_dir
    try:
        answer = ask(data_dir, question)
    except NotRunningError as error:
        fail(why_silent(error, data_dir, "devices are asked about in a running node"))
    assert isinstance(answer, DeviceList)
    if answer.problem:
        fail(clean(answer.problem))
    return answer


def _print(devices: list[DeviceStatus], as_json: bool) -> None:
    if as_json:
        print_json([_printable(one) for one in devices])
        return
    if not devices:
        typer.echo("no device yet; add somebody with `beffroi user add`")
        return
    columns = ("device", "of", "used by", "until", "reached at", "network", "address")
    print_table(columns, [_row(one) for one in devices])


def _row(one: DeviceStatus) -> tuple[str, ...]:
    used = one.user if one.user != one.owner else ""
    until = shown_time(one.until) if one.until else ""
    told = "; ".join(_in_words(said) for said in one.addresses)
    if one.network and not any(said.network == one.network and said.confirmed for said in one.addresses):
        told = "; ".join(part for part in (told, f"wanted for {one.network}") if part)
    return one.device, one.owner, used, until, ", ".join(one.contacts), one.network, told


def _in_words(said: AddressRecord) -> str:
    parts = ("street", "building", "floor", "room", "postcode", "city")
    where = ", ".join(said.address[key] for key in parts if key in said.address)
    return f"{where} ({said.network}, {'confirmed' if said.confirmed else 'not confirmed'})"


def _printable(one: DeviceStatus) -> dict[str, Any]:
    from pbx.records import rfc3339

    return {
        "device": one.device,
        "owner": one.owner,
        "user": one.user,
        "until": rfc3339(one.until) if one.until else None,
        "contacts": one.contacts,
        "network": one.network or None,
        "addresses": [
            {
                "network": said.network,
                "address": said.address,
                "by": said.set_by.by,
                "at": rfc3339(said.set_by.at),
                "confirmed": {"by": said.confirmed.by, "at": rfc3339(said.confirmed.at)}
                if said.confirmed
                else None,
            }
            for said in one.addresses
        ],
    }
