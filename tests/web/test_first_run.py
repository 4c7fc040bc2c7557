"""The first run over HTTP: one link, one browser, five questions, and a town or nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from pbx.accounts import records
from pbx.cli.first_run import is_first_run
from pbx.configuration import Configuration, load_configuration
from pbx.node.first_run import Place, new_link, origins, provisional
from pbx.node.sealing import sealing
from pbx.plans.in_force import PlanInForce
from pbx.store.database import open_database
from pbx.store.people import list_people
from pbx.web.application import application
from pbx.web.node import Node
from pbx.web.routes.first_run import FirstRun
from tests.cli.conftest import run_command

NOW = 1_795_000_000.0
ANSWERS = {
    "organization": "Ville de Bellerive",
    "country": "FR",
    "site": "Mairie",
    "street": "1 place de la Mairie",
    "postcode": "54000",
    "city": "Bellerive",
    "first": "2000",
    "last": "2099",
    "name": "Anne Martin",
    "account": "anne.martin",
    "password": "quatre mots sans lien",
}


@dataclass
class Empty:
    """A node without a configuration. now: Unix seconds, which a test may change."""

    configuration: Configuration
    going_on: FirstRun
    client: TestClient
    now: float = NOW

    @property
    def folder(self) -> Path:
        return self.configuration.path.parent

    def link(self) -> str:
        """Another link, as `beffroi first-run` prints it."""
        with closing(open_database(self.configuration.database)) as database:
            return new_link(database, self.now)

    def ask(self, way: str, body: dict[str, Any]) -> Any:
        return self.client.post(f"/api/v1/first-run/{way}", json=body)

    def opened(self) -> Empty:
        """Come by a link."""
        assert self.ask("open", {"link": self.link()}).status_code == 200
        return self


@pytest.fixture
def empty(tmp_path: Path, migrated: Path) -> Iterator[Empty]:
    configuration = provisional(tmp_path / "beffroi.yaml", "127.0.0.1:8080")
    assert configuration.sqlite_file is not None
    configuration.data_dir.mkdir()
    shutil.copyfile(migrated, configuration.sqlite_file)
    with closing(open_database(configuration.database)) as database:
        place = Place(tmp_path, database, sealing(configuration.node_key_file), "127.0.0.1:5060", "")
        made: list[Empty] = []
        node = Node(configuration, PlanInForce(configuration.plan), lambda: made[0].now if made else NOW)
        app = application(node)
        app.state.first_run = FirstRun(place)
        with TestClient(app, base_url="http://localhost", client=("127.0.0.1", 50000)) as client:
            made.append(Empty(configuration, app.state.first_run, client))
            yield made[0]


def test_the_answers_make_a_plan_a_configuration_and_an_administrator_with_a_telephone(empty: Empty) -> None:
    answer = empty.opened().ask("finish", {"answers": ANSWERS})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["server"], told["sign_in"], told["echo"]) == ("127.0.0.1", "2000", "9196")
    configuration = load_configuration(empty.configuration.path)
    plan = yaml.safe_load(configuration.plan.read_text())
    assert plan["sites"]["mairie"]["address"] == {
        "street": "1 place de la Mairie",
        "postcode": "54000",
        "city": "Bellerive",
    }
    with closing(open_database(configuration.database)) as database:
        account = database.read(lambda connection: records.find(connection, "anne.martin"))
        (person,) = database.read(list_people)
    assert (set(account.roles), account.extension) == ({"administrator"}, "2000")
    assert [device.sign_in for device in person.devices] == ["2000"]
    assert empty.going_on.ended.is_set()


def test_who_has_answered_is_signed_in_but_opens_nothing_without_a_second_factor(empty: Empty) -> None:
    empty.opened().ask("finish", {"answers": ANSWERS})
    session = empty.client.get("/api/v1/session").json()
    assert (session["account"], session["second_factor"]) == ("anne.martin", "must_set_up")
    assert empty.client.get("/api/v1/accounts").status_code == 403


def test_the_password_of_the_administrator_is_written_nowhere(empty: Empty) -> None:
    answer = empty.opened().ask("finish", {"answers": ANSWERS})
    written = [path.read_bytes() for path in empty.folder.rglob("*") if path.is_file()]
    assert written
    assert not any(ANSWERS["password"].encode() in data for data in written)
    assert ANSWERS["password"] not in answer.text


def test_a_link_works_once(empty: Empty) -> None:
    link = empty.link()
    assert empty.ask("open", {"link": link}).status_code == 200
    again = empty.ask("open", {"link": link})
    assert (again.status_code, again.json()["code"]) == (404, "link_refused")


def test_a_link_is_too_old_after_an_hour(empty: Empty) -> None:
    link = empty.link()
    empty.now += 3601
    assert empty.ask("open", {"link": link}).json()["code"] == "link_refused"


def test_another_link_shuts_the_browser_of_the_first_one_out(empty: Empty) -> None:
    empty.opened()
    first = dict(empty.client.cookies)
    empty.client.cookies.clear()
    empty.opened()
    empty.client.cookies.clear()
    empty.client.cookies.update(first)
    refused = empty.client.get("/api/v1/first-run")
    assert (refused.status_code, refused.json()["code"]) == (403, "first_run_link")


@pytest.mark.parametrize("way", ["check", "finish"])
def test_a_browser_that_came_by_no_link_answers_nothing(empty: Empty, way: str) -> None:
    refused = empty.ask(way, {"answers": ANSWERS, "question": "town"})
    assert refused.json()["code"] == "first_run_link"
    assert not empty.configuration.path.exists()


def test_another_sites_page_answers_nothing(empty: Empty) -> None:
    empty.opened()
    refused = empty.client.post(
        "/api/v1/first-run/finish", json={"answers": ANSWERS}, headers={"Origin": "https://evil.example"}
    )
    assert refused.json()["code"] == "other_site"
    assert not empty.configuration.path.exists()


@pytest.mark.parametrize(
    ("question", "changed", "where", "code"),
    [
        ("town", {"organization": " "}, "organization", "empty"),
        ("town", {"country": "ZZ"}, "country", "wrong_country"),
        ("address", {"street": ""}, "street", "empty"),
        ("address", {"city": "a" * 150}, "city", "wrong_city"),
        ("line", {"main_number": "12"}, "main_number", "wrong_main_number"),
        ("numbers", {"first": "deux"}, "first", "wrong_extension"),
        ("numbers", {"last": "1999"}, "last", "wrong_range"),
        ("numbers", {"last": "20999"}, "last", "wrong_range"),
        ("numbers", {"first": "10", "last": "19"}, "first", "refused"),  # 15, 17 and 18 are for help
        ("administrator", {"account": "2000"}, "account", "wrong_account"),
        ("administrator", {"password": "court"}, "password", "password_short"),
        ("administrator", {"password": "anne.martin anne.martin"}, "password", "password_is_name"),
    ],
)
def test_a_wrong_answer_is_named_and_nothing_is_made(
    empty: Empty, question: str, changed: dict[str, str], where: str, code: str
) -> None:
    wrong = {**ANSWERS, **changed}
    for way in ("check", "finish"):
        refused = empty.opened().ask(way, {"answers": wrong, "question": question})
        assert (refused.status_code, refused.json()["where"], refused.json()["code"]) == (422, where, code)
    assert list(empty.folder.glob("*.yaml")) == []


def test_what_can_t_be_made_whole_leaves_nothing(empty: Empty) -> None:
    with closing(open_database(empty.configuration.database)) as database:
        taken = {"now": NOW, "roles": ["agent"]}
        database.write(lambda connection: records.add(connection, "anne.martin", "Other", **taken))
    refused = empty.opened().ask("finish", {"answers": ANSWERS})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_installed")
    assert list(empty.folder.glob("*.yaml")) == []
    with closing(open_database(empty.configuration.database)) as database:
        assert database.read(list_people) == []


def test_a_node_that_is_installed_says_so(empty: Empty) -> None:
    empty.opened().ask("finish", {"answers": ANSWERS})
    refused = empty.ask("open", {"link": empty.link()})
    assert (refused.status_code, refused.json()["code"]) == (409, "installed")


def test_an_ordinary_node_has_no_first_run(client: TestClient) -> None:
    refused = client.post("/api/v1/first-run/open", json={"link": "x"})
    assert (refused.status_code, refused.json()["code"]) == (409, "installed")


def test_the_page_is_heard_on_loopback_without_tls_and_elsewhere_with_it(tmp_path: Path) -> None:
    path = tmp_path / "beffroi.yaml"
    assert origins(provisional(path, "127.0.0.1:8081")) == ["http://127.0.0.1:8081"]
    (origin,) = origins(provisional(path))
    assert origin.startswith("https://") and origin.endswith(":8080")


def test_another_link_is_printed_only_where_a_first_run_waits(tmp_path: Path) -> None:
    file = str(tmp_path / "beffroi.yaml")
    assert "no first run waits" in run_command("first-run", "-c", file).err
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "first-run.json").write_text(json.dumps(["http://127.0.0.1:8081"]))
    assert "http://127.0.0.1:8081/first-run#" in run_command("first-run", "-c", file).out
    Path(file).write_text("")
    assert "this node has its configuration" in run_command("first-run", "-c", file).err


def test_only_the_usual_name_of_a_configuration_is_made(tmp_path: Path) -> None:
    assert is_first_run(tmp_path / "beffroi.yaml")
    assert not is_first_run(tmp_path / "befroi.yaml")  # a slip of the finger is an error, as before
    (tmp_path / "beffroi.yaml").touch()
    assert not is_first_run(tmp_path / "beffroi.yaml")
