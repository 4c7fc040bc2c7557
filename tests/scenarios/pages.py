"""Pages with a telephone in the virtual world: SIP over a WebSocket, a password of their session, a tab.

alice = await open_page(town, "1001", "tab-1")   # registered
again = await reload(alice)                      # its connection closes; the same tab registers anew
"""

from __future__ import annotations

from typing import Any

from pbx.people.browser_passwords import LASTING_SECONDS
from sip.core.flow import Flow
from tests.scenarios.town import ADDRESSES, BEFFROI, DOMAIN, PAGES_PORT, PASSWORDS, Town, TownPhone
from tests.sim.network import Host
from tests.sim.wire import Message, tag_of

SESSION = "8f0e12ab34cd56ef"
OUTBOUND = "path, gruu, outbound"


class Page(TownPhone):
    """One loading of a page. tab: what its instance is made of, which outlives a reload; loading: how many
    there were before in this tab. gruu: what it was given as its Contact."""

    def __init__(self, town: Town, host: Host, extension: str, tab: str, session: str, loading: int) -> None:
        super().__init__(
            host, user=f"{extension}-web", server=BEFFROI, domain=DOMAIN, port=5060 + 10 * len(tab) + loading
        )
        self.town, self.extension, self.tab, self.session = town, extension, tab, session
        self.loading = loading
        self.name = f"page-{tab}{loading}"  # no tag or branch of a former loading comes again
        self.instance = f"urn:uuid:{tab}"
        self.gruu = ""
        self.algorithms = ("MD5",)  # JsSIP knows nothing else
        self.take_password()

    def take_password(self, lasting_seconds: float = LASTING_SECONDS) -> None:
        """Ask the web process for a password."""
        now = self.town.exchange.clock()
        issued = PASSWORDS.issue(self.extension, self.session, now + lasting_seconds)
        self.username, self.password = issued.username, issued.password

    def contact(self, flow: Flow | None = None) -> str:
        """Its Contact: nothing that could be reached (RFC 7118 section 5), or its GRUU (RFC 5627 4.4)."""
        if self.gruu:
            return f"<{self.gruu}>"
        return f"<sip:{self.tab}x{self.loading}@{self.tab}.invalid;transport=ws>"

    def ask_to_register(self, seconds: int = 600) -> None:
        """Send a REGISTER as JsSIP does."""
        contact = (
            f"<sip:{self.tab}x{self.loading}@{self.tab}.invalid;transport=ws>"
            f';+sip.instance="<{self.instance}>";reg-id=1;expires={seconds}'
        )
        lines = [("Contact", contact), ("Supported", OUTBOUND), ("Expires", str(seconds))]
        self.send("REGISTER", f"sip:{self.user}@{DOMAIN}", headers=lines)

    async def sign_in(self, seconds: int = 600) -> Message:
        """Register; returns the 200."""
        self.ask_to_register(seconds)
        answer = await self.expect_authenticated(200)
        own = next((line for line in answer.all("Contact") if self.instance in line), "")
        self.gruu = own.partition('pub-gruu="')[2].partition('"')[0]
        return answer

    async def take_up(self, call: tuple[str, str, str], number: str = "") -> None:
        """Go on with a call of the page's former loading, as `made` or `taken` tells it; number: dialled."""
        replaces = {"Replaces": "{};to-tag={};from-tag={}".format(*call)}
        await self.town.call_with(self, number or self.extension, replaces)

    def move(self, message: Message) -> None:
        """Speak over the connection that it has now in the dialog of a message."""
        assert self.stream is not None
        self._dialog(message).flow = self.stream

    def speaks_in(self, message: Message) -> None:
        """What it says next belongs to the dialog of a message."""
        self._last_call_id = message.call_id

    def came_over(self, message: Message) -> Flow:
        """The connection that a message came over."""
        return self._flow_of(message)


def made(answer: Message) -> tuple[str, str, str]:
    """What a page keeps of a call that it made: Call-ID, the exchange's tag, its own. answer: with both."""
    return answer.call_id, tag_of(answer.header("To")), tag_of(answer.header("From"))


def taken(answer: Message) -> tuple[str, str, str]:
    """The same of a call that it answered."""
    return answer.call_id, tag_of(answer.header("From")), tag_of(answer.header("To"))


async def open_page(
    town: Town, extension: str, tab: str, *, address: str = "", session: str = SESSION, signs_in: bool = True
) -> Page:
    """A page that has registered from where its person's telephone is, or from another address."""
    host = town.world.host(f"machine-{extension}-{tab}", address or _neighbour(ADDRESSES[extension], tab))
    page = await _loaded(Page(town, host, extension, tab, session, 0))
    if signs_in:
        await page.sign_in()
        town.ladder.clear()
    return page


async def close(page: Page) -> None:
    """Its connection closes without a word."""
    assert page.stream is not None
    page.stream.close()
    page.stream = None
    await page.town.world.sleep(0.01)


async def reload(page: Page, **options: Any) -> Page:
    """The same tab, loaded anew: another connection, registered."""
    if page.stream is not None:
        await close(page)
    again = await _loaded(
        Page(page.town, page.host, page.extension, page.tab, page.session, page.loading + 1)
    )
    await again.sign_in(**options)
    return again


async def _loaded(page: Page) -> Page:
    town = page.town
    town.world.watch(page.name, page)
    town.world.closing.push_async_callback(page.close)
    page.server = (BEFFROI[0], PAGES_PORT)
    await page.connect("WSS")
    return page


def _neighbour(address: str, tab: str) -> str:
    """Another address of the same network, of the machine with this tab."""
    network, _, last = address.rpartition(".")
    return f"{network}.{int(last) + 99 + 50 * len(tab)}"
