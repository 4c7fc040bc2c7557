"""`beffroi token`: what programs sign in to the API with. The node may run or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.entering import enter_command
from pbx.cli.printing import print_json, print_table, shown_time
from pbx.cli.reading import configured, database, fail, misused, now

if TYPE_CHECKING:
    from pbx.accounts.tokens import Token
    from pbx.configuration import Configuration

token = typer.Typer(help="Tokens, which programs sign in to the API with.", no_args_is_help=True)
application.add_typer(token, name="token")

_OPTIONS = {"scopes": "--scope", "ends_at": "--days", "networks": "--network", "account": "--account"}


@token.command()
def add(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    account: Annotated[str, typer.Option(help="The account that it acts for.")],
    scopes: Annotated[
        list[str] | None, typer.Option("--scope", help="A right that it has. Default: all of the account's.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=730, help="How long it is valid.")] = 365,
    networks: Annotated[
        list[str] | None, typer.Option("--network", help="Where it may be used from. Default: anywhere.")
    ] = None,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and show it, this once: nobody can see it again."""
    from pbx.accounts import tokens
    from pbx.accounts.tokens import TokenWrong, Wanted

    settings = configured(configuration)
    instant = now().timestamp()
    wanted = Wanted(name, instant + days * 86_400.0, tuple(scopes or ()), tuple(networks or ()))

    def work(connection: Any) -> tuple[Token, str]:
        made, secret = tokens.add(connection, account, wanted, instant)
        _enter(settings, "token.add", made)
        return made, secret

    try:
        with database(settings) as opened:
            made, secret = opened.write(work, durable=True)
    except TokenWrong as error:
        misused(_OPTIONS.get(error.field, "NAME"), str(error))
    if as_json:
        print_json({**_printable(made), "token": secret})
        return
    typer.echo(secret)
    typer.echo(f"token {made.id} of {made.account}, until {shown_time(made.ends_at)} (UTC)", err=True)


@token.command("list")
def list_tokens(
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    account: Annotated[str, typer.Option(help="Of this account.")] = "",
) -> None:
    """List tokens, the newest first; never what they sign in with. Times are in UTC."""
    from pbx.accounts import tokens

    with database(configured(configuration)) as opened:
        found = opened.read(lambda connection: tokens.listed(connection, account))
    if as_json:
        print_json([_printable(one) for one in found])
    elif not found:
        typer.echo("there is no token")
    else:
        columns = ("id", "account", "name", "until", "last used", "scopes", "networks")
        print_table(columns, [_row(one) for one in found])


@token.command()
def remove(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `token list` shows it.")],
    configuration: ConfigurationOption = None,
) -> None:
    """End a token: the next request with it is refused."""
    from pbx.accounts import tokens
    from pbx.accounts.tokens import NoToken

    settings = configured(configuration)

    def work(connection: Any) -> Token:
        removed = tokens.remove(connection, token_id)
        _enter(settings, "token.remove", removed)
        return removed

    try:
        with database(settings) as opened:
            removed = opened.write(work, durable=True)
    except NoToken:
        fail(f"there is no token {token_id}; `beffroi token list` shows them")
    typer.echo(f"{removed.name} of {removed.account} opens nothing any more")


def _enter(settings: Configuration, what: str, one: Token) -> None:
    enter_command(settings, what, whom=one.account, id=one.id, name=one.name, scopes=list(one.scopes))


def _row(one: Token) -> tuple[str, ...]:
    times = shown_time(one.ends_at), shown_time(one.last_used_at)
    return one.id, one.account, one.name, *times, " ".join(one.scopes), " ".join(one.networks) or "anywhere"


def _printable(one: Token) -> dict[str, object]:
    return {
        "id": one.id,
        "account": one.account,
        "name": one.name,
        "scopes": list(one.scopes),
        "networks": list(one.networks),
        "created_at": one.created_at,
        "ends_at": one.ends_at,
        "last_used_at": one.last_used_at,
    }
