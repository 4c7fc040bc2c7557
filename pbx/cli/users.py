"""`beffroi user`: people, each with an extension and a first device that signs in with it.

They live in the database. A running node takes the change within a second or two, from the exported
directory. A password is shown once, when it is generated: only its digest hashes are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.printing import clean, print_findings, print_json, print_table
from pbx.cli.reading import complain, configured, database, fail, now, planned

if TYPE_CHECKING:
    from dialplan.plan import Person as PlanPerson
    from dialplan.plan import Plan
    from pbx.configuration import Configuration
    from pbx.people.directory import Device, Person
    from pbx.store.database import Database

_MENDS = {
    "extension": "an extension is 1 to 15 digits, such as 2010",
    "name": "a name is 1 to 200 characters that can be printed",
    "groups": "the name of a group is 1 to 200 characters that can be printed",
    "mobile": "a mobile number is written +33612345678, with + and the country code",
}

user = typer.Typer(help="People and the devices that they sign in with.", no_args_is_help=True)
application.add_typer(user, name="user")

ExtensionArgument = Annotated[
    str, typer.Argument(metavar="EXTENSION", help="The number inside, such as 2010.")
]


@user.command()
def add(
    extension: ExtensionArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name that is shown.")],
    configuration: ConfigurationOption = None,
    class_name: Annotated[
        str | None,
        typer.Option("--class", help="Rights to call, a class of the plan. Default: its first one."),
    ] = None,
    site: Annotated[str | None, typer.Option(help="Site of attachment, a site of the plan.")] = None,
    groups: Annotated[list[str] | None, typer.Option("--group", help="A group; may be given again.")] = None,
    mobile: Annotated[str | None, typer.Option(help="Mobile number, such as +33612345678.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Add a person, with a first device whose generated password is printed once."""
    from pbx.people.directory import Person, generate_password

    settings = configured(configuration)
    plan = planned(settings)
    if not plan.classes:
        fail(f"{plan.path} defines no class of rights; add one under `classes:`")
    person = Person(extension, name, class_name or next(iter(plan.classes)), site, groups or [], mobile)
    _check_with_plan(plan, person)
    password = generate_password()
    add_people(settings, [(person, password)])
    if as_json:
        print_json({**_printable(person, "database"), "sign_in": extension, "password": password})
        return
    typer.echo(f"{extension} {clean(name)}, class {person.class_name}" + (f", site {site}" if site else ""))
    print_credentials(settings, extension, password)


@user.command("list")
def list_(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List people: those of the database, and those written in the plan."""
    from pbx.store.people import list_people

    settings = configured(configuration)
    plan = planned(settings)
    with database(settings) as opened:
        people = opened.read(list_people)
    rows = [_printable(person, "database") for person in people]
    rows += [_printable_of_plan(person) for person in plan.people.values()]
    rows.sort(key=lambda row: str(row["extension"]))
    if as_json:
        print_json(rows)
    elif not rows:
        typer.echo("nobody yet; add somebody with `beffroi user add`")
    else:
        columns = ("extension", "name", "class", "site", "groups", "mobile", "devices", "source")
        print_table(columns, ([_cell(row[column]) for column in columns] for row in rows))


@user.command()
def remove(extension: ExtensionArgument, configuration: ConfigurationOption = None) -> None:
    """Remove a person and all their devices, which can't sign in any more."""
    from pbx.store.people import remove_person

    settings = configured(configuration)
    with database(settings) as opened:
        _refuse_if_only_in_plan(opened, settings, extension, "remove it there")
        _write(opened, settings, lambda connection: remove_person(connection, extension))
    typer.echo(f"{extension} is removed")


@user.command()
def password(
    sign_in: Annotated[
        str,
        typer.Argument(metavar="EXTENSION", help="The extension, or another device's sign-in (1001-app)."),
    ],
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a device a new password, which is printed once; the former one is no longer taken."""
    from pbx.people.directory import generate_password

    settings = configured(configuration)
    generated = generate_password()
    with database(settings) as opened:
        _refuse_if_only_in_plan(opened, settings, sign_in, "change its password there")
        _write(
            opened, settings, lambda connection: _change_password(connection, settings, sign_in, generated)
        )
    if as_json:
        print_json({"sign_in": sign_in, "password": generated})
        return
    print_credentials(settings, sign_in, generated)


def add_people(settings: Configuration, people: list[tuple[Person, str]]) -> None:
    """Add each person with a first device of this password, all or none; export the directory."""
    from msgspec.structs import replace

    from pbx.people.directory import PeopleError, device_credentials
    from pbx.store.people import add_person

    with database(settings) as opened:
        try:
            entries = [
                replace(one, devices=[device_credentials(one.extension, settings.domain, password)])
                for one, password in people
            ]
        except PeopleError as error:
            fail(error)

        def add_all(connection: Any) -> None:
            for entry in entries:
                add_person(connection, entry)

        _write(opened, settings, add_all)


def print_credentials(settings: Configuration, sign_in: str, password: str) -> None:
    """Print what a telephone must know to sign in."""
    typer.echo(f"  server    {_server(settings)}")
    typer.echo(f"  user      {sign_in}")
    typer.echo(f"  password  {password}   (shown now, and never again)")


def _server(settings: Configuration) -> str:
    """The address that a telephone registers with, its port where that isn't SIP's own."""
    from pbx.configuration import Listen
    from pbx.node.installation import SIP_PORT
    from sip.net.addresses import local_address_toward

    listens = (*settings.sip.udp, *settings.sip.tcp)
    if not listens:
        return f"none: `sip:` in {settings.path} names no address"
    host, port = listens[0].host, listens[0].port
    probe = "2001:db8::1" if ":" in host else "192.0.2.1"
    address = local_address_toward((host, 0), (probe, 9))[0]
    return address if port == SIP_PORT else str(Listen(address, port))


def _write(opened: Database, settings: Configuration, work: Any) -> None:
    """Change people in one transaction, then export them."""
    from pbx.people.directory import DirectoryError, PeopleError
    from pbx.store.people import export_directory

    try:
        opened.write(work, durable=True)
    except PeopleError as error:
        fail(f"{error}; `beffroi user list` shows who has which extension")
    try:
        export_directory(opened, settings.directory_file)
    except DirectoryError as error:
        # Stored all the same: the worker exports it, and a password that is printed now must not be lost.
        message = f"stored, but a running node doesn't know it yet: {error}; `beffroi doctor` says more"
        typer.echo(f"beffroi: {message}", err=True)


def _change_password(connection: Any, settings: Configuration, sign_in: str, password: str) -> None:
    """Replace a device's credentials, and nothing else of it. Raises PeopleError."""
    from pbx.people.directory import PeopleError, device_credentials
    from pbx.store.people import add_device, list_people, remove_device

    devices: list[Device] = [
        device for person in list_people(connection) for device in person.devices if device.sign_in == sign_in
    ]
    for device in devices:
        remove_device(connection, sign_in)
        fresh = device_credentials(
            sign_in, settings.domain, password, site=device.site, md5_only=device.md5_only
        )
        add_device(connection, fresh)
    if not devices:
        raise PeopleError(f'no device signs in as "{sign_in[:60]}"')


def _check_with_plan(plan: Plan, person: Person) -> None:
    """Refuse somebody whom the plan can't take: an unknown class or site, a number that is taken."""
    from dialplan.checking import check
    from dialplan.document import did_you_mean
    from pbx.people.devices import with_directory
    from pbx.people.directory import Directory, PeopleError, checked

    if not all(text.isprintable() for text in (person.name, *person.groups)):
        fail(_MENDS["name" if not person.name.isprintable() else "groups"])
    try:
        checked(person)
    except PeopleError as error:
        field = str(error).partition(":")[0].partition("[")[0]
        fail(_MENDS.get(field, error))
    for what, word, known in (
        ("class", person.class_name, plan.classes),
        ("site", person.site, plan.sites),
    ):
        if word is not None and word not in known:
            fail(f'{plan.path} has no {what} "{word[:60]}"; {did_you_mean(word, known)}')
    before = set(check(plan, now()))
    joined = with_directory(plan, Directory(people=[person]))
    new = [one for one in check(joined, now()) if one not in before and one.severity == "error"]
    if about_person := [one for one in new if one.line == 0]:
        complain(about_person)
    if new:
        typer.echo(
            "beffroi: with this user the plan has errors, and a reload of it would be refused:", err=True
        )
        print_findings(new, err=True)


def _refuse_if_only_in_plan(opened: Database, settings: Configuration, extension: str, mend: str) -> None:
    """Refuse to change somebody of the plan. Who is in the database too is changed there."""
    from pbx.store.people import list_people

    if not extension.isascii():
        fail(_MENDS["extension"])
    plan = planned(settings)
    stored = {person.extension for person in opened.read(list_people)}
    if extension in plan.people and extension not in stored:
        fail(f"{extension} is written in {plan.path}, line {plan.people[extension].line}: {mend}")


def _printable(person: Person, source: str) -> dict[str, Any]:
    return {
        "extension": person.extension,
        "name": person.name,
        "class": person.class_name,
        "site": person.site,
        "groups": list(person.groups),
        "mobile": person.mobile,
        "devices": [device.sign_in for device in person.devices],
        "source": source,
    }


def _printable_of_plan(person: PlanPerson) -> dict[str, Any]:
    return {
        "extension": person.extension,
        "name": person.name,
        "class": person.class_name,
        "site": person.site,
        "groups": list(person.groups),
        "mobile": person.mobile,
        "devices": [person.extension] if person.password is not None else [],
        "source": "plan",
    }


def _cell(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value or "")
