"""The pages in Chromium: what the first one weighs, when it can be used, how soon a long list is filtered.

first page    as somebody who was never here; from the link until the first field takes keys
directory     10,000 people, as an administrator who opens it and types: from each key until the rows that
              fit, and no others, have been painted
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from playwright.sync_api import Browser, Page, sync_playwright

from benches.figure import Figure, Meaning
from benches.process import BenchError

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
TIMES = 5
OPENINGS = 5  # of the directory: each has a first key
TYPED = ("marti", "valer", "dub", "roussel", "g", "11", "lefev", "zzz")

PAGE_MEANINGS = {
    "page_script_weight": Meaning("script of the first page, compressed", "kB", "lower", 150),
    "page_interactive": Meaning("from the first byte asked to a page that answers keys", "ms", "lower", 1000),
    "page_filter_first_key": Meaning("the first key of a search among 10,000 people", "ms", "lower", 50),
    "page_filter_p95": Meaning("each key of such a search, 95 %", "ms", "lower", 50),
}

_WEIGHT = """() => performance.getEntriesByType("resource")
  .filter((one) => new URL(one.name).pathname.endsWith(".js"))
  .reduce((sum, one) => sum + one.encodedBodySize, 0)"""

# A key's time is the one at which the browser was given it. What is on the screen is looked at in each frame,
# and its time is when that frame's painting was done: a message that is sent within it comes behind.
_WATCH = """() => {
  const plain = (text) => text.normalize("NFD").replace(/\\p{M}/gu, "").toLowerCase();
  const words = (row) => plain(row.innerText).split(/[^\\p{L}\\p{N}]+/u);
  const fits = (row, typed) => words(row).some((one) => one.startsWith(typed));
  window.seen = [];
  addEventListener("keydown", (event) => {
    const field = event.target;
    if (event.key.length > 1) return; // Delete, as the field is emptied
    const look = () => {
      const typed = plain(field.value);
      const rows = [...document.querySelectorAll("main tbody tr[role=row]")];
      const isThere = rows.length > 0 || document.querySelector("main :is(.empty, .loading)") !== null;
      if (!isThere || !rows.every((row) => fits(row, typed))) return requestAnimationFrame(look);
      const painted = new MessageChannel();
      painted.port1.onmessage = () => window.seen.push(performance.now() - event.timeStamp);
      painted.port2.postMessage(null);
    };
    requestAnimationFrame(look);
  }, { capture: true });
}"""

_IS_SEEN = """(number) => new Promise((done) => {
  const since = performance.now();
  const look = () => {
    if (window.seen.length > number || performance.now() - since > 5000) done(window.seen.length > number);
    else setTimeout(look, 10);
  };
  look();
})"""

_GIVEN = """Anne Bruno Chloé Denis Élise Farid Gaëlle Hugo Inès Jean Karim Léa Marc Nadia Omar Paul Quentin
Rose Sami Théo Ursule Valérie Willy Xavier Yasmine Zoé"""
_BEGINS = "Mar Le Du Rou Gar Ber Val Col Fon Per Bou Cha Del Lam Mor Pi Sau Ti Vin Zim"
_ENDS = "tin fèvre bois ssel cin nard lot let taine rin cher mont mas bert eau card nier xier cent mer"


def names(count: int) -> list[str]:
    """So many people's names, of which each letter that is typed leaves fewer."""
    parts = product(_BEGINS.split(), _ENDS.split(), _GIVEN.split())
    every = [f"{given} {begin}{end}" for begin, end, given in parts]
    return every[:count]


def page_figures(url: str, session: str) -> Iterator[Figure]:
    """Open pages of a running node: the first one as a stranger, the directory with this session's cookie."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield from _first_page(browser, url)
        yield from _directory(browser, url, session)
        browser.close()


def _first_page(browser: Browser, url: str) -> Iterator[Figure]:
    weights, times = [], []
    for _ in range(TIMES):
        context = browser.new_context()  # nothing is cached
        page = context.new_page()
        page.goto(url, wait_until="commit")
        page.locator("input").first.wait_for()
        times.append(float(page.evaluate("performance.now()")))
        weights.append(float(page.evaluate(_WEIGHT)) / 1000)
        context.close()
    yield Figure("page_script_weight", max(weights), PAGE_MEANINGS["page_script_weight"])
    yield Figure("page_interactive", sorted(times)[TIMES // 2], PAGE_MEANINGS["page_interactive"])


def _directory(browser: Browser, url: str, session: str) -> Iterator[Figure]:
    context = browser.new_context(locale="fr-FR")
    context.add_cookies([{"name": "beffroi", "value": session, "url": url}])
    first, every = [], []
    for _ in range(OPENINGS):
        page = context.new_page()
        page.goto(f"{url}/directory")
        page.locator("main tbody tr[role=row]").first.wait_for()
        page.evaluate(_WATCH)
        page.locator("input[type=search]").focus()
        told = [took for word in TYPED for took in _typed(page, word)]
        first.append(told[0])
        every += told
        page.close()
    context.close()
    yield Figure(
        "page_filter_first_key", sorted(first)[OPENINGS // 2], PAGE_MEANINGS["page_filter_first_key"]
    )
    yield Figure("page_filter_p95", sorted(every)[int(0.95 * len(every))], PAGE_MEANINGS["page_filter_p95"])


def _typed(page: Page, word: str) -> list[float]:
    """Type a word letter by letter, each once the one before is on the screen; then empty the field.

    Returns what each took (ms). Raises BenchError.
    """
    for number, letter in enumerate(word):
        page.keyboard.press(letter)
        if not page.evaluate(_IS_SEEN, number):
            raise BenchError(f"the directory isn't filtered 5 s after {word[: number + 1]!r}")
    took: list[float] = page.evaluate("window.seen.splice(0)")
    page.locator("input[type=search]").fill("")
    page.wait_for_timeout(300)
    return took
