"""Who may what: six roles, the rights of each, and nothing about it anywhere else.

A route names the one right that it needs (`pbx.web.access.may`). An account may have several roles, and has
the rights of all of them.

| right              | what it opens                                                             |
| ---                | ---                                                                       |
| own                | one's own settings, calls, voicemail, history, devices shown, favourites  |
| people.read        | the directory                                                             |
| people.change      | people added, changed, removed                                            |
| devices.read       | everybody's devices                                                       |
| devices.change     | devices added, changed, removed, given new passwords                      |
| calls.read         | all calls in progress                                                     |
| calls.control      | anybody's call answered, transferred, ended                               |
| history.read       | everybody's past calls                                                    |
| recordings.listen  | recordings of police and fire lines heard, exported                       |
| recordings.keep    | recordings held and reported about, not heard                             |
| recordings.erase   | what there is about a number erased, where nothing keeps it               |
| plan.read          | the numbering plan, its history, its explanations                         |
| plan.change        | a new plan put in force                                                   |
| services.change    | a service closed for a while, other people's settings                     |
| trunks.read        | operators' lines and their state                                          |
| trunks.change      | operators' lines added, changed, removed                                  |
| accounts.read      | the accounts of the pages                                                 |
| accounts.change    | accounts added, changed, removed; roles given                             |
| audit.read         | the journal of what everybody did                                         |
| backup.make        | a copy of the whole node                                                  |
| node.read          | state, figures and health in detail                                       |
| bans.change        | addresses banned and let in again                                         |
| webhooks.change    | programs that are told of events                                          |
| identity.change    | other servers that say who somebody is (read only: they are configuration)|
"""

from collections.abc import Iterable
from typing import Literal, TypeAlias, get_args

Role: TypeAlias = Literal["agent", "operator", "supervisor", "listener", "administrator", "auditor"]
Right: TypeAlias = Literal[
    "own",
    "people.read",
    "people.change",
    "devices.read",
    "devices.change",
    "calls.read",
    "calls.control",
    "history.read",
    "recordings.listen",
    "recordings.keep",
    "recordings.erase",
    "plan.read",
    "plan.change",
    "services.change",
    "trunks.read",
    "trunks.change",
    "accounts.read",
    "accounts.change",
    "audit.read",
    "backup.make",
    "node.read",
    "bans.change",
    "webhooks.change",
    "identity.change",
]

ROLES: tuple[Role, ...] = get_args(Role)
RIGHTS: tuple[Right, ...] = get_args(Right)

_EVERYBODY = frozenset(ROLES)
_WHO_MAY: dict[Right, frozenset[Role]] = {
    "own": _EVERYBODY,
    "people.read": _EVERYBODY,
    "people.change": frozenset({"administrator"}),
    "devices.read": frozenset({"administrator", "supervisor"}),
    "devices.change": frozenset({"administrator"}),
    "calls.read": frozenset({"operator", "supervisor", "administrator"}),
    "calls.control": frozenset({"operator", "supervisor"}),
    "history.read": frozenset({"supervisor", "administrator", "auditor"}),
    "recordings.listen": frozenset({"listener"}),
    "recordings.keep": frozenset({"administrator", "auditor"}),
    "recordings.erase": frozenset({"administrator"}),
    "plan.read": frozenset({"supervisor", "administrator", "auditor"}),
    "plan.change": frozenset({"administrator"}),
    "services.change": frozenset({"operator", "supervisor", "administrator"}),
    "trunks.read": frozenset({"supervisor", "administrator", "auditor"}),
    "trunks.change": frozenset({"administrator"}),
    "accounts.read": frozenset({"administrator", "auditor"}),
    "accounts.change": frozenset({"administrator"}),
    "audit.read": frozenset({"auditor", "administrator"}),
    "backup.make": frozenset({"administrator"}),
    "node.read": frozenset({"administrator", "supervisor"}),
    "bans.change": frozenset({"administrator"}),
    "webhooks.change": frozenset({"administrator"}),
    "identity.change": frozenset({"administrator"}),
}

# What these see or change is worth a stolen password: without a second factor they open nothing.
SECOND_FACTOR_ROLES: frozenset[Role] = frozenset({"administrator", "listener"})
# A screen that is left alone with one of these closes after half an hour.
SHORT_SESSION_ROLES: frozenset[Role] = frozenset({"administrator", "listener", "auditor"})


def who_may(right: Right) -> frozenset[Role]:
    """Return the roles that have a right."""
    return _WHO_MAY[right]


def rights_of(roles: Iterable[Role]) -> frozenset[Right]:
    """Return the rights that these roles have together."""
    held = frozenset(roles)
    return frozenset(right for right, roles_of in _WHO_MAY.items() if roles_of & held)
