"""`beffroi init`: a configuration and a plan after a few questions, and the next steps."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pbx.cli.application import application
from pbx.cli.printing import clean
from pbx.cli.reading import database, fail, now

if TYPE_CHECKING:
    from pbx.node.installation import Answers

_QUESTIONS = {
    "organization": "Organisation",
    "country": "Country (ISO code)",
    "site": "First site",
    "internal": "Extensions, first-last",
    "main_number": "Main public number (empty: none yet)",
    "outside_prefix": "Prefix for outside calls (empty: none)",
    "operator": "Operator's SIP server (empty: none yet)",
    "listen": "Address for SIP (0.0.0.0: all of this machine)",
}
_USER = re.compile(r"([0-9]{1,15})\s+(\S.*)")


@application.command()
def init(
    directory: Annotated[Path, typer.Option(help="The folder to write to.")] = Path(),
    organization: Annotated[str | None, typer.Option(help="The organisation's name.")] = None,
    country: Annotated[str | None, typer.Option(help="Whose numbering is followed: FR.")] = None,
    site: Annotated[str | None, typer.Option(help="The first site's name.")] = None,
    internal: Annotated[str | None, typer.Option("--internal-range", help="Extensions: 2000-2199.")] = None,
    main_number: Annotated[str | None, typer.Option(help="Main public number: +33383000100.")] = None,
    outside_prefix: Annotated[str | None, typer.Option(help="Dialled before outside numbers: 0.")] = None,
    operator: Annotated[str | None, typer.Option(help="Host of the operator's SIP server.")] = None,
    listen: Annotated[str | None, typer.Option(help="Address for SIP, port 5060 unless given.")] = None,
    domain: Annotated[
        str | None, typer.Option(help="Part of every device's password. Default: beffroi.")
    ] = None,
    users: Annotated[
        list[str] | None,
        typer.Option("--user", help='A first user: "2000 Alice Martin"; may be given again.'),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: defaults for what isn't given.")] = False,
) -> None:
    """Write a configuration and a plan after a few questions. Nothing is ever overwritten."""
    from pbx.node.installation import InstallationError, write

    given = {
        "organization": organization,
        "country": country,
        "site": site,
        "internal": internal,
        "main_number": main_number,
        "outside_prefix": outside_prefix,
        "operator": operator,
        "listen": listen,
        "domain": domain,
    }
    _refuse_if_there(directory)
    answers = _answered(given, ask=not yes)
    people = _people(users or [], answers, ask=not yes and users is None)
    if people:
        answers = replace(answers, first_extension=people[0][0])
    try:
        written, plan = write(directory, answers)
    except InstallationError as error:
        fail(error)
    typer.echo(f"wrote {written} and {plan}")
    if people:
        _add(written, people)
    _print_next_steps(answers, written, plan, with_people=bool(people))


def _refuse_if_there(directory: Path) -> None:
    """Say at once what writing would say at the end, before anything is asked."""
    from pbx.configuration import FILE_NAME

    if os.path.lexists(directory / FILE_NAME):
        fail(f"{directory / FILE_NAME} is there already, and init never overwrites; use --directory")


def _answered(given: dict[str, str | None], *, ask: bool) -> Answers:
    """The answers: from the options, else asked, else the defaults."""
    from pbx.node.installation import Answers, InstallationError

    answers = Answers()
    for name, text in given.items():
        if text is None:
            continue
        try:
            answers = _with(answers, name, text)
        except InstallationError as error:
            option = {"internal": "internal-range"}.get(name, name.replace("_", "-"))
            fail(f"--{option}: {error}")
    for name, question in _QUESTIONS.items():
        while ask and given[name] is None:
            default = str(getattr(answers, name))
            text = typer.prompt(question, default=default, show_default=bool(default))
            try:
                answers = _with(answers, name, text)
                break
            except InstallationError as error:
                typer.echo(f"  {error}", err=True)
    return answers


def _with(answers: Answers, name: str, text: str) -> Answers:
    """The answers with one more. Raises InstallationError when a check has something against it."""
    from pbx.node.installation import InstallationError, objections, read_answer

    changed = replace(answers, **{name: read_answer(name, text, answers.country)})
    against = objections(changed, now())
    if against:
        hint = f"; {against[0].hint}" if against[0].hint else ""
        raise InstallationError(f"{against[0].message}{hint}")
    return changed


def _people(users: list[str], answers: Answers, *, ask: bool) -> list[tuple[str, str]]:
    """Extension and name of the first users, each extension once and in the range."""
    people: list[tuple[str, str]] = []
    for text in users:
        problem = _take(people, text, answers)
        if problem:
            fail(f"--user: {problem}")
    while ask:
        text = typer.prompt(
            'First users, such as "2000 Alice Martin" (empty: enough)', default="", show_default=False
        )
        if not text.strip():
            break
        problem = _take(people, text, answers)
        if problem:
            typer.echo(f"  {problem}", err=True)
    return people


def _take(people: list[tuple[str, str]], text: str, answers: Answers) -> str:
    """Add one user; returns what is wrong instead, "" when nothing is."""
    from dialplan.ranges import parse_range
    from pbx.node.installation import ECHO_NUMBER

    found = _USER.fullmatch(text.strip())
    if found is None or not text.isprintable() or len(text) > 200:
        return f'"{clean(text[:60])}" is no extension and name; write "{answers.first} Alice Martin"'
    extension = found[1]
    if extension not in parse_range(answers.internal) or extension == ECHO_NUMBER:
        return f"{extension} is not one of the extensions {answers.internal}"
    if any(extension == other for other, _ in people):
        return f"{extension} is given twice"
    people.append((extension, found[2]))
    return ""


def _add(configuration: Path, people: list[tuple[str, str]]) -> None:
    """Store the first users and print their passwords, once."""
    from pbx.cli.users import add_people, print_credentials
    from pbx.configuration import load_configuration
    from pbx.people.directory import Person

    settings = load_configuration(configuration)
    entries = [Person(extension, name, "national") for extension, name in people]
    with database(settings) as opened:
        issued = add_people(opened, settings, entries)
    for person, made in zip(entries, issued, strict=True):
        typer.echo(f"\n{person.extension} {person.name}")
        print_credentials(settings, made)


def _print_next_steps(answers: Answers, configuration: Path, plan: Path, *, with_people: bool) -> None:
    from pbx.node.installation import ECHO_NUMBER

    typer.echo("\nNext")
    file = shlex.quote(str(configuration))
    steps = [
        f"beffroi doctor -c {file}      what is missing on this machine",
        f"beffroi serve -c {file}       run it",
    ]
    if not with_people:
        steps.insert(0, f'beffroi user add {answers.first} "Alice Martin" --class national -c {file}')
    steps.append(f"register a telephone, and dial {ECHO_NUMBER}: it repeats what it hears")
    for number, step in enumerate(steps, 1):
        typer.echo(f"  {number}. {step}")
    if not answers.operator:
        typer.echo(
            f"\nNo call leaves yet, NOT EVEN AN EMERGENCY CALL: write your operator's trunk in {plan}."
        )
