"""Encrypted sound with real phones (SRTP, keys in SDP): baresip and Linphone, where the plan requires it.

People of the class `national` must encrypt, those of `interne` (2202, 2401) have no rule. A phone with
`srtp-mand` sends no packet in clear and plays none, so a tone that it hears has come to it encrypted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.interop import beffroi
from tests.interop.baresip import Baresip
from tests.interop.beffroi import Beffroi
from tests.interop.linphone import Linphone
from tests.interop.namespaces import Town

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("encrypted phones"),
    pytest.mark.asyncio(loop_scope="module"),
]

SECURE_HZ, OTHER_HZ, PLAIN_HZ = 640, 850, 1020
RIGHTS = "[internal, national, mobile, toll_free, shared_cost, short]"
REPLACED = {f"national:      {RIGHTS}": f"national: {{rights: {RIGHTS}, srtp: required}}"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(standing_town: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Beffroi]:
    """Beffroi with a class that must encrypt."""
    folder = tmp_path_factory.mktemp("encrypted")
    async with beffroi.running(standing_town.hub, folder, replaced=REPLACED) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secure(
    server: Beffroi, standing_town: Town, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Baresip]:
    """The État civil's phone: it must encrypt, and does."""
    namespace, folder = standing_town.plug("10.54.1.71"), tmp_path_factory.mktemp("secure")
    async with Baresip(
        namespace, folder, "2010", "pw2010", server.address, tone_hz=SECURE_HZ, encryption="srtp-mand"
    ) as phone:
        await phone.registered()
        yield phone


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plain(
    server: Beffroi, standing_town: Town, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Baresip]:
    """A phone of the fire station that knows nothing of SRTP and needn't."""
    namespace, folder = standing_town.plug("10.54.2.72"), tmp_path_factory.mktemp("plain")
    async with Baresip(namespace, folder, "2202", "pw2202", server.address, tone_hz=PLAIN_HZ) as phone:
        await phone.registered()
        yield phone


async def speak_together(caller: Baresip | Linphone, callee: Baresip | Linphone) -> None:
    """One calls the other, each hears the other's tone, the caller hangs up."""
    await caller.dial(callee.user)
    await callee.rung()
    await callee.answer()
    await caller.answered()
    await caller.hears(callee.tone_hz)
    await callee.hears(caller.tone_hz)
    await caller.hang_up()
    await callee.closed()


async def test_a_phone_that_encrypts_calls_one_that_does_not(secure: Baresip, plain: Baresip) -> None:
    """RFC 4568 section 7.1: a leg with a key, one without."""
    await speak_together(secure, plain)


async def test_a_phone_that_does_not_encrypt_calls_one_that_does(secure: Baresip, plain: Baresip) -> None:
    """RFC 4568 section 7.1: the offer of RTP/SAVP goes to the one that must have it."""
    await speak_together(plain, secure)


async def test_two_phones_that_encrypt_hear_each_other(
    secure: Baresip, server: Beffroi, standing_town: Town, tmp_path: Path
) -> None:
    """RFC 4568 section 5.1.2: each leg has a key of its own."""
    namespace = standing_town.plug("10.54.3.73")
    async with Baresip(
        namespace, tmp_path, "2301", "pw2301", server.address, tone_hz=OTHER_HZ, encryption="srtp-mand"
    ) as other:
        await other.registered()
        await speak_together(other, secure)


async def test_over_tls_a_phone_that_has_srtp_is_given_keys_where_the_plan_says_nothing(
    plain: Baresip, server: Beffroi, standing_town: Town, tmp_path: Path
) -> None:
    """RFC 8643: keys in RTP/AVP, both when it is called and when it calls."""
    namespace = standing_town.plug("10.54.4.73")
    async with Baresip(
        *(namespace, tmp_path, "2401", "pw2401", server.address, "tls", OTHER_HZ), encryption="srtp"
    ) as other:
        await other.registered()
        await speak_together(plain, other)
        assert other.encrypted_calls() == 1
        await speak_together(other, plain)
        assert other.encrypted_calls() == 2


async def test_over_udp_a_phone_that_has_srtp_is_given_none_where_the_plan_says_nothing(
    plain: Baresip, server: Beffroi, standing_town: Town, tmp_path: Path
) -> None:
    """RFC 4568 section 7: everybody on the way would read the keys."""
    namespace = standing_town.plug("10.54.4.78")
    async with Baresip(
        *(namespace, tmp_path, "2401", "pw2401", server.address, "udp", OTHER_HZ), encryption="srtp"
    ) as other:
        await other.registered()
        await speak_together(plain, other)
        await speak_together(other, plain)
        assert other.encrypted_calls() == 0


async def test_encrypted_sound_is_made_anew_for_a_phone_with_another_codec_in_clear(
    plain: Baresip, server: Beffroi, standing_town: Town, tmp_path: Path
) -> None:
    """RFC 3711 around RFC 7587: Opus with a key on one leg, A-law without on the other."""
    namespace = standing_town.plug("10.54.3.74")
    async with Baresip(
        *(namespace, tmp_path, "2301", "pw2301", server.address, "udp", OTHER_HZ, "opus"),
        encryption="srtp-mand",
    ) as other:
        await other.registered()
        await speak_together(other, plain)


async def test_encrypted_sound_comes_back_from_the_echo(secure: Baresip) -> None:
    """RFC 3711: what we say ourselves has a key too."""
    await secure.dial("9196")
    await secure.answered()
    await secure.hears(SECURE_HZ)
    await secure.hang_up()


async def test_encrypted_and_plain_phones_meet_in_a_room(secure: Baresip, plain: Baresip) -> None:
    """RFC 3711: the mix for each leg is encrypted with that leg's key, or not at all."""
    for phone in (secure, plain):
        await phone.dial("8301")
        await phone.answered()
    await secure.hears(PLAIN_HZ)
    await plain.hears(SECURE_HZ)
    for phone in (secure, plain):
        await phone.hang_up()


async def test_a_held_call_is_still_encrypted_when_it_is_taken_up_again(
    secure: Baresip, plain: Baresip
) -> None:
    """RFC 4568 section 7.1.4: the keys of an offer that changes nothing but the direction hold."""
    await secure.dial("2202")
    await plain.rung()
    await plain.answer()
    await secure.answered()
    await secure.hears(PLAIN_HZ)
    await plain.hears(SECURE_HZ)  # baresip 1.0.0 drops all of a second stream before it has played any
    await plain.hold()
    await secure.hears_sound(but_hz=PLAIN_HZ)
    await plain.resume()
    await secure.hears(PLAIN_HZ)
    await plain.hears(SECURE_HZ)
    await secure.hang_up()
    await plain.closed()


async def test_a_phone_that_must_encrypt_and_does_not_is_refused(
    secure: Baresip, server: Beffroi, standing_town: Town, tmp_path: Path
) -> None:
    """RFC 3261 section 21.4.26: 488, never a call in clear."""
    namespace = standing_town.plug("10.54.3.75")
    async with Baresip(namespace, tmp_path, "2302", "pw2302", server.address) as careless:
        await careless.registered()
        await careless.dial("2010")
        assert (await careless.closed()).startswith("488 ")


async def test_a_phone_that_must_encrypt_and_cannot_is_not_reached_in_clear(
    plain: Baresip, server: Beffroi, standing_town: Town, tmp_path: Path
) -> None:
    """RFC 3261 section 21.4.26: it refuses RTP/SAVP itself."""
    namespace = standing_town.plug("10.54.3.76")
    async with Baresip(namespace, tmp_path, "2302", "pw2302", server.address) as careless:
        await careless.registered()
        await plain.dial("2302")
        assert (await plain.closed()).startswith("488 ")


async def test_linphone_that_encrypts_and_baresip_hear_each_other(
    secure: Baresip, plain: Baresip, server: Beffroi, standing_town: Town, tmp_path: Path
) -> None:
    """RFC 4568: with one that encrypts as well, then with one that doesn't."""
    namespace = standing_town.plug("10.54.1.77")
    async with Linphone(
        namespace, tmp_path, "1001", "pw1001", server.address, tone_hz=OTHER_HZ, encryption="srtp"
    ) as alice:
        await alice.registered()
        await speak_together(alice, secure)
        await alice.closed()
        await speak_together(plain, alice)
