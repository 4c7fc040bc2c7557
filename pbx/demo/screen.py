"""What the demonstration says: in colour on a terminal, the same words in plain text elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pbx.demo.conversation import Hearing, Verdict
from pbx.demo.town import USUAL_PORT, Town

MOST_PEOPLE = 3
ECHO = "9196"
INDENT = "  "


def console_for_output() -> Console:
    """The console on standard output. Text is printed as it is: a name may hold [brackets]."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def show_heading(console: Console, town: Town, *, port_was_chosen: bool) -> None:
    """Say which town runs where."""
    host, port = town.server
    console.print()
    console.print(Text.assemble(("Beffroi", "bold cyan"), ("  ·  ", "dim"), (town.plan.organization, "bold")))
    console.print(Text(f"A sample town on this machine only: {host}, port {port}, UDP and TCP.", "dim"))
    if port != USUAL_PORT and not port_was_chosen:
        console.print(Text(f"Port {USUAL_PORT} is taken, so this town took {port}.", "yellow"))


def show_town(console: Console, town: Town) -> None:
    """Say how to register a phone, what to dial, where to look, how to stop."""
    host, port = town.server
    people = town.people
    first, others = people[:MOST_PEOPLE], people[MOST_PEOPLE:]
    _title(console, "Register a phone", "any SIP phone or softphone on this machine")
    _rows(console, [("server", f"{host}:{port}", "UDP or TCP")])
    _rows(
        console,
        [
            (
                "user" if person is first[0] else "",
                person.extension,
                f"password {person.password}  {person.name}",
            )
            for person in first
        ],
    )
    if others:
        extensions = ", ".join(person.extension for person in others)
        _rows(console, [("", extensions, "likewise")])

    _title(console, "Dial")
    rows = [("", ECHO, "echo: hear yourself")]
    rows += [("", person.extension, f"{person.name}, once that phone is registered") for person in first]
    _rows(console, rows)

    console.print()
    console.print(Text("No call leaves this machine.", "bold yellow"), end=" ")
    console.print(Text("There is no outside line here: 15, 17, 18 and 112 reach nobody.", "yellow"))
    console.print(Text("To call for help, use a real telephone.", "yellow"))

    program = _program()
    _title(console, "Look inside")
    configuration = town.configuration.path
    for command in (f"status -c {configuration}", f"call list -c {configuration}"):
        console.print(Text.assemble(INDENT, (f"{program} {command}", "cyan")))
    console.print(
        Text.assemble(INDENT, (f"{program} demo --call", "cyan"), ("  two built-in phones talk", "dim"))
    )
    console.print()
    console.print(Text("Ctrl-C stops the town and removes what it wrote.", "dim"))


def show_verdict(console: Console, verdict: Verdict) -> None:
    """Say what each phone heard, by measurement, or why the call failed."""
    console.print()
    if verdict.failure:
        console.print(Text(f"The call failed: {verdict.failure}", "bold red"))
    for hearing in verdict.hearings:
        console.print(_said(hearing))


def _said(hearing: Hearing) -> Text:
    detail = (
        f"  {hearing.seconds:.1f} s, {hearing.packets} packets of {hearing.codec}" if hearing.packets else ""
    )
    if hearing.right:
        return Text.assemble(
            (f"{hearing.phone} heard {hearing.wanted_hz} Hz", "bold green"), (f"{detail}", "dim")
        )
    heard = f"{hearing.hz:.0f} Hz" if hearing.hz else "no tone"
    words = f"{hearing.phone} heard {heard}, not {hearing.wanted_hz} Hz for the whole call"
    return Text.assemble((words, "bold red"), (detail, "dim"))


def _title(console: Console, words: str, more: str = "") -> None:
    console.print()
    console.print(Text.assemble((words, "bold"), (f"  {more}" if more else "", "dim")))


def _rows(console: Console, rows: list[tuple[str, str, str]]) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", min_width=6)
    table.add_column(style="bold cyan", min_width=14, no_wrap=True)
    table.add_column(no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _program() -> str:
    """How this program is called from here: by its name where the shell finds it, else by its path."""
    if shutil.which("beffroi"):
        return "beffroi"
    path = Path(sys.argv[0]).absolute()
    here = Path(os.path.relpath(path))
    return str(min(path, here, key=lambda candidate: len(str(candidate))))
