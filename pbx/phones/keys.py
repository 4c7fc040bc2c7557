"""The keys of desk telephones that somebody has chosen for a person, in place of those of the plan.

They go with the person: whichever telephone has their first line has them, after a key for each line. Who
has chosen none has the plan's (`pbx.phones.composing.keys_of_plan`), and those follow the plan.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, get_args

import msgspec
import sqlalchemy as sa

from dialplan.plan import Plan
from pbx.store.schema import phone_keys
from provisioning.telephone import KeyKind

Chosen = tuple[str, str, str]
"""Kind, number and label of one key."""

KINDS: Final = tuple(kind for kind in get_args(KeyKind) if kind != "line")
MOST_KEYS: Final = 60
MOST_LABEL: Final = 40
_NUMBER: Final = re.compile(r"\+?[0-9*#]{1,32}")


class KeyRefused(Exception):
    """A key can't be. position: which one, from 1; code: why, in a word that stays the same."""

    def __init__(self, position: int, code: str, message: str) -> None:
        super().__init__(f"key {position}: {message}")
        self.position = position
        self.code = code


def chosen_keys(connection: sa.Connection, extension: str) -> tuple[Chosen, ...] | None:
    """Return the keys that were chosen for somebody, None where the plan's hold."""
    found = connection.execute(sa.select(phone_keys.c["keys"]).where(phone_keys.c.extension == extension))
    text = found.scalar()
    return None if text is None else msgspec.json.decode(text, type=tuple[Chosen, ...])


def choose_keys(connection: sa.Connection, extension: str, keys: Sequence[Chosen] | None) -> None:
    """Keep somebody's keys in place of those before; None forgets them, so that the plan's hold again."""
    connection.execute(sa.delete(phone_keys).where(phone_keys.c.extension == extension))
    if keys is not None:
        written = msgspec.json.encode(keys).decode()
        connection.execute(sa.insert(phone_keys), [{"extension": extension, "keys": written}])


def check_keys(plan: Plan, keys: Sequence[Chosen]) -> tuple[Chosen, ...]:
    """Return the keys as they are kept. plan: with everybody of the directory. Raises KeyRefused."""
    return tuple(_checked(plan, position, *key) for position, key in enumerate(keys, 1))


def _checked(plan: Plan, position: int, kind: str, number: str, label: str) -> Chosen:
    number, label = re.sub(r"[ .()-]", "", number), " ".join(label.split())
    if kind not in KINDS:
        raise KeyRefused(position, "wrong_key_kind", f'there is no key "{kind[:20]}"')
    if not _NUMBER.fullmatch(number):
        raise KeyRefused(position, "wrong_key_number", "it has no number that can be dialled")
    if len(label) > MOST_LABEL or not label.isprintable():
        raise KeyRefused(position, "wrong_key_label", f"its label has at most {MOST_LABEL} letters")
    if kind == "lamp" and number not in plan.people and number not in numbers_of(plan):
        raise KeyRefused(position, "unknown_key_lamp", f"{number} is no extension whose calls could be shown")
    if kind in ("park", "page") and number not in numbers_of(plan, kind):
        what = "no parking place" if kind == "park" else "no announcement"
        raise KeyRefused(position, f"unknown_key_{kind}", f"{number} is {what} of the plan")
    return kind, number, label


def numbers_of(plan: Plan, kind: str = "") -> dict[str, str]:
    """Return the numbers of the plan's services, each with its name; kind: of one type alone."""
    found: dict[str, str] = {}
    for service in sorted(plan.services.values(), key=lambda service: service.name):
        if kind and service.type != kind:
            continue
        if service.type == "park" and service.numbers is not None:
            for place in range(min(len(service.numbers), MOST_KEYS)):
                found[service.numbers.at(place)] = f"{service.name} {place + 1}"
        elif service.number is not None:
            found[service.number] = service.name
    return found
