"""What the machines share: the outbox that they append to, and the key under which the stack finds them."""

from sip.core.flow import Flow

Outbox = list[tuple[Flow, bytes]]
Key = tuple[str | int, ...]
