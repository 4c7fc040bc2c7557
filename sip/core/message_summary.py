"""The `message-summary` event package's documents: what waits in a mailbox (RFC 3842)."""

from __future__ import annotations

from dataclasses import dataclass

PACKAGE = "message-summary"
CONTENT_TYPE = "application/simple-message-summary"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """How many voice messages wait: new and old ones, and how many of each are urgent."""

    new: int = 0
    old: int = 0
    urgent_new: int = 0
    urgent_old: int = 0


def summary(account: str, mailbox: Mailbox) -> bytes:
    """The document that tells of a mailbox; account: its URI (RFC 3842 section 5.2)."""
    waiting = "yes" if mailbox.new else "no"
    return (
        f"Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\n"
        f"Voice-Message: {mailbox.new}/{mailbox.old} ({mailbox.urgent_new}/{mailbox.urgent_old})\r\n"
    ).encode()
