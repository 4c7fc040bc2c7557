"""Every route of the application, with what its signature says of who may call it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts

from pbx.accounts.rights import ROLES, Right, Role, who_may
from pbx.web.access import Anybody, ByPage, May

Access = May | ByPage | Anybody


class Walked(NamedTuple):
    """One method of one route. method: `WEBSOCKET` for a socket; access: what its signature says."""

    method: str
    path: str
    access: tuple[Access, ...]

    @property
    def right(self) -> Right | None:
        """What it takes; None where anybody may."""
        (said,) = self.access
        return said.right

    @property
    def roles(self) -> frozenset[Role]:
        """Who may, by the table."""
        return frozenset(ROLES) if self.right is None else who_may(self.right)

    def url(self, value: str = "1") -> str:
        """The path with this in the place of each parameter."""
        parts = (value if part.startswith("{") else part for part in self.path.split("/"))
        return "/".join(parts)


def walked(app: FastAPI) -> list[Walked]:
    """Return every method of every route, but for the pages' files."""
    return list(_walk(app))


def _walk(app: FastAPI) -> Iterator[Walked]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIWebSocketRoute):
            yield Walked("WEBSOCKET", str(context.path), tuple(_access(route.dependant)))
        elif isinstance(route, APIRoute):
            for method in sorted(route.methods):
                yield Walked(method, str(context.path), tuple(_access(route.dependant)))


def _access(dependant: Dependant) -> Iterator[Access]:
    for one in dependant.dependencies:
        if isinstance(one.call, Access):
            yield one.call
        yield from _access(one)
