"""Structured logs: one event a line, `key=value` fields, on standard error."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbx.configuration import Log


def start_logging(settings: Log, process: str) -> None:
    """Send this process's log to standard error. Raw SIP is written only where the configuration asks."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter(f"%(asctime)s %(levelname)s {process} %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    logging.getLogger("sip.trace").setLevel(logging.DEBUG if settings.sip_trace else logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.captureWarnings(True)
