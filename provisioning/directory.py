"""The directory on a telephone's screen: entries as each maker's XML has them.

    Yealink      <YealinkIPPhoneDirectory>, asked again with what is typed in place of #SEARCH in its address
    Snom         <SnomIPPhoneDirectory>, 100 lines a page (more can't be chosen by digits), with keys for the
                 next page and for a <SnomIPPhoneInput> that asks for a name
    Grandstream  <AddressBook>, fetched as a whole as phonebook.xml and searched by the telephone itself
    Fanvil       <FanvilIPPhoneDirectory>, asked for as a whole

Source: Yealink's "Remote Phone Book" (administrator's guide), Snom's "XML Minibrowser" (service.snom.com),
Grandstream's "XML Based Downloadable Phonebook Guide", Fanvil's "XML Operation Guide".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode
from xml.etree import ElementTree

SEARCH_PAGE: Final = "search"
"""The page that asks for a name."""

_WORDS: Final = {
    "fr": {"search": "Chercher", "name": "Nom ou numéro", "next": "Suite"},
    "en": {"search": "Search", "name": "Name or number", "next": "Next"},
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One person or service: a name, its numbers as they are dialled here, a mobile number or ""."""

    name: str
    numbers: tuple[str, ...]
    mobile: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a telephone asks for. words: typed, "" for everybody; page: "" for the first, or SEARCH_PAGE.

    url: of the directory itself. language: "fr" or "en".
    """

    url: str
    words: str = ""
    page: str = ""
    language: str = "en"

    @property
    def number(self) -> int:
        """Of the page, from 0; what isn't one is the first."""
        return int(self.page) if self.page.isascii() and self.page.isdigit() and len(self.page) < 4 else 0


@dataclass(frozen=True, slots=True)
class _Page:
    """Entries of one page. next_url: of the one after it, "" for none."""

    title: str
    entries: Sequence[Entry]
    asked: Asked
    next_url: str


def written(brand: str, title: str, entries: Sequence[Entry], asked: Asked) -> bytes:
    """Return the page of the directory as telephones of a brand read it.

    Raises KeyError for a brand without a directory of its own.
    """
    most, write = WRITERS[brand]
    start = asked.number * most
    more = urlencode({"q": asked.words, "page": asked.number + 1}) if start + most < len(entries) else ""
    page = _Page(title, entries[start : start + most], asked, f"{asked.url}?{more}" if more else "")
    root = write(page)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _element(parent: ElementTree.Element, tag: str, text: str) -> None:
    # XML 1.0 section 2.2: control characters can't be in it, escaped or not.
    ElementTree.SubElement(parent, tag).text = "".join(one for one in text if one.isprintable())


def _numbers(entry: Entry) -> tuple[str, ...]:
    return (*entry.numbers, *([entry.mobile] if entry.mobile else []))


def _yealink(page: _Page) -> ElementTree.Element:
    root = ElementTree.Element("YealinkIPPhoneDirectory")
    _element(root, "Title", page.title)
    for entry in page.entries:
        one = ElementTree.SubElement(root, "DirectoryEntry")
        _element(one, "Name", entry.name)
        for number in _numbers(entry):
            _element(one, "Telephone", number)
    return root


def _snom(page: _Page) -> ElementTree.Element:
    words = _WORDS[page.asked.language]
    if page.asked.page == SEARCH_PAGE:
        return _snom_input(page, words)
    root = ElementTree.Element("SnomIPPhoneDirectory")
    _element(root, "Title", page.title)
    _element(root, "Prompt", words["search"])
    for entry in page.entries:
        for number in _numbers(entry):
            one = ElementTree.SubElement(root, "DirectoryEntry")
            _element(one, "Name", entry.name)
            _element(one, "Telephone", number)
    _snom_key(root, "F1", words["search"], f"{page.asked.url}?page={SEARCH_PAGE}")
    if page.next_url:
        _snom_key(root, "F2", words["next"], page.next_url)
    return root


def _snom_input(page: _Page, words: Mapping[str, str]) -> ElementTree.Element:
    """Snom's InputFlags `a`: letters and digits."""
    root = ElementTree.Element("SnomIPPhoneInput")
    _element(root, "Title", page.title)
    _element(root, "Prompt", words["search"])
    _element(root, "URL", page.asked.url)
    item = ElementTree.SubElement(root, "InputItem")
    _element(item, "DisplayName", words["name"])
    _element(item, "QueryStringParam", "q")
    _element(item, "DefaultValue", "")
    _element(item, "InputFlags", "a")
    return root


def _snom_key(root: ElementTree.Element, name: str, label: str, url: str) -> None:
    key = ElementTree.SubElement(root, "SoftKeyItem")
    _element(key, "Name", name)
    _element(key, "Label", label)
    _element(key, "URL", url)


def _grandstream(page: _Page) -> ElementTree.Element:
    root = ElementTree.Element("AddressBook")
    for entry in page.entries:
        one = ElementTree.SubElement(root, "Contact")
        given, _, family = entry.name.partition(" ")
        _element(one, "FirstName", given if family else "")
        _element(one, "LastName", family or given)
        kinds = [
            *(("Work", number) for number in entry.numbers),
            *([("Mobile", entry.mobile)] * bool(entry.mobile)),
        ]
        for kind, number in kinds:
            phone = ElementTree.SubElement(one, "Phone", {"type": kind})
            _element(phone, "phonenumber", number)
            _element(phone, "accountindex", "0")  # from 0 on: the first account
    return root


def _fanvil(page: _Page) -> ElementTree.Element:
    root = ElementTree.Element("FanvilIPPhoneDirectory", {"clearlight": "true"})
    _element(root, "Title", page.title)
    for entry in page.entries:
        one = ElementTree.SubElement(root, "DirectoryEntry")
        _element(one, "Name", entry.name)
        _element(one, "Telephone", entry.numbers[0])
        if entry.mobile:
            _element(one, "Mobile", entry.mobile)
        if entry.numbers[1:]:
            _element(one, "Other", entry.numbers[1])
    return root


WRITERS: Final[Mapping[str, tuple[int, Callable[[_Page], ElementTree.Element]]]] = {
    "yealink": (500, _yealink),
    "snom": (100, _snom),
    "grandstream": (2_000, _grandstream),
    "fanvil": (500, _fanvil),
}
"""How many entries a telephone of each brand takes at once, and who writes them."""
