"""An account: somebody who may sign in, what they are called, and what they may do."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from pbx.accounts.actor import Actor
from pbx.accounts.rights import ROLES, SECOND_FACTOR_ROLES, SHORT_SESSION_ROLES, Role, rights_of

Language: TypeAlias = Literal["fr", "en"]
Source: TypeAlias = Literal["local", "openid", "ldap"]

LANGUAGES: tuple[Language, ...] = get_args(Language)
MOST_NAME_CHARACTERS = 200
MOST_ACCOUNT_CHARACTERS = 64

_BESIDES = "._-@+'"
_MOST_DIGITS = 15


class AccountError(Exception):
    """What can't be done with an account; `str()` says what is wrong, in English.

    code: a word that stays; where: the field that it is about, "" for none; mend: what to do; status: of the
    HTTP answer.
    """

    def __init__(
        self, code: str, detail: str, *, where: str = "", mend: str = "", status: int = 422, wait: int = 0
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.where = where
        self.mend = mend
        self.status = status
        self.wait_seconds = wait


@dataclass(frozen=True, slots=True)
class Account:
    """An account without its secrets. extension: "" for none; handle: what passkeys know it by.

    subject: who it is at an OpenID Connect provider, "" for nobody there.
    """

    account: str
    name: str
    extension: str
    roles: frozenset[Role]
    language: Language
    source: Source
    must_change: bool
    disabled: bool
    has_password: bool
    has_totp: bool
    passkeys: int
    recovery_codes: int
    handle: str
    created_at: float
    last_sign_in_at: float | None
    subject: str = ""

    @property
    def has_second_factor(self) -> bool:
        """Whether something besides the password is set up; then it is asked at each sign-in."""
        return self.has_totp or self.passkeys > 0

    @property
    def needs_second_factor(self) -> bool:
        """Whether its roles open nothing without one."""
        return bool(self.roles & SECOND_FACTOR_ROLES)

    @property
    def is_short(self) -> bool:
        """Whether a session that is left alone ends soon."""
        return bool(self.roles & SHORT_SESSION_ROLES)

    def actor(self, address: str) -> Actor:
        """Return who acts when this account is signed in from this address."""
        rights = rights_of(self.roles)
        return Actor(self.account, self.name, self.extension, self.roles, rights, "session", address)


def sign_in_name(text: str) -> str:
    """Return a sign-in name as it is kept: NFC, in lower case, without blanks around.

    Raises AccountError for what can't be one.
    """
    name = unicodedata.normalize("NFC", text.strip().lower())
    if not 0 < len(name) <= MOST_ACCOUNT_CHARACTERS or not all(
        character.isalnum() or character in _BESIDES for character in name
    ):
        detail = f"a sign-in name is 1 to {MOST_ACCOUNT_CHARACTERS} letters, digits and any of {_BESIDES}"
        raise AccountError("wrong_account", detail, where="account", mend="such as anne.martin")
    return name


def shown_name(text: str) -> str:
    """Return a person's name as it is kept. Raises AccountError for one that can't be shown."""
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    if not 0 < len(name) <= MOST_NAME_CHARACTERS or not name.isprintable():
        detail = f"a name is 1 to {MOST_NAME_CHARACTERS} characters that can be printed"
        raise AccountError("wrong_name", detail, where="name")
    return name


def extension_of(text: str, account: str) -> str:
    """Return an extension as it is kept, "" for none.

    account: whose; a sign-in name of digits alone is its own extension, or two people could be meant by it.
    Raises AccountError.
    """
    is_number = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    if text and not is_number:
        raise AccountError("wrong_extension", "an extension is 1 to 15 digits", where="extension")
    if account.isdigit() and account != text:
        detail = f"a sign-in name of digits alone is the account's own extension: {account}"
        raise AccountError("wrong_extension", detail, where="extension", mend="or sign in with a name")
    return text


def known_roles(roles: Iterable[str]) -> frozenset[Role]:
    """Return these roles. Raises AccountError for an unknown one, or for none at all."""
    given = set(roles)
    if not given:
        raise AccountError("no_role", "an account has one role at least", where="roles", mend="agent")
    found = frozenset(role for role in ROLES if role in given)
    if unknown := given - found:
        detail = f'there is no role "{min(unknown)[:40]}"'
        raise AccountError("wrong_role", detail, where="roles", mend=f"one of {', '.join(ROLES)}")
    return found


def known_language(text: str) -> Language:
    """Return the language. Raises AccountError for one that the pages don't speak."""
    for language in LANGUAGES:
        if language == text:
            return language
    raise AccountError("wrong_language", "the pages speak fr and en", where="language")
