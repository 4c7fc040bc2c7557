"""`beffroi demo`: the sample town on loopback, with no configuration."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from pbx.cli.application import application
from pbx.cli.reading import fail

if TYPE_CHECKING:
    from rich.console import Console

    from pbx.demo.town import Town


@application.command()
def demo(
    call: Annotated[
        bool,
        typer.Option("--call", help="Let two built-in phones call each other, and end. 0 if both heard."),
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="SIP port. Default: 5060, or the next one that is free."),
    ] = None,
) -> None:
    """Run a sample town on this machine only: nothing to configure, nothing left behind."""
    from pbx.demo.screen import console_for_output, show_heading, show_town
    from pbx.demo.town import DemoError, running_town

    console = console_for_output()
    for number in (signal.SIGTERM, signal.SIGHUP):  # ended in the same way as with Ctrl-C
        signal.signal(number, signal.default_int_handler)
    good = True
    try:
        with running_town(port, with_pages=not call) as town:
            show_heading(console, town, port_was_chosen=port is not None)
            if call:
                good = _play_a_call(console, town)
            else:
                show_town(console, town)
                with suppress(KeyboardInterrupt):
                    town.wait()
                console.print("\nStopping. Ctrl-C again ends calls in progress.")
    except DemoError as error:
        fail(error)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    raise typer.Exit(0 if good else 1)


def _play_a_call(console: Console, town: Town) -> bool:
    """Play the call, drawing its ladder; returns whether both phones heard each other."""
    import asyncio

    from pbx.cli.calls import list_
    from pbx.demo.conversation import CALLEE, CALLER, converse
    from pbx.demo.ladder import Ladder
    from pbx.demo.screen import show_verdict

    async def play() -> bool:
        with Ladder(console, CALLER, CALLEE) as ladder:
            verdict = await converse(town, ladder)
        show_verdict(console, verdict)
        return verdict.good

    console.print()
    good = asyncio.run(play())
    list_(town.configuration.path)
    if not good:
        console.print(f"The town's last words:\n{town.last_words()}")
    return good
