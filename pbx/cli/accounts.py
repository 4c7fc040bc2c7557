"""`beffroi account`: who may sign in. A node that runs sees it within a second.

Nobody types a password here. Whoever gets an account chooses theirs by a link that works once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.entering import enter_command
from pbx.cli.printing import clean, print_json, print_table, shown_time
from pbx.cli.reading import configured, database, fail, now

if TYPE_CHECKING:
    from pbx.accounts.account import Account
    from pbx.configuration import Configuration

account = typer.Typer(help="Who may sign in to the pages, and what they may do there.", no_args_is_help=True)
application.add_typer(account, name="account")

AccountArgument = Annotated[
    str, typer.Argument(metavar="ACCOUNT", help="The sign-in name, such as alice.martin.")
]
RolesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--role",
        help="agent, operator, supervisor, listener, administrator or auditor; may be given again.",
    ),
]
ExtensionOption = Annotated[
    str | None, typer.Option(help="The person's number inside, whose calls and settings are theirs.")
]
LanguageOption = Annotated[str | None, typer.Option(help="fr or en.")]


@account.command("list")
def list_accounts(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List the accounts by sign-in name. Times are in UTC."""
    from pbx.accounts import records

    with database(configured(configuration)) as opened:
        found = opened.read(records.list_accounts)
    if as_json:
        print_json([_printable(one) for one in found])
    elif not found:
        typer.echo("there is no account; add one with `beffroi account add`")
    else:
        columns = ("account", "name", "extension", "roles", "second factor", "state", "last sign-in")
        print_table(columns, [_row(one) for one in found])


@account.command()
def show(
    name: AccountArgument, configuration: ConfigurationOption = None, as_json: JsonOption = False
) -> None:
    """Show one account."""
    from pbx.accounts import records

    with _told(), database(configured(configuration)) as opened:
        found = opened.read(lambda connection: records.find(connection, name))
    if as_json:
        print_json(_printable(found))
        return
    for field, value in _printable(found).items():
        text = ", ".join(value) if isinstance(value, list) else value
        text = shown_time(value) if field.endswith("_at") else str(text)
        typer.echo(f"{field.replace('_', ' '):<18} {clean(text)}")


@account.command()
def add(
    name: AccountArgument,
    shown_name: Annotated[str, typer.Argument(metavar="NAME", help="The name that is shown.")],
    roles: RolesOption = None,
    extension: ExtensionOption = None,
    language: LanguageOption = None,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an account, and print the link by which its owner chooses a password: it works once, for a day."""
    from pbx.accounts import records
    from pbx.accounts.links import PASSWORD_SECONDS, make_link

    settings, instant = configured(configuration), now().timestamp()

    def work(connection: Any) -> tuple[Account, str]:
        made = records.add(
            connection,
            name,
            shown_name,
            now=instant,
            roles=roles or ["agent"],
            extension=extension or "",
            language=language or "fr",
        )
        link = make_link(connection, "password", made.account, instant + PASSWORD_SECONDS)
        enter_command(settings, "account.add", whom=made.account, name=made.name, roles=sorted(made.roles))
        return made, link

    with _told(), database(settings) as opened:
        made, secret = opened.write(work, durable=True)
    if as_json:
        print_json({**_printable(made), "links": _links(settings, secret)})
        return
    typer.echo(f"{made.account} {clean(made.name)}: {', '.join(sorted(made.roles))}")
    _print_links(settings, secret)


@account.command()
def change(
    name: AccountArgument,
    shown_name: Annotated[str | None, typer.Option("--name", help="The name that is shown.")] = None,
    roles: RolesOption = None,
    extension: Annotated[str | None, typer.Option(help='The number inside; "" for none.')] = None,
    language: LanguageOption = None,
    disabled: Annotated[
        bool | None, typer.Option("--closed/--open", help="Whether it lets nobody in.")
    ] = None,
    configuration: ConfigurationOption = None,
) -> None:
    """Change an account. Other roles, another extension or closing it end its sessions at once."""
    from pbx.accounts import records

    settings = configured(configuration)
    given: dict[str, Any] = {
        "name": shown_name,
        "roles": roles,
        "extension": extension,
        "language": language,
        "disabled": disabled,
    }
    wanted = {field: value for field, value in given.items() if value is not None}
    if not wanted:
        fail("nothing to change; `beffroi account change --help` lists what can be")

    def work(connection: Any) -> Account:
        made = records.change(connection, name, **wanted)
        about = {field: str(value) for field, value in wanted.items()}
        about["roles"] = " ".join(sorted(made.roles))
        enter_command(settings, "account.change", whom=made.account, **about)
        return made

    with _told(), database(settings) as opened:
        made = opened.write(work, durable=True)
    state = "closed" if made.disabled else "open"
    typer.echo(f"{made.account} {clean(made.name)}: {', '.join(sorted(made.roles))}; {state}")


@account.command()
def remove(name: AccountArgument, configuration: ConfigurationOption = None) -> None:
    """Remove an account; its sessions and tokens end. The last administrator can't be."""
    from pbx.accounts import records

    settings = configured(configuration)

    def work(connection: Any) -> None:
        records.remove(connection, name)
        enter_command(settings, "account.remove", whom=name)

    with _told(), database(settings) as opened:
        opened.write(work, durable=True)
    typer.echo(f"{name} is removed")


@account.command()
def password(
    name: AccountArgument,
    lock: Annotated[
        bool, typer.Option("--now", help="Let the former password in no more, and end the sessions.")
    ] = False,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a link by which somebody chooses a new password: it works once, for a day."""
    from pbx.accounts import records
    from pbx.accounts.links import PASSWORD_SECONDS, make_link

    settings, instant = configured(configuration), now().timestamp()

    def work(connection: Any) -> str:
        if records.find(connection, name).source != "local":
            fail(f"the password of {name} is kept by another server: change it there")
        if lock:
            records.forget_password(connection, name)
        link = make_link(connection, "password", name, instant + PASSWORD_SECONDS)
        enter_command(settings, "password.reset", whom=name, locked=lock)
        return link

    with _told(), database(settings) as opened:
        secret = opened.write(work, durable=True)
    if as_json:
        print_json({"account": name, "links": _links(settings, secret)})
        return
    _print_links(settings, secret)


@account.command("reset-second-factor")
def reset_second_factor(name: AccountArgument, configuration: ConfigurationOption = None) -> None:
    """Take application, passkeys and recovery codes away from whoever has lost them; the sessions end."""
    from pbx.accounts import factors

    settings = configured(configuration)

    def work(connection: Any) -> None:
        factors.reset_factors(connection, name)
        enter_command(settings, "second_factor.reset", whom=name)

    with _told(), database(settings) as opened:
        opened.write(work, durable=True)
    typer.echo(f"{name} signs in with the password alone, and sets a second factor up where one is needed")


@account.command("forget-subject")
def forget_subject(name: AccountArgument, configuration: ConfigurationOption = None) -> None:
    """Let the next who comes from the OpenID Connect provider with this name be the account's owner.

    For whom the provider has given another `sub`, or a provider that has taken the place of another.
    """
    from pbx.accounts import records

    settings = configured(configuration)

    def work(connection: Any) -> None:
        records.forget_subject(connection, name)
        enter_command(settings, "account.forget_subject", whom=name)

    with _told(), database(settings) as opened:
        opened.write(work, durable=True)
    typer.echo(f"{name} belongs to whoever comes from the provider with that name next; its sessions ended")


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with an account ends the command with a sentence."""
    from pbx.accounts.account import AccountError

    try:
        yield
    except AccountError as error:
        fail(f"{error}; {error.mend}" if error.mend else error)


def _links(settings: Configuration, secret: str) -> list[str]:
    from pbx.accounts.links import link_url
    from pbx.node.first_run import origins

    found = [settings.web.public_url] if settings.web.public_url else origins(settings)
    return [link_url(origin, "password", secret) for origin in found]


def _print_links(settings: Configuration, secret: str) -> None:
    links = _links(settings, secret)
    if not links:
        typer.echo(f"no link: no page is served, since `web:` in {settings.path} names no address")
        return
    typer.echo("Give this link to its owner alone; it works once, until this time tomorrow:")
    for link in links:
        typer.echo(f"  {link}")


def _row(one: Account) -> tuple[str, ...]:
    factor = ", ".join(_factors(one)) or ("none yet" if one.needs_second_factor else "-")
    state = "closed" if one.disabled else ("open" if one.has_password or one.source != "local" else "invited")
    roles = ", ".join(sorted(one.roles))
    return one.account, one.name, one.extension, roles, factor, state, shown_time(one.last_sign_in_at)


def _factors(one: Account) -> list[str]:
    return ["application"] * one.has_totp + ["passkey"] * (one.passkeys > 0)


def _printable(one: Account) -> dict[str, Any]:
    return {
        "account": one.account,
        "name": one.name,
        "extension": one.extension,
        "roles": sorted(one.roles),
        "language": one.language,
        "source": one.source,
        "disabled": one.disabled,
        "has_password": one.has_password,
        "second_factors": _factors(one),
        "recovery_codes": one.recovery_codes,
        "created_at": one.created_at,
        "last_sign_in_at": one.last_sign_in_at,
    }
