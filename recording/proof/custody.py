"""Who did what with a recording, as a page that anybody can read: made of the journal's entries alone.

The package has the page as a file; whoever verifies it makes it again and compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from recording.proof.journal import Entry

_TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "begun": ("recording began", "début de l'enregistrement"),
    "ended": ("recording ended", "fin de l'enregistrement"),
    "repaired": (
        "the recorder had stopped; the file was closed",
        "arrêt de l'enregistreur ; fichier refermé",
    ),
    "damaged": ("the file was found damaged", "fichier trouvé endommagé"),
    "missing": ("the file was found missing", "fichier trouvé absent"),
    "shown": ("its facts were looked at", "consultation de la fiche"),
    "reported": ("its journal was looked at", "consultation du journal"),
    "verified": ("verified against the journal", "vérification d'intégrité"),
    "listened": ("listened to", "écoute"),
    "refused": ("a request was refused", "demande refusée"),
    "export asked": ("an export was asked for", "demande d'export"),
    "export approved": ("the export was approved", "accord donné à l'export"),
    "exported": ("opened for export", "ouverture pour export"),
    "packaged": (
        "a package was made; the last one is this",
        "constitution d'un paquet ; le dernier est celui-ci",
    ),
    "held": ("held: may not be erased", "conservation forcée"),
    "released": ("no longer held", "fin de conservation forcée"),
    "stamped": ("the journal was time-stamped by an authority", "horodatage du journal par une autorité"),
}
_TOLD: Final = ("why", "account", "over", "cause", "refusal", "authority", "format", "until")


def page(recording: str, entries: Iterable[Entry]) -> str:
    """Return the page about a recording, in French and English. Times are UTC."""
    lines = [
        f"Registre de {recording} / Custody log of {recording}",
        "Qui a fait quoi, et pourquoi ; heures UTC. / Who did what, and why; times are UTC.",
        "",
    ]
    for entry in entries:
        english, french = _TEXTS.get(entry.what, (entry.what, entry.what))
        lines.append(f"{shown(entry.at)}  n° {entry.number}  {_printable(entry.by)}  {french} / {english}")
        lines += [f"    {name}: {_told(entry.about[name])}" for name in _TOLD if entry.about.get(name)]
    return "\n".join(lines) + "\n"


def shown(at: float) -> str:
    """Return Unix seconds in UTC to the second (RFC 3339), "?" for what is no time."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return "?"


def _told(value: object) -> str:
    if isinstance(value, float) and value > 1e9:
        return shown(value)
    return _printable(str(value))


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
