"""JsSIP in a page that isn't ours: another origin, a device's own password, a WebSocket (RFC 7118)."""

from __future__ import annotations

import asyncio
import functools
import http.server
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright

from pbx.demo.voice import Voice
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.speaking import telephone
from tests.browser.town import HOST, Town, free_port, running_town

pytestmark = pytest.mark.xdist_group("browser-signalling")

VENV = Path(__file__).parents[2] / ".venv"
SOUND_FLAGS = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
]
PAGE_HZ, DESK_HZ = 620, 1000
PATIENCE_SECONDS = 45.0

_PAGE = """<!doctype html><title>A portal</title>
<script src="jssip.js"></script><script src="portal.js"></script>
<audio id="heard" autoplay></audio>"""
# What a portal's programmer writes: register, call, answer. `told` is what has happened.
_SCRIPT = """
const told = [];
let agent, current, analyser;
const context = new AudioContext();
function voice() {
  const tone = new OscillatorNode(context, {frequency: PAGE_HZ});
  const out = context.createMediaStreamDestination();
  tone.connect(out);
  tone.start();
  return out.stream;
}
function follow(session) {
  current = session;
  const hear = (connection) => connection.addEventListener("track", (event) => {
    const stream = new MediaStream([event.track]);
    document.getElementById("heard").srcObject = stream;
    analyser = new AnalyserNode(context, {fftSize: 8192});
    context.createMediaStreamSource(stream).connect(analyser);
  });
  if (session.connection) hear(session.connection);
  session.on("peerconnection", (event) => hear(event.peerconnection));
  for (const what of ["confirmed", "failed", "ended"])
    session.on(what, (e) => told.push(what + " " + (e.cause ?? "")));
}
function start(url, user, domain, password) {
  const sockets = [new JsSIP.WebSocketInterface(url)];
  agent = new JsSIP.UA({sockets, uri: `sip:${user}@${domain}`, password});
  for (const what of ["connected", "disconnected", "registered", "registrationFailed"])
    agent.on(what, (e) => told.push(what + (e.cause ? " " + e.cause : "")));
  agent.on("newRTCSession", (event) => {
    follow(event.session);
    if (event.originator === "remote") event.session.answer({mediaStream: voice()});
  });
  agent.start();
}
function call(target) { agent.call(target, {mediaStream: voice()}); }
function loudest() {
  if (!analyser) return 0;
  const bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  const peak = bins.indexOf(Math.max(...bins));
  return bins[peak] > -60 ? peak * context.sampleRate / analyser.fftSize : 0;
}
""".replace("PAGE_HZ", str(PAGE_HZ))


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The other site; returns its origin."""
    folder = tmp_path_factory.mktemp("portal")
    packages = VENV / "pages-work" / "node_modules"
    source, bundle = packages / "jssip" / "lib" / "JsSIP.js", folder / "jssip.js"
    told = ["--format", "iife", "--name", "JsSIP", "--platform", "browser", "-o", str(bundle)]
    subprocess.run(
        [str(packages / ".bin" / "rolldown"), str(source), *told],
        check=True,
        capture_output=True,
        env={**os.environ, "PATH": f"{VENV / 'bin'}:{os.environ['PATH']}"},
        timeout=60,
    )
    (folder / "portal.js").write_text(_SCRIPT, encoding="utf-8")
    (folder / "index.html").write_text(_PAGE, encoding="utf-8")
    with _site(folder) as port:
        yield f"http://localhost:{port}"


@contextmanager
def _site(folder: Path) -> Iterator[int]:
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer((HOST, 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, portal: str) -> Iterator[tuple[Town, str]]:
    """A town that lets the portal's pages in; with the address of its WebSocket."""
    port = free_port()
    sip = f'ws: "{HOST}:{port}", websocket_origins: ["{portal}"]'
    with running_town(tmp_path_factory.mktemp("town"), sip) as running:
        yield running, f"ws://{HOST}:{port}"


@pytest_asyncio.fixture(loop_scope="session")
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *SOUND_FLAGS])
        yield await running.new_page()
        await running.close()


async def happened(page: Page, what: str) -> None:
    """Wait until the page was told this."""
    awaited = f"told.some((one) => one.startsWith('{what}'))"
    try:
        await page.wait_for_function(awaited, timeout=1000 * PATIENCE_SECONDS)
    except Exception as error:
        raise AssertionError(f"{what} never came, but {await page.evaluate('told')}") from error


async def heard(page: Page, frequency_hz: int) -> None:
    """Wait until the page hears a tone."""
    await page.wait_for_function(
        f"Math.abs(loudest() - {frequency_hz}) < 15", timeout=1000 * PATIENCE_SECONDS
    )


async def signed_in(page: Page, portal: str, url: str, password: str = "pw1002") -> None:
    await page.goto(f"{portal}/index.html")
    await page.evaluate("(given) => start(...given)", [url, "1002", HOST, password])


async def test_a_page_of_another_origin_calls_a_desk_telephone_and_both_hear(
    page: Page, portal: str, node: tuple[Town, str]
) -> None:
    town, url = node
    await signed_in(page, portal, url)
    await happened(page, "registered")
    voice = Voice(HOST, DESK_HZ, PAGE_HZ)
    async with telephone(town, "2010") as desk, asyncio.timeout(3 * PATIENCE_SECONDS):
        await page.evaluate("call('2010')")
        coming = await desk.incoming()
        coming.answer(voice.answer(coming.offer))
        await coming.acknowledged()
        voice.speak()
        await happened(page, "confirmed")
        await voice.recognised
        await heard(page, DESK_HZ)
        await page.evaluate("current.terminate()")
        await coming.ended()
    voice.close()


async def test_it_is_called_and_the_end_of_the_call_reaches_it(
    page: Page, portal: str, node: tuple[Town, str]
) -> None:
    """JsSIP takes requests to the user part alone that it registered: its GRUU has it (RFC 5627)."""
    town, url = node
    await signed_in(page, portal, url)
    await happened(page, "registered")
    voice = Voice(HOST, DESK_HZ, PAGE_HZ)
    async with telephone(town, "2010") as desk, asyncio.timeout(3 * PATIENCE_SECONDS):
        going = desk.invite("1002", voice.offer())
        voice.take_answer(await going.answered())
        voice.speak()
        await voice.recognised
        await heard(page, DESK_HZ)
        going.hang_up()
        await happened(page, "ended")
    voice.close()


async def test_a_wrong_password_is_refused_and_no_more_is_tried(
    page: Page, portal: str, node: tuple[Town, str]
) -> None:
    await signed_in(page, portal, node[1], password="guessed")
    await happened(page, "registrationFailed")


async def test_an_origin_that_nobody_allowed_opens_no_websocket(
    page: Page, portal: str, node: tuple[Town, str]
) -> None:
    """RFC 6455 section 10.2: a page of anybody's may try, from within the network that its reader is on."""
    elsewhere = "http://elsewhere.localhost/"
    await page.route(elsewhere, lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    await page.goto(elsewhere)
    opened = await page.evaluate(
        """(url) => new Promise((done) => {
          const socket = new WebSocket(url, "sip");
          socket.onopen = () => done(true);
          socket.onerror = () => done(false);
        })""",
        node[1],
    )
    assert not opened
