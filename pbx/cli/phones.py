"""`beffroi phone`: desk telephones that configure themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.entering import ask_entered, enter_command
from pbx.cli.printing import clean, print_json, print_table, shown_time
from pbx.cli.reading import configured, database, fail, misused, now, planned
from pbx.cli.users import export_people, sealed_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.configuration import Configuration
    from pbx.phones.shelf import Phone
    from provisioning.brand import Brand

phone = typer.Typer(help="Desk telephones that configure themselves.", no_args_is_help=True)
application.add_typer(phone, name="phone")

MacArgument = Annotated[str, typer.Argument(metavar="MAC", help="As it is printed on it: 80:5E:C0:12:34:56.")]
ExtensionOption = Annotated[
    list[str] | None, typer.Option("--extension", metavar="EXTENSION", help="Whose it is; a line each.")
]
NOT_RUNNING = "start it with `beffroi serve`"


@phone.command("list")
def list_(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List telephones: those that are enrolled, those that wait to be taken, those that are blocked."""
    from pbx.phones.shelf import list_phones

    with database(configured(configuration)) as opened:
        found = opened.read(list_phones)
    if as_json:
        print_json([_printable(one) for one in found])
        return
    rows = [
        (
            one.name,
            one.brand,
            one.model or "-",
            one.stage,
            " ".join(sign_in.partition("-")[0] for sign_in in one.lines) or "-",
            one.address or "-",
            shown_time(one.last_seen_at) if one.last_seen_at else "-",
            one.version or "-",
        )
        for one in found
    ]
    print_table(("telephone", "brand", "model", "stage", "whose", "at", "last seen", "firmware"), rows)


@phone.command()
def add(
    mac: MacArgument,
    brand: Annotated[str, typer.Option(help="yealink, snom, grandstream, fanvil, linphone or generic.")],
    model: Annotated[str, typer.Option(help="As `phone models` lists it.")],
    extension: ExtensionOption = None,
    label: Annotated[str, typer.Option(help="What people call it.")] = "",
    site: Annotated[str, typer.Option(help="Where it is, if not where its person is.")] = "",
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a telephone known before it comes, and whose it is."""
    from pbx.phones.shelf import Phone, enrolled, put_phone

    settings = configured(configuration)
    name = name_of(mac)
    _check_model(settings, brand, model)
    made = Phone(name=name, brand=brand, model=model, label=label, site=site)

    def work(connection: Any) -> Phone:
        if enrolled(connection, name) is not None:
            fail(f"{name} is known already")
        put_phone(connection, made)
        changed = _assigned(connection, settings, name, extension or [])
        enter_command(settings, "phone.add", whom=name, extensions=list(extension or []))
        return changed

    _write(settings, work, as_json)


@phone.command()
def assign(
    mac: MacArgument,
    extension: ExtensionOption = None,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a telephone to these people, in place of those before; without --extension to nobody."""
    settings = configured(configuration)
    name = name_of(mac)

    def work(connection: Any) -> Phone:
        changed = _assigned(connection, settings, name, extension or [])
        enter_command(settings, "phone.change", whom=name, extensions=list(extension or []))
        return changed

    _write(settings, work, as_json)


@phone.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="CSV: mac,brand,model,extension,label,site, with that first line.")
    ],
    configuration: ConfigurationOption = None,
) -> None:
    """Add or change many telephones, all of them or none."""
    from pbx.phones.shelf import Phone, put_phone
    from pbx.phones.spreadsheet import SpreadsheetWrong, read_rows
    from pbx.store.people import list_people

    settings = configured(configuration)
    with database(settings) as opened:
        people = {person.extension for person in opened.read(list_people)}
    try:
        data = file.read_bytes()
        rows, wrong = read_rows(data, brands_of(settings), people, planned(settings).sites)
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    except SpreadsheetWrong as error:
        fail(f"{file}: {error}")
    if wrong:
        fail("\n".join(f"{file}: line {one.line}: {one.message}" for one in wrong[:20]))

    def work(connection: Any) -> None:
        from pbx.phones.shelf import PhoneUnknown, find_phone

        for row in rows:
            try:
                before = find_phone(connection, row.name)
            except PhoneUnknown:
                before = Phone(name=row.name, brand=row.brand, model=row.model)
            put_phone(connection, row.put_into(before))
            _assigned(connection, settings, row.name, row.extensions)
        enter_command(settings, "phone.import", telephones=len(rows))

    _run(settings, work)
    typer.echo(f"{len(rows)} telephones")


@phone.command()
def invite(mac: MacArgument, configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """Make a link that works once, by which a telephone gets its settings; whoever has it has them."""
    from pbx.phones.settings import settings_url
    from pbx.phones.shelf import find_phone
    from pbx.phones.shelf import invite as invited
    from provisioning.enrolment import TOKEN_SECONDS

    settings = configured(configuration)
    name, at = name_of(mac), now().timestamp()
    if not settings.provisioning.https:
        fail(f"{settings.path}: telephones get no settings from this node: add `provisioning: {{https: …}}`")

    def work(connection: Any) -> str:
        token = invited(connection, name, at)
        enter_command(settings, "phone.invite", whom=name)
        ending = "linphone.xml" if find_phone(connection, name).brand == "linphone" else ""
        return f"{settings_url(settings.provisioning)}t/{token}/{ending}"

    link = _run(settings, work)
    if as_json:
        print_json({"url": link, "until": shown_time(at + TOKEN_SECONDS)})
        return
    typer.echo(link)
    typer.echo(f"works once, until {shown_time(at + TOKEN_SECONDS)}", err=True)


@phone.command()
def approve(
    mac: MacArgument,
    address: Annotated[str, typer.Option(help="Where it is, if it was seen at several addresses.")] = "",
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a telephone that waits: it may fetch from where it was seen, while the window is open."""
    from pbx.phones.shelf import approve as approved
    from pbx.phones.shelf import find_phone, seen_at
    from pbx.phones.window import open_until

    settings = configured(configuration)
    name, at = name_of(mac), now().timestamp()
    if not open_until(settings.data_dir, at):
        fail("new telephones aren't taken now: open the window first, with `beffroi phone window 30`")

    def work(connection: Any) -> Phone:
        seen = find_phone(connection, name)
        if not seen.address:
            fail(f"{name} hasn't asked for its settings yet")
        places = seen_at(connection, name, at) or [seen.address]
        if (address and address not in places) or (not address and len(places) > 1):
            fail(f"{name} was seen at {', '.join(places[:10])}: invite it by a link, or say --address")
        approved(connection, name, address or seen.address, at)
        enter_command(settings, "phone.approve", whom=name)
        return find_phone(connection, name)

    _write(settings, work, as_json)


@phone.command()
def window(
    minutes: Annotated[int, typer.Argument(min=0, max=480, help="How long; 0 closes it.")],
    configuration: ConfigurationOption = None,
) -> None:
    """Take new telephones for a while: plug and play answers, and what was approved is handed out."""
    from pbx.kept import KeptError
    from pbx.phones.window import open_window

    settings = configured(configuration)
    at = now().timestamp()
    enter_command(settings, "phones.window", minutes=minutes)
    try:
        until = open_window(settings.data_dir, at + minutes * 60.0, at)
    except KeptError as error:
        fail(str(error))
    typer.echo(
        f"new telephones are taken until {shown_time(until)}" if until else "no new telephones are taken"
    )


@phone.command()
def block(mac: MacArgument, configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """Block a lost telephone at once: it is reached no more, and its passwords change."""
    from pbx.control import DropBindings, NotRunningError, ask
    from pbx.phones.assigning import renew_passwords
    from pbx.phones.shelf import block as blocked
    from pbx.phones.shelf import find_phone

    settings = configured(configuration)
    name = name_of(mac)

    def work(connection: Any) -> Phone:
        enter_command(settings, "phone.block", whom=name)
        renew_passwords(connection, sealed_by(settings), settings.domain, blocked(connection, name))
        return find_phone(connection, name)

    done = _write(settings, work, as_json)
    try:
        ask(settings.data_dir, DropBindings(list(done.lines), lost=True))
    except NotRunningError:
        typer.echo("the node isn't running: nothing had to be dropped", err=True)


@phone.command()
def rotate(mac: MacArgument, configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """Give a telephone another secret the next time that it fetches."""
    from pbx.phones.shelf import find_phone, want_rotation

    settings = configured(configuration)
    name = name_of(mac)

    def work(connection: Any) -> Phone:
        want_rotation(connection, name)
        enter_command(settings, "phone.rotate", whom=name)
        return find_phone(connection, name)

    _write(settings, work, as_json)


@phone.command()
def resync(
    mac: MacArgument,
    restart: Annotated[bool, typer.Option("--restart", help="It starts anew.")] = False,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell a telephone to fetch its settings now; never during a call."""
    from pbx.control import DevicesTold, NotifyDevices
    from pbx.phones.shelf import PhoneUnknown, find_phone

    settings = configured(configuration)
    name = name_of(mac)
    with database(settings) as opened:
        try:
            found = opened.read(lambda connection: find_phone(connection, name))
        except PhoneUnknown as error:
            fail(str(error))
    brand = brands_of(settings).get(found.brand)
    if brand is None:
        fail(f"there are no templates of {clean(found.brand)}")
    how = brand.restart if restart else brand.resync
    question = NotifyDevices(list(found.lines), how.event, how.content_type, how.body)
    answer = ask_entered(settings, question, NOT_RUNNING)
    assert isinstance(answer, DevicesTold)
    if as_json:
        print_json({"told": answer.told, "busy": answer.busy, "away": answer.away})
        return
    for word, lines in (("told", answer.told), ("in a call", answer.busy), ("not there", answer.away)):
        for line in lines:
            typer.echo(f"{line}: {word}")


@phone.command()
def remove(mac: MacArgument, configuration: ConfigurationOption = None) -> None:
    """Forget a telephone, its lines and their passwords."""
    from pbx.phones.shelf import remove_phone

    settings = configured(configuration)
    name = name_of(mac)

    def work(connection: Any) -> None:
        _assigned(connection, settings, name, [])
        remove_phone(connection, name)
        enter_command(settings, "phone.remove", whom=name)

    _run(settings, work)


@phone.command()
def fetches(
    mac: Annotated[str, typer.Argument(metavar="[MAC]", help="Of one telephone.")] = "",
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """List who asked for settings last, and what they got."""
    from msgspec import to_builtins

    from pbx.phones.shelf import list_fetches

    name = name_of(mac) if mac else ""
    with database(configured(configuration)) as opened:
        found = opened.read(lambda connection: list_fetches(connection, name))
    if as_json:
        print_json([to_builtins(one) for one in found])
        return
    rows = [
        (
            shown_time(one.at),
            one.name or "-",
            one.address,
            one.transport,
            one.path,
            f"{one.outcome} {one.reason}",
        )
        for one in found
    ]
    print_table(("at", "telephone", "from", "by", "file", "what it got"), rows)


@phone.command()
def models(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List the brands and models that there are templates for, and how many keys each has."""
    brands = brands_of(configured(configuration))
    if as_json:
        print_json(
            {name: {model: one.keys for model, one in brand.models.items()} for name, brand in brands.items()}
        )
        return
    rows = [
        (name, model, str(one.keys), "old TLS: in a network of its own" if one.tls == "old" else "")
        for name, brand in brands.items()
        for model, one in brand.models.items()
    ]
    print_table(("brand", "model", "keys", ""), rows)


@phone.command()
def dhcp(
    server: Annotated[str, typer.Argument(help="dnsmasq, kea, windows or cisco.")],
    scope: Annotated[str, typer.Option(help="The voice network, for Windows.")] = "10.0.0.0",
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--brand", metavar="BRAND", help="For telephones of this brand alone; more than one goes."
        ),
    ] = None,
    configuration: ConfigurationOption = None,
) -> None:
    """Print what a DHCP server is to be told, so that telephones find their settings."""
    from pbx.phones.composing import discovery_url
    from provisioning.dhcp import SERVERS, DhcpError, lines

    settings = configured(configuration)
    chosen = next((one for one in SERVERS if one == server), None)
    if chosen is None:
        misused("SERVER", f'"{clean(server[:40])}" isn\'t one of {", ".join(SERVERS)}')
    if not settings.provisioning.https:
        fail(f"{settings.path}: telephones get no settings from this node: add `provisioning: {{https: …}}`")
    brands = brands_of(settings)
    unknown = next((name for name in only or () if name not in brands), None)
    if unknown is not None:
        misused("--brand", f'"{clean(unknown[:40])}" isn\'t one of {", ".join(brands)}')
    try:
        printed = lines(chosen, discovery_url(settings), scope, {name: brands[name] for name in only or ()})
    except DhcpError as error:
        fail(str(error))
    typer.echo(printed, nl=False)


def name_of(mac: str) -> str:
    from provisioning.mac_address import MacAddressError, mac_address

    if mac.startswith("app-"):
        return mac[:44]
    try:
        return mac_address(mac)
    except MacAddressError as error:
        misused("MAC", str(error))


def brands_of(settings: Configuration) -> dict[str, Brand]:
    from provisioning.brand import BrandError, load_brands

    try:
        return load_brands(settings.provisioning.brands)
    except BrandError as error:
        fail(str(error))


def _check_model(settings: Configuration, brand: str, model: str) -> None:
    brands = brands_of(settings)
    if brand not in brands:
        misused("--brand", f'"{clean(brand[:40])}" isn\'t one of {", ".join(brands)}')
    if model not in brands[brand].models:
        misused("--model", f'{brands[brand].name} has no "{clean(model[:40])}": see `beffroi phone models`')


def _assigned(connection: Any, settings: Configuration, name: str, extensions: list[str]) -> Phone:
    from pbx.people.directory import PeopleError
    from pbx.phones.assigning import NotAssigned
    from pbx.phones.assigning import assign as given
    from pbx.phones.shelf import PhoneUnknown

    try:
        return given(connection, sealed_by(settings), settings.domain, name, extensions)
    except (NotAssigned, PeopleError, PhoneUnknown) as error:
        fail(str(error))


def _write(settings: Configuration, work: Callable[[Any], Phone], as_json: bool) -> Phone:
    done: Phone = _run(settings, work)
    if as_json:
        print_json(_printable(done))
    else:
        whose = " ".join(sign_in.partition("-")[0] for sign_in in done.lines) or "nobody's"
        typer.echo(f"{done.name} {done.brand} {done.model}: {done.stage}, {whose}")
    return done


def _run(settings: Configuration, work: Callable[[Any], Any]) -> Any:
    from pbx.phones.shelf import PhoneUnknown

    with database(settings) as opened:
        try:
            done = opened.write(work, durable=True)
        except PhoneUnknown as error:
            fail(str(error))
        export_people(opened, settings)  # a telephone that registers at once is known
    return done


def _printable(one: Phone) -> dict[str, Any]:
    return {
        "name": one.name,
        "brand": one.brand,
        "model": one.model,
        "version": one.version,
        "stage": one.stage,
        "label": one.label,
        "site": one.site,
        "old_tls": one.old_tls,
        "lines": list(one.lines),
        "address": one.address,
        "first_seen_at": one.first_seen_at,
        "last_seen_at": one.last_seen_at,
    }
