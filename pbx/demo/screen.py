"""What the demonstration says: in colour on a terminal, the same words in plain text elsewhere."""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pbx.demo.conversation import Hearing, Verdict
from pbx.demo.town import USUAL_PORT, Town

MOST_PEOPLE = 3
ECHO = "9196"
INDENT = "  "
VALUE_WIDTH = 18


def console_for_output() -> Console:
    """The console on standard output. Text is printed as it is: a name may hold [brackets]."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal of another age shows ? for an accent
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
    first, others = town.people[:MOST_PEOPLE], town.people[MOST_PEOPLE:]
    _title(console, "Register a phone", "any SIP phone or softphone on this machine")
    _row(console, "server", f"{host}:{port}", "UDP or TCP")
    for person in first:
        _row(console, "user", person.extension, "password ", person.password or "", f"  {person.name}")
    if others:
        extensions = ", ".join(person.extension for person in others)
        _row(console, "", "", f"and in the same way {extensions}")

    if town.links:
        _title(
            console, "Open the pages", "in a browser on this machine; each link is signed in, and works once"
        )
        for role, link in town.links.items():
            console.print(Text.assemble(INDENT, (f"{role:<15}", "dim"), (link, "cyan")))

    _title(console, "Dial")
    _row(console, "", ECHO, "echo: you hear yourself")
    _row(
        console,
        "",
        ", ".join(person.extension for person in first),
        "that person, once a phone is registered there",
    )

    console.print()
    console.print(Text("No call leaves this machine: there is no outside line.", "bold yellow"))
    console.print(
        Text("15, 17, 18 and 112 reach nobody here. To call for help, use a real telephone.", "yellow")
    )

    program = _program()
    configuration = town.configuration.path
    _title(console, "Look inside", "from another terminal")
    for command in (f"status -c {configuration}", f"call list -c {configuration}"):
        console.print(Text.assemble(INDENT, (f"{program} {command}", "cyan")))
    _title(console, "See a call", "two built-in phones talk")
    console.print(Text.assemble(INDENT, (f"{program} demo --call", "cyan")))
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
        return Text.assemble((f"{hearing.phone} heard {hearing.wanted_hz} Hz", "bold green"), (detail, "dim"))
    heard = f"{hearing.hz:.0f} Hz" if hearing.hz else "no tone"
    words = f"{hearing.phone} heard {heard}; it should have heard {hearing.wanted_hz} Hz throughout"
    return Text.assemble((words, "bold red"), (detail, "dim"))


def _title(console: Console, words: str, more: str = "") -> None:
    console.print()
    console.print(Text.assemble((words, "bold"), (f"  {more}" if more else "", "dim")))


def _row(console: Console, name: str, value: str, *words: str) -> None:
    """One line: what it is, what to type, what is to be known of it; every other word is to be typed too."""
    line = Text.assemble(INDENT, (f"{name:<8}", "dim"), (f"{value:<{VALUE_WIDTH}}", "bold cyan"))
    for position, word in enumerate(words):
        line.append(word, "bold cyan" if position % 2 else "")
    console.print(line)


def _program() -> str:
    """How this program is called from here: by its name where the shell finds it, else by its path."""
    if shutil.which("beffroi"):
        return "beffroi"
    path = Path(sys.argv[0]).absolute()
    here = Path(os.path.relpath(path))
    return str(min(path, here, key=lambda candidate: len(str(candidate))))
