"""The `dialog` event package's documents: which calls a telephone is in (RFC 4235)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sip.core.xml_text import xml_text

PACKAGE = "dialog"
CONTENT_TYPE = "application/dialog-info+xml"
NAMESPACE = "urn:ietf:params:xml:ns:dialog-info"

TRYING = "trying"
EARLY = "early"
CONFIRMED = "confirmed"
TERMINATED = "terminated"
NO_DIALOG = "none"  # the id of what is told where there is nothing


@dataclass(frozen=True, slots=True)
class WatchedDialog:
    """One dialog of the telephone that is watched, as it would tell of it itself (RFC 4235 section 4.1).

    id: unique among its dialogs. state: trying, early or confirmed. initiator: whether it called.
    remote, remote_name: who is at the other end, a URI; empty where it isn't to be told. call_id,
    local_tag (the telephone's) and remote_tag (ours): for a Replaces; empty where they aren't to be told.
    local_name: what is told beside the telephone's own URI (RFC 4235 section 4.1.6.1).
    """

    id: str
    state: str
    initiator: bool
    remote: str = ""
    remote_name: str = ""
    call_id: str = ""
    local_tag: str = ""
    remote_tag: str = ""
    local_name: str = ""


class DialogInfo:
    """The documents of one subscription: partial ones tell what changed since the one before.

    entity: the URI of what is watched.
    """

    __slots__ = ("_entity", "_told")

    def __init__(self, entity: str) -> None:
        self._entity = entity
        self._told: dict[str, WatchedDialog] = {}

    def document(self, dialogs: Iterable[WatchedDialog], version: int, *, full: bool) -> bytes:
        """The next document, for the dialogs that there are now (RFC 4235 section 4.3).

        version: 0 for the first one, then one more each time; it may jump before a full document (4.1.1).

        A dialog that was told of and isn't there any more is told as terminated.
        """
        now = {dialog.id: dialog for dialog in dialogs}
        elements = [
            _element(dialog, self._entity)
            for dialog in now.values()
            if full or self._told.get(dialog.id) != dialog
        ]
        elements += [
            _element(dialog, self._entity, TERMINATED)
            for dialog in self._told.values()
            if dialog.id not in now
        ]
        if full and not elements:
            # Yealink: in a whole document without any dialog a lamp that is lit stays so (OpenSIPS 1193).
            elements = [f'<dialog id="{NO_DIALOG}"><state>{TERMINATED}</state></dialog>\n']
        self._told = now
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<dialog-info xmlns="{NAMESPACE}" version="{version}" '
            f'state="{"full" if full else "partial"}" entity="{xml_text(self._entity)}">\n'
            f"{''.join(elements)}</dialog-info>\n"
        ).encode()


def _element(dialog: WatchedDialog, entity: str, state: str = "") -> str:
    names = {"call-id": dialog.call_id, "local-tag": dialog.local_tag, "remote-tag": dialog.remote_tag}
    attributes = "".join(f' {name}="{xml_text(value)}"' for name, value in names.items() if value)
    direction = "initiator" if dialog.initiator else "recipient"
    remote = ""
    if dialog.remote:
        display = f' display="{xml_text(dialog.remote_name)}"' if dialog.remote_name else ""
        uri = xml_text(dialog.remote)
        remote = f'<remote><identity{display}>{uri}</identity><target uri="{uri}"/></remote>\n'
    uri = xml_text(entity)
    shown = f' display="{xml_text(dialog.local_name)}"' if dialog.local_name else ""
    return (
        f'<dialog id="{xml_text(dialog.id)}"{attributes} direction="{direction}">\n'
        f"<state>{state or dialog.state}</state>\n"
        f'<local><identity{shown}>{uri}</identity><target uri="{uri}"/></local>\n{remote}</dialog>\n'
    )
