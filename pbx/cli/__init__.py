"""The command `beffroi`."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from pbx.cli.application import application

    application()
