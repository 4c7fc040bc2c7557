"""`beffroi device`: who uses which device, and where those are that call from outside of every site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.entering import ask_entered
from pbx.cli.plans import author_or_user
from pbx.cli.printing import clean, print_json, print_table, shown_time
from pbx.cli.reading import configured, database, fail, misused, planned, why_silent
from pbx.cli.users import print_credentials, refuse_if_only_in_plan, sealed_by, user, write_people

if TYPE_CHECKING:
    from pbx.audit.entry import Value
    from pbx.configuration import Configuration
    from pbx.control import DeviceList, DeviceQuestion, DeviceStatus
    from pbx.records import AddressRecord
    from pbx.store.people import DeviceDescription, DeviceKind

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
KindOption = Annotated[str, typer.Option(help="desk, app, browser or mobile.")]
LabelOption = Annotated[str, typer.Option(help="What its people call it.")]
SiteOption = Annotated[str | None, typer.Option(help="Where it is, if not where its person is.")]
PartOption = Annotated[str, typer.Option(metavar="TEXT", help="A part of the address.")]


@device.command("list")
def list_(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List devices: whose they are, who uses them, where they can be reached, and their address."""
    _print(_every_device(configured(configuration)), as_json)


@device.command()
def show(
    sign_in: DeviceArgument, configuration: ConfigurationOption = None, as_json: JsonOption = False
) -> None:
    """Show one device: what it is, who uses it, where it can be reached, its addresses."""
    from pbx.people.directory import PeopleError
    from pbx.store.people import find_device

    settings = configured(configuration)
    live = {one.device: one for one in _every_device(settings)}.get(sign_in)
    if live is None:
        fail(f'no device signs in as "{clean(sign_in[:60])}"')
    printable = _printable(live)
    with database(settings) as opened:
        try:
            described = opened.read(lambda connection: find_device(connection, sign_in))
            printable |= _described(described)
        except PeopleError:
            printable["source"] = "plan"
    if as_json:
        print_json(printable)
        return
    for key, value in printable.items():
        shown = "; ".join(_in_words(said) for said in live.addresses) if key == "addresses" else value
        text = ", ".join(shown) if isinstance(shown, list) else str("-" if shown in (None, "") else shown)
        typer.echo(f"{key.replace('_', ' '):<14} {clean(text)}")


@device.command()
def add(
    sign_in: Annotated[
        str, typer.Argument(metavar="DEVICE", help="Its sign-in: an extension, or 1001-app for a second one.")
    ],
    configuration: ConfigurationOption = None,
    kind: KindOption = "desk",
    label: LabelOption = "",
    site: SiteOption = None,
    md5_only: Annotated[
        bool, typer.Option("--md5-only", help="It fails where SHA-256 is offered besides.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Add a device to a person of the database, with a generated password that is printed once."""
    from pbx.people.credentials import issue
    from pbx.people.directory import PeopleError
    from pbx.store.people import add_device

    settings = configured(configuration)
    chosen = _checked_kind(settings, kind, site)
    with database(settings) as opened:
        refuse_if_only_in_plan(opened, settings, sign_in.partition("-")[0], "its device is there")
        try:
            issued = issue(sealed_by(settings), sign_in, settings.domain, site=site, md5_only=md5_only)
        except PeopleError:
            fail(f'"{clean(sign_in[:60])}" is no extension, alone or with a suffix (1001-app)')
        write_people(
            opened,
            settings,
            lambda connection: add_device(
                connection, issued.device, kind=chosen, label=label, sealed=issued.sealed
            ),
            "device.add",
            [{"whom": sign_in, "kind": kind}],
        )
    if as_json:
        print_json({"sign_in": sign_in, "kind": kind, "label": label, "password": issued.password})
        return
    print_credentials(settings, issued)


@device.command()
def change(
    sign_in: DeviceArgument,
    configuration: ConfigurationOption = None,
    kind: Annotated[str | None, typer.Option(help="desk, app, browser or mobile.")] = None,
    label: Annotated[str | None, typer.Option(help="What its people call it.")] = None,
    site: Annotated[str | None, typer.Option(help='Where it is; "" for where its person is.')] = None,
    md5_only: Annotated[
        bool | None, typer.Option("--md5-only/--all-digests", help="Whether SHA-256 is left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Change what a device is; what isn't given stays, and so does its password."""
    from msgspec.structs import replace

    from pbx.people.directory import PeopleError
    from pbx.store.people import change_device, find_device

    wanted: dict[str, Any] = {"kind": kind, "label": label, "site": site, "md5_only": md5_only}
    wanted = {field: value for field, value in wanted.items() if value is not None}
    if not wanted:
        misused("DEVICE", "say what changes: --kind, --label, --site, --md5-only")
    if "site" in wanted:
        wanted["site"] = site or None
    settings = configured(configuration)
    _checked_kind(settings, kind or "desk", site or None)
    with database(settings) as opened:
        refuse_if_only_in_plan(opened, settings, sign_in, "it is changed there")
        try:
            before = opened.read(lambda connection: find_device(connection, sign_in))
        except PeopleError as error:
            fail(clean(str(error)))
        after = replace(before, **wanted)
        about: dict[str, Value] = {"whom": sign_in, "fields": sorted(wanted)}
        write_people(
            opened, settings, lambda connection: change_device(connection, after), "device.change", [about]
        )
    print_json(_described(after)) if as_json else typer.echo(f"{sign_in} is changed")


@device.command()
def remove(sign_in: DeviceArgument, configuration: ConfigurationOption = None) -> None:
    """Remove a device, which can't sign in any more; its person stays."""
    from pbx.store.people import remove_device

    settings = configured(configuration)
    with database(settings) as opened:
        refuse_if_only_in_plan(opened, settings, sign_in, "remove its password there")
        about = {"whom": sign_in}
        write_people(
            opened, settings, lambda connection: remove_device(connection, sign_in), "device.remove", [about]
        )
    typer.echo(f"{clean(sign_in)} is removed")


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


def _every_device(settings: Configuration) -> list[DeviceStatus]:
    """The devices of the running node; where none runs, this ends."""
    from pbx.control import NotRunningError, every_device

    try:
        return every_device(settings.data_dir)
    except NotRunningError as error:
        fail(why_silent(error, settings.data_dir, "devices are asked about in a running node"))


def _checked_kind(settings: Configuration, kind: str, site: str | None) -> DeviceKind:
    """The kind of a device, which is one of those that there are; its site is one of the plan's."""
    from dialplan.document import did_you_mean
    from pbx.store.people import DEVICE_KINDS

    sites = planned(settings).sites
    if site is not None and site not in sites:
        misused("--site", f'the plan has no site "{clean(site[:60])}"; {did_you_mean(site, sites)}')
    for known in DEVICE_KINDS:
        if kind == known:
            break
    else:
        misused("--kind", f'"{clean(kind[:40])}" is none of {", ".join(DEVICE_KINDS)}')
    return known


def _described(one: DeviceDescription) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "label": one.label,
        "site": one.site,
        "md5_only": one.md5_only,
        "has_password": one.has_password,
        "source": "database",
    }


def _asked(configuration: Path | None, question: DeviceQuestion) -> DeviceList:
    """The devices once the running node did what was asked; where it refuses, or none runs, this ends."""
    from pbx.control import DeviceList

    settings = configured(configuration)
    answer = ask_entered(settings, question, "devices are asked about in a running node")
    assert isinstance(answer, DeviceList)
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
