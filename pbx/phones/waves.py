"""Waves of telephones in the database: what each telephone was asked, and what came of it.

    plan_wave(connection, Wave(…), names)        the phones process finds it, and carries it out
    running(connection)                          with its members, as `provisioning.waves` has them

They outlive every process: whoever restarts goes on with what is written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

import msgspec
import sqlalchemy as sa

from pbx.store.schema import phone_wave_members, phone_waves
from provisioning.waves import BACK_SECONDS, FIRMWARE_SECONDS, Member, State

Action = Literal["resync", "restart", "firmware"]

MOST_SIZE: Final = 200
USUAL_SIZE: Final = 20
MOST_KEPT: Final = 200
"""Waves that are over: the last ones are kept."""

BY_ITSELF: Final = "settings"
"""The cause of a wave that nobody asked for: what telephones are to be has changed."""


class WaveUnknown(Exception):
    """There is no wave of this number."""


class Wave(msgspec.Struct, frozen=True, kw_only=True):
    """One wave. over_at: 0.0 while it goes on. cause: "" where somebody wished it, BY_ITSELF, or
    `firmware:HASH` of a stage.

    account: who wished it. hours: local, from and until, as (22, 5); (0, 24) for any. stopped: why, "" for
    not.
    """

    id: int = 0
    begun_at: float
    over_at: float = 0.0
    action: Action
    cause: str = ""
    account: str = ""
    size: int = USUAL_SIZE
    hours: tuple[int, int] = (0, 24)
    stopped: str = ""

    @property
    def back_seconds(self) -> float:
        """How long one telephone may take."""
        return FIRMWARE_SECONDS if self.action == "firmware" else BACK_SECONDS


class Progress(msgspec.Struct, frozen=True):
    """How many telephones of a wave are in each state."""

    waiting: int = 0
    asked: int = 0
    back: int = 0
    lost: int = 0
    away: int = 0


def plan_wave(connection: sa.Connection, wave: Wave, names: Iterable[str]) -> Wave:
    """Write a wave down, of these telephones; return it with its number."""
    fields = {
        "begun_at": wave.begun_at,
        "over_at": 0.0,
        "action": wave.action,
        "cause": wave.cause,
        "account": wave.account,
        "size": wave.size,
        "hour_from": wave.hours[0],
        "hour_until": wave.hours[1],
        "stopped": "",
    }
    (number,) = connection.execute(sa.insert(phone_waves).values(fields)).inserted_primary_key or (0,)
    rows = [
        {"wave": number, "phone": name, "state": "waiting", "asked_at": 0.0, "settled_at": 0.0}
        for name in dict.fromkeys(names)
    ]
    if rows:
        connection.execute(sa.insert(phone_wave_members), rows)
    old = sa.select(phone_waves.c.id).where(phone_waves.c.over_at > 0.0).order_by(phone_waves.c.id.desc())
    gone = list(connection.execute(old.offset(MOST_KEPT)).scalars())
    if gone:
        connection.execute(sa.delete(phone_wave_members).where(phone_wave_members.c.wave.in_(gone)))
        connection.execute(sa.delete(phone_waves).where(phone_waves.c.id.in_(gone)))
    return msgspec.structs.replace(wave, id=int(number))


def list_waves(connection: sa.Connection, most: int = 50) -> list[tuple[Wave, Progress]]:
    """Return the last waves, newest first, with how far each is."""
    wanted = sa.select(phone_waves).order_by(phone_waves.c.id.desc()).limit(most)
    found = [_wave(row) for row in connection.execute(wanted)]
    counts = _counts(connection, [wave.id for wave in found])
    return [(wave, counts.get(wave.id, Progress())) for wave in found]


def find_wave(connection: sa.Connection, number: int) -> tuple[Wave, dict[str, Member]]:
    """Return one, and what became of each telephone. Raises WaveUnknown."""
    row = connection.execute(sa.select(phone_waves).where(phone_waves.c.id == number)).first()
    if row is None:
        raise WaveUnknown(f"there is no wave {number}")
    return _wave(row), _members(connection, number)


def running(connection: sa.Connection) -> list[tuple[Wave, dict[str, Member]]]:
    """Return the waves that go on, oldest first, with what became of each telephone."""
    wanted = sa.select(phone_waves).where(phone_waves.c.over_at == 0.0).order_by(phone_waves.c.id)
    return [(wave, _members(connection, wave.id)) for wave in map(_wave, connection.execute(wanted))]


def stopped_causes(connection: sa.Connection) -> dict[str, str]:
    """Return by cause why the last wave of it was stopped: such a one isn't begun again by itself."""
    wanted = sa.select(phone_waves).where(phone_waves.c.cause != "").order_by(phone_waves.c.id)
    return {wave.cause: wave.stopped for wave in map(_wave, connection.execute(wanted)) if wave.over_at}


def lost_of(connection: sa.Connection, cause: str) -> set[str]:
    """Return the telephones that didn't come back of all waves of this cause."""
    of_cause = sa.select(phone_waves.c.id).where(phone_waves.c.cause == cause)
    columns = phone_wave_members.c
    lost = sa.select(columns.phone).where(columns.wave.in_(of_cause) & (columns.state == "lost"))
    return set(connection.execute(lost).scalars())


def forgive(connection: sa.Connection, cause: str) -> None:
    """Forget what came of a cause, so that it begins again by itself."""
    connection.execute(sa.update(phone_waves).where(phone_waves.c.cause == cause).values(cause=""))


def stop_wave(connection: sa.Connection, number: int, why: str, now: float) -> None:
    """Ask nobody any more; nothing where it is over. Raises WaveUnknown."""
    find_wave(connection, number)
    whom = (phone_waves.c.id == number) & (phone_waves.c.over_at == 0.0)
    connection.execute(sa.update(phone_waves).where(whom).values(stopped=why, over_at=now))


def keep_wave(
    connection: sa.Connection, wave: Wave, changed: Mapping[str, Member], *, stopped: str, over_at: float
) -> None:
    """Write down what became of these members; a wave that was stopped meanwhile stays so."""
    for name, member in changed.items():
        whom = (phone_wave_members.c.wave == wave.id) & (phone_wave_members.c.phone == name)
        values = {"state": member.state, "asked_at": member.asked_at, "settled_at": member.settled_at}
        connection.execute(sa.update(phone_wave_members).where(whom).values(values))
    goes_on = (phone_waves.c.id == wave.id) & (phone_waves.c.over_at == 0.0)
    if stopped or over_at:
        connection.execute(
            sa.update(phone_waves).where(goes_on).values(stopped=stopped or wave.stopped, over_at=over_at)
        )


def _counts(connection: sa.Connection, numbers: list[int]) -> dict[int, Progress]:
    columns = phone_wave_members.c
    wanted = (
        sa.select(columns.wave, columns.state, sa.func.count())
        .where(columns.wave.in_(numbers))
        .group_by(columns.wave, columns.state)
    )
    found: dict[int, dict[str, int]] = {}
    for number, state, count in connection.execute(wanted):
        found.setdefault(number, {})[state] = count
    return {number: msgspec.convert(counts, Progress) for number, counts in found.items()}


def _members(connection: sa.Connection, number: int) -> dict[str, Member]:
    columns = phone_wave_members.c
    wanted = sa.select(phone_wave_members).where(columns.wave == number).order_by(columns.phone)
    return {
        row.phone: Member(_state(row.state), row.asked_at, row.settled_at)
        for row in connection.execute(wanted)
    }


def _state(text: str) -> State:
    return next(state for state in get_args(State) if state == text)


def _wave(row: sa.Row[tuple[object, ...]]) -> Wave:
    fields = row._mapping
    return Wave(
        id=fields["id"],
        begun_at=fields["begun_at"],
        over_at=fields["over_at"],
        action=fields["action"],
        cause=fields["cause"],
        account=fields["account"],
        size=fields["size"],
        hours=(fields["hour_from"], fields["hour_until"]),
        stopped=fields["stopped"],
    )
