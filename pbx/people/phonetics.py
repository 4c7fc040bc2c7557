"""How a French name sounds, as a key: names that sound alike have the same one, however they are written.

`key("Dupond")`, `key("Dupont")` and `key("Dupon")` are all `DUP3`. The key is our own, made for surnames,
first names and the words of a town hall. It hears what a switchboard operator hears over the telephone, no
more: it is used after everything that is written as it was typed (pbx.people.search), so it may hear too much
alike.

A key is a string of sounds. Consonants are themselves: `C` is the sound of "ch", `J` that of "j" and "ge",
`K` of "c", "k" and "qu", `Y` the glide of "yeux", `NY` of "gn". Vowels are `A`, `E` (é, è, ai, and the mute e
that is written before a consonant), `I`, `O` (o, au, eau), `U`, `W` (ou), `2` (eu) and, nasal, `1` (an, en),
`3` (on), `5` (in, ain, un). Two equal sounds in a row are one.

A word is read once from left to right by the first of RULES that fits where the reader is:

- accents go first, but for a final é, which is heard where a final e isn't; ç is ss; apostrophes and hyphens
  are no letters;
- final letters that aren't heard come before everything: e, es, d, t, s, z, x after a u, p after m, c and g
  after n; "er", "ez", "et", "ai", "ay" at the end are an é; "aud", "ault", "ot", "eau", "aux" are an o;
- letters that names keep and nobody says: h, the b of Lefebvre, the s of Duchesne, Levesque, Descamps, the l
  of Gaultier, the g of Regnault, the p of Baptiste;
- n and m make the vowel before them nasal unless a vowel or another n or m follows: Martin, but
  Martine; a final m is said: Joachim;
- c and g are soft before e, i, y; s is z between vowels; "ill" is a glide, but in -ville, Gilles, Achille;
- i and y before a vowel are a glide, so that "Gauthier" and "Gotié" both end in `TYE`.

What it doesn't hear: names that are said otherwise than written and keep their own language's sounds (Sanchez
as in Spanish), and a final consonant that some families say and others don't.
"""

import re
import unicodedata
from functools import lru_cache

_VOWEL = "aeiouy"
_NASAL = rf"(?:n|m(?!$))(?![{_VOWEL}nmh])"

RULES: tuple[tuple[str, str], ...] = (
    # Final letters.
    (r"est$", "EST"),
    (r"(?<=.)es?$", ""),
    (r"(?<=.)(?:e[rztd]s?|[ae][yi][stxd]?)$", "E"),
    (r"e?au(?:l?[dtx])?s?$", "O"),
    (r"o(?:s?t|s|p)s?$", "O"),
    (r"(?<=.)[dtsz]+$", ""),
    (r"(?<=[mu])ps?$", ""),
    (r"(?<=u)x$", ""),
    (r"(?<=[ao]i)x$", ""),
    (r"(?<=n)[cg]s?$", ""),
    (r"(?<=r)gs?$", ""),
    (r"(?<=ler)cs?$", ""),
    (r"(?<=m)bs?$", ""),
    # Written and not said.
    (r"bv", "V"),
    (r"^des(?=[bcdfgjlmpqrtv])", "DE"),
    (r"(?<=[eu])s(?=n)", ""),
    (r"(?<=e)s(?=que$)", ""),
    (r"(?<=ai)s(?=tre)", ""),
    (r"(?<=a)p(?=t[iy])", ""),
    (r"gn(?=au)", "N"),
    (r"e?aul(?=[tdx])", "O"),
    # Nasal vowels.
    (rf"(?<=[iye])e{_NASAL}", "5"),
    (rf"o[iy]{_NASAL}", "W5"),
    (rf"(?:[ae][iy]|i|y|(?<![aoe])u){_NASAL}", "5"),
    (rf"(?<=[gj])ea{_NASAL}", "1"),
    (rf"(?:a[oe]|[ae]){_NASAL}", "1"),
    (rf"o{_NASAL}", "3"),
    # Groups of vowels, and their glides.
    (r"e?au", "O"),
    (r"oe?u(?<=oeu)|eu", "2"),
    (r"ou|oo", "W"),
    (rf"(?<=[aeou])ill?(?=e?s?$|[{_VOWEL}])", "Y"),
    (r"a(?=ill|ils?$)", "A"),
    (r"e(?=ill|ils?$)", "E"),
    (rf"(?<![vghc])(?<!yr)(?<=.)ill(?=[{_VOWEL}])", "IY"),
    (r"oy(?=[aeiou])", "WAY"),
    (r"o[iy]", "WA"),
    (r"[ae][iy](?![aeiouy])", "E"),
    (r"[iy](?=e?s?$)", "I"),
    (r"[iy](?=[aeou])", "Y"),
    (r"ge(?=[aou])", "J"),
    # Consonants.
    (r"ph", "F"),
    (r"th", "T"),
    (r"sch|sh", "C"),
    (r"ch(?=[rl]|ae)", "K"),
    (r"ch", "C"),
    (r"sc(?=[eiy])", "S"),
    (r"cc(?=[eiy])", "KS"),
    (r"c(?=[eiy])", "S"),
    (r"c?qu?|ck|[ck]", "K"),
    (r"^x", "GZ"),
    (r"x", "KS"),
    (r"gn", "NY"),
    (r"gu(?=[eiy])", "G"),
    (r"g(?=[eiy])", "J"),
    (r"ss", "S"),
    (rf"(?<=[{_VOWEL}])s(?=[{_VOWEL}h])", "Z"),
    (r"[vw]", "V"),
    (r"h", ""),
    # A letter is itself.
    (r"y", "I"),
    *((letter, letter.upper()) for letter in "abdefgijlmnoprstuz"),
)
"""What is read, and its sounds; the first that fits counts."""

_READER = re.compile("|".join(f"({pattern})" for pattern, _ in RULES))
_SOUNDS = ("", *(sounds for _, sounds in RULES))
_FINAL_E = re.compile(r"é(?:es|e|s)?$")
_TWICE = re.compile(r"(.)\1+")
_NO_LETTER = re.compile(r"[^a-z]")


@lru_cache(maxsize=65_536)
def folded(text: str) -> str:
    """Return a text in lower case without accents and ligatures: what people type who look for it."""
    plain = text.casefold().replace("œ", "oe").replace("æ", "ae").replace("’", "'")
    return "".join(
        character
        for character in unicodedata.normalize("NFKD", plain)
        if not unicodedata.combining(character)
    )


@lru_cache(maxsize=65_536)
def key(word: str) -> str:
    """Return how one word sounds; "" for one without a letter that is heard."""
    spelled = unicodedata.normalize("NFC", word).casefold().replace("ç", "ss")
    letters = _NO_LETTER.sub("", folded(_FINAL_E.sub("ez", spelled)))
    return _TWICE.sub(r"\1", _READER.sub(lambda found: _SOUNDS[found.lastindex or 0], letters))
