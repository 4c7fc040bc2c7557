"""`beffroi webhook`: programs elsewhere that are told of events. A running node sees changes in 30 s."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.entering import enter_command
from pbx.cli.printing import clean, print_json, print_table, shown_time
from pbx.cli.reading import configured, database, fail, misused, now

if TYPE_CHECKING:
    from pbx.webhooks.webhook import Webhook

webhook = typer.Typer(help="Webhooks: programs elsewhere that are told of events.", no_args_is_help=True)
application.add_typer(webhook, name="webhook")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `webhook list` shows it.")]


@webhook.command()
def add(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    url: Annotated[str, typer.Argument(help="Where it is told: https://…")],
    kinds: Annotated[list[str], typer.Option("--event", help="A kind of event, such as CallEnded.")],
    private: Annotated[
        bool, typer.Option("--private-address", help="It may lead into a private network.")
    ] = False,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a webhook and show the secret that its deliveries are signed with, this once."""
    from pbx.audit.entry import by_command
    from pbx.node.sealing import sealing
    from pbx.webhooks import records
    from pbx.webhooks.addresses import refuse_literal
    from pbx.webhooks.records import SEAL
    from pbx.webhooks.webhook import Webhook, WebhookWrong, checked_kinds, checked_name, new_secret, parts_of

    settings = configured(configuration)
    try:
        parts_of(url)
        made = Webhook(
            id=secrets.token_hex(8),
            name=checked_name(name),
            url=url,
            kinds=checked_kinds(kinds),
            private_address=private,
            created_by=by_command().account,
            created_at=now().timestamp(),
        )
        refuse_literal(made, settings.local_networks)
        secret = new_secret()
        sealed = sealing(settings.node_key_file).seal(secret.encode(), SEAL, made.id)
        about = {"id": made.id, "name": made.name, "url": made.url}

        def work(connection: Any) -> None:
            records.add(connection, made, sealed)
            enter_command(settings, "webhook.add", **about, kinds=list(made.kinds), private_address=private)

        with database(settings) as opened:
            opened.write(work, durable=True)
    except WebhookWrong as error:
        misused({"url": "URL", "kinds": "--event"}.get(error.field, "NAME"), str(error))
    if as_json:
        print_json({**_printable(made), "secret": secret})
        return
    typer.echo(secret)
    typer.echo(f"webhook {made.id}: {clean(made.name)}", err=True)


@webhook.command("list")
def list_webhooks(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List webhooks, never their secrets. Times are in UTC."""
    from pbx.webhooks import records

    with database(configured(configuration)) as opened:
        found, waiting = opened.read(records.listed), opened.read(records.waiting)
    if as_json:
        print_json([{**_printable(one), "waiting": waiting.get(one.id, 0)} for one in found])
    elif not found:
        typer.echo("there is no webhook")
    else:
        rows = [
            (
                one.id,
                one.name,
                one.url,
                shown_time(one.created_at),
                str(waiting.get(one.id, 0)),
                " ".join(one.kinds),
            )
            for one in found
        ]
        print_table(("id", "name", "url", "since", "waiting", "events"), rows)


@webhook.command()
def remove(webhook_id: IdArgument, configuration: ConfigurationOption = None) -> None:
    """Remove a webhook, and what it was still to be told."""
    from pbx.webhooks import records
    from pbx.webhooks.records import NoWebhook

    settings = configured(configuration)

    def work(connection: Any) -> Webhook:
        removed = records.remove(connection, webhook_id)
        enter_command(settings, "webhook.remove", id=removed.id, name=removed.name, url=removed.url)
        return removed

    try:
        with database(settings) as opened:
            removed = opened.write(work, durable=True)
    except NoWebhook:
        _unknown(webhook_id)
    typer.echo(f"{clean(removed.name)} is told nothing any more")


@webhook.command()
def test(
    webhook_id: IdArgument, configuration: ConfigurationOption = None, as_json: JsonOption = False
) -> None:
    """Send a test now, from here; the status is 1 where it isn't taken."""
    from pbx.node.sealing import SealBroken, sealing
    from pbx.webhooks import records
    from pbx.webhooks.records import SEAL, NoWebhook
    from pbx.webhooks.sending import Sender
    from pbx.webhooks.webhook import tested

    settings = configured(configuration)
    try:
        with database(settings) as opened:
            found = opened.read(lambda connection: records.find(connection, webhook_id))
            sealed = opened.read(lambda connection: records.sealed_secret(connection, webhook_id))
        secret = sealing(settings.node_key_file).unseal(sealed, SEAL, webhook_id).decode()
    except NoWebhook:
        _unknown(webhook_id)
    except SealBroken as error:
        fail(error)
    enter_command(settings, "webhook.test", id=found.id, name=found.name)
    sender = Sender(settings.local_networks, lambda: now().timestamp())
    outcome = asyncio.run(sender.send(found, secret, tested(found, now().timestamp())))
    if as_json:
        print_json(outcome._asdict())
    else:
        typer.echo(clean(outcome.trouble) or f"taken, with status {outcome.status}")
    if outcome.trouble:
        raise typer.Exit(1)


def _unknown(webhook_id: str) -> NoReturn:
    fail(f"there is no webhook {webhook_id}; `beffroi webhook list` shows them")


def _printable(one: Webhook) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "url": one.url,
        "kinds": list(one.kinds),
        "private_address": one.private_address,
        "created_by": one.created_by,
        "created_at": one.created_at,
    }
