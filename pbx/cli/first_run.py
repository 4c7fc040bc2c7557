"""The first run: what `beffroi serve` does where there is no configuration yet, and `beffroi first-run`."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pbx.cli.application import application
from pbx.cli.reading import complain, fail, now

if TYPE_CHECKING:
    from pbx.configuration import Configuration


def is_first_run(given: Path | None) -> bool:
    """Whether there is no configuration, and a page may write one: only under its usual name."""
    from pbx.configuration import FILE_NAME, SYSTEM_FILE

    if given is not None:
        return given.name == FILE_NAME and not os.path.lexists(given)
    return not os.path.lexists(FILE_NAME) and not os.path.lexists(SYSTEM_FILE)


def serve_first_run(given: Path | None, web: str, sip: str) -> NoReturn:
    """Print the link, serve the page, and become the node when the town is made."""
    from pbx.supervisor import StartError
    from pbx.web.first_run import serve_first_run as serve

    settings = _provisional(given, web)
    folder = settings.path.parent.absolute()
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{settings.data_dir}: {error.strerror}")
    typer.echo(f"No configuration is in {folder} yet: answer five questions in a browser.")
    _print_link(settings)
    try:
        is_installed = serve(settings, listen=sip, web=web)
    except StartError as error:
        fail(error)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if not is_installed:
        raise typer.Exit(0)
    typer.echo(f"{settings.path} is written: the node starts.")
    sys.stdout.flush()
    # Another program in the same process: nothing of the page's is carried into the supervisor.
    words = [sys.executable, "-c", "from pbx.cli import main; main()", "serve", "-c", str(settings.path)]
    os.execv(sys.executable, words)  # noqa: S606 (us)


@application.command("first-run")
def first_run(
    configuration: Annotated[
        Path | None,
        typer.Option("-c", "--configuration", help="The configuration that the first run will write."),
    ] = None,
) -> None:
    """Print another link to the page of a first run that waits; an earlier one works no longer."""
    if not is_first_run(configuration):
        fail("this node has its configuration: sign in, or add an account with `beffroi account add`")
    settings = _provisional(configuration, "")
    from pbx.node.first_run import ORIGINS

    if not (settings.data_dir / ORIGINS).is_file():
        fail(f"no first run waits in {settings.path.parent.absolute()}; start it with `beffroi serve`")
    _print_link(settings)


def _provisional(given: Path | None, web: str) -> Configuration:
    from dialplan.finding import PlanError
    from pbx.configuration import FILE_NAME
    from pbx.node.first_run import provisional

    try:
        return provisional(given or Path(FILE_NAME), web)
    except PlanError as error:
        complain(error.findings)


def _print_link(settings: Configuration) -> None:
    from pbx.accounts.links import link_url
    from pbx.cli.reading import database
    from pbx.node.first_run import ORIGINS, new_link, origins

    try:
        found = json.loads((settings.data_dir / ORIGINS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = origins(settings)
    with database(settings) as opened:
        secret = new_link(opened, now().timestamp())
    typer.echo("Open this link; it works once, for an hour:\n")
    for origin in found:
        typer.echo(f"  {link_url(str(origin), 'first-run', secret)}")
    if any(str(origin).startswith("https:") for origin in found):
        _print_fingerprint(settings)
    typer.echo("\n`beffroi first-run` prints another one.")
    sys.stdout.flush()


def _print_fingerprint(settings: Configuration) -> None:
    """What the browser that warns of the node's own certificate should show."""
    from pbx.node.certificates import node_certificates
    from sip.net.certificates import CertificateError

    try:
        shown = node_certificates(settings, now())
    except CertificateError as error:
        fail(error)
    typer.echo("\nThe browser will warn of this node's own certificate. Its SHA-256 fingerprint is:")
    for certificate in shown:
        der = ssl.PEM_cert_to_DER_cert(certificate.path.read_text(encoding="ascii"))
        digest = hashlib.sha256(der).hexdigest().upper()
        typer.echo("  " + ":".join(digest[place : place + 2] for place in range(0, len(digest), 2)))
