"""Say why a call can't be, before the answer and at nobody's cost, then refuse it."""

from __future__ import annotations

from collections.abc import Mapping

from media.engine import MediaRefused, MediaUnavailable
from media.speech import Speech
from pbx.calls.call import Call
from pbx.calls.happenings import Offered, Played, TimeUp
from sip.core.reason import Reason

LONGEST_SECONDS = 20.0
NOT_BUILT = {
    "fr": "Ce service n'est pas encore disponible.",
    "en": "This service is not available yet.",
}
NOT_IMPLEMENTED = Reason("Q.850", 79, "Service or option not implemented")


async def announce(
    call: Call, text: Mapping[str, str], *, status: int, cause: str, reason: Reason | None = None
) -> None:
    """Speak `text` (by language) in early media, in the caller's language, then end with `status`.

    A caller whose media we can't speak to is refused at once, with the same status.
    """
    call.cause = cause
    language = call.language_of(text)
    if call.offer and text.get(language) and call.caller.hears_early:
        await _speak(call, text[language], language)
    call.caller.refuse(status, cause, reason=reason)


async def _speak(call: Call, text: str, language: str) -> None:
    caller, engine = call.caller, call.engine
    try:
        answer = await engine.publish(
            call.id, caller.name, call.offer, nat=caller.behind_nat, advertise=caller.media_address
        )
        caller.ring(183, answer)
        await engine.play(call.id, caller.name, Speech(text, language))
    except (MediaRefused, MediaUnavailable):
        return
    driver = call.exchange.driver
    deadline = driver.now + LONGEST_SECONDS
    while True:
        match await call.next_happening(deadline - driver.now):
            case Played() | TimeUp():
                return
            case Offered(_, body):
                await _change(call, body)
            case _:
                pass


async def _change(call: Call, body: bytes) -> None:
    """The caller changes its media while it listens, by UPDATE or PRACK (RFC 3311, RFC 3262 section 5)."""
    caller, engine = call.caller, call.engine
    try:
        answer = await engine.publish(
            call.id, caller.name, body, nat=caller.behind_nat, advertise=caller.media_address
        )
    except MediaRefused as refused:
        caller.refuse_offer(refused.status)
    else:
        caller.accept_offer(answer)
