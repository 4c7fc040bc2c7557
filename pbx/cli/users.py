"""`beffroi user`: people, each with an extension and a first device that signs in with it.

They live in the database. A running node takes the change within a second or two, from the exported
directory. A password is shown once, when it is generated: its digest hashes are kept, and the password itself
under the node's key alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.entering import enter_command
from pbx.cli.printing import clean, print_findings, print_json, print_table
from pbx.cli.reading import configured, database, fail, misused, now, planned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dialplan.finding import Finding
    from dialplan.plan import Person as PlanPerson
    from dialplan.plan import Plan
    from pbx.audit.entry import Value
    from pbx.configuration import Configuration
    from pbx.node.sealing import Sealing
    from pbx.people.credentials import Issued
    from pbx.people.directory import Person
    from pbx.store.database import Database

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
    from pbx.people.directory import Person

    settings = configured(configuration)
    plan = planned(settings)
    if not plan.classes:
        fail(f"{plan.path} defines no class of rights; add one under `classes:`")
    person = Person(extension, name, class_name or next(iter(plan.classes)), site, groups or [], mobile)
    with database(settings) as opened:
        _admit(opened, plan, person)
        (issued,) = add_people(opened, settings, [person])
    if as_json:
        print_json({**_printable(person, "database"), "sign_in": extension, "password": issued.password})
        return
    typer.echo(f"{extension} {clean(name)}, class {person.class_name}" + (f", site {site}" if site else ""))
    print_credentials(settings, issued)


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
def show(
    extension: ExtensionArgument, configuration: ConfigurationOption = None, as_json: JsonOption = False
) -> None:
    """Show a person: fields, devices, absence note."""
    from pbx.store.absences import absences
    from pbx.store.people import list_people

    settings = configured(configuration)
    plan = planned(settings)
    with database(settings) as opened:
        stored = {person.extension: person for person in opened.read(list_people)}
        absent = opened.read(lambda connection: absences(connection, now().timestamp())).get(extension)
    if extension in stored:
        row = _printable(stored[extension], "database")
    elif extension in plan.people:
        row = _printable_of_plan(plan.people[extension])
    else:
        fail(f'nobody has extension "{clean(extension[:60])}"; `beffroi user list` shows who has which')
    row["absent"] = absent.text if absent is not None else None
    if as_json:
        print_json(row)
        return
    for key, value in row.items():
        typer.echo(f"{key:<10} {clean(_cell(value) or '-')}")


@user.command()
def change(
    extension: ExtensionArgument,
    configuration: ConfigurationOption = None,
    name: Annotated[str | None, typer.Option(help="The name that is shown.")] = None,
    class_name: Annotated[str | None, typer.Option("--class", help="Rights to call.")] = None,
    site: Annotated[str | None, typer.Option(help='Site of attachment; "" for none.')] = None,
    groups: Annotated[
        list[str] | None,
        typer.Option("--group", help='All groups from now on; may be given again, "" for none.'),
    ] = None,
    mobile: Annotated[str | None, typer.Option(help='Mobile number; "" for none.')] = None,
    as_json: JsonOption = False,
) -> None:
    """Change a person of the database; what isn't given stays, and so do the devices."""
    from msgspec.structs import replace

    from pbx.store.people import change_person, list_people

    settings = configured(configuration)
    wanted: dict[str, Any] = {"name": name, "class_name": class_name, "groups": groups}
    wanted = {field: value for field, value in wanted.items() if value is not None}
    if groups is not None:
        wanted["groups"] = [group for group in groups if group]
    for field, value in (("site", site), ("mobile", mobile)):
        if value is not None:
            wanted[field] = value or None
    if not wanted:
        misused("EXTENSION", "say what changes: --name, --class, --site, --group, --mobile")
    with database(settings) as opened:
        refuse_if_only_in_plan(opened, settings, extension, "change it there")
        stored = {person.extension: person for person in opened.read(list_people)}
        if extension not in stored:
            fail(f"nobody has extension {extension}; `beffroi user list` shows who has which extension")
        person = replace(stored[extension], **wanted)
        _admit(opened, planned(settings), person)
        about: dict[str, Value] = {"whom": extension, "fields": sorted(wanted)}
        write_people(
            opened, settings, lambda connection: change_person(connection, person), "people.change", [about]
        )
    row = _printable(person, "database")
    print_json(row) if as_json else typer.echo(f"{extension} {clean(person.name)} is changed")


@user.command()
def remove(extension: ExtensionArgument, configuration: ConfigurationOption = None) -> None:
    """Remove a person and all their devices, which can't sign in any more."""
    from pbx.store.people import remove_person

    settings = configured(configuration)
    with database(settings) as opened:
        refuse_if_only_in_plan(opened, settings, extension, "remove it there")
        about = {"whom": extension}
        write_people(
            opened,
            settings,
            lambda connection: remove_person(connection, extension),
            "people.remove",
            [about],
        )
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
    from pbx.people.credentials import issue
    from pbx.people.directory import PeopleError
    from pbx.store.people import change_credentials

    settings = configured(configuration)
    with database(settings) as opened:
        refuse_if_only_in_plan(opened, settings, sign_in, "change its password there")
        try:
            issued = issue(sealed_by(settings), sign_in, settings.domain)
        except PeopleError:
            fail(f'no device signs in as "{clean(sign_in[:60])}"; `beffroi user list` shows who has which')
        write_people(
            opened,
            settings,
            lambda connection: change_credentials(connection, issued.device, issued.sealed),
            "device.new_password",
            [{"whom": sign_in}],
        )
    if as_json:
        print_json({"sign_in": sign_in, "password": issued.password})
        return
    print_credentials(settings, issued)


def add_people(opened: Database, settings: Configuration, people: list[Person]) -> list[Issued]:
    """Add each person with a first device, all or none; export the directory. Return the devices."""
    from msgspec.structs import replace

    from pbx.people.credentials import issue
    from pbx.people.directory import PeopleError
    from pbx.store import people as store

    seal = sealed_by(settings)
    try:
        issued = [issue(seal, one.extension, settings.domain, site=None) for one in people]
    except PeopleError as error:
        fail(error)
    entries = [replace(one, devices=[made.device]) for one, made in zip(people, issued, strict=True)]
    sealed = {made.device.sign_in: made.sealed for made in issued}
    write_people(
        opened,
        settings,
        lambda connection: store.add_people(connection, entries, sealed),
        "people.add",
        [{"whom": one.extension, "name": one.name} for one in people],
    )
    return issued


def sealed_by(settings: Configuration) -> Sealing:
    """What keeps passwords of devices; a key that can't be used ends the command."""
    from pbx.node.sealing import sealing
    from recording.keys import KeyUnusable

    try:
        return sealing(settings.node_key_file)
    except (KeyUnusable, OSError) as error:
        fail(f"passwords can't be kept: {error}")


def print_credentials(settings: Configuration, issued: Issued) -> None:
    """Print what a telephone must know to sign in."""
    from pbx.people.credentials import server_of

    typer.echo(f"  server    {server_of(settings)}")
    typer.echo(f"  user      {issued.device.sign_in}")
    typer.echo(f"  password  {issued.password}   (shown now, and never again)")


def write_people(
    opened: Database, settings: Configuration, work: Any, what: str, about: Sequence[Mapping[str, Value]]
) -> None:
    """Change people in one transaction, which what is said `about` each is entered in; then export them."""
    from pbx.people.directory import PeopleError

    def entered(connection: Any) -> None:
        work(connection)
        for said in about:
            enter_command(settings, what, **said)

    try:
        opened.write(entered, durable=True)
    except PeopleError as error:
        fail(f"{error}; `beffroi user list` shows who has which extension")
    export_people(opened, settings)


def export_people(opened: Database, settings: Configuration) -> None:
    """Have a running node know the people and devices of now."""
    from pbx.people.directory import DirectoryError
    from pbx.store.people import export_directory

    try:
        export_directory(opened, settings.directory_file)
    except DirectoryError as error:
        # Stored all the same: the worker exports it, and a password that is printed now must not be lost.
        message = f"stored, but a running node doesn't know it yet: {error}; `beffroi doctor` says more"
        typer.echo(f"beffroi: {message}", err=True)


def _admit(opened: Database, plan: Plan, person: Person) -> None:
    """Refuse somebody whom the plan can't take: an unknown class or site, a number that is taken."""
    from pbx.people.admission import NotAdmitted, admit
    from pbx.store.people import list_people

    others = [one for one in opened.read(list_people) if one.extension != person.extension]
    try:
        print_told(admit(plan, others, person, now()))
    except NotAdmitted as error:
        fail(clean(str(error)))


def print_told(told: Iterable[Finding]) -> None:
    """Print the errors that the plan has with somebody new, who is taken all the same."""
    errors = [one for one in told if one.severity == "error"]
    if errors:
        typer.echo(
            "beffroi: with this user the plan has errors, and a reload of it would be refused:", err=True
        )
        print_findings(errors, err=True)


def refuse_if_only_in_plan(opened: Database, settings: Configuration, extension: str, mend: str) -> None:
    """Refuse to change somebody of the plan. Who is in the database too is changed there."""
    from pbx.people.admission import MENDS
    from pbx.store.people import list_people

    if not extension.isascii():
        fail(MENDS["extension"])
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
