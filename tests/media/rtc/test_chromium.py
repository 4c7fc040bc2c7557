"""Chromium's own WebRTC through the worker: sound and picture in one bundle, on a road that loses packets.

Two peer connections of one page see each other through two legs. Between their plain sockets stands what the
media plane is to the worker: RTP goes over, RTCP ends.
"""

import asyncio
import re
import socket
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import async_playwright

from media.rtc.protocol import Agree, Connected, Open, Pair, PlainStream, Restart
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.media.rtc.aiortc_peer import Road, every, is_media
from tests.media.rtc.desk import PASSWORD, udp
from tests.media.rtc.process import RtcProcess

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("browser-core")]

PAGE = """
const connections = {};
window.begin = async (name) => {
  const connection = connections[name] = new RTCPeerConnection();
  const canvas = document.body.appendChild(document.createElement('canvas'));
  const drawing = canvas.getContext('2d');
  let turn = 0;
  setInterval(() => {
    drawing.fillStyle = `hsl(${turn++ * 7 % 360} 80% 50%)`;
    drawing.fillRect(turn % 200, turn % 100, 60, 60);
  }, 50);
  const sounds = new AudioContext();
  const microphone = sounds.createMediaStreamDestination();
  const oscillator = sounds.createOscillator();
  oscillator.connect(microphone);
  oscillator.start();
  connection.addTrack(microphone.stream.getTracks()[0]);
  connection.addTrack(canvas.captureStream(20).getTracks()[0]);
  connection.ontrack = ({track}) => {
    const player = document.body.appendChild(document.createElement(track.kind));
    player.autoplay = player.muted = true;
    player.srcObject = new MediaStream([track]);
  };
  await connection.setLocalDescription(await connection.createOffer());
  return connection.localDescription.sdp;
};
window.answered = (name, sdp) => connections[name].setRemoteDescription({type: 'answer', sdp});
window.restart = async (name) => {
  await connections[name].setLocalDescription(await connections[name].createOffer({iceRestart: true}));
  return connections[name].localDescription.sdp;
};
window.seen = async (name) => {
  const found = {state: connections[name].connectionState};
  for (const one of (await connections[name].getStats()).values()) {
    if (one.type === 'inbound-rtp' && one.kind === 'video') {
      found.decoded = one.framesDecoded ?? 0; found.asked = one.nackCount;
    }
    if (one.type === 'inbound-rtp' && one.kind === 'audio') found.heard = one.packetsReceived;
    if (one.type === 'outbound-rtp' && one.kind === 'video') {
      found.resent = one.retransmittedPacketsSent; found.keys = one.pliCount;
    }
  }
  return found;
};
window.until = async (name, wanted) => {
  for (let turns = 0; ; turns++) {
    const one = await window.seen(name);
    if (wanted(one) || turns > 150) return one;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
};
"""


@pytest.fixture(scope="module")
def process():
    one = RtcProcess("127.0.0.1")
    yield one
    one.stop()


class Side:
    """One leg: its plain sockets in the plane, and where the other side's packets go."""

    def __init__(self, leg, ends) -> None:
        self.leg = leg
        self.plane = [udp("127.0.0.1") for _ in range(2)]
        self.sockets = ()
        for own in self.plane:
            ends.callback(own.close)

    def streams(self, video_number):
        numbers = ({8: 8}, {video_number: video_number})
        names = [own.getsockname() for own in self.plane]
        return tuple(
            PlainStream(index, host, port, port, numbers[index], index == 1)
            for index, (host, port) in enumerate(names)
        )


def carry(one, other, ends):
    """RTP of one side goes to the other; RTCP ends here."""
    loop = asyncio.get_running_loop()
    for index, own in enumerate(one.plane):
        own.setblocking(False)

        def pass_on(own: socket.socket = own, index: int = index) -> None:
            packet = own.recv(4096)
            if is_media(packet):
                other.plane[index].sendto(packet, other.sockets[index])

        loop.add_reader(own, pass_on)
        ends.callback(loop.remove_reader, own)


def answer_to(offer, ready, at, ufrag, password):
    """What an engine would say (PCMA and VP8 in a bundle), VP8's number and the browser's ufrag."""
    vp8 = int(re.findall(r"a=rtpmap:(\d+) VP8/90000", offer)[0])
    mids = re.findall(r"a=mid:(\S+)", offer)
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        f"a=group:BUNDLE {' '.join(mids)}",
    ]
    codecs = {"audio": (8, "PCMA/8000", ()), "video": (vp8, "VP8/90000", ("nack", "nack pli"))}
    for mid, kind in zip(mids, ("audio", "video"), strict=True):
        number, name, feedback = codecs[kind]
        lines += [f"m={kind} {at[1]} UDP/TLS/RTP/SAVPF {number}", f"c=IN IP4 {at[0]}"]
        lines += [f"a=rtpmap:{number} {name}", *(f"a=rtcp-fb:{number} {one}" for one in feedback)]
        lines += ["a=setup:passive", f"a=mid:{mid}", "a=sendrecv", "a=rtcp-mux"]
        lines += [f"a=ice-ufrag:{ufrag}", f"a=ice-pwd:{password}"]
        lines += [f"a=fingerprint:{ready.fingerprint[0]} {ready.fingerprint[1]}"]
        lines += [f"a=candidate:1 1 udp 2130706431 {at[0]} {at[1]} typ host", "a=end-of-candidates"]
    return "\r\n".join([*lines, ""]), vp8, re.findall(r"a=ice-ufrag:(\S+)", offer)[0]


async def test_two_browsers_see_and_hear_each_other_though_packets_are_lost(process):
    async with AsyncExitStack() as ends, asyncio.timeout(60):
        ready = await process.connect()
        ends.push_async_callback(process.disconnect)
        playwright = await ends.enter_async_context(async_playwright())
        flags = [*FLAGS, "--allow-loopback-in-peer-connection", "--autoplay-policy=no-user-gesture-required"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        ends.push_async_callback(browser.close)
        page = await browser.new_page()
        await page.add_script_tag(content=PAGE)
        sides = [Side("left", ends), Side("right", ends)]
        carry(sides[0], sides[1], ends)
        carry(sides[1], sides[0], ends)
        roads = [Road(ready.addresses[0], every(12, is_media), every(12, is_media)) for _ in sides]
        for side, road in zip(sides, roads, strict=True):
            ends.callback(road.close)
            process.say(Open(side.leg, side.leg, PASSWORD, False, 2))
            side.sockets = (await process.next()).sockets
        process.say(Pair("left", "right"), Pair("right", "left"))
        for side, road in zip(sides, roads, strict=True):
            offer = await page.evaluate("begin", side.leg)
            answer, vp8, ufrag = answer_to(offer, ready, road.near.getsockname(), side.leg, PASSWORD)
            prints = tuple(re.findall(r"a=fingerprint:(\S+) (\S+)", offer)[:1])
            process.say(Agree(side.leg, "server", prints, ufrag, side.streams(vp8)))
            await page.evaluate("([name, sdp]) => answered(name, sdp)", [side.leg, answer])
            assert isinstance(await process.next(), Connected)

        # RFC 4585 section 6.2.1: the worker answers NACKs, and asks itself; 6.3.1: PLI of the other
        wanted = "one.decoded > 60 && one.heard > 100 && one.asked > 0 && one.resent > 0"
        for leg in ("left", "right"):
            one = await page.evaluate(f"(leg) => until(leg, (one) => {wanted})", leg)
            assert one["decoded"] > 60 and min(one["heard"], one["asked"], one["resent"]) > 0, one
        # The left camera's first picture came before the right side could see.
        assert (await page.evaluate("seen", "left"))["keys"] > 0

        # RFC 8445 section 9: a restart of ICE, on the same DTLS
        offer = await page.evaluate("restart", "left")
        process.say(Restart("left", "anew", "another" + PASSWORD))
        at = roads[0].near.getsockname()
        answer, _, _ = answer_to(offer, ready, at, "anew", "another" + PASSWORD)
        before = await page.evaluate("seen", "left")
        await page.evaluate("([name, sdp]) => answered(name, sdp)", ["left", answer])
        more = "(before) => until('left', (one) => one.decoded > before + 40)"
        assert (await page.evaluate(more, before["decoded"]))["state"] == "connected"
