"""The account of recordings as a document for a data protection officer, in French or English.

Plain text that can be printed, filed and read in years: what is kept and why, who had to do with it, what is
gone, and how to check all that. A pure function of what the archive tells (`Accounted`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from recording.archive.requests import Accounted, HoldMade, PolicyAccount, Said, Tombstone

Language: TypeAlias = Literal["fr", "en"]
MOST_LISTED: Final = 200  # of each kind; the journal has them all
_WIDTH: Final = 26  # of what stands before a colon
_DOUBTS: Final = tuple(
    (re.compile(english), french)
    for english, french in (
        ("the clock is not synchronised", "l'horloge n'est pas synchronisée"),
        (r"the clock went back by ([0-9]+) s", "l'horloge a reculé de {} s"),
        (r"the machine was off for ([0-9]+) days", "la machine a été arrêtée pendant {} jours"),
        (r"the clock was set by ([+-][0-9]+) s", "l'horloge a été réglée de {} s"),
        ("nobody has looked at the clock yet", "personne n'a encore regardé l'horloge"),
    )
)
"""What a doubt of the clock (recording.retention.doubt) is in French."""

_FRENCH: Final[Mapping[str, str]] = {
    "title": "Compte rendu des enregistrements de conversations",
    "period": "période",
    "made": "établi le",
    "node": "clé publique du serveur",
    "journal": "journal",
    "entries": "{count} écritures, empreinte {head}",
    "kept": "Ce qui est conservé, et pourquoi",
    "nothing": "Rien.",
    "basis": "base légale",
    "register": "registre des traitements",
    "days": "durée de conservation",
    "days of": "{days} jours",
    "gone": "la politique n'est plus dans le plan : rien n'est effacé, quelqu'un doit décider",
    "least": "effacement sur demande",
    "least of": "possible après {days} jours",
    "who": "peuvent écouter",
    "nobody": "personne",
    "export": "export",
    "two_persons": "par deux personnes",
    "one_person": "par une personne",
    "never": "jamais",
    "count": "enregistrements conservés",
    "count of": "{count} ({size}), {held} sous conservation forcée",
    "oldest": "le plus ancien",
    "next": "prochain effacement",
    "in period": "dans la période",
    "in period of": "faits : {begun} ; effacés : {purged} ({size})",
    "used": "Qui a cherché, écouté ou exporté, et pour quel motif",
    "refused": "Ce qui a été refusé",
    "holds": "Conservations forcées en cours",
    "hold": "jusqu'au {until}, par {by} : {why}",
    "stones": "Ce qui a été effacé",
    "stone": "{policy} : {count} ({size}), du {first} au {last}, {cause}",
    "due": "à l'échéance",
    "early": "avant l'échéance, sur décision",
    "room": "faute de place sur le disque",
    "erasure": "à la demande de la personne concernée",
    "stone of": "conservé du {first} au {last}, {cause}, par {by} : {why}",
    "requests": "Demandes de personnes concernées",
    "request": "effacés : {erased} ; conservés : {stay} ; appels effacés : {calls_erased} sur {calls_found}",
    "events": "Changements et incidents",
    "clock": "Horloge",
    "clock well": "L'horloge est sûre : les effacements ont lieu à la minute.",
    "clock not": "En ce moment rien n'est effacé : {why}.",
    "check": "Pour vérifier",
    "check how": "Chaque ligne de ce compte rendu est une écriture signée et chaînée du journal.\n"
    "`beffroi recording verify` vérifie les fichiers et le journal ; l'empreinte ci-dessus est celle de la\n"
    "dernière écriture : un journal raccourci ou réécrit depuis ne la contient plus.\n"
    "Aucun numéro de téléphone d'usager ne figure dans le journal ni dans ce compte rendu.",
    "searched": "a cherché",
    "shown": "a consulté la fiche",
    "listened": "a écouté",
    "verified": "a vérifié l'intégrité",
    "exported": "a exporté",
    "reported": "a établi un compte rendu",
    "export asked": "a demandé un export",
    "export approved": "a approuvé un export",
    "packaged": "a reçu le dossier d'export",
    "number": "numéro",
    "line": "ligne",
    "user": "agent",
    "call": "appel",
    "since": "depuis",
    "until": "jusqu'à",
    "shortest_seconds": "au moins (s)",
    "longest_seconds": "au plus (s)",
    "after": "page suivante",
    "Search": "chercher",
    "Show": "consulter",
    "Custody": "consulter le journal",
    "Verify": "vérifier l'intégrité",
    "ListExports": "voir les demandes d'export",
    "Open": "ouvrir",
    "Last": "écouter le dernier",
    "Hold": "conserver",
    "Release": "ne plus conserver",
    "Purge": "effacer",
    "AskExport": "demander un export",
    "ApproveExport": "approuver un export",
    "Account": "établir un compte rendu",
    "FindNumber": "rechercher un numéro",
    "EraseNumber": "effacer un numéro",
    "VouchForClock": "déclarer l'horloge juste",
    "about": "a recherché ce qui concerne un numéro",
    "was refused": "refusé",
    "held": "conservation forcée jusqu'au {until}",
    "released": "fin de conservation forcée",
    "policy": "politique {policy} : {days}, {basis}",
    "policy gone": "politique {policy} retirée du plan",
    "vouched": "horloge déclarée juste",
    "doubted": "horloge mise en doute : {doubt}",
    "trusted": "horloge de nouveau sûre",
    "repaired": "enregistrement interrompu, réparé jusqu'à son dernier segment entier",
    "damaged": "fichier endommagé : {damage}",
    "missing": "fichier absent",
    "more": "… et {count} autres, dans le journal",
    "refused: reason": "sans motif qui convienne",
    "refused: right": "sans y avoir droit",
    "refused: export": "export sans l'accord qu'il faut, ou exclu par le plan",
    "refused: held": "sous conservation forcée",
    "refused: must stay": "avant la durée minimale",
    "refused: goes on": "enregistrement en cours",
    "refused: clock": "l'horloge était mise en doute",
    "refused: unknown": "il n'existe pas, ou plus",
    "numbers told": "numéros rendus à la liste, lus dans les fichiers",
    "to": "au",
}
_ENGLISH: Final[Mapping[str, str]] = {
    "title": "Account of recorded conversations",
    "period": "period",
    "made": "made",
    "node": "the server's public key",
    "journal": "journal",
    "entries": "{count} entries, hash {head}",
    "kept": "What is kept, and why",
    "nothing": "Nothing.",
    "basis": "legal basis",
    "register": "register of processing",
    "days": "kept for",
    "days of": "{days} days",
    "gone": "the plan has this policy no more: nothing is erased, somebody must decide",
    "least": "erased on request",
    "least of": "after {days} days",
    "who": "may listen",
    "nobody": "nobody",
    "export": "export",
    "two_persons": "by two persons",
    "one_person": "by one person",
    "never": "never",
    "count": "recordings kept",
    "count of": "{count} ({size}), {held} under a hold",
    "oldest": "the oldest",
    "next": "next to be erased",
    "in period": "in the period",
    "in period of": "{begun} made, {purged} erased ({size})",
    "used": "Who searched, listened or exported, and why",
    "refused": "What was refused",
    "holds": "Holds that last",
    "hold": "until {until}, by {by}: {why}",
    "stones": "What was erased",
    "stone": "{policy}: {count} ({size}), from {first} to {last}, {cause}",
    "due": "when its time was over",
    "early": "before its time, by decision",
    "room": "for want of room on the disk",
    "erasure": "at the request of the person concerned",
    "stone of": "kept from {first} to {last}, {cause}, by {by}: {why}",
    "requests": "Requests of persons concerned",
    "request": "{erased} erased, {stay} kept; calls: {calls_erased} of {calls_found} erased",
    "events": "Changes and incidents",
    "clock": "Clock",
    "clock well": "The clock is trusted: what is due is erased to the minute.",
    "clock not": "At present nothing is erased: {why}.",
    "check": "To check this",
    "check how": "Each line of this account is a signed and chained entry of the journal.\n"
    "`beffroi recording verify` checks the files and the journal; the hash above is that of its last entry:\n"
    "a journal that was cut or written anew since then doesn't have it any more.\n"
    "No telephone number of a citizen is in the journal, or in this account.",
    "searched": "searched",
    "shown": "looked at what is known",
    "listened": "listened",
    "verified": "verified that it is whole",
    "exported": "exported",
    "reported": "made an account",
    "export asked": "asked for an export",
    "export approved": "approved an export",
    "packaged": "was given the package of an export",
    "Search": "search",
    "Show": "look",
    "Custody": "look at the journal",
    "Verify": "verify",
    "ListExports": "see requests to export",
    "Open": "open",
    "Last": "hear the last",
    "Hold": "hold",
    "Release": "end a hold",
    "Purge": "purge",
    "AskExport": "ask for an export",
    "ApproveExport": "approve an export",
    "Account": "have an account",
    "FindNumber": "look for a number",
    "EraseNumber": "erase a number",
    "VouchForClock": "vouch for the clock",
    "about": "looked for what is kept about a number",
    "was refused": "refused",
    "held": "held until {until}",
    "released": "hold ended",
    "policy": "policy {policy}: {days}, {basis}",
    "policy gone": "policy {policy} left the plan",
    "vouched": "the clock was vouched for",
    "doubted": "the clock was doubted: {doubt}",
    "trusted": "the clock is trusted again",
    "repaired": "a recording was interrupted, and repaired to its last whole segment",
    "damaged": "a file is damaged: {damage}",
    "missing": "a file isn't there",
    "more": "… and {count} more, in the journal",
    "refused: reason": "without a reason that will do",
    "refused: right": "without the right to it",
    "refused: export": "export without the agreement that it takes, or excluded by the plan",
    "refused: held": "under a hold",
    "refused: must stay": "before the least time",
    "refused: goes on": "the recording went on",
    "refused: clock": "the clock was in doubt",
    "refused: unknown": "it doesn't exist, or no more",
    "numbers told": "numbers were read from the files into the list again",
    "to": "to",
}
_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {"fr": _FRENCH, "en": _ENGLISH}
_UNITS: Final[Mapping[Language, Sequence[str]]] = {
    "fr": ("o", "ko", "Mo", "Go", "To"),
    "en": ("B", "kB", "MB", "GB", "TB"),
}


def written(account: Accounted, language: Language, zone: tzinfo = UTC) -> str:
    """Return the document: lines of text. zone: of the times in it."""
    page = _Page(language, zone)
    words = page.words
    parts = [
        page.title(account),
        page.section("kept", [line for one in account.policies for line in page.policy(one)]),
        page.section("used", page.listed(page.use(one) for one in account.used if one.what != "refused")),
        page.section(
            "refused", page.listed(page.refusal(one) for one in account.used if one.what == "refused")
        ),
        page.section("holds", page.listed(page.hold(one) for one in account.holds)),
        page.section("stones", page.stones(account.tombstones)),
        page.section(
            "requests", page.listed(page.request(one) for one in account.events if one.what == "erasure")
        ),
        page.section(
            "events", page.listed(page.event(one) for one in account.events if one.what != "erasure")
        ),
        page.section(
            "clock",
            [
                words["clock not"].format(why=page.doubt(account.clock))
                if account.clock
                else words["clock well"]
            ],
        ),
        page.section("check", words["check how"].split("\n")),
    ]
    return "\n\n".join(parts) + "\n"


class _Page(NamedTuple):
    """How things are said in one language and time zone."""

    language: Language
    zone: tzinfo

    @property
    def words(self) -> Mapping[str, str]:
        return _WORDS[self.language]

    def title(self, account: Accounted) -> str:
        words = self.words
        journal = words["entries"].format(count=account.entries, head=account.head)
        period = f"{self.time(account.since)} {words['to']} {self.time(account.until)} ({self.zone})"
        lines = [
            words["title"],
            "=" * len(words["title"]),
            self.row("period", period),
            self.row("made", self.time(account.made)),
            self.row("journal", journal),
            self.row("node", account.node),
        ]
        return "\n".join(lines)

    def section(self, name: str, lines: Sequence[str]) -> str:
        heading = self.words[name]
        return "\n".join([heading, "-" * len(heading), *(lines or [self.words["nothing"]])])

    def listed(self, lines: Iterable[str]) -> list[str]:
        """The newest of these, which come in order of time, and how many more there are."""
        all_of_them = list(lines)
        left_out = len(all_of_them) - MOST_LISTED
        if left_out <= 0:
            return all_of_them
        return [self.words["more"].format(count=left_out), *all_of_them[-MOST_LISTED:]]

    def policy(self, one: PolicyAccount) -> list[str]:
        words, policy = self.words, one.policy
        kept = words["gone"] if policy.keep_days is None else words["days of"].format(days=policy.keep_days)
        size, gone = self.size(one.kept_bytes), self.size(one.purged_bytes)
        rows = [
            policy.name,
            self.row("basis", policy.legal_basis),
            self.row("register", policy.register),
            self.row("days", kept),
            self.row("least", words["least of"].format(days=policy.least_days) if policy.least_days else ""),
            self.row("who", ", ".join(policy.listeners) or words["nobody"]),
            self.row("export", words[policy.export]),
            self.row("count", words["count of"].format(count=one.kept, size=size, held=one.held)),
            self.row("oldest", self.time(one.oldest) if one.oldest is not None else ""),
            self.row("next", self.time(one.next_purge) if one.next_purge is not None else ""),
            self.row(
                "in period", words["in period of"].format(begun=one.begun, purged=one.purged, size=gone)
            ),
        ]
        return [row for row in rows if not row.endswith(": ")]

    def use(self, one: Said) -> str:
        about = one.about
        asked = about.get("asked")
        what = self.word(one.what)
        if isinstance(asked, dict):
            said = [self.filter(name, value) for name, value in asked.items() if name != "limit"]
            what = " ".join([what, *([self.word("number")] if "mark" in about else []), *said])
        return self.line(one, f"{what}{self.named(one)}{self.because(about.get('why', ''))}")

    def refusal(self, one: Said) -> str:
        about = one.about
        what = f"{self.words['was refused']} ({self.word(str(about.get('asked', '')))}){self.named(one)}"
        why = f" [{about['why']}]" if about.get("why") else ""
        refusal = self.words.get(f"refused: {about.get('kind', '')}", about.get("refusal", ""))
        return self.line(one, f"{what}{self.because(refusal)}{why}")

    def hold(self, one: HoldMade) -> str:
        said = self.words["hold"].format(until=self.time(one.until), by=one.by, why=one.why)
        return f"{self.time(one.made)}  {one.recording}, {said}"

    def stones(self, stones: Sequence[Tombstone]) -> list[str]:
        """Those whose time was over by policy, since they may be many; the others one by one."""
        words = self.words
        lines = []
        due = [stone for stone in stones if stone.cause == "due"]
        for policy in sorted({stone.policy for stone in due}):
            some = [stone for stone in due if stone.policy == policy]
            lines.append(
                words["stone"].format(
                    policy=policy,
                    count=len(some),
                    size=self.size(sum(stone.bytes for stone in some)),
                    first=self.time(min(stone.at for stone in some)),
                    last=self.time(max(stone.at for stone in some)),
                    cause=words["due"],
                )
            )
        return lines + self.listed(self.stone(stone) for stone in stones if stone.cause != "due")

    def stone(self, one: Tombstone) -> str:
        said = self.words["stone of"].format(
            first=self.time(one.kept_from),
            last=self.time(one.kept_to),
            cause=self.words.get(one.cause, one.cause),
            by=one.by,
            why=one.why,
        )
        return f"{self.time(one.at)}  {one.recording}, {one.policy}, {said}"

    def request(self, one: Said) -> str:
        names = ("erased", "stay", "calls_found", "calls_erased")
        counts = {name: one.about.get(name, 0) for name in names}
        said = self.words["request"].format(**counts)
        return self.line(one, f"{said}{self.because(one.about.get('why', ''))}")

    def event(self, one: Said) -> str:
        words, about = self.words, one.about
        match one.what:
            case "policy" if about.get("keep_days") is None:
                said = words["policy gone"].format(policy=about.get("policy"))
            case "policy":
                days = words["days of"].format(days=about["keep_days"])
                said = words["policy"].format(
                    policy=about.get("policy"), days=days, basis=about.get("legal_basis")
                )
            case "held":
                said = words["held"].format(until=self.time(about.get("until", 0.0)))
            case "clock":
                doubt = about.get("doubt", "")
                said = words["doubted"].format(doubt=self.doubt(doubt)) if doubt else words["trusted"]
            case "damaged":
                said = words["damaged"].format(damage=about.get("damage", ""))
            case _:
                said = self.word(one.what)
        return self.line(one, f"{said}{self.named(one)}{self.because(about.get('why', ''))}")

    def line(self, one: Said, said: str) -> str:
        account = one.about.get("account", "")
        by = f"{one.by} ({account})" if account and account != one.by else one.by
        return f"{self.time(one.at)}  {by}  {said}"

    def word(self, name: str) -> str:
        """What something is called; what has no word is called as in the journal."""
        return self.words.get(name, name)

    def filter(self, name: str, value: Any) -> str:
        """One thing that a search asked for."""
        if name in ("since", "until"):
            return f"{self.word(name)} {self.time(float(value))}"
        return f"{self.word(name)} {value}"

    def doubt(self, english: str) -> str:
        """Why the clock is doubted."""
        for pattern, french in _DOUBTS if self.language == "fr" else ():
            if found := pattern.fullmatch(english):
                return french.format(*found.groups())
        return english

    def because(self, why: str) -> str:
        colon = " : " if self.language == "fr" else ": "
        return f"{colon}{why}" if why else ""

    def named(self, one: Said) -> str:
        return f" {one.recording}" if one.recording else ""

    def row(self, name: str, said: Any) -> str:
        return f"  {self.words[name]:<{_WIDTH}}: {said}"

    def time(self, instant: float) -> str:
        """In the page's zone: `2026-11-22 10:30`."""
        try:
            return datetime.fromtimestamp(instant, self.zone).strftime("%Y-%m-%d %H:%M")
        except (OverflowError, ValueError, OSError):
            return "?"

    def size(self, count: int) -> str:
        units = _UNITS[self.language]
        size, unit = float(count), units[0]
        for unit in units:
            if size < 1000 or unit == units[-1]:
                break
            size /= 1000
        number = f"{size:.0f}" if unit == units[0] else f"{size:.1f}"
        return f"{number.replace('.', ',') if self.language == 'fr' else number} {unit}"
