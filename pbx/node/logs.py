"""Structured logs: one event a line, `key=value` fields, on standard error.

As text, as a JSON object a line, or to a log server (pbx.node.syslog): then errors are on standard error too.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pbx.node.syslog import SyslogFormatter, SyslogHandler, fields_of, open_wire

if TYPE_CHECKING:
    from pbx.settings.log import Log


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


class JsonFormatter(logging.Formatter):
    """Makes a record a JSON object on one line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. `fields` are those of the message; `trace`: where something went wrong."""
        message = record.getMessage()
        told: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "pid": record.process,
            "logger": record.name,
            "message": message,
            "fields": fields_of(message),
        }
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def start_logging(settings: Log, process: str) -> None:
    """Send this process's log where it is to go. Raw SIP is written only where the configuration asks."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(process)
        if settings.format == "json"
        else logging.Formatter(
            f"%(asctime)s %(levelname)s {process} %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"
        )
    )
    handler.addFilter(Bounded())
    handlers: list[logging.Handler] = [handler]
    if settings.format == "syslog":
        handler.setLevel(logging.ERROR)
        handlers.append(_to_server(settings, process))
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(settings.level.upper())
    logging.getLogger("sip.trace").setLevel(logging.DEBUG if settings.sip_trace else logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.captureWarnings(True)


def _to_server(settings: Log, process: str) -> logging.Handler:
    transport, address = settings.syslog_transport, settings.syslog_address
    now = time.monotonic  # noqa: TID251 (logs are written before and without any loop)
    handler = SyslogHandler(transport, lambda: open_wire(transport, address), now)
    handler.setFormatter(SyslogFormatter(process, socket.gethostname(), os.getpid()))
    handler.addFilter(Bounded())
    return handler
