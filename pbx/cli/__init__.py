"""The command `beffroi`."""

from __future__ import annotations

import io
import sys
from pathlib import Path


def main() -> None:
    """Run the command line."""
    match sys.argv[1:]:
        case ["serve", "-c" | "--configuration", name] if Path(name).is_file():
            # A node alone: its processes would carry for ever what reads commands (13 MB), and each start
            # would wait a tenth of a second for it.
            from pbx.supervisor import serve

            sys.exit(serve(Path(name)))
    import pbx.cli.commands  # noqa: F401
    from pbx.cli.application import application

    # Where a terminal has no é, or a file's name isn't text, escapes are shown: no command ends for that.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    application()
