"""What the audit journal says of one thing that was done: when, what, who, from where, and about whom.

`what` is `noun.verb`, such as `people.add` or `session.refused`. `about` says the rest; by convention `whom`
in it is the extension or the account that it was done to. No secret and no citizen's telephone number ever
comes into it: names that would hold a secret are refused, what looks like an outside number isn't written.
"""

from __future__ import annotations

import ipaddress
import json
import os
import pwd
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

Value: TypeAlias = str | int | float | bool | list[str] | dict[str, str] | None

MOST_TEXT: Final = 500  # letters of one value
MOST_ITEMS: Final = 50  # of a list, or of what is said in all; 25 kB of text with nothing else
MOST_BYTES: Final = 40_000  # of `about`

_WHAT: Final = re.compile(r"[a-z_]{1,40}\.[a-z_]{1,40}")
_SECRET: Final = re.compile(r"(^|_)(password|passwd|secret|token|pin|cookie|csrf|ha1|seed|passphrase)$")
_OUTSIDE_NUMBER: Final = re.compile(r"(?:tel:|sips?:)?\+?[0-9](?:[ .()/-]?[0-9]){8,17}(?:@.*)?")
_NOT_WRITTEN: Final = "(number not written)"


class Doer(Protocol):
    """Who does something: an account of the pages and of the API, or who typed a command.

    account: the sign-in name, "" where nobody has signed in; how: `session`, `token` or `command`; address:
    where from, "" for this machine.
    """

    @property
    def account(self) -> str: ...
    @property
    def how(self) -> str: ...
    @property
    def address(self) -> str: ...


class By(NamedTuple):
    """Who did something, where no account is known yet, or where no page is used."""

    account: str = ""
    how: str = "session"
    address: str = ""


class Entry(NamedTuple):
    """One thing that was done. at: Unix seconds; by: an account's name; digest: the entry's hash."""

    number: int
    at: float
    what: str
    by: str
    how: str
    address: str
    about: Mapping[str, Any]
    digest: str

    @property
    def whom(self) -> str:
        """To whom it was done: an extension or an account, "" where that isn't said."""
        return str(self.about.get("whom", ""))

    def printable(self) -> dict[str, Any]:
        """Return it as JSON has it, in lists and in exports."""
        return {
            "number": self.number,
            "at": self.at,
            "what": self.what,
            "by": self.by,
            "how": self.how,
            "address": self.address,
            "about": dict(self.about),
            "digest": self.digest,
        }


def by_command() -> By:
    """Return the system's user that runs this command."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user without a name
        name = str(uid)
    return By(name, "command")


def fields_of(at: float, what: str, doer: Doer, about: Mapping[str, Value]) -> dict[str, Any]:
    """Return an entry's fields as they are written. Raises ValueError for what may never be written."""
    if not _WHAT.fullmatch(what):
        raise ValueError(f"{what!r} isn't noun.verb")
    if len(about) > MOST_ITEMS:
        raise ValueError(f"{len(about)} things are said of {what}")
    for name in about:
        if _SECRET.search(name):
            raise ValueError(f"{name!r} would be a secret in the audit journal")
    said = {name: _written(value) for name, value in about.items()}
    if len(json.dumps(said)) > MOST_BYTES:
        said = {name: value for name, value in said.items() if not isinstance(value, list | dict)}
        said["shortened"] = True
    return {
        "at": at,
        "what": what,
        "by": str(_written(doer.account)),
        "how": doer.how,
        "address": doer.address[:MOST_TEXT],
        "about": said,
    }


def _written(value: Value) -> Value:
    if isinstance(value, str):
        if _OUTSIDE_NUMBER.fullmatch(value.strip()) and not _is_address(value):
            return _NOT_WRITTEN
        # Lone surrogates (a file's name, a hostile JSON) have no UTF-8.
        text = value.encode("utf-8", "replace").decode()
        return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"
    if isinstance(value, list):
        return [str(_written(str(one))) for one in value[:MOST_ITEMS]]
    if isinstance(value, float) and not isfinite(value):
        return str(value)  # JSON has no such number
    if isinstance(value, dict):
        return {str(name)[:MOST_TEXT]: str(_written(str(one))) for name, one in [*value.items()][:MOST_ITEMS]}
    return value


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
