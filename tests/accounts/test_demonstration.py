"""The one exception to passwords and second factors: the sample town, on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pbx.accounts.demonstration import add_sample_accounts, is_demonstration
from pbx.accounts.rights import ROLES
from pbx.configuration import load_configuration
from pbx.demo.town import write_configuration
from pbx.store.database import open_database
from pbx.store.revision import upgrade
from pbx.web.application import application
from tests.accounts.desk import Desk
from tests.web.office import NOW, Office


@pytest.fixture
def sample(tmp_path: Path) -> tuple[Office, dict[str, str]]:
    """The demonstration's node, and the secret of a link for each role."""
    (tmp_path / "data").mkdir()
    configuration = write_configuration(tmp_path, 5060, 8080)
    database = open_database(configuration.database)
    upgrade(database)
    links = database.write(lambda connection: add_sample_accounts(connection, NOW))
    database.close()
    return Office(configuration), dict(links)


def test_each_link_is_signed_in_once_with_its_role_and_nothing_more_is_asked(sample):
    node, links = sample
    assert set(links) == set(ROLES)
    with TestClient(application(node), base_url="http://127.0.0.1:8080", client=("127.0.0.1", 5)) as client:
        for role, secret in links.items():
            desk = Desk(client)
            told = desk.follow(desk.ask("POST", "/session/demonstration", {"secret": secret}))
            assert (told["roles"], told["second_factor"]) == ([role], "none")
            assert desk.ask("GET", "/account").status_code == 200
            assert desk.ask("POST", "/session/demonstration", {"secret": secret}).status_code == 404


def test_from_another_machine_a_link_opens_nothing(sample):
    node, links = sample
    with TestClient(application(node), base_url="http://127.0.0.1:8080", client=("192.0.2.7", 5)) as client:
        answer = Desk(client).ask("POST", "/session/demonstration", {"secret": links["administrator"]})
    assert answer.json()["code"] == "link_refused"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# The demonstration town", "# Another town"),
        ("web: 127.0.0.1:8080", "web: 0.0.0.0:8080"),
        ('udp: "127.0.0.1:5060"', 'udp: "0.0.0.0:5060"'),
    ],
)
def test_a_node_that_hears_more_than_loopback_or_is_another_is_no_demonstration(tmp_path, before, after):
    file = write_configuration(tmp_path, 5060, 8080).path
    assert is_demonstration(load_configuration(file))
    text = file.read_text("utf-8")
    assert before in text
    file.write_text(text.replace(before, after), "utf-8")
    assert not is_demonstration(load_configuration(file))
