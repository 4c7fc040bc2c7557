"""Structured logs: one event a line, `key=value` fields, on standard error."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbx.configuration import Log


MOST_A_SECOND = 50
_MOST_KINDS = 1000


class Bounded(logging.Filter):
    """Lets at most MOST_A_SECOND notices of one kind through in a second: strangers cause most of them.

    The first of a later second tells how many were left out. Errors, and what was asked for by the level
    `debug` or by `sip_trace`, are all written.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[tuple[str, str], tuple[int, int]] = {}  # the second, and how many it had

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write the record."""
        if record.levelno <= logging.DEBUG or record.levelno >= logging.ERROR:
            return True
        kind, second = (record.name, record.msg), int(record.created)
        last_second, count = self._kinds.get(kind, (0, 0))
        if second == last_second:
            self._kinds[kind] = (second, count + 1)
            return count < MOST_A_SECOND
        if len(self._kinds) >= _MOST_KINDS:
            self._kinds.clear()
        self._kinds[kind] = (second, 1)
        if count > MOST_A_SECOND:
            record.msg = f"{record.msg} (and {count - MOST_A_SECOND} more like it before)"
        return True


def start_logging(settings: Log, process: str) -> None:
    """Send this process's log to standard error. Raw SIP is written only where the configuration asks."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter(f"%(asctime)s %(levelname)s {process} %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    )
    handler.addFilter(Bounded())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    logging.getLogger("sip.trace").setLevel(logging.DEBUG if settings.sip_trace else logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.captureWarnings(True)
