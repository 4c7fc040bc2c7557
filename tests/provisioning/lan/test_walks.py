"""A telephone of each brand is plugged in: it finds its settings, proves who it is, registers, and its keys
work.

One node, one DHCP server and one wire for all of them. Needs Debian's dnsmasq-base, and namespaces as the
peer tests do.
"""

from __future__ import annotations

import hashlib

import pytest

from pbx.phones.shelf import PhoneUnknown
from sip.user_agent import IncomingCall, UserAgent
from tests.interop.patience import deadline, until
from tests.provisioning.lan.dhcp import lease
from tests.provisioning.lan.fetching import NotTrusted
from tests.provisioning.lan.makers import Fanvil, Grandstream, Snom, Yealink
from tests.provisioning.lan.network import STRANGER, SWITCH
from tests.provisioning.lan.telephone import Line, Telephone, sdp, states
from tests.provisioning.lan.town import CLEAR, COLLEAGUE, IMAGE, SECURE, Town

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("telephones on a wire"),
    pytest.mark.asyncio(loop_scope="package"),
]


async def test_nobody_is_answered_in_a_closed_window_or_from_elsewhere(node: Town) -> None:
    """Each silence is looked at once something later was answered on the same wire."""
    telephone = Telephone(node.network, Fanvil(), node.folder)
    telephone.leased()
    await node.take_new_ones(0)
    stranger = Telephone(node.network, Snom(), node.folder)
    with (
        node.network.datagrams(telephone.address) as closed,
        node.network.datagrams(STRANGER) as elsewhere,
    ):
        telephone.asks_the_group(closed)
        await listed(node, telephone)
        await node.take_new_ones(30)
        stranger.asks_the_group(elsewhere)
        assert telephone.told_by_the_group() == CLEAR
        for silent in (closed, elsewhere):
            silent.setblocking(False)
            with pytest.raises(BlockingIOError):
                silent.recv(1)
    with pytest.raises(PhoneUnknown):
        node.known(stranger.maker)
    stranger.address = STRANGER
    assert stranger.get(f"{CLEAR}snomD785.htm") == (403, b"refused\n")
    assert stranger.get(f"tftp://{SWITCH}/snomD785.htm") == (404, b"")
    with pytest.raises(NotTrusted):  # nothing is said to a server whose certificate nobody vouches for
        telephone.get(f"{SECURE}{telephone.maker.mac}.cfg")


async def listed(node: Town, telephone: Telephone) -> None:
    """Wait until it is among those that nobody has taken."""

    async def seen() -> bool:
        try:
            return node.known(telephone.maker).version == telephone.maker.version
        except PhoneUnknown:
            return False

    await until(seen, "the telephone among those that wait", 30.0)


async def test_a_yealink_told_by_plug_and_play_proves_itself_by_its_makers_certificate(
    node: Town, colleague: UserAgent
) -> None:
    maker = Yealink()
    await node.expects(maker, "3001")
    certificate = node.authority.telephone(maker.mac, node.folder / "yealink.pem")
    telephone = Telephone(node.network, maker, node.folder, certificate)
    await node.take_new_ones(30)
    assert telephone.leased() == telephone.told_by_the_group() == CLEAR
    telephone.fetch(CLEAR)
    refused = [(404, "/805ec0aa0001.boot"), (404, "/y000000000000.boot")]
    assert telephone.asked == [
        *((status, f"http {path}") for status, path in refused),
        (200, "http /y000000000096.cfg"),
        (200, "http /authority.pem"),
        (200, "http /805ec0aa0001.cfg"),
        *((status, f"https {path}") for status, path in refused),
        (200, "https /y000000000096.cfg"),
        (200, "https /805ec0aa0001.cfg"),
        *((404, f"https /s/…{path}") for _, path in refused),
        (200, "https /s/…/y000000000096.cfg"),
        (200, "https /s/…/805ec0aa0001.cfg"),
    ]
    await works(node, telephone, colleague)


async def test_a_snom_told_by_dhcp_proves_itself_by_its_makers_certificate(
    node: Town, colleague: UserAgent
) -> None:
    maker = Snom()
    await node.expects(maker, "3002")
    certificate = node.authority.telephone(maker.mac, node.folder / "snom.pem")
    telephone = Telephone(node.network, maker, node.folder, certificate)
    await node.take_new_ones(30)
    telephone.fetch(telephone.leased())
    assert telephone.told_by_the_group() == CLEAR
    own = "snomD785-000413AA0002.htm"
    assert telephone.asked == [
        (200, "http /snomD785.htm"),
        (200, "http /authority.pem"),
        (200, f"http /{own}"),
        (200, "https /snomD785.htm"),
        (200, f"https /{own}"),
        (200, "https /s/…/snomD785.htm"),
        (200, f"https /s/…/{own}"),
    ]
    await works(node, telephone, colleague)


async def test_a_snom_that_was_given_a_link_needs_nobody_after_a_power_cut(node: Town) -> None:
    """It asks without its link, which works no more, and in a closed window."""
    maker = Snom("000413aa0005")
    await node.expects(maker, "3005")
    telephone = Telephone(node.network, maker, node.folder)
    telephone.leased()
    telephone.trusts(telephone.get(f"{CLEAR}authority.pem")[1])
    link = await node.command("phone", "invite", maker.mac, "--json")
    telephone.fetch(link["url"])
    await node.take_new_ones(0)
    telephone.asked.clear()
    it_is_the_same_after_a_power_cut(telephone)
    own = "snomD785-000413AA0005.htm"
    assert telephone.asked == [(200, "https /s/…/snomD785.htm"), (200, f"https /s/…/{own}")]
    assert telephone.get(f"{link['url']}{own}") == (403, b"refused\n")


async def test_a_grandstream_is_given_a_link_that_works_once(node: Town, colleague: UserAgent) -> None:
    """Its files have no place for an authority: IT loads the node's certificate, and types the link in."""
    maker = Grandstream()
    await node.expects(maker, "3003")
    telephone = Telephone(node.network, maker, node.folder)
    await node.take_new_ones(30)
    assert telephone.leased() == telephone.told_by_the_group() == CLEAR
    telephone.trusts(telephone.get(f"{CLEAR}authority.pem")[1])
    link = await node.command("phone", "invite", maker.mac, "--json")
    telephone.asked.clear()
    telephone.fetch(link["url"])
    own = "cfgc074adaa0003"
    assert telephone.asked == [
        (404, f"https /t/…/{own}.bin"),
        (200, f"https /t/…/{own}.xml"),
        (404, f"https /s/…/{own}.bin"),
        (200, f"https /s/…/{own}.xml"),
    ]
    assert telephone.get(f"{link['url']}{own}.xml") == (403, b"refused\n")
    await works(node, telephone, colleague)


async def test_a_fanvil_that_began_by_tftp_is_taken_by_somebody(node: Town, colleague: UserAgent) -> None:
    """It waits until somebody says whose it is, in the open window, and then gets its settings there."""
    maker = Fanvil()
    await node.person("3004")
    telephone = Telephone(node.network, maker, node.folder)
    await node.take_new_ones(30)
    assert telephone.leased() == telephone.told_by_the_group() == CLEAR
    telephone.trusts(telephone.get(f"{CLEAR}authority.pem")[1])
    telephone.asked.clear()
    telephone.fetch(f"tftp://{SWITCH}/")
    assert telephone.asked == [
        (200, "tftp /f0X4Uhw1.100.cfg"),
        (200, "tftp /0c383eaa0004.cfg"),
        (200, "https /f0X4Uhw1.100.cfg"),
        (403, "https /0c383eaa0004.cfg"),
    ]
    await listed(node, telephone)
    seen = node.known(maker)
    assert (seen.stage, seen.brand, seen.model) == ("waiting", "fanvil", "X4U")
    assert (seen.version, seen.address) == (maker.version, telephone.address)
    await node.command("phone", "assign", maker.mac, "--extension", "3004")
    node.give_keys(maker)
    await node.command("phone", "approve", maker.mac)
    telephone.asked.clear()
    telephone.fetch()
    assert telephone.asked == [
        (200, "https /f0X4Uhw1.100.cfg"),
        (200, "https /0c383eaa0004.cfg"),
        (200, "https /s/…/f0X4Uhw1.100.cfg"),
        (200, "https /s/…/0c383eaa0004.cfg"),
    ]
    await works(node, telephone, colleague)


async def test_a_device_of_no_brand_is_told_of_no_settings(node: Town) -> None:
    """Option 66 means something to computers that start from the network, too."""
    found = lease(node.network, "020000aa0009", "PXEClient:Arch:00000", (43, 66, 160))
    assert not {43, 66, 160} & set(found.options)


async def works(node: Town, telephone: Telephone, colleague: UserAgent) -> None:
    """From its settings on: it registers, its keys do what they say, and it fetches when it is told to."""
    assert telephone.settings.keys == (
        ("line", ""),
        ("lamp", "1002"),
        ("speed_dial", "9196"),
        ("park", "700"),
    )
    assert telephone.settings.encrypts
    async with deadline("a telephone to work", 60.0), telephone.line() as line:
        await node.takes(line)
        await its_lamp_lights(line, colleague)
        await its_speed_dial_calls(node, telephone, line)
        await its_parking_key_parks_and_takes_back(line, colleague)
        await it_fetches_when_told(node, telephone, line)
        await line.unregister()
    its_image_is_the_one_pinned(telephone)
    it_is_the_same_after_a_power_cut(telephone)


async def its_lamp_lights(line: Line, colleague: UserAgent) -> None:
    watched = line.watch("1002", "dialog", "application/dialog-info+xml")
    assert states(await watched.next()) == []
    call = colleague.invite("9196", sdp(encrypted=False))
    await call.answered()
    while "confirmed" not in states(await watched.next()):
        continue
    call.hang_up()
    while "terminated" not in states(await watched.next()):
        continue
    await watched.end()


async def its_speed_dial_calls(node: Town, telephone: Telephone, line: Line) -> None:
    call = line.invite("9196", sdp(encrypted=True))
    assert b"RTP/SAVP" in await call.answered()
    assert await line.options() == 200  # whatever was sent before has come
    before, mac = line.told.qsize(), telephone.maker.mac
    told = await node.command("phone", "resync", mac, "--json")
    assert told == {"told": [], "busy": [line.account.user], "away": []}
    assert await line.options() == 200
    assert line.told.qsize() == before
    call.hang_up()


async def its_parking_key_parks_and_takes_back(line: Line, colleague: UserAgent) -> None:
    call = line.invite(COLLEAGUE, sdp(encrypted=True))
    answering: IncomingCall = await colleague.incoming()
    answering.on_offer(lambda offer: sdp(encrypted=False))
    answering.answer(sdp(encrypted=False))
    await call.answered()
    assert await line.send_to(call, "700") == 202
    await call.ended()
    back = line.invite("700", sdp(encrypted=True))
    await back.answered()
    assert not answering.over
    back.hang_up()
    await answering.ended()


async def it_fetches_when_told(node: Town, telephone: Telephone, line: Line) -> None:
    before = dict(telephone.files)
    maker = telephone.maker
    told = await node.command("phone", "resync", maker.mac, "--json")
    assert told == {"told": [line.account.user], "busy": [], "away": []}
    event = await line.told.get()
    assert event == {"snom": "check-sync;reboot=false"}.get(maker.brand, "check-sync")
    telephone.fetch()
    assert telephone.files == before


def its_image_is_the_one_pinned(telephone: Telephone) -> None:
    status, image = telephone.get(telephone.settings.firmware)
    assert (status, image) == (200, IMAGE + telephone.maker.brand.encode())
    digest = hashlib.sha256(image).hexdigest()
    assert f"/firmware/{digest[:32]}/" in telephone.settings.firmware


def it_is_the_same_after_a_power_cut(telephone: Telephone) -> None:
    """It asks where it was told to ask, whatever DHCP says, with the secret that is its own by now."""
    files, password, own = dict(telephone.files), telephone.settings.password, telephone.settings.server
    said = telephone.leased()
    telephone.fetch(said if telephone.settings.follows_dhcp else "")
    assert telephone.settings.password == password
    assert (telephone.settings.server, telephone.files) == (own, files)
