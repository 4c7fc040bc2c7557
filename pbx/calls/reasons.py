"""Why nobody took a call, in a person's words: to be said, and shorter for a telephone's display."""

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
_SHOWN = {
    "busy": {"fr": "occupé", "en": "busy"},
    "declined": {"fr": "refusé", "en": "declined"},
    "no answer": {"fr": "sans réponse", "en": "no answer"},
    "": {"fr": "non joint", "en": "not reached"},
}


def said(cause: str) -> Mapping[str, str]:
    """The sentence to say, by language. cause: as in the call record."""
    return _SAID.get(cause, _SAID[""])


def shown(cause: str) -> Mapping[str, str]:
    """A word or two for a display, by language."""
    return _SHOWN.get(cause, _SHOWN[""])
