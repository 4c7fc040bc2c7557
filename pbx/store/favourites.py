"""Favourites of accounts in the database: entries of the directory, in the order that each likes."""

from collections.abc import Sequence

import sqlalchemy as sa

from pbx.store.schema import favourites


def favourites_of(connection: sa.Connection, account: str) -> list[str]:
    """Return an account's favourites in its order, as pbx.people.search names entries."""
    wanted = sa.select(favourites.c.entry).where(favourites.c.account == account)
    return list(connection.execute(wanted.order_by(favourites.c.position)).scalars())


def set_favourites(connection: sa.Connection, account: str, entries: Sequence[str]) -> None:
    """Keep an account's favourites in this order, in place of those before."""
    connection.execute(sa.delete(favourites).where(favourites.c.account == account))
    rows = [
        {"account": account, "position": position, "entry": entry} for position, entry in enumerate(entries)
    ]
    if rows:
        connection.execute(sa.insert(favourites), rows)
