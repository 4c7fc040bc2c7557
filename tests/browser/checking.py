"""What is asked of every page and every state of it, by `check_page`.

Both themes: axe-core finds nothing at WCAG 2.2 AA. 400 % zoom (320 px wide): no sideways scrolling. The
keyboard: what it reaches can be seen, and shows that it is reached. And nothing failed: no error on the
console, no request to anybody else. Pictures of all that are kept in `.venv/screenshots`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import ConsoleMessage, Page, Request, Response

SCREENSHOTS = Path(sys.prefix) / "screenshots"
AXE = Path(sys.prefix) / "pages-work" / "node_modules" / "axe-core" / "axe.min.js"
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 320, "height": 800}
MOST_FRAMES = 120
MOST_TABS = 25

_RUN_AXE = """async () => {
  const found = await axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"],
    resultTypes: ["violations"],
  });
  return found.violations.map((rule) => ({
    rule: rule.id,
    help: rule.help,
    nodes: rule.nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`),
  }));
}"""
_FOCUSED = """() => {
  const it = document.activeElement;
  if (it === null || it === document.body) return null;
  const box = it.getBoundingClientRect();
  // A frame around a field may show its focus; the parts of a field for a date show theirs inside of it.
  const nested = [it, it.parentElement, it.parentElement?.parentElement];
  const around = nested.filter(Boolean).map((one) => getComputedStyle(one));
  const shows = (style) => style.outlineStyle !== "none" || style.boxShadow !== "none";
  const isOwn = ["H1", "MAIN"].includes(it.tagName) || /^(date|time|month)/.test(it.type ?? "");
  return {
    what: it.outerHTML.slice(0, 120),
    seen: box.width > 0 && box.height > 0 && around[0].visibility === "visible",
    shown: isOwn || around.some(shows),
  };
}"""
_SPACING = """
  * { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }
  p { margin-bottom: 2em !important; }
"""
# As an extension of the browser would, which the page's own policy of contents doesn't bind.
_STYLE = """(text) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  document.adoptedStyleSheets = [sheet];
}"""
# What is cut off: text in a box that hides what doesn't fit. What only a screen reader reads is 1 px large.
_CUT_OFF = """() => [...document.querySelectorAll("body *")].filter((one) => {
  const style = getComputedStyle(one);
  const isText = one.closest("[aria-hidden=true]") === null && /\\S/.test(one.innerText ?? "");
  if (!isText || one.clientWidth <= 1 || one.clientHeight <= 1) return false;
  const cutsDown = ["hidden", "clip"].includes(style.overflowY) && one.scrollHeight > one.clientHeight + 1;
  const cutsAcross = ["hidden", "clip"].includes(style.overflowX) && one.scrollWidth > one.clientWidth + 1;
  // An ellipsis shortens what is whole elsewhere, in its title or its page.
  return cutsDown || (cutsAcross && style.textOverflow !== "ellipsis");
}).map((one) => one.outerHTML.slice(0, 120))"""
# With forced colours backgrounds and shadows are gone: what is current, chosen or pressed shows it otherwise.
_UNMARKED = """() => {
  const chosen = "[aria-current]:not([aria-current=false]), [aria-selected=true], [aria-pressed=true]";
  const looks = (one) => {
    const style = getComputedStyle(one);
    const sides = ["Top", "Right", "Bottom", "Left"].flatMap((side) =>
      ["Style", "Width", "Color"].map((part) => style[`border${side}${part}`]));
    const shape = one.querySelector("svg")?.innerHTML;
    const own = [style.backgroundColor, style.color, style.outlineStyle, style.textDecorationLine, sides];
    return [...own, shape].join();
  };
  return [...document.querySelectorAll(chosen)].filter((one) => {
    const beside = one.closest("ul, nav, tbody, [role=tablist]") ?? document;
    const others = [...beside.querySelectorAll(one.localName)].filter((each) => !each.matches(chosen));
    return others.length > 0 && looks(others[0]) === looks(one);
  }).map((one) => one.outerHTML.slice(0, 120));
}"""
_TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("body *")]
    .filter((one) => one.getBoundingClientRect().right > width + 1)
    .map((one) => one.outerHTML.slice(0, 120))
    .slice(0, 5);
}"""


@dataclass
class Troubles:
    """What went wrong in a page's browser, as it went wrong."""

    origin: str
    told: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.told.append(f"script: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # An answer that says no is shown by the page, and a test says which it expects; those of the server's
        # own faults are told by `_response`.
        is_answer = message.text.startswith("Failed to load resource")
        if message.type in ("error", "warning") and not is_answer and "WebSocket" not in message.text:
            self.told.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(self.origin).netloc:
            self.told.append(f"asked elsewhere: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status == 500:
            self.told.append(f"500: {response.request.method} {response.url}")


async def check_page(page: Page, name: str) -> None:
    """Hold the page, as it is now, to all that the module says. name: of the pictures."""
    await settled(page)
    language = await page.evaluate("document.documentElement.lang")
    found: list[str] = []
    for theme in ("light", "dark"):
        await page.emulate_media(color_scheme=theme)
        found += [f"{theme}: {each}" for each in await axe(page)]
        await photograph(page, f"{name}-{language}-{theme}")
    await page.emulate_media(color_scheme="light")
    found += await _narrow(page, f"{name}-{language}-narrow")
    found += await _keyboard(page)
    assert found == [], "\n".join([f"{name} ({language}):", *found])


async def axe(page: Page) -> list[str]:
    """What axe-core finds at WCAG 2.2 AA, in words."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text(encoding="utf-8"))
    violations: list[dict[str, Any]] = await page.evaluate(_RUN_AXE)
    return [f"{each['rule']} ({each['help']}): {node}" for each in violations for node in each["nodes"]]


async def photograph(page: Page, name: str) -> None:
    """Keep a picture of the page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True, animations="disabled")


async def settled(page: Page) -> None:
    """Wait until the page shows what it has: a heading, and nothing that is still being read."""
    await page.locator("h1, dialog h2").first.wait_for()
    await page.locator(".loading").first.wait_for(state="detached")


async def check_spacing(page: Page, name: str) -> list[str]:
    """What can't be read once whoever reads has spread the text. WCAG 2.2 success criterion 1.4.12."""
    await page.evaluate(_STYLE, _SPACING)
    found: list[str] = await page.evaluate(_CUT_OFF)
    await photograph(page, f"{name}-spaced")
    await page.evaluate(_STYLE, "")
    return [f"spaced: {element}" for element in found]


async def check_forced_colours(page: Page, name: str) -> list[str]:
    """What doesn't show itself where the system's few colours are all that there is (`forced-colors`)."""
    await page.emulate_media(forced_colors="active")
    found = [f"looks like the others: {element}" for element in await page.evaluate(_UNMARKED)]
    found += await axe(page)
    found += await _keyboard(page)
    await photograph(page, f"{name}-forced")
    await page.emulate_media(forced_colors="none")
    return [f"forced colours: {element}" for element in found]


async def _narrow(page: Page, name: str) -> list[str]:
    """400 % zoom of a window 1280 wide. WCAG 2.2 success criterion 1.4.10."""
    before = page.viewport_size
    await page.set_viewport_size(NARROW)
    try:
        too_wide: list[str] = await page.evaluate(_TOO_WIDE)
        for _ in range(MOST_FRAMES):  # what floats above the page finds its new place some frames later
            if not too_wide:
                break
            await page.evaluate("() => new Promise((drawn) => requestAnimationFrame(drawn))")
            too_wide = await page.evaluate(_TOO_WIDE)
        await photograph(page, name)
    finally:
        await page.set_viewport_size(before or WIDE)
    return [f"wider than 320 px: {element}" for element in too_wide]


async def _keyboard(page: Page) -> list[str]:
    """Go through the page by Tab. WCAG 2.2 success criteria 2.4.7 and 2.4.11."""
    found = []
    await page.evaluate("document.activeElement instanceof HTMLElement && document.activeElement.blur()")
    for _ in range(MOST_TABS):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(_FOCUSED)
        if focused is None:
            break
        if not focused["seen"]:
            found.append(f"the keyboard reaches what isn't seen: {focused['what']}")
        elif not focused["shown"]:
            found.append(f"the focus isn't shown: {focused['what']}")
    return found
