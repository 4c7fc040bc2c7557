"""Why nobody took a call, in a person's words: to be said, and shorter for a telephone's display.

Who is busy or declines is told by a tone: every telephone has one, and a voice says no more than it.
"""

from __future__ import annotations

from collections.abc import Mapping

_SAID = {
    "busy": {
        "fr": "Votre correspondant est occupé.",
        "en": "The person you called is busy.",
    },
    "declined": {
        "fr": "Votre correspondant ne peut pas répondre.",
        "en": "The person you called cannot answer.",
    },
    "no answer": {
        "fr": "Votre correspondant ne répond pas.",
        "en": "The person you called does not answer.",
    },
    "no trunk": {
        "fr": "Aucune ligne extérieure n'est disponible.",
        "en": "No outside line is available.",
    },
    "": {
        "fr": "Votre correspondant n'est pas joignable.",
        "en": "The person you called cannot be reached.",
    },
}
_NOT_IN_SERVICE = {
    "fr": "Le numéro que vous avez composé n'est pas attribué.",
    "en": "The number you have dialled is not in service.",
}
_CHANGED = {
    "fr": "Le numéro que vous avez composé n'est plus en service.",
    "en": "The number you have dialled is no longer in service.",
}
_INCOMPLETE = {
    "fr": "Le numéro que vous avez composé est incomplet.",
    "en": "The number you have dialled is not complete.",
}
_OUTSIDE_BY_CAUSE = {1: _NOT_IN_SERVICE, 22: _CHANGED, 28: _INCOMPLETE}
_OUTSIDE = {404: _NOT_IN_SERVICE, 410: _CHANGED, 484: _INCOMPLETE, 604: _NOT_IN_SERVICE}
_SHOWN = {
    "busy": {"fr": "occupé", "en": "busy"},
    "declined": {"fr": "refusé", "en": "declined"},
    "no answer": {"fr": "sans réponse", "en": "no answer"},
    "": {"fr": "non joint", "en": "not reached"},
}


def said(cause: str) -> Mapping[str, str]:
    """The sentence to say, by language. cause: as in the call record."""
    return _SAID.get(cause, _SAID[""])


def said_outside(status: int, q850_cause: int) -> Mapping[str, str]:
    """The sentence for an operator's refusal; empty where a tone says enough. q850_cause: 0 for none, of its
    Reason header (RFC 3326), which says more than the status."""
    return _OUTSIDE_BY_CAUSE.get(q850_cause) or _OUTSIDE.get(status, {})


def shown(cause: str) -> Mapping[str, str]:
    """A word or two for a display, by language."""
    return _SHOWN.get(cause, _SHOWN[""])
