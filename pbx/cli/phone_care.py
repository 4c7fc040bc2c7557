"""`beffroi phone …`: what becomes of desk telephones: the inventory, waves, passwords, firmware."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption
from pbx.cli.entering import enter_command
from pbx.cli.phones import MacArgument, brands_of, name_of, phone
from pbx.cli.printing import clean, print_json, print_table, shown_time
from pbx.cli.reading import configured, database, fail, misused, now, planned
from pbx.cli.users import sealed_by

if TYPE_CHECKING:
    from pbx.configuration import Configuration
    from pbx.phones.inventory import Item
    from pbx.phones.waves import Wave

WAIT_SECONDS = 2.0
MOST_WAITED_SECONDS = 24 * 3600.0

SiteOption = Annotated[str, typer.Option(help="Those of one site.")]
BrandOption = Annotated[str, typer.Option(help="Those of one brand.")]
ModelOption = Annotated[str, typer.Option(help="Those of one model.")]
ImageArgument = Annotated[str, typer.Argument(metavar="IMAGE", help="Its hash, or the first 12 of it.")]
SizeOption = Annotated[int, typer.Option(min=1, max=200, help="How many at once.")]
HoursOption = Annotated[str, typer.Option(metavar="FROM-UNTIL", help="Local hours, such as 22-5.")]


@phone.command()
def inventory(
    site: SiteOption = "",
    brand: BrandOption = "",
    model: ModelOption = "",
    behind: Annotated[bool, typer.Option("--behind", help="That haven't fetched what has changed.")] = False,
    away: Annotated[bool, typer.Option("--away", help="That aren't registered.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="For a spreadsheet.")] = False,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """List telephones with what they run, where they are and what they lack."""
    from pbx.phones.inventory import COLUMNS, Wanted, cells, chosen, written

    which = Wanted(
        site=site,
        brand=brand,
        model=model,
        settings="to_come" if behind else "",
        registered=False if away else None,
    )
    found = chosen(_items(configured(configuration)), which)
    if as_csv:
        typer.echo(written(found).decode(), nl=False)
    elif as_json:
        print_json([dict(zip(COLUMNS, cells(one), strict=True)) for one in found])
    else:
        print_table(COLUMNS, [tuple(cell or "-" for cell in cells(one)) for one in found])


@phone.command()
def wave(
    action: Annotated[str, typer.Argument(help="resync, restart or firmware.")],
    site: SiteOption = "",
    brand: BrandOption = "",
    model: ModelOption = "",
    size: SizeOption = 20,
    hours: HoursOption = "",
    wait: Annotated[bool, typer.Option("--wait", help="Until all are back; fails where it stops.")] = False,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let telephones do something, a few at a time, never during a call; all of them, or those that fit."""
    from typing import get_args

    from pbx.audit.entry import by_command
    from pbx.phones.inventory import Wanted, chosen
    from pbx.phones.waves import Action, Wave, plan_wave

    meant = next((one for one in get_args(Action) if one == action), None)
    if meant is None:
        misused("ACTION", f'"{clean(action[:40])}" isn\'t resync, restart or firmware')
    settings = configured(configuration)
    found = chosen(_items(settings), Wanted(site=site, brand=brand, model=model, stage="enrolled"))
    if meant == "firmware":
        found = [one for one in found if one.wanted_version not in ("", one.phone.version)]
    if not found:
        fail("no enrolled telephone is meant by this")
    begun = Wave(
        begun_at=now().timestamp(),
        action=meant,
        account=by_command().account,
        size=size,
        hours=_hours(hours),
    )

    def work(connection: Any) -> Wave:
        enter_command(settings, "phone.wave", action=action, phones=len(found), size=size)
        return plan_wave(connection, begun, [one.phone.name for one in found])

    with database(settings) as opened:
        made: Wave = opened.write(work, durable=True)
    if not as_json:
        typer.echo(f"wave {made.id}: {len(found)} telephones")
    if wait:
        _wait_for(settings, made.id)
    if as_json:
        _print_waves(settings, [made.id], as_json=True)


@phone.command()
def waves(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List waves and how far they are."""
    _print_waves(configured(configuration), [], as_json=as_json)


@phone.command("stop-wave")
def stop_wave(
    number: Annotated[int, typer.Argument(min=1, help="As `phone waves` lists it.")],
    configuration: ConfigurationOption = None,
) -> None:
    """Stop a wave: nobody is asked any more."""
    from pbx.audit.entry import by_command
    from pbx.phones.waves import WaveUnknown
    from pbx.phones.waves import stop_wave as stopped

    settings, why = configured(configuration), f"by {by_command().account}"

    def work(connection: Any) -> None:
        enter_command(settings, "phone.wave_stopped", wave=number)
        stopped(connection, number, why, now().timestamp())

    with database(settings) as opened:
        try:
            opened.write(work, durable=True)
        except WaveUnknown as error:
            fail(str(error))


@phone.command()
def passwords(mac: MacArgument, configuration: ConfigurationOption = None) -> None:
    """Give a telephone's lines other passwords: in force once it has fetched them."""
    from pbx.phones.passwords import renew
    from pbx.phones.shelf import PhoneUnknown, find_phone

    settings, name = configured(configuration), name_of(mac)

    def work(connection: Any) -> int:
        found = find_phone(connection, name)
        if found.stage != "enrolled" or found.old_tls:
            fail(f"{name} fetches no passwords: it isn't enrolled, or its own are typed in")
        enter_command(settings, "phone.renew", whom=name)
        renew(connection, sealed_by(settings), settings.domain, found.lines, now().timestamp())
        return len(found.lines)

    with database(settings) as opened:
        try:
            count: int = opened.write(work, durable=True)
        except PhoneUnknown as error:
            fail(str(error))
    typer.echo(f"{count} passwords wait to be fetched")


@phone.command()
def firmware(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List firmware that was uploaded, and who gets it when."""
    from msgspec import to_builtins

    from pbx.phones.hosting import read_hosted

    hosted = read_hosted(configured(configuration).data_dir)
    if as_json:
        print_json(to_builtins(hosted))
        return
    stages = {stage.sha256: stage for stage in hosted.stages}
    rows = []
    for one in hosted.images:
        stage = stages.get(one.sha256)
        whom = "nobody" if stage is None else " ".join(stage.sites) or "all sites"
        hours = "-" if stage is None else f"{stage.hours[0]}-{stage.hours[1]}"
        rows.append((one.sha256[:12], one.brand, " ".join(one.models), one.version, one.name, whom, hours))
    print_table(("image", "brand", "models", "version", "file", "for", "hours"), rows)


@phone.command("add-firmware")
def add_firmware(
    file: Annotated[Path, typer.Argument(help="As its maker publishes it.")],
    brand: Annotated[str, typer.Option(help="Whose it is.")],
    version: Annotated[str, typer.Option(help="As telephones say it.")],
    model: Annotated[list[str], typer.Option("--model", help="Which run it; more than once.")],
    configuration: ConfigurationOption = None,
) -> None:
    """Take a file and pin its bytes; it is given to nobody until `phone stage-firmware`."""
    from pbx.audit.entry import by_command
    from pbx.kept import KeptError
    from pbx.phones.hosting import HostedImage, HostingError, Upload

    settings = configured(configuration)
    known = brands_of(settings)
    if brand not in known:
        misused("--brand", f'"{clean(brand[:40])}" isn\'t one of {", ".join(known)}')
    if unknown := [one for one in model if one not in known[brand].models]:
        misused("--model", f'{known[brand].name} has no "{clean(unknown[0][:40])}"')
    described = HostedImage(brand, model, version, file.name, "", 0, now().timestamp(), by_command().account)
    enter_command(settings, "phone.firmware_add", name=file.name, brand=brand, version=version)
    try:
        upload = Upload(settings.data_dir)
        try:
            with file.open("rb") as source:
                while piece := source.read(1 << 20):
                    upload.write(piece)
            taken = upload.take(described)
        finally:
            upload.close()
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    except (HostingError, KeptError) as error:
        fail(str(error))
    typer.echo(f"{taken.sha256[:12]} {taken.name}")


@phone.command("stage-firmware")
def stage_firmware(
    image: ImageArgument,
    site: Annotated[list[str] | None, typer.Option("--site", help="Where; all sites without it.")] = None,
    hours: HoursOption = "",
    nobody: Annotated[bool, typer.Option("--nobody", help="Take it back.")] = False,
    configuration: ConfigurationOption = None,
) -> None:
    """Give firmware to the telephones of its models, in waves that stop on failure."""
    from pbx.phones.hosting import HostedStage, put_stage, remove_stage
    from pbx.phones.waves import forgive

    settings = configured(configuration)
    sha256, sites, when = _image(settings, image), list(site or []), _hours(hours)
    if unknown := [one for one in sites if one not in planned(settings).sites]:
        misused("--site", f'the plan has no site "{clean(unknown[0][:40])}"')
    what = "phone.firmware_unstage" if nobody else "phone.firmware_stage"
    enter_command(settings, what, image=sha256[:12], sites=sites)
    if nobody:
        _hosted(lambda: remove_stage(settings.data_dir, sha256))
        return
    _hosted(lambda: put_stage(settings.data_dir, HostedStage(sha256, sites, when)))
    with database(settings) as opened:
        opened.write(lambda connection: forgive(connection, f"firmware:{sha256}"), durable=True)


@phone.command("remove-firmware")
def remove_firmware(image: ImageArgument, configuration: ConfigurationOption = None) -> None:
    """Remove a file that is given to nobody."""
    from pbx.phones.hosting import remove_image

    settings = configured(configuration)
    sha256 = _image(settings, image)
    enter_command(settings, "phone.firmware_remove", image=sha256[:12])
    _hosted(lambda: remove_image(settings.data_dir, sha256))


def _items(settings: Configuration) -> list[Item]:
    """All telephones; where the node doesn't run, none is registered."""
    from pbx.control import AskPhones, NotRunningError, PhonesNow, ask
    from pbx.people.devices import with_directory
    from pbx.people.imports import directory_now
    from pbx.phones.freshness import Freshness, all_freshness
    from pbx.phones.images import Images
    from pbx.phones.inventory import item_of, site_of
    from pbx.phones.shelf import list_phones

    with database(settings) as opened:
        found, fresh, stored = opened.read(lambda c: (list_phones(c), all_freshness(c), directory_now(c)))
    plan = with_directory(planned(settings), stored)
    images = Images(
        settings.provisioning.firmware, lambda: now().timestamp(), lambda: plan.timezone, settings.data_dir
    )
    images.load()
    try:
        answer = ask(settings.data_dir, AskPhones([line for one in found for line in one.lines]))
    except NotRunningError:
        answer = PhonesNow({}, [])
    assert isinstance(answer, PhonesNow)
    busy, items = frozenset(answer.busy), []
    for one in found:
        image = images.wanted(one, site_of(one, plan))
        version = image.version if image is not None else ""
        items.append(item_of(one, plan, fresh.get(one.name, Freshness()), version, answer.registered, busy))
    return items


def _wait_for(settings: Configuration, number: int) -> None:
    from pbx.phones.waves import find_wave

    waited = 0.0
    while waited < MOST_WAITED_SECONDS:
        with database(settings) as opened:
            found, _ = opened.read(lambda connection: find_wave(connection, number))
        if found.over_at:
            if found.stopped:
                fail(f"wave {number} was stopped: {found.stopped}")
            return
        time.sleep(WAIT_SECONDS)
        waited += WAIT_SECONDS
    fail(f"wave {number} goes on after a day")


def _print_waves(settings: Configuration, numbers: list[int], *, as_json: bool) -> None:
    from msgspec import to_builtins

    from pbx.phones.waves import list_waves

    with database(settings) as opened:
        found = [one for one in opened.read(list_waves) if not numbers or one[0].id in numbers]
    if as_json:
        print_json([{**to_builtins(one), "progress": to_builtins(progress)} for one, progress in found])
        return
    rows = [
        (
            str(one.id),
            one.action,
            one.account or one.cause[:21] or "-",
            shown_time(one.begun_at),
            " ".join(f"{count} {state}" for state, count in to_builtins(progress).items() if count),
            one.stopped or ("over" if one.over_at else "goes on"),
        )
        for one, progress in found
    ]
    print_table(("wave", "action", "by", "begun", "telephones", ""), rows)


def _hours(text: str) -> tuple[int, int]:
    if not text:
        return (0, 24)
    start, _, end = text.partition("-")
    if not (start.isdecimal() and end.isdecimal() and int(start) <= 24 and int(end) <= 24):
        misused("--hours", f'"{clean(text[:20])}" isn\'t two hours of the day, such as 22-5')
    return (int(start), int(end))


def _image(settings: Configuration, text: str) -> str:
    from pbx.phones.hosting import read_hosted

    images = read_hosted(settings.data_dir).images
    found = [one.sha256 for one in images if len(text) >= 6 and one.sha256.startswith(text)]
    if len(found) != 1:
        fail(f'no firmware "{clean(text[:64])}" is hosted: see `beffroi phone firmware`')
    return found[0]


def _hosted(work: Any) -> None:
    from pbx.kept import KeptError
    from pbx.phones.hosting import HostingError

    try:
        work()
    except (HostingError, KeptError) as error:
        fail(str(error))
