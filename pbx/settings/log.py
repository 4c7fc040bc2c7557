"""How much is said of what happens, and to whom: `log:` of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dialplan.document import Node
from pbx.settings.values import choice_of, parse_listen, parsed, section_of

LogFormat: TypeAlias = Literal["text", "json", "syslog"]

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]

LOG_FORMATS: dict[str, LogFormat] = {"text": "text", "json": "json", "syslog": "syslog"}

LOG_LEVELS: dict[str, LogLevel] = {
    "info": "info",
    "debug": "debug",
    "warning": "warning",
    "error": "error",
}


@dataclass(frozen=True, slots=True)
class Log:
    """How much is said, how, and to whom. sip_trace: raw SIP messages too, on the logger `sip.trace`.

    syslog: of `format: syslog`: `/dev/log`, or an address with `udp://` (that of none) or `tcp://` before it.
    """

    level: LogLevel = "info"
    sip_trace: bool = False
    format: LogFormat = "text"
    syslog: str = "/dev/log"

    @property
    def syslog_transport(self) -> Literal["udp", "tcp", "unix"]:
        """How the log server is reached."""
        if self.syslog.startswith("/"):
            return "unix"
        return "tcp" if self.syslog.startswith("tcp://") else "udp"

    @property
    def syslog_address(self) -> tuple[str, int] | str:
        """Where, for a socket."""
        if self.syslog.startswith("/"):
            return self.syslog
        listen = parse_listen(self.syslog.rpartition("/")[2])
        return listen.host, listen.port


def read_log(keys: Mapping[str, Node]) -> Log:
    """Return what `log:` says."""
    section = section_of(keys, "log", ("level", "sip_trace", "format", "syslog"))
    return Log(
        level=choice_of(section, "level", LOG_LEVELS),
        sip_trace=section["sip_trace"].boolean() if "sip_trace" in section else False,
        format=choice_of(section, "format", LOG_FORMATS),
        syslog=_syslog(section["syslog"]) if "syslog" in section else Log().syslog,
    )


def _syslog(node: Node) -> str:
    """The machine's own socket, or an address: a name would have to be looked up, and no line waits."""
    text = node.text()
    bare = text.removeprefix("udp://").removeprefix("tcp://")
    if not text.startswith("/") and not any(listen.port for listen in parsed(parse_listen, bare)):
        hint = "such as /dev/log, 192.0.2.1:514 or tcp://192.0.2.1:601"
        node.error("wrong_address", f'"{text[:60]}" is no log server', hint)
    return text
