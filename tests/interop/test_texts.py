"""Real phones write to each other: one Linphone to another that is off, and reads it when it is back."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.interop.beffroi import Beffroi
from tests.interop.linphone import Linphone
from tests.interop.namespaces import Town
from tests.interop.patience import until

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("other phones")]

TEXTS = ("on se voit demain", "à onze heures")


async def test_a_text_to_a_phone_that_is_off_is_read_when_it_is_back_whatever_was_killed(
    pbx: Beffroi, town: Town, tmp_path: Path
) -> None:
    """RFC 3428: 202, `kill -9`, then both texts in their order."""
    left, right = town.plug("10.54.1.24"), town.plug("10.54.3.25")
    async with Linphone(left, tmp_path, "1001", "pw1001", pbx.address) as alice:
        await alice.registered()

        async def kept(count: int) -> bool:
            return bool((await pbx.status())["texts"] == count)

        for count, text in enumerate(TEXTS, 1):
            alice.write(f"sip:1002@{pbx.address}", text)
            await until(partial(kept, count), f"{count} texts to be kept", 20.0)
        await pbx.kill_signalling()
        assert await kept(len(TEXTS))
        async with Linphone(right, tmp_path, "1002", "pw1002", pbx.address) as bruno:
            await bruno.registered()
            for text in TEXTS:
                await bruno.reads(text)
            await until(partial(kept, 0), "the texts to be delivered", 20.0)
