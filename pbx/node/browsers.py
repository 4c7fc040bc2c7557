"""Whether browsers can speak with this node: their port, its process, and who can reach it from outside."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from dialplan.finding import Finding
from pbx.configuration import Configuration
from pbx.media_addresses import browsers_port
from pbx.nat import is_private
from pbx.node.processes import running_processes


def browsers_state(settings: Configuration) -> str:
    """Say where browsers' sound comes, on one line."""
    ports = browsers_port(settings)
    if not ports:
        return "none: `media.rtc` is empty, or there are no pages"
    return f"UDP {', '.join(str(listen) for listen in ports)}"


def browsers_findings(settings: Configuration, *, running: bool) -> Iterator[Finding]:
    """Yield what is to be mended. running: whether a node of ours runs."""
    ports, file = browsers_port(settings), str(settings.path)
    if not ports:
        return
    if running and all(process["role"] != "rtc" for process in running_processes(settings.data_dir)):
        message = f"the node that runs serves no browsers: {ports[0]} was taken when it started"
        hint = "free the port or choose another one in `media.rtc`, and restart the node; its log says more"
        yield Finding("no_browsers", "error", file, 0, 0, message, hint)
    told = next((listen for listen in ports if is_private(listen.host)), None)
    host = urlsplit(settings.web.public_url).hostname or ""
    if told is None or not host or is_private(host) or settings.external_address is not None:
        return
    if settings.turn is not None:
        return  # a relay is in reach of both
    message = f"browsers at home are told {told}, which they can't reach"
    hint = f"set `external_address:` and forward UDP port {told.port}, or name a relay in `turn:`"
    yield Finding("browsers_behind_nat", "warning", file, 0, 0, message, hint)
