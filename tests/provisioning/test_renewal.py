"""A certificate that is renewed while telephones ask."""

from __future__ import annotations

import asyncio

import pytest

from sip.net.x509 import make_authority, make_certificate
from tests.interop.patience import until
from tests.provisioning.town_hall import HOST, Said, TownHall, machine_time

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("provisioning for real"),
    pytest.mark.asyncio(loop_scope="package"),
]


async def test_another_certificate_on_the_disk_is_shown_without_a_restart(hall: TownHall):
    own = hall.town.plug("10.54.1.64")
    pid = await hall.pbx.process_id("phones")
    authority = make_authority("Another", machine_time())
    certificate, key = make_certificate([hall.pbx.address, HOST], machine_time(), authority)
    hall.authority.write_bytes(authority[0])
    hall.certificate.with_suffix(".key").write_bytes(key)
    hall.certificate.write_bytes(certificate)  # curl trusts this one, and none else, from now on

    async def is_shown() -> bool:
        said = await asyncio.to_thread(hall.fetch, own, "authority.pem")
        return said == [Said(200, authority[0].decode().rstrip("\n"))]

    await until(is_shown, "the new certificate", 20.0)
    assert await hall.pbx.process_id("phones") == pid
