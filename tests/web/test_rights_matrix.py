"""Every route, asked by every role: who may is what the one table says, and every route says it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pbx.accounts.rights import RIGHTS, ROLES, Role, rights_of
from tests.web.routes_walk import Walked, walked
from tests.web.signed_in import TownHall, town_hall

REFUSED = "forbidden"  # the code of a right that is missing; others of 403 are about something else


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TownHall]:
    with town_hall(tmp_path_factory.mktemp("town-hall")) as made:
        yield made


@pytest.fixture(scope="module")
def routes(town: TownHall) -> list[Walked]:
    return walked(town.client.app)


def test_every_route_says_once_who_may_call_it(routes: list[Walked]):
    assert len(routes) > 100
    assert [f"{one.method} {one.path}" for one in routes if len(one.access) != 1] == []


def test_every_right_that_a_route_wants_is_in_the_table(routes: list[Walked]):
    assert {one.right for one in routes} - {None} <= set(RIGHTS)


@pytest.mark.parametrize("role", ROLES)
def test_role_opens_the_routes_of_its_rights_and_no_other(town: TownHall, routes: list[Walked], role: Role):
    rights, wrong = rights_of([role]), []
    for one in routes:
        if one.method == "WEBSOCKET":
            continue
        answer = town.ask(role, one.method, one.url())
        refused = answer.status_code == 403 and answer.json()["code"] == REFUSED
        expected = one.right is not None and one.right not in rights
        if refused != expected or answer.status_code in (401, 500):
            wrong.append(f"{one.method} {one.path}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []


def test_nobody_opens_what_somebody_must_be_signed_in_for(town: TownHall, routes: list[Walked]):
    wrong = []
    for one in routes:
        if one.method == "WEBSOCKET" or one.right is None:
            continue
        answer = town.client.request(one.method, one.url())
        if answer.status_code != 401:
            wrong.append(f"{one.method} {one.path}: {answer.status_code}")
    assert wrong == []


def test_session_without_its_second_factor_opens_nothing_but_the_way_there(
    town: TownHall, routes: list[Walked]
):
    token = town.begun("administrator", "must_set_up")
    for one in routes:
        if one.method == "GET" and one.right is not None and one.path != "/api/v1/session":
            answer = town.by_cookie(token, "GET", one.url())
            assert answer.json()["code"] == "second_factor_must_set_up", one.path
