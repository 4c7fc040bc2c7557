"""How long the SIP messages of calls are kept: `messages:` of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dialplan.document import Node
from pbx.settings.values import section_of


@dataclass(frozen=True, slots=True)
class Messages:
    """How long the SIP messages of calls are kept, and in how much room; 0 of either keeps none."""

    keep_days: int = 7
    most_mb: int = 1000

    @property
    def are_kept(self) -> bool:
        """Whether any are."""
        return bool(self.keep_days and self.most_mb)


def read_messages(keys: Mapping[str, Node]) -> Messages:
    """Return what `messages:` says."""
    section = section_of(keys, "messages", ("keep_days", "most_mb"))
    usual = Messages()
    return Messages(
        keep_days=section["keep_days"].integer(0, 366) if "keep_days" in section else usual.keep_days,
        most_mb=section["most_mb"].integer(0, 1_000_000) if "most_mb" in section else usual.most_mb,
    )
