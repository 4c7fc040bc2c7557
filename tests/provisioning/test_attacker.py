"""Whoever wants other people's settings: on the LAN, with the real servers, and with nothing to show for it.

What is refused is refused in the same words, whoever is known; honest telephones go on meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import struct
from pathlib import Path

import pytest

from pbx.phones import shelf
from provisioning.enrolment import TOKEN_SECONDS
from tests.interop.patience import until
from tests.provisioning.makers import CLIENT, SERVER, Maker
from tests.provisioning.town_hall import (
    HONEST,
    HOST,
    HTTP,
    HTTPS,
    OTHER,
    TFTP,
    Said,
    TownHall,
    machine_time,
)

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("provisioning for real"),
    pytest.mark.asyncio(loop_scope="package"),
]

REFUSED, NO_FILE = Said(403, "refused"), Said(404, "no such file")


async def test_a_scan_of_addresses_learns_nothing_and_ends_in_429_while_an_honest_telephone_goes_on(
    hall: TownHall,
):
    attacker, honest = hall.town.plug("10.54.1.50"), hall.town.plug("10.54.1.51")
    secret = hall.enrolled(honest, HONEST)
    names = [HONEST, OTHER, *(f"805ec077{number:04x}" for number in range(38))]
    answers = hall.fetch(attacker, *(f"{name}.cfg" for name in names))
    assert answers == [REFUSED] * 31 + [Said(429, "too many requests")] * 9
    await hall.journalled("too often", "10.54.1.50")
    assert sum(one.address == "10.54.1.50" for one in hall.journal()) == 32
    (said,) = hall.fetch(honest, f"s/{secret}/{HONEST}.cfg")
    assert said.status == 200


async def test_a_token_works_once_for_its_own_telephone_and_not_after_its_end(hall: TownHall):
    attacker = hall.town.plug("10.54.1.52")
    token = hall.invitation(OTHER)
    assert hall.fetch(attacker, f"t/{token}/{HONEST}.cfg") == [NO_FILE]
    first, second = hall.fetch(attacker, f"t/{token}/{OTHER}.cfg", f"t/{token}/{OTHER}.cfg")
    assert (first.status, second) == (200, REFUSED)
    late, end = hall.invitation(OTHER), machine_time().timestamp() - TOKEN_SECONDS
    hall.within(lambda connection: connection.exec_driver_sql("UPDATE phones SET token_at = ?", (end,)))
    assert hall.fetch(attacker, f"t/{late}/{OTHER}.cfg") == [REFUSED]


async def test_a_telephones_secret_opens_nothing_of_anothers_nor_after_rotation_nor_when_it_is_lost(
    hall: TownHall,
):
    own = hall.town.plug("10.54.1.53")
    first = hall.enrolled(own, OTHER)
    assert hall.fetch(own, f"s/{first}/{HONEST}.cfg", f"s/{'x' * 27}/{OTHER}.cfg") == [NO_FILE, REFUSED]
    hall.within(lambda connection: shelf.want_rotation(connection, OTHER))
    (said,) = hall.fetch(own, f"s/{first}/{OTHER}.cfg")
    second = said.content.partition("/s/")[2].partition("/")[0]
    used, replayed = hall.fetch(own, f"s/{second}/{OTHER}.cfg", f"s/{first}/{OTHER}.cfg")
    assert (used.status, replayed) == (200, REFUSED)
    hall.within(lambda connection: shelf.block(connection, OTHER))
    assert hall.fetch(own, f"s/{second}/{OTHER}.cfg", f"{OTHER}.cfg") == [REFUSED, REFUSED]
    hall.within(
        lambda connection: connection.exec_driver_sql(
            "UPDATE phones SET stage = 'waiting' WHERE name = ?", (OTHER,)
        )
    )


async def test_a_certificate_counts_for_its_own_name_and_if_a_maker_that_is_trusted_made_it(
    hall: TownHall, tmp_path: Path
):
    own = hall.town.plug("10.54.1.54")

    def with_certificate(path: Path) -> list[Said]:
        return hall.fetch(own, f"{OTHER}.cfg", options=("--cert", path))

    maker, unknown = hall.maker, Maker("Maker", machine_time())
    assert with_certificate(maker.telephone(tmp_path, HONEST)) == [REFUSED]
    assert with_certificate(maker.telephone(tmp_path, f"{OTHER}0123456789")) == [REFUSED]
    for refused in (
        unknown.telephone(tmp_path, OTHER),
        maker.telephone(tmp_path, OTHER, days=-1.0),
        maker.telephone(tmp_path, OTHER, SERVER),
    ):
        assert with_certificate(refused) == [Said(0, "")]  # TLS itself says no
    (said,) = with_certificate(maker.telephone(tmp_path, OTHER.upper(), CLIENT))
    assert said.status == 200 and "account.1.password" in said.content


async def test_in_clear_there_is_a_pointer_and_a_certificate_whoever_asks_for_whom(hall: TownHall):
    own = hall.town.plug("10.54.1.55")
    secret = hall.enrolled(own, HONEST)
    base = f"http://{hall.pbx.address}:{HTTP}/"
    known, unknown, replayed, authority = hall.fetch(
        own,
        *(f"{HONEST}.cfg", "805ec0777777.cfg", f"s/{secret}/{HONEST}.cfg", "authority.pem"),
        base=base,
    )
    assert known == unknown and f"https://{HOST}:{HTTPS}/" in known.content
    assert "password" not in known.content and secret not in known.content
    assert replayed == REFUSED
    assert authority.content == hall.authority.read_text().rstrip("\n")


async def test_strange_paths_and_methods_get_nothing(hall: TownHall):
    own = hall.town.plug("10.54.1.56")
    secret = hall.enrolled(own, HONEST)
    paths = (
        f"../{HONEST}.cfg",
        f"s/{secret}/../{OTHER}.cfg",
        f"s/{secret}/%2e%2e%2f%2e%2e%2fbeffroi.yaml",
        f"s/{secret}/%00{HONEST}.cfg",
        f"s/{secret}//{HONEST}.cfg",
        "//etc/passwd",
        "%2fetc%2fpasswd",
        "firmware/..%2f..%2fnode.key",
        "x" * 9_000,
    )
    for said in hall.fetch(own, *paths):
        assert said in (NO_FILE, REFUSED, Said(400, "no such path")), said
    (deleted,) = hall.fetch(own, f"s/{secret}/{HONEST}.cfg", options=("-X", "DELETE"))
    assert deleted.status == 405
    whole, part = (
        hall.fetch(own, f"s/{secret}/{HONEST}.cfg", options=options)[0]
        for options in ((), ("-r", "0-9", "-H", "Host: other.example"))
    )
    assert whole.status == 200 and part == whole


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Length: 60\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 60",
        "Transfer-Encoding: chunked",
        "Content-Length: 999999999",
        "Upgrade: websocket\r\nConnection: Upgrade",
        "Transfer-Encoding: x\r\n chunked",
    ],
)
async def test_no_second_request_hides_in_the_first(hall: TownHall, fields: str):
    """RFC 9112 section 11.2: one request has one answer, and a body ends its connection."""
    own = hall.town.plug(f"10.54.2.{abs(hash(fields)) % 200 + 20}")
    hidden = f"GET /authority.pem HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
    request = f"GET /{HONEST}.cfg HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n\r\n0\r\n\r\n{hidden}"
    answer = await hall.raw(own, request.encode())
    assert b"CERTIFICATE" not in answer and answer.count(b"HTTP/1.1 ") <= 2 and b"password" not in answer


async def test_connections_that_say_nothing_keep_no_telephone_out(hall: TownHall):
    slow, honest = hall.town.plug("10.54.1.57"), hall.town.plug("10.54.1.58")
    secret = hall.enrolled(honest, HONEST)
    held = []
    for _ in range(400):
        one = slow.socket(socket.SOCK_STREAM)
        await asyncio.get_running_loop().sock_connect(one, (hall.pbx.address, HTTP))
        await asyncio.get_running_loop().sock_sendall(one, b"GET /")
        held.append(one)
    (said,) = hall.fetch(honest, f"s/{secret}/{HONEST}.cfg")

    def is_ended(one: socket.socket) -> bool:
        try:
            return one.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    async def are_ended() -> bool:
        return sum(map(is_ended, held)) >= 400 - 256

    await until(are_ended, "what is beyond one address's share to be ended", 10.0)
    for one in held:
        one.close()
    assert said.status == 200


async def test_tftp_sends_little_to_an_address_that_never_answers(hall: TownHall):
    """RFC 2348: a block isn't larger than a frame; RFC 1123 section 4.2.3.1."""
    own, honest = hall.town.plug("10.54.1.59"), hall.town.plug("10.54.1.60")
    asked = 0
    askers = []
    for _ in range(40):
        asker = own.socket(socket.SOCK_DGRAM)
        asker.bind(("10.54.1.59", 0))
        request = struct.pack("!H", 1) + b"authority.pem\0octet\0blksize\x0065464\0"
        for _ in range(3):
            asker.sendto(request, (hall.pbx.address, TFTP))
            asked += len(request)
        askers.append(asker)
    got = 0
    async with asyncio.timeout(10.0):
        content = await asyncio.to_thread(
            honest.run, "sh", "-c", f"curl -s tftp://{hall.pbx.address}:{TFTP}/{HONEST}.cfg"
        )
    assert f"https://{HOST}:{HTTPS}/" in content and "password" not in content
    for asker in askers:
        try:
            while True:
                got += len(asker.recv(65_536))
        except BlockingIOError:
            asker.close()
    assert 0 < got < asked


async def test_secrets_stand_in_no_log_and_no_journal(hall: TownHall):
    own = hall.town.plug("10.54.1.61")
    secret, token = hall.enrolled(own, HONEST), hall.invitation(OTHER)
    (said,) = hall.fetch(own, f"s/{secret}/{HONEST}.cfg")
    password = next(
        line.partition(" = ")[2] for line in said.content.splitlines() if "account.1.password" in line
    )
    hall.fetch(own, f"x/{secret}/{HONEST}.cfg", f"//s/{secret}/x", f"t/{token}/nothing", f"{secret}.cfg")
    await hall.journalled("no such file", "10.54.1.61")
    listed = str(await hall.pbx.command("phone", "fetches"))
    database = sqlite3.connect(hall.folder / "data" / "beffroi.sqlite3")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    database.close()
    files = [path for path in hall.folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    for word in (secret, token, password):
        assert word not in listed
        assert [path for path in files if word.encode() in path.read_bytes()] == []


async def test_the_process_dies_and_comes_back_with_its_sockets_and_what_it_knew(hall: TownHall):
    own = hall.town.plug("10.54.1.62")
    token = hall.invitation(HONEST)
    (first,) = hall.fetch(own, f"t/{token}/{HONEST}.cfg")
    secret = first.content.partition("/s/")[2].partition("/")[0]
    before = await processes(hall)
    os.kill(before["phones"], signal.SIGKILL)

    async def is_back() -> dict[str, int]:
        now = await processes(hall)
        return now if now.get("phones", before["phones"]) != before["phones"] else {}

    now = await until(is_back, "another process of telephones", 20.0)
    again, settings = hall.fetch(own, f"t/{token}/{HONEST}.cfg", f"s/{secret}/{HONEST}.cfg")
    assert (again, settings.status) == (REFUSED, 200)
    assert {role for role in before if now[role] != before[role]} == {"phones"}


async def processes(hall: TownHall) -> dict[str, int]:
    """The node's, by role."""
    return {one["role"]: one["pid"] for one in (await hall.pbx.status())["processes"]}


async def test_while_the_database_is_locked_settings_go_out_and_who_is_new_is_told_to_wait(hall: TownHall):
    """RFC 9110 section 15.6.4: not that it is unknown, and its token isn't used up."""
    own = hall.town.plug("10.54.1.63")
    secret, token = hall.enrolled(own, HONEST), hall.invitation(OTHER)
    locker = sqlite3.connect(hall.folder / "data" / "beffroi.sqlite3", isolation_level=None)
    try:
        locker.execute("BEGIN IMMEDIATE")
        (served,) = hall.fetch(own, f"s/{secret}/{HONEST}.cfg")
        (waits,) = hall.fetch(own, f"t/{token}/{OTHER}.cfg", options=("-i",))
    finally:
        locker.close()
    assert served.status == 200
    assert waits.status == 503 and "retry-after: 30" in waits.content
    assert hall.fetch(own, f"t/{token}/{OTHER}.cfg")[0].status == 200
