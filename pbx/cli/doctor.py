"""`beffroi doctor`: what is wrong with this installation, and the mend."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.printing import clean, print_json, printable_findings, tally
from pbx.cli.reading import now, read_configuration

_WORDS = {
    None: ("ok", "green"),
    "note": ("note", "cyan"),
    "warning": ("warning", "yellow"),
    "error": ("error", "red"),
}


@application.command()
def doctor(
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    coturn: Annotated[
        bool, typer.Option("--coturn", help="print a turnserver.conf for this node's browsers instead")
    ] = False,
) -> None:
    """Examine this installation: ports, media, limits, clock, disk, database, plan, journal, relays.

    Nothing is changed. It works beside a running node and before the first start.

    The exit status is 1 when there is an error.
    """
    from dialplan.finding import PlanError
    from pbx.node.coturn import recipe
    from pbx.node.doctor import Examination, all_findings, examine
    from pbx.node.relays import browsers_reach

    try:
        settings = read_configuration(configuration)
    except PlanError as error:
        examinations = [
            Examination("configuration", f"{error.findings[0].file} can't be used", error.findings)
        ]
    else:
        if coturn:
            typer.echo(recipe(settings.domain, browsers_reach(settings)), nl=False)
            return
        examinations = list(examine(settings, os.environ, now()))
    findings = all_findings(examinations)
    if as_json:
        print_json(printable_findings(findings))
    else:
        for examination in examinations:
            _print(examination.what, examination.state, examination.severity)
            for finding in examination.findings:
                where = f"{finding.file}:{finding.line}: " if finding.line else ""
                typer.echo(f"{'':<9}{where}{clean(finding.message)}")
                if finding.hint:
                    typer.echo(f"{'':<9}-> {clean(finding.hint)}")
        typer.echo(tally(findings))
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


def _print(what: str, state: str, severity: str | None) -> None:
    word, colour = _WORDS[severity]
    shown = (
        typer.style(f"{word:<9}", fg=colour, bold=severity == "error")
        if sys.stdout.isatty()
        else f"{word:<9}"
    )
    typer.echo(f"{shown}{what:<15} {clean(state)}")
