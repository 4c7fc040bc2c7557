"""What queues and agents have done: the same figures live, and from the call records.

Of a queue: how many came (offered), and what became of them: answered by an agent, abandoned (they hung up),
sent on (full, nobody there, too long), or to be called back. waited_seconds: of all of them, from the answer
of the queue to that moment; talked_seconds: of the conversations with agents. Of an agent of a queue: how
often its telephones rang (offered), how often it answered, and how long it talked.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import Struct


class AgentFigures(Struct):
    """Of one agent of one queue."""

    offered: int = 0
    answered: int = 0
    talked_seconds: float = 0.0


class QueueFigures(Struct):
    """Of one queue."""

    offered: int = 0
    answered: int = 0
    abandoned: int = 0
    sent_on: int = 0
    to_call_back: int = 0
    waited_seconds: float = 0.0
    talked_seconds: float = 0.0
    agents: dict[str, AgentFigures] = {}


@dataclass(slots=True)
class Figures:
    """Of all queues, by name."""

    queues: dict[str, QueueFigures] = field(default_factory=dict)

    def of(self, queue: str) -> QueueFigures:
        """Those of one queue, to be counted in."""
        return self.queues.setdefault(queue, QueueFigures(agents={}))

    def agent(self, queue: str, extension: str) -> AgentFigures:
        """Those of one agent of a queue, to be counted in."""
        return self.of(queue).agents.setdefault(extension, AgentFigures())

    def visit(self, queue: str, outcome: str, waited_seconds: float) -> None:
        """Somebody has left a queue. outcome: the field that counts it."""
        figures = self.of(queue)
        figures.offered += 1
        setattr(figures, outcome, getattr(figures, outcome) + 1)
        figures.waited_seconds += waited_seconds

    def attempt(self, queue: str, extension: str, talked_seconds: float | None) -> None:
        """An agent's telephones rang for a queue; None: it didn't answer."""
        figures = self.agent(queue, extension)
        figures.offered += 1
        if talked_seconds is not None:
            figures.answered += 1
            figures.talked_seconds += talked_seconds
            self.of(queue).talked_seconds += talked_seconds

    def conversation(self, queue: str, extension: str, talked_seconds: float) -> None:
        """An agent and a caller who was called back have talked."""
        self.agent(queue, extension).talked_seconds += talked_seconds
        self.of(queue).talked_seconds += talked_seconds
