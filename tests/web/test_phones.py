"""Desk telephones over HTTP: adding, giving away, inviting, blocking; and what each is handed out."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
from pathlib import Path
from typing import Any

import pytest
import segno
from starlette.testclient import TestClient

from pbx import control
from pbx.control import DevicesTold
from pbx.people.credentials import kept_password
from pbx.phones import shelf
from pbx.phones.book import book_of, may_look, name_in_directory
from pbx.phones.counter import Answer, Counter, Wanted
from pbx.phones.images import Images
from pbx.phones.settings import Provisioning
from pbx.phones.window import open_until
from pbx.settings.values import Listen
from provisioning.brand import load_brands
from tests.web.office import Office, as_, office

ADMINISTRATOR = as_("administrator", "2020")
MAC = "805ec0123456"
AGENT = "Yealink SIP-T54W 96.86.0.23 80:5e:c0:12:34:56"


@pytest.fixture
def node(tmp_path: Path) -> Office:
    made = office(tmp_path)
    said = Provisioning(
        https=(Listen("127.0.0.1", 8443),),
        http=(Listen("127.0.0.1", 8090),),
        ldaps=(Listen("127.0.0.1", 636),),
    )
    made.configuration = dataclasses.replace(made.configuration, provisioning=said)
    made.answers[control.DropBindings] = lambda question: DevicesTold(question.devices)
    made.answers[control.NotifyDevices] = lambda question: DevicesTold(question.devices)
    return made


@pytest.fixture
def claire(client: TestClient) -> None:
    person = {"extension": "2011", "name": "Claire Petit"}
    assert client.post("/api/v1/people", json=person, headers=ADMINISTRATOR).status_code == 201


@pytest.fixture
def phone(client: TestClient, claire: None) -> dict[str, Any]:
    asked = {"mac": "80:5E:C0:12:34:56", "brand": "yealink", "model": "T54W", "extensions": ["2011"]}
    answer = client.post("/api/v1/phones", json=asked, headers=ADMINISTRATOR)
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def ask(
    node: Office,
    path: str,
    *,
    address: str = "10.54.1.20",
    transport: Any = "https",
    user: str = "",
    **more: str,
) -> Answer:
    """What a telephone gets, by a counter on the node's own database."""
    counter = Counter(
        node.configuration,
        load_brands(),
        node._store,
        node.sealing,
        Images(None, node.clock, lambda: "Europe/Paris"),
        node.plan,
        lambda: open_until(node.configuration.data_dir, node.now) > 0.0,
        node.clock,
        lambda: book_of(node.plan(), node.configuration.domain),
        lambda _: user,
    )

    async def work() -> Answer:
        answer = await counter.hand_out(Wanted(transport, path, address, agent=AGENT, **more))
        await counter.write_journal()
        return answer

    return asyncio.run(work())


def reason(client: TestClient) -> str:
    """Why the last request was refused, as the journal has it: whoever asked isn't told."""
    items = client.get("/api/v1/phones/fetches", headers=ADMINISTRATOR).json()["items"]
    assert items[0]["outcome"] == "refused"
    return str(items[0]["reason"])


def post(client: TestClient, path: str, status: int = 200, **json: Any) -> dict[str, Any]:
    answer = client.post(f"/api/v1/phones/{MAC}/{path}", json=json or None, headers=ADMINISTRATOR)
    assert answer.status_code == status, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def open_window(client: TestClient, minutes: int = 30) -> None:
    answer = client.put("/api/v1/phones/window", json={"minutes": minutes}, headers=ADMINISTRATOR)
    assert answer.status_code == 200, answer.text


def secret_of(content: bytes) -> str:
    line = next(line for line in content.decode().splitlines() if "auto_provision.server.url" in line)
    return line.rpartition("/s/")[2].strip("/")


def test_a_telephone_is_added_with_a_line_and_a_password_of_its_own(phone: dict[str, Any], node: Office):
    assert (phone["name"], phone["stage"], phone["lines"]) == (MAC, "waiting", ["2011-c0123456"])
    password = asyncio.run(node.read(lambda c: kept_password(c, node.sealing, "2011-c0123456")))
    assert len(password) >= 16


def test_energy_is_told_as_far_as_the_maker_has_it(client: TestClient, phone: dict[str, Any]):
    assert (phone["energy"]["screen_off_minutes"], len(phone["energy"]["office_hours"])) == (10, 7)
    snom = {"mac": "00:04:13:00:00:07", "brand": "snom", "model": "D785"}
    added = client.post("/api/v1/phones", headers=ADMINISTRATOR, json=snom).json()
    assert added["energy"] == {"screen_off_minutes": 10, "office_hours": []}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"mac": "nonsense", "brand": "yealink", "model": "T54W"}, "wrong_mac"),
        ({"mac": "805ec0123457", "brand": "acme", "model": "T54W"}, "unknown_brand"),
        ({"mac": "805ec0123457", "brand": "yealink", "model": "X5U"}, "unknown_model"),
        (
            {"mac": "805ec0123457", "brand": "yealink", "model": "T54W", "extensions": ["7777"]},
            "not_assigned",
        ),
        ({"mac": "805ec0123456", "brand": "yealink", "model": "T54W"}, "phone_exists"),
    ],
)
def test_what_cannot_be_added_says_why(
    client: TestClient, phone: dict[str, Any], asked: dict[str, Any], code: str
):
    answer = client.post("/api/v1/phones", json=asked, headers=ADMINISTRATOR)
    assert answer.json()["code"] == code, answer.text
    listed = client.get("/api/v1/phones", headers=ADMINISTRATOR).json()["items"]
    assert [one["name"] for one in listed] == [MAC]


def test_an_invited_telephone_gets_its_settings_once(client: TestClient, phone: dict[str, Any], node: Office):
    link = post(client, "invitation")
    assert link["url"].startswith("https://127.0.0.1:8443/t/") and link["qr"].startswith("data:image/svg+xml")
    path = f"t/{link['url'].rstrip('/').rpartition('/')[2]}/{MAC}.cfg"
    first = ask(node, path)
    password = asyncio.run(node.read(lambda c: kept_password(c, node.sealing, "2011-c0123456")))
    assert first.status == 200 and f"account.1.password = {password}\n".encode() in first.content
    assert ask(node, path).status == 403
    shown = client.get(f"/api/v1/phones/{MAC}", headers=ADMINISTRATOR).json()
    assert (shown["stage"], shown["version"], shown["invited"]) == ("enrolled", "96.86.0.23", False)


def test_the_qr_code_is_the_links_own(client: TestClient, phone: dict[str, Any]):
    """ISO/IEC 18004: the same text makes the same squares, and another text others."""
    link = post(client, "invitation")
    drawn, others = (
        segno.make(text, micro=False).svg_data_uri(scale=4, border=4, dark="#000", light="#fff")
        for text in (link["url"], f"{link['url']}x")
    )
    assert link["qr"] == drawn != others


def test_an_enrolled_telephone_gets_the_same_bytes_each_time(
    client: TestClient, phone: dict[str, Any], node: Office
):
    token = post(client, "invitation")["url"].rstrip("/").rpartition("/")[2]
    secret = secret_of(ask(node, f"t/{token}/{MAC}.cfg").content)
    own = [ask(node, f"s/{secret}/{MAC}.cfg").content for _ in range(2)]
    common = ask(node, f"s/{secret}/y000000000096.cfg")
    assert own[0] == own[1] and common.status == 200 and secret.encode() not in common.content


def test_a_telephone_out_of_its_box_waits_until_somebody_takes_it(
    client: TestClient, phone: dict[str, Any], node: Office
):
    unknown = ask(node, f"{MAC}.cfg")
    assert (unknown.status, reason(client)) == (403, "unknown")
    assert post(client, "approval", 409)["code"] == "window_closed"
    open_window(client)
    assert ask(node, f"{MAC}.cfg") == unknown and reason(client) == "waiting"
    assert post(client, "approval")["stage"] == "approved"
    assert ask(node, f"{MAC}.cfg", address="10.54.1.66") == unknown
    assert ask(node, f"{MAC}.cfg").status == 200
    assert ask(node, f"{MAC}.cfg").status == 403


def test_a_telephone_that_nobody_knows_is_listed_with_what_and_where_it_is(client: TestClient, node: Office):
    assert ask(node, "805ec0aaaaaa.cfg", address="10.54.3.7").status == 403
    (one,) = client.get("/api/v1/phones", headers=ADMINISTRATOR).json()["items"]
    assert (one["name"], one["brand"], one["model"], one["address"]) == (
        "805ec0aaaaaa",
        "yealink",
        "T54W",
        "10.54.3.7",
    )


def test_whoever_says_a_waiting_telephones_address_is_not_taken_for_it(
    client: TestClient, phone: dict[str, Any], node: Office
):
    open_window(client)
    ask(node, f"{MAC}.cfg")
    ask(node, f"{MAC}.cfg", address="10.54.1.66")
    refused = post(client, "approval", 409)
    assert refused["code"] == "several_addresses"
    assert {one["detail"] for one in refused["errors"]} == {"10.54.1.20", "10.54.1.66"}
    assert post(client, "approval?address=10.54.1.20")["stage"] == "approved"
    assert ask(node, f"{MAC}.cfg", address="10.54.1.66").status == 403
    assert ask(node, f"{MAC}.cfg").status == 200


def test_many_addresses_said_push_out_no_telephone_that_was_entered(
    client: TestClient, phone: dict[str, Any], node: Office
):
    def flood(connection: Any) -> None:
        for number in range(shelf.MOST_WAITING + 1):
            seen = shelf.Phone(
                name=f"805ec1{number:06x}", brand="yealink", model="", address=f"10.54.{number % 20}.9"
            )
            shelf.see(connection, seen, node.now)

    asyncio.run(node.write(flood))
    names = [one.name for one in asyncio.run(node.read(shelf.list_phones))]
    assert MAC in names and len(names) == shelf.MOST_WAITING + 1


def test_a_makers_certificate_counts_for_its_own_address(
    client: TestClient, phone: dict[str, Any], node: Office
):
    assert ask(node, f"{MAC}.cfg", certificate_mac="805ec0bbbbbb").status == 403
    assert reason(client) == "others_certificate"
    assert ask(node, f"{MAC}.cfg", certificate_mac=MAC).status == 200


@pytest.mark.parametrize("transport", ["http", "tftp"])
def test_in_clear_there_is_a_pointer_without_a_secret(
    client: TestClient, phone: dict[str, Any], node: Office, transport: str
):
    token = post(client, "invitation")["url"].rstrip("/").rpartition("/")[2]
    answer = ask(node, f"{MAC}.cfg", transport=transport)
    assert b"static.auto_provision.server.url = https://127.0.0.1:8443/\n" in answer.content
    assert b"password" not in answer.content
    assert ask(node, f"t/{token}/{MAC}.cfg", transport=transport).status == 403
    assert ask(node, f"{MAC}.cfg", transport=transport, address="203.0.113.9").status == 403


def test_an_old_telephone_gets_settings_without_its_password(
    client: TestClient, phone: dict[str, Any], node: Office
):
    token = post(client, "invitation")["url"].rstrip("/").rpartition("/")[2]
    secret = secret_of(ask(node, f"t/{token}/{MAC}.cfg").content)
    change = {"brand": "snom", "model": "710", "old_tls": True}
    assert client.patch(f"/api/v1/phones/{MAC}", json=change, headers=ADMINISTRATOR).status_code == 200
    answer = ask(node, f"snom710-{MAC.upper()}.htm", transport="http")
    assert b">2011-c0123456</user_pname>" in answer.content
    assert b"_pass" not in answer.content and secret.encode() not in answer.content
    assert b";transport=udp<" in answer.content and b">off</user_srtp>" in answer.content


@pytest.mark.parametrize(
    ("brand", "model", "path", "openssl", "words"),
    [
        (
            "grandstream",
            "GXP1405",
            f"cfg{MAC}.xml",
            ["-aes-256-cbc", "-md", "md5", "-pass", "pass:{key}"],
            (b"<P36>2011-c0123456</P36>", b"<P34>", b"<P2>"),
        ),
        (
            "yealink",
            "T28P",
            f"{MAC}.cfg",
            ["-aes-128-ecb", "-nopad", "-K", "{digits}"],
            (
                b"account.1.user_name = 2011-c0123456\n",
                b"account.1.password = ",
                b"security.user_password = admin:",
            ),
        ),
    ],
)
def test_an_old_telephone_whose_maker_encrypts_files_gets_all_with_a_password_that_is_typed_in(
    client: TestClient,
    phone: dict[str, Any],
    node: Office,
    brand: str,
    model: str,
    path: str,
    openssl: list[str],
    words: tuple[bytes, ...],
):
    change = {"brand": brand, "model": model, "old_tls": True}
    token = post(client, "invitation")["url"].rstrip("/").rpartition("/")[2]
    assert ask(node, f"t/{token}/{MAC}.cfg").status == 200
    assert client.patch(f"/api/v1/phones/{MAC}", json=change, headers=ADMINISTRATOR).status_code == 200
    shown = client.get(f"/api/v1/phones/{MAC}/password", headers=ADMINISTRATOR).json()["file_password"]
    command = [word.format(key=shown, digits=shown.encode().hex()) for word in openssl]
    answer = ask(node, path, transport="http")
    decrypting = ["openssl", "enc", "-d", *command]
    clear = subprocess.run(decrypting, input=answer.content, capture_output=True, check=True).stdout
    assert [word for word in words if word not in clear] == []
    assert shown.encode() not in clear and b"/s/" not in clear
    assert b"127.0.0.1:8443" in ask(node, path, transport="tftp").content  # where to go, for everybody


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("y000000000000.cfg", b"\nauto_provision.server.url = http://127.0.0.1:8090/\n"),
        ("f0X5hw1.100.cfg", b"<FlashProtocol>4</FlashProtocol>"),
        ("y000000000096.cfg", b"\nauto_provision.server.url = https://127.0.0.1:8443/\n"),
    ],
)
def test_the_file_of_an_old_model_leads_to_no_tls_that_it_has_not(
    client: TestClient, node: Office, path: str, words: bytes
):
    assert words in ask(node, path, transport="http").content


def test_a_secret_that_is_rotated_works_until_the_new_one_was_used(
    client: TestClient, phone: dict[str, Any], node: Office
):
    token = post(client, "invitation")["url"].rstrip("/").rpartition("/")[2]
    first = secret_of(ask(node, f"t/{token}/{MAC}.cfg").content)
    assert post(client, "rotation")["rotates"] is True
    second = secret_of(ask(node, f"s/{first}/{MAC}.cfg").content)
    assert second != first
    third = secret_of(ask(node, f"s/{first}/{MAC}.cfg").content)  # the answer before was lost
    assert ask(node, f"s/{second}/{MAC}.cfg").status == 403
    assert ask(node, f"s/{third}/{MAC}.cfg").status == 200
    assert ask(node, f"s/{first}/{MAC}.cfg").status == 403


def test_a_lost_telephone_gets_nothing_and_its_password_changes(
    client: TestClient, phone: dict[str, Any], node: Office
):
    token = post(client, "invitation")["url"].rstrip("/").rpartition("/")[2]
    secret = secret_of(ask(node, f"t/{token}/{MAC}.cfg").content)
    before = asyncio.run(node.read(lambda c: kept_password(c, node.sealing, "2011-c0123456")))
    assert post(client, "block")["stage"] == "blocked"
    assert ask(node, f"s/{secret}/{MAC}.cfg").status == 403
    assert ask(node, f"{MAC}.cfg", certificate_mac=MAC).status == 403 and reason(client) == "blocked"
    after = asyncio.run(node.read(lambda c: kept_password(c, node.sealing, "2011-c0123456")))
    assert after != before
    assert control.DropBindings(["2011-c0123456"], lost=True) in node.asked
    assert post(client, "unblock")["stage"] == "waiting"


def test_a_telephone_that_is_given_away_takes_its_line_along(client: TestClient, phone: dict[str, Any]):
    person = {"extension": "2012", "name": "Denis Roux"}
    assert client.post("/api/v1/people", json=person, headers=ADMINISTRATOR).status_code == 201
    change = {"extensions": ["2012", "2011"]}
    answer = client.patch(f"/api/v1/phones/{MAC}", json=change, headers=ADMINISTRATOR)
    assert answer.json()["lines"] == ["2012-c0123456", "2011-c0123456"]
    change = {"extensions": ["2012"]}
    answer = client.patch(f"/api/v1/phones/{MAC}", json=change, headers=ADMINISTRATOR)
    assert answer.json()["lines"] == ["2012-c0123456"]
    node: Any = client.app
    devices = asyncio.run(node.state.node.read(lambda c: shelf.phone_of_line(c, "2011-c0123456")))
    assert devices == ""


def test_another_telephones_file_is_not_handed_out_for_a_secret(
    client: TestClient, phone: dict[str, Any], node: Office
):
    token = post(client, "invitation")["url"].rstrip("/").rpartition("/")[2]
    secret = secret_of(ask(node, f"t/{token}/{MAC}.cfg").content)
    assert ask(node, f"s/{secret}/805ec0ffff00.cfg").status == 404
    assert ask(node, f"s/{'x' * 27}/{MAC}.cfg").status == 403 and reason(client) == "wrong_secret"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "../beffroi.yaml",
        "s/../../etc/passwd",
        "t//x",
        "805EC0123456.cfg",
        "s/%00/x",
        "firmware/../x",
        "é.cfg",
        "x" * 300,
    ],
)
def test_strange_paths_get_nothing(phone: dict[str, Any], node: Office, path: str):
    assert ask(node, path).status in (400, 403, 404)


def enrolled(client: TestClient, node: Office) -> str:
    """The secret of the telephone, which has fetched by its invitation."""
    token = post(client, "invitation")["url"].rstrip("/").rpartition("/")[2]
    return secret_of(ask(node, f"t/{token}/{MAC}.cfg").content)


def test_a_directory_is_searched_by_name(client: TestClient, phone: dict[str, Any], node: Office):
    token = post(client, "invitation")["url"].rstrip("/").rpartition("/")[2]
    secret = secret_of(ask(node, f"t/{token}/{MAC}.cfg").content)
    found = ask(node, f"s/{secret}/directory.xml", query="mart")
    assert b"Alice Martin" in found.content and found.content.count(b"<DirectoryEntry>") == 1


def test_a_borrowed_telephone_has_the_names_keys_and_directory_of_whoever_sits_there(
    client: TestClient, phone: dict[str, Any], node: Office
):
    secret = enrolled(client, node)
    file = f"s/{secret}/{MAC}.cfg"
    own = ask(node, file).content.decode()
    node.now += 1.0
    borrowed = ask(node, file, user="2020").content.decode()
    assert "account.1.display_name = Claire Petit" in own
    name = node.plan().people["2020"].name
    assert f"account.1.display_name = {name}" in borrowed and "2011-c0123456" in borrowed
    password = "account.1.password = "
    assert borrowed.partition(password)[2].split("\n")[0] == own.partition(password)[2].split("\n")[0]
    assert ask(node, file).content.decode() == own


def test_a_telephones_directory_password_is_its_own_and_goes_with_its_secret(
    client: TestClient, phone: dict[str, Any], node: Office
):
    secret = enrolled(client, node)
    text = ask(node, f"s/{secret}/{MAC}.cfg").content.decode()
    said = dict(line.split(" = ", 1) for line in text.splitlines() if line.startswith("ldap."))
    assert said["ldap.user"] == name_in_directory(MAC, node.configuration.domain)
    assert said["ldap.tls_mode"] == "2"

    def opens(password: str) -> bool:
        return asyncio.run(node._store.read(lambda c: may_look(c, node.sealing, MAC, password)))

    assert opens(said["ldap.password"]) and not opens("") and not opens(secret)
    assert said["ldap.password"] not in said["ldap.user"] and secret not in said["ldap.password"]
    assert kept_password_of(node) != said["ldap.password"]
    post(client, "block")
    assert not opens(said["ldap.password"])


def kept_password_of(node: Office) -> str:
    """The password of the telephone's line."""
    return asyncio.run(node._store.read(lambda c: kept_password(c, node.sealing, "2011-c0123456")))


def test_each_request_is_journalled_without_secrets(client: TestClient, phone: dict[str, Any], node: Office):
    token = post(client, "invitation")["url"].rstrip("/").rpartition("/")[2]
    ask(node, f"t/{token}/{MAC}.cfg")
    ask(node, f"t/{token}/{MAC}.cfg")
    items = client.get(f"/api/v1/phones/fetches?name={MAC}", headers=ADMINISTRATOR).json()["items"]
    assert [(one["outcome"], one["reason"]) for one in items] == [("refused", "token_used"), ("served", "")]
    assert [one["path"] for one in items] == [f"t/.../{MAC}.cfg"] * 2


def test_a_resync_says_which_lines_were_told(client: TestClient, phone: dict[str, Any], node: Office):
    assert post(client, "resync") == {"told": ["2011-c0123456"], "busy": [], "away": []}
    assert control.NotifyDevices(["2011-c0123456"], "check-sync") in node.asked


def test_the_window_closes_by_itself(client: TestClient, node: Office):
    open_window(client, 30)
    assert client.get("/api/v1/phones", headers=ADMINISTRATOR).json()["window_until_at"] == node.now + 1800.0
    node.now += 1801.0
    assert client.get("/api/v1/phones", headers=ADMINISTRATOR).json()["window_until_at"] == 0.0


def test_dhcp_lines_name_where_a_telephone_out_of_its_box_hears_whom_to_believe(
    node: Office, client: TestClient
):
    def said() -> str:
        answer = client.get("/api/v1/phones/dhcp?server=dnsmasq", headers=ADMINISTRATOR).json()
        return str(answer["lines"])

    assert 'dhcp-option=66,"http://127.0.0.1:8090/"' in said()
    sip = dataclasses.replace(node.configuration.sip, certificates=((Path("public.crt"), Path("key")),))
    node.configuration = dataclasses.replace(node.configuration, sip=sip)
    assert 'dhcp-option=66,"https://127.0.0.1:8443/"' in said()


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ("dnsmasq&brand=snom&brand=fanvil", 200, "dhcp-vendorclass=set:snom,snom"),
        ("dnsmasq&brand=acme", 422, "there are no templates of acme"),
        ("cisco&brand=snom", 422, "the same options to all devices"),
    ],
)
def test_dhcp_lines_are_for_brands_alone_where_it_is_asked(
    client: TestClient, asked: str, status: int, words: str
):
    answer = client.get(f"/api/v1/phones/dhcp?server={asked}", headers=ADMINISTRATOR)
    assert answer.status_code == status and words in answer.text


def test_an_agent_sees_no_telephones(client: TestClient):
    assert client.get("/api/v1/phones", headers=as_("agent", "1001")).status_code == 403
    assert client.post(f"/api/v1/phones/{MAC}/block", headers=as_("supervisor")).status_code == 403


def test_a_forgotten_telephone_leaves_nothing(client: TestClient, phone: dict[str, Any], node: Office):
    assert client.delete(f"/api/v1/phones/{MAC}", headers=ADMINISTRATOR).status_code == 204
    assert client.get(f"/api/v1/phones/{MAC}", headers=ADMINISTRATOR).status_code == 404
    assert asyncio.run(node.read(lambda c: shelf.phone_of_line(c, "2011-c0123456"))) == ""
