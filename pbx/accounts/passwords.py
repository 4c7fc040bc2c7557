"""Passwords: kept as Argon2id hashes, computed two at a time, and refused when they are easily guessed.

A hash costs 64 MiB and a sixth of a second on purpose, which would be a way to exhaust the machine: one is
computed at a time for strangers, one for browsers that have signed in before, and few may wait. A flood of
strangers' attempts never makes somebody known wait.
"""

import asyncio
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pbx.accounts.account import AccountError

FEWEST_CHARACTERS: Final = 12
MOST_CHARACTERS: Final = 200
MOST_WAITING: Final = 20
_FEWEST_DIFFERENT: Final = 5
_BETTER: Final = "four words that don't belong together"

# RFC 9106 section 4: the second recommended choice (64 MiB, three passes), in one lane: two cores are shared
# with telephone calls.
HASHER: Final = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)

# Of the passwords that are tried first, those long enough to pass otherwise; without digits at the end.
_COMMONEST_TEXT: Final = """
    123456789012 1234567890123 azertyuiopqs azertyuiop azertyuiopqsdfghjklm qwertyuiop qwertyuiopas
    qwertyuiopasdfghjkl qsdfghjklm wxcvbn motdepasse motdepassemotdepasse monmotdepasse password
    passwordpassword passw0rdpassw0rd mypassword letmeinletmein iloveyouiloveyou jetaimejetaime
    bonjourbonjour administrateur administrator adminadminadmin administration changemechangeme changezmoi
    marseillemarseille parissaintgermain doudoudoudou loulouloulou soleilsoleil chocolatchocolat
    hotdeville hoteldeville mairiemairie lamairie mairiede commissariat pompierspompiers policemunicipale
    beffroibeffroi telephonetelephone standardstandard bienvenuebienvenue welcomewelcome
    footballfootball superman princesse princesseprincesse abcdefghijkl abcdefghijklmnop
    0123456789 987654321098 1q2w3e4r5t6y 1qaz2wsx3edc 1a2z3e4r5t6y qazwsxedcrfv trustno1trustno1
    correcthorsebatterystaple unmotdepasse nouveaumotdepasse
"""
_COMMONEST: Final = frozenset(_COMMONEST_TEXT.split())

Result = TypeVar("Result")


def strong(password: str, *, account: str, name: str) -> str:
    """Return a new password as it is kept (NFC). Raises AccountError for one that is easily guessed.

    account, name: whose; a password made of these is among the first that anybody tries.
    """
    text = unicodedata.normalize("NFC", password)
    if len(text) < FEWEST_CHARACTERS:
        detail = f"a password has {FEWEST_CHARACTERS} characters at least"
        raise AccountError("password_short", detail, where="password", mend=_BETTER)
    if len(text) > MOST_CHARACTERS:
        detail = f"a password has {MOST_CHARACTERS} characters at most"
        raise AccountError("password_long", detail, where="password")
    plain = _plain(text)
    own = [part for whose in (account, *name.split()) if len(part := _plain(whose)) > 2]
    rest = plain
    for part in sorted(own, key=len, reverse=True):
        rest = rest.replace(part, "")
    if len(rest) < FEWEST_CHARACTERS // 2 and rest != plain:
        raise AccountError("password_is_name", "the password is the name, or little more", where="password")
    if len(set(plain)) < _FEWEST_DIFFERENT or _is_common(plain) or _is_row(plain):
        detail = "this password is among the first that anybody tries"
        raise AccountError("password_common", detail, where="password", mend=_BETTER)
    return text


def hash_password(password: str, hasher: PasswordHasher = HASHER) -> str:
    """Return the hash of a password that is strong. It takes a sixth of a second: not in an event loop."""
    return hasher.hash(unicodedata.normalize("NFC", password))


class Hashing:
    """Computes hashes in threads of their own. hasher: its parameters, weaker ones in tests."""

    def __init__(self, hasher: PasswordHasher = HASHER) -> None:
        self._hasher = hasher
        self._strangers, self._known = _Lane("strangers"), _Lane("known")
        self._decoy = ""
        self._lock = threading.Lock()

    async def matches(self, password_hash: str, password: str, *, is_known: bool) -> bool:
        """Whether this is the password. Where there is no hash (""), it is refused after the same time.

        is_known: whether the browser has signed in as this account before. Raises AccountError (503) where
        too many wait.
        """
        return await self._lane(is_known).run(lambda: self._matches(password_hash, password))

    async def hash(self, password: str) -> str:
        """Return the hash of a new password. Raises AccountError (503)."""
        return await self._known.run(lambda: hash_password(password, self._hasher))

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        """Wait for what is computed."""
        self._strangers.close()
        self._known.close()

    def _lane(self, is_known: bool) -> "_Lane":
        return self._known if is_known else self._strangers

    def _matches(self, password_hash: str, password: str) -> bool:
        text = unicodedata.normalize("NFC", password)
        try:
            self._hasher.verify(password_hash or self._decoy_hash(), text)
        except (VerificationError, InvalidHashError):
            return False
        return bool(password_hash)

    def _decoy_hash(self) -> str:
        with self._lock:
            self._decoy = self._decoy or self._hasher.hash("nobody has this password")
        return self._decoy


class _Lane:
    """One thread, and few who wait for it. The thread is made when it is first needed."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, f"passwords-{name}")
        self._waiting = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= MOST_WAITING:
            raise AccountError("busy", "too many are signing in at this moment", status=503, wait=5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._executor.shutdown()


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in folded if letter.isalnum())


def _is_common(plain: str) -> bool:
    words = plain.rstrip("0123456789")
    is_repeated = _repeats(plain) or (len(words) > 3 and _repeats(words))
    return is_repeated or plain in _COMMONEST or words in _COMMONEST


def _repeats(plain: str) -> bool:
    """Whether it is one short piece again and again: `abcabcabcabc`."""
    return any(plain == (plain[:size] * len(plain))[: len(plain)] for size in range(1, len(plain) // 3 + 1))


def _is_row(plain: str) -> bool:
    """Whether each character follows the one before it: `abcdefghijklm`, `9876543210987`."""
    steps = {(ord(after) - ord(before)) for before, after in pairwise(plain)}
    return steps <= {1, -9} or steps <= {-1, 9}
