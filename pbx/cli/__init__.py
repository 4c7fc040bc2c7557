"""The command `beffroi`."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command line."""
    from pbx.cli.application import application

    # Where a terminal has no é, or a file's name isn't text, escapes are shown: no command ends for that.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    application()
