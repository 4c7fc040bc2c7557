"""Early dialogs: the forks of one INVITE of ours that ring (RFC 3261 sections 12.1.2 and 13.2.2.4).

Each has its own tag, route set, CSeq numbers, description and count of reliable provisional responses. One of
them answers first and becomes the session's dialog; the others are forgotten, and a 2xx of theirs is hung up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip.core.message import Response
from sip.core.offer_answer import OfferAnswer

if TYPE_CHECKING:
    from sip.core.dialog import Dialog


class EarlyDialog:
    """One fork. number: the RSeq that came last, 0 before any (RFC 3262 section 4).

    unanswered: the RAck line and the offer of a reliable provisional response that waits for our answer.
    """

    __slots__ = ("allow", "dialog", "exchange", "local_sdp", "number", "remote_sdp", "unanswered")

    def __init__(self, dialog: Dialog, response: Response, offer: bytes) -> None:
        """dialog: a copy of the INVITE's, to be confirmed here. Raises ParseError where it can't be."""
        dialog.confirm(response)
        self.dialog = dialog
        self.exchange = OfferAnswer()
        if offer:
            self.exchange.local_offer()
        self.allow: list[str] = response.headers.get("allow", [])
        self.local_sdp = b""
        self.remote_sdp = b""
        self.number = 0
        self.unanswered: tuple[str, bytes] | None = None
