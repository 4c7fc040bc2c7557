"""Linphone for real: it has one link, and makes a telephone of itself by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.linphone import Linphone
from tests.provisioning.town_hall import HOST, HTTPS, LINPHONE, TownHall

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("provisioning for real"),
    pytest.mark.asyncio(loop_scope="package"),
]

DENIS_HZ, BRUNO_HZ = 640, 850


async def test_linphone_has_its_account_from_its_link_and_is_heard_and_hears(hall: TownHall, tmp_path: Path):
    path = f"t/{hall.invitation(LINPHONE)}/linphone.xml"
    (tmp_path / "hosts").write_text(f"{hall.pbx.address} {HOST}\n127.0.0.1 localhost\n")
    knows = ("unshare", "--mount", "sh", "-c", f'mount --bind {tmp_path}/hosts /etc/hosts && exec "$@"', "sh")
    own, other = hall.town.plug("10.54.1.40"), hall.town.plug("10.54.3.40")
    denis = Linphone(
        *(own, tmp_path, "2012", "", HOST, "udp", DENIS_HZ, hall.certificate),
        settings_url=f"https://{HOST}:{HTTPS}/{path}",
        before=knows,
    )
    bruno = Baresip(other, tmp_path, "1002", "pw1002", hall.pbx.address, tone_hz=BRUNO_HZ)
    async with denis, bruno:
        await denis.registered()
        await bruno.registered()
        await bruno.dial("2012")
        await denis.rung()
        await denis.answer()
        await bruno.answered()
        await denis.hears(BRUNO_HZ)
        await bruno.hears(DENIS_HZ)
        await bruno.hang_up()
        await denis.closed()
    kept = (tmp_path / f"linphone-2012-{own.address}" / "linphonerc").read_text()
    assert f"config-uri=https://{HOST}:{HTTPS}/s/" in kept  # by a secret of its own from now on
    (again,) = hall.fetch(own, path)
    assert (again.status, again.content) == (403, "refused")
