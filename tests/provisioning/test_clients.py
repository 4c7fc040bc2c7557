"""curl and tftp-hpa against the real servers, and a telephone whose datagrams get lost."""

from __future__ import annotations

import asyncio
import socket
import struct
from pathlib import Path

import pytest

from tests.provisioning.town_hall import HONEST, HOST, HTTPS, TFTP, TownHall

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("provisioning for real"),
    pytest.mark.asyncio(loop_scope="package"),
]


async def test_what_has_not_changed_is_not_sent_again(hall: TownHall):
    """RFC 9110 sections 9.3.2 and 13.1.2."""
    own = hall.town.plug("10.54.4.20")
    path = f"s/{hall.enrolled(own, HONEST)}/{HONEST}.cfg"
    (head,) = hall.fetch(own, path, options=("-I",))
    fields = dict(line.split(": ", 1) for line in head.content.lower().splitlines() if ": " in line)
    (whole,) = hall.fetch(own, path)
    assert head.status == whole.status == 200
    assert int(fields["content-length"]) == len(whole.content.encode()) + 1  # curl's own line end
    (again,) = hall.fetch(own, path, options=("-H", f"If-None-Match: {fields['etag']}"))
    assert (again.status, again.content) == (304, "")


async def test_tftp_clients_get_the_same_pointer_with_their_options_and_without(
    hall: TownHall, tmp_path: Path
):
    """RFC 1350, 2347 and 2348."""
    own = hall.town.plug("10.54.4.21")
    file, url = tmp_path / "pointer", f"tftp://{hall.pbx.address}:{TFTP}/{HONEST}.cfg"
    own.run("tftp", "-m", "binary", hall.pbx.address, str(TFTP), "-c", "get", f"{HONEST}.cfg", file)
    pointer = file.read_text()
    assert f"https://{HOST}:{HTTPS}/" in pointer
    assert [own.run("curl", "-s", "--tftp-blksize", size, url) for size in ("8", "65464")] == [pointer] * 2
    assert own.run("curl", "-s", "--tftp-no-options", url) == pointer


async def test_what_is_lost_on_the_way_comes_again_and_what_comes_twice_is_taken_once(hall: TownHall):
    """RFC 1350 section 2, RFC 2349, RFC 1123 section 4.2.3.1."""
    own = hall.town.plug("10.54.4.22").socket(socket.SOCK_DGRAM)
    loop = asyncio.get_running_loop()
    request = struct.pack("!H", 1) + b"authority.pem\0octet\0tsize\x000\0timeout\x001\0"
    got = b""
    with own:
        own.bind(("10.54.4.22", 0))
        for _ in range(2):
            own.sendto(request, (hall.pbx.address, TFTP))
        async with asyncio.timeout(45.0):
            options, peer = await loop.sock_recvfrom(own, 2_000)
            repeated, same = await loop.sock_recvfrom(own, 2_000)  # it wasn't acknowledged: it was lost
            assert (repeated, same) == (options, peer)
            words = options[2:].split(b"\0")
            assert options[:2] == b"\0\x06" and words[words.index(b"timeout") + 1] == b"1"
            block = 0
            while len(got) == block * 512:
                for _ in range(2):
                    own.sendto(struct.pack("!HH", 4, block), peer)
                data = await loop.sock_recv(own, 2_000)
                block += 1
                assert struct.unpack_from("!HH", data) == (3, block)
                got += data[4:]
            own.sendto(struct.pack("!HH", 4, block), peer)
    assert got == hall.authority.read_bytes()
    assert words[words.index(b"tsize") + 1] == str(len(got)).encode()
