"""What a trunk's refusal means for the call: another server, another trunk, the end (docs/users/trunks.md).

The called person's own answer is one everywhere: another operator would only ring them again. What says that
this operator can't carry the call says nothing of the next one.
"""

from __future__ import annotations

from enum import Enum

from sip.core.reason import Reason


class Step(Enum):
    """How a call goes on after a refusal."""

    NEXT_SERVER = "the operator's next server"
    NEXT_TRUNK = "the next trunk"
    SIMPLER_OFFER = "the same once more with a simpler offer"
    END = "the caller is told"


# RFC 3263 section 4.3 for 408 and 503; RFC 3261 section 16.7 step 6: a 503 is never forwarded. 401 and 407
# come here when our credentials were refused.
STEPS = {
    401: Step.NEXT_TRUNK,
    403: Step.NEXT_TRUNK,
    407: Step.NEXT_TRUNK,
    408: Step.NEXT_SERVER,
    415: Step.SIMPLER_OFFER,
    480: Step.NEXT_TRUNK,
    488: Step.SIMPLER_OFFER,
    500: Step.NEXT_TRUNK,
    502: Step.NEXT_TRUNK,
    503: Step.NEXT_SERVER,
    504: Step.NEXT_TRUNK,
    505: Step.NEXT_TRUNK,
}

# Q.850 causes of a Reason header (RFC 3326, RFC 6432) say more than the status that carries them.
OF_THE_CALLEE = frozenset({1, 17, 18, 19, 20, 21, 22, 28})
OF_THE_NETWORK = frozenset({3, 27, 34, 38, 41, 42, 43, 44, 46, 47, 58, 63})
_ANSWERS = frozenset({486, 600, 603, 604, 606})


def step_after(status: int, reason: Reason) -> Step:
    """How a call goes on after a final response, or after none (408, or 503 for a transport error)."""
    usual = STEPS.get(status, Step.END)
    if reason.protocol == "Q.850" and status not in _ANSWERS:
        if reason.cause in OF_THE_CALLEE:
            return Step.END
        if reason.cause in OF_THE_NETWORK and usual is Step.END:
            return Step.NEXT_TRUNK
    return usual


def told_to_caller(status: int) -> int:
    """The status that a caller gets where the operator's answer is passed on.

    A redirection is for us, and we don't follow it; what a server says of itself isn't the caller's business.
    """
    if status in {486, 600}:
        return 486
    if (404 <= status < 500 and status not in {407, 408}) or status >= 600:
        return status
    return 480
