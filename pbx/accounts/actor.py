"""Whoever does something: a person in a browser, a program with a token, somebody at the command line."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from pbx.accounts.rights import ROLES, Right, Role, rights_of

How: TypeAlias = Literal["session", "token", "command"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and what they may do.

    account: the sign-in name, at the command line the system's user; name: as shown; extension: "" for none;
    rights: those of the roles, of a token cut by its scopes; address: where they are, "" at the command line.
    """

    account: str
    name: str
    extension: str
    roles: frozenset[Role]
    rights: frozenset[Right]
    how: How
    address: str = ""

    def may(self, right: Right) -> bool:
        """Whether they have this right."""
        return right in self.rights

    def owns(self, extension: str) -> bool:
        """Whether an extension is their own: what `own` opens is about this one, and about no other."""
        return self.extension != "" and self.extension == extension


def command_actor(user: str) -> Actor:
    """Return who acts at the command line: whoever can read the node's files may do everything.

    user: the system's name for them.
    """
    return Actor(user, user, "", frozenset(ROLES), rights_of(ROLES), "command")
