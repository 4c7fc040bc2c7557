"""Backups over HTTP: one at a time, listed, verified, downloaded, removed, and all of it written down."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pbx.node.backup import restore, verify
from pbx.node.backups import LATE_SECONDS
from tests.web.office import Office, as_
from tests.web.test_plan import entered

URL = "/api/v1/backups"
CHIEF = as_("administrator")


def done(client: TestClient) -> dict[str, Any]:
    """What is there once nothing is being done."""
    while True:
        found: dict[str, Any] = client.get(URL, headers=CHIEF).json()
        if found["work"]["state"] != "running":
            return found


def made(client: TestClient) -> str:
    """Make one; returns its name."""
    assert client.post(URL, headers=CHIEF).status_code == 202
    return str(done(client)["items"][0]["name"])


def test_a_backup_is_made_downloaded_and_can_be_restored(client: TestClient, node: Office, tmp_path: Path):
    assert client.post(URL, headers=CHIEF).json()["state"] == "running"
    found = done(client)
    assert (found["work"]["state"], found["work"]["share"], found["work"]["by"]) == (
        "done",
        1.0,
        "administrator-",
    )
    (kept,) = found["items"]
    answer = client.get(f"{URL}/{kept['name']}", headers=CHIEF)
    assert (answer.headers["content-type"], len(answer.content)) == ("application/gzip", kept["bytes"])
    archive = tmp_path / "downloaded.tar.gz"
    archive.write_bytes(answer.content)
    restored = restore(archive, tmp_path / "elsewhere")
    assert (restored.data_dir / "audit" / "journal").is_file()
    what = [entry[0] for entry in entered(node)]
    assert what == ["backup.download", "backup.make"]


def test_a_backup_holds_no_backup(client: TestClient, node: Office):
    first = made(client)
    node.now += 60
    second = made(client)
    assert second > first
    names = [member.name for member in verify(node.configuration.data_dir / "backups" / second).members]
    assert not [name for name in names if "tar.gz" in name]


def test_one_backup_is_made_at_a_time(client: TestClient, node: Office, monkeypatch: pytest.MonkeyPatch):
    may_go_on = threading.Event()

    def wait(*_: object) -> object:
        assert may_go_on.wait(60)
        raise RuntimeError("of no interest")

    monkeypatch.setattr(node.backups.backups, "make", wait)
    client.post(URL, headers=CHIEF)
    second = client.post(URL, headers=CHIEF)
    may_go_on.set()
    assert (second.status_code, second.json()["code"]) == (409, "backup_busy")


def test_a_damaged_backup_is_found_out(client: TestClient, node: Office):
    name = made(client)
    path = node.configuration.data_dir / "backups" / name
    assert client.post(f"{URL}/{name}/verify", headers=CHIEF).status_code == 202
    assert done(client)["work"]["state"] == "done"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    client.post(f"{URL}/{name}/verify", headers=CHIEF)
    work = done(client)["work"]
    assert (work["state"], work["what"], work["name"]) == ("failed", "verify", name)
    assert work["problem"]


def test_a_backup_that_can_t_be_made_says_why(client: TestClient, node: Office):
    (node.configuration.data_dir / "backups").write_text("in the way")
    client.post(URL, headers=CHIEF)
    work = done(client)["work"]
    assert work["state"] == "failed"
    assert "backups" in work["problem"]


def test_the_newest_backup_is_called_old_after_a_week(client: TestClient, node: Office):
    assert client.get(URL, headers=CHIEF).json()["is_late"] is True
    made(client)
    assert client.get(URL, headers=CHIEF).json()["is_late"] is False
    node.now += LATE_SECONDS + 1
    assert client.get(URL, headers=CHIEF).json()["is_late"] is True


def test_a_backup_is_removed(client: TestClient, node: Office):
    name = made(client)
    assert client.delete(f"{URL}/{name}", headers=CHIEF).status_code == 204
    assert client.get(URL, headers=CHIEF).json()["items"] == []
    assert entered(node)[0][0] == "backup.remove"


@pytest.mark.parametrize(
    "name",
    ["beffroi-20260101-000000.tar.gz", "..%2fnode.key", "node.key", "beffroi-20269999-000000.tar.gz", "%00"],
)
def test_what_is_no_backup_isn_t_sent(client: TestClient, node: Office, name: str):
    assert client.get(f"{URL}/{name}", headers=CHIEF).status_code in (404, 422)


def test_a_link_that_lies_where_a_backup_would_isn_t_followed(client: TestClient, node: Office):
    folder = node.configuration.data_dir / "backups"
    folder.mkdir()
    name = "beffroi-20260101-000000.tar.gz"
    (folder / name).symlink_to(node.configuration.plan)
    assert client.get(f"{URL}/{name}", headers=CHIEF).status_code == 404


@pytest.mark.parametrize("role", ["agent", "operator", "supervisor", "listener", "auditor"])
def test_only_an_administrator_has_anything_to_do_with_backups(client: TestClient, node: Office, role: str):
    name = made(client)
    headers = as_(role)
    assert {
        client.get(URL, headers=headers).status_code,
        client.post(URL, headers=headers).status_code,
        client.get(f"{URL}/{name}", headers=headers).status_code,
        client.post(f"{URL}/{name}/verify", headers=headers).status_code,
        client.delete(f"{URL}/{name}", headers=headers).status_code,
    } == {403}
