"""The keys of a person's desk telephones: those of the plan, or others in their place.

One's own need no right but `own`, where the configuration lets people choose; others' `devices.change`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from dialplan.plan import Plan
from pbx.accounts.actor import Actor
from pbx.phones import shelf
from pbx.phones.composing import Lines, keys_of_plan
from pbx.phones.keys import MOST_KEYS, KeyRefused, check_keys, choose_keys, chosen_keys, numbers_of
from pbx.phones.shelf import Phone
from pbx.web.access import may
from pbx.web.directory_now import Everybody
from pbx.web.node import Node, TheNode
from pbx.web.people_rules import own_or, person_entry
from pbx.web.people_shapes import Asked
from pbx.web.problems import Problem
from provisioning.brand import BrandError, load_brands

router = APIRouter(prefix="/people", tags=["phones"])

Extension = Annotated[str, Path(pattern=r"^[0-9]{1,15}$", description="Whose keys.")]
Kind = Literal["lamp", "speed_dial", "park", "page", "service"]


class KeyShown(BaseModel):
    """One key. name: whom or what its number reaches, empty where the plan doesn't say."""

    kind: Kind
    number: str = Field(examples=["2011"])
    label: str = Field(description="On the telephone's screen.", examples=["Claire"])
    name: str = Field(examples=["Claire Petit"])


class PhoneKeys(BaseModel):
    """A telephone that has these keys. keys: how many it has for them, after those of its lines."""

    phone: str = Field(examples=["805ec0123456"])
    model: str = Field(examples=["Yealink T54W"])
    keys: int = Field(examples=[26])
    own: bool = Field(description="It has keys of its own instead, whoever it belongs to.")


class Number(BaseModel):
    """A parking place, an announcement or another service that a key may have."""

    kind: Literal["park", "page", "service"]
    number: str = Field(examples=["701"])
    name: str = Field(examples=["parking 1"])


class PersonKeys(BaseModel):
    """A person's keys. chosen: by hand; otherwise they are `planned`, and follow the plan."""

    extension: str = Field(examples=["2010"])
    chosen: bool
    items: list[KeyShown]
    planned: list[KeyShown]
    phones: list[PhoneKeys]
    numbers: list[Number]
    may_change: bool
    most: int = Field(examples=[MOST_KEYS])


class WantedKey(Asked):
    """One key."""

    kind: Kind
    number: Annotated[str, Field(max_length=40, examples=["2011"])]
    label: Annotated[str, Field(max_length=80, examples=["Claire"])] = ""


class WantedKeys(Asked):
    """The keys in their order; null for those of the plan."""

    items: Annotated[list[WantedKey], Field(max_length=MOST_KEYS)] | None


@router.get("/{extension}/keys", summary="Show the keys of a person's desk telephones")
async def show_keys(node: TheNode, actor: Annotated[Actor, may("own")], extension: Extension) -> PersonKeys:
    """Return one's own, or anybody's with `devices.read`."""
    own_or(actor, extension, "devices.read")
    everybody = await node.directory.now()
    person_entry(everybody, extension)
    return await _shown(node, actor, everybody, extension)


@router.put("/{extension}/keys", summary="Choose the keys of a person's desk telephones")
async def put_keys(
    node: TheNode, actor: Annotated[Actor, may("own")], extension: Extension, wanted: WantedKeys
) -> PersonKeys:
    """Choose one's own where the configuration lets people, or anybody's with `devices.change`."""
    own_or(actor, extension, "devices.change")
    if not _may_change(node, actor, extension):
        raise Problem(403, "keys_not_own", "here, keys of telephones are chosen by administrators")
    everybody = await node.directory.now()
    person_entry(everybody, extension)
    try:
        items = wanted.items
        keys = (
            None
            if items is None
            else check_keys(everybody.plan, [(one.kind, one.number, one.label) for one in items])
        )
    except KeyRefused as error:
        raise Problem(422, error.code, str(error), where=f"items.{error.position - 1}") from None
    count = -1 if keys is None else len(keys)
    await node.audit.enter(node.clock(), "phone.keys", actor, whom=extension, keys=count)
    await node.write(lambda connection: choose_keys(connection, extension, keys))
    return await _shown(node, actor, everybody, extension)


async def _shown(node: Node, actor: Actor, everybody: Everybody, extension: str) -> PersonKeys:
    def read(connection: Connection) -> tuple[tuple[tuple[str, str, str], ...] | None, list[Phone]]:
        return chosen_keys(connection, extension), shelf.list_phones(connection)

    chosen, phones = await node.read(read)
    plan = everybody.plan
    groups = plan.people[extension].groups if extension in plan.people else ()
    lines = Lines((), extension, "", tuple(groups))
    planned = [(key.kind, key.number, key.label) for key in keys_of_plan(plan, lines)]
    return PersonKeys(
        extension=extension,
        chosen=chosen is not None,
        items=_keys(plan, planned if chosen is None else chosen),
        planned=_keys(plan, planned),
        phones=_phones(node, phones, extension),
        numbers=_numbers(plan),
        may_change=_may_change(node, actor, extension),
        most=MOST_KEYS,
    )


def _may_change(node: Node, actor: Actor, extension: str) -> bool:
    is_own = actor.owns(extension) and node.configuration.provisioning.own_keys
    return is_own or actor.may("devices.change")


def _keys(plan: Plan, keys: Iterable[tuple[str, str, str]]) -> list[KeyShown]:
    services = numbers_of(plan)
    return [
        KeyShown.model_validate(
            {
                "kind": kind,
                "number": number,
                "label": label,
                "name": plan.people[number].name if number in plan.people else services.get(number, ""),
            }
        )
        for kind, number, label in keys
    ]


def _phones(node: Node, phones: Iterable[Phone], extension: str) -> list[PhoneKeys]:
    """Those whose first line is theirs."""
    try:
        brands = load_brands(node.configuration.provisioning.brands)
    except BrandError as error:
        raise Problem(409, "wrong_brand", str(error)) from None
    found = []
    for phone in phones:
        if not phone.lines or phone.lines[0].partition("-")[0] != extension:
            continue
        brand = brands.get(phone.brand)
        model = brand.models.get(phone.model) if brand is not None else None
        keys = max(0, model.keys - len(phone.lines)) if model is not None else 0
        maker = brand.name if brand is not None else phone.brand
        shown = f"{maker} {phone.model}".strip()
        found.append(PhoneKeys(phone=phone.name, model=shown, keys=keys, own=bool(phone.keys)))
    return found


def _numbers(plan: Plan) -> list[Number]:
    of_kind = {kind: numbers_of(plan, kind) for kind in ("park", "page")}
    special = {number for numbers in of_kind.values() for number in numbers}
    others = {number: name for number, name in numbers_of(plan).items() if number not in special}
    return [
        Number.model_validate({"kind": kind, "number": number, "name": name})
        for kind, numbers in (*of_kind.items(), ("service", others))
        for number, name in numbers.items()
    ]
