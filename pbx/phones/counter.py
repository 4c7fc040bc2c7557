"""Who asks for which file gets what: the one place where a telephone's settings are handed out.

    counter.hand_out(Wanted("https", "s/SECRET/805ec0123456.cfg", "10.54.1.20", "Yealink SIP-T54W …"))
        -> Answer(200, b"#!version…") | Answer(403, b"…")

Paths are those of the brands' files, below what says who asks:

    805ec0123456.cfg                 a telephone as it comes out of its box
    t/TOKEN/805ec0123456.cfg         one that was invited
    s/SECRET/805ec0123456.cfg        one that is enrolled: also its directory.xml
    firmware/HASH/NAME               images that were pinned
    authority.pem                    whom to believe

A secret in a path is never written down. Each request is journalled, refused ones with their reason.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
import sqlalchemy as sa

from dialplan.plan import Plan
from pbx.configuration import Configuration
from pbx.node.certificates import authority_file
from pbx.node.sealing import Sealing
from pbx.phones import freshness, passwords, shelf
from pbx.phones.book import viewer_of
from pbx.phones.composing import (
    Lines,
    NotComposed,
    authority_url,
    compose,
    file_password,
    plain_url,
    read_lines,
)
from pbx.phones.images import Images
from pbx.phones.inventory import site_of
from pbx.phones.paths import Named, which_file, without_secret
from pbx.phones.settings import settings_url
from pbx.phones.shelf import Outcome, Phone, PhoneFetch, PhoneUnknown
from pbx.store.database import DatabaseUnavailableError, Result, Work
from provisioning import directory
from provisioning.brand import Brand, brand_of_mac, recognise
from provisioning.encrypted import encrypted
from provisioning.enrolment import Fetch, Isolated, Point, Refuse, Serve, Transport, admit
from provisioning.ldap.book import Book
from provisioning.plug_and_play import Asking
from provisioning.rendering import RenderingError, file_path, render, render_pointer
from provisioning.zones import ZoneError

log = logging.getLogger(__name__)

MOST_PATH: Final = 200
DIRECTORIES: Final = ("directory.xml", "phonebook.xml")
"""Of a telephone that is enrolled; Grandstream's add the second name to the folder that they are told."""
MOST_UNWRITTEN: Final = 5_000
"""Requests, and telephones seen, that wait to be written down: beyond them they are only counted."""
_REFUSALS: Final = {400: b"no such path\n", 403: b"refused\n", 404: b"no such file\n"}
"""All that whoever is refused is told: why is for the journal. It says nothing of who is known here."""
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")

TEXT: Final = "text/plain; charset=utf-8"
XML: Final = "text/xml; charset=utf-8"
BINARY: Final = "application/octet-stream"
PEM: Final = "application/x-pem-file"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request. path: without the first "/", percent-decoded. certificate_mac: see
    `provisioning.enrolment`.

    query, page: what is searched in a directory, and which part of what is found.
    """

    transport: Transport
    path: str
    address: str
    agent: str = ""
    certificate_mac: str = ""
    query: str = ""
    page: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent. status: as HTTP has it; TFTP makes its own of it."""

    status: int
    content: bytes = b""
    content_type: str = TEXT


class Records(Protocol):
    """The database, as `pbx.web.store.Store` has it."""

    async def read(self, work: Work[Result]) -> Result: ...
    async def write(self, work: Work[Result]) -> Result: ...


class Counter:
    """Hands out. plan: the one in force, with the people of the database. window_open: new ones are taken
    now. book: the directory. user: who uses a device that isn't theirs now, by its sign-in; "" for nobody.
    """

    def __init__(
        self,
        configuration: Configuration,
        brands: Mapping[str, Brand],
        records: Records,
        sealing: Sealing,
        images: Images,
        plan: Callable[[], Plan],
        window_open: Callable[[], bool],
        clock: Callable[[], float],
        book: Callable[[], Book],
        user: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._configuration = configuration
        self._book = book
        self._user = user
        self._brands = brands
        self._records = records
        self._sealing = sealing
        self._images = images
        self._plan = plan
        self._window_open = window_open
        self._clock = clock
        self._fetches: list[PhoneFetch] = []
        self._fetched: dict[str, tuple[str, float]] = {}
        self._seen: dict[str, Phone] = {}
        self._unwritten = 0

    async def hand_out(self, wanted: Wanted) -> Answer:
        """Answer one request. Raises DatabaseUnavailableError; nothing else."""
        if len(wanted.path) > MOST_PATH or not wanted.path.isascii() or not wanted.path.isprintable():
            return self._refused(wanted, "", 400, "no such path")
        if wanted.path == "authority.pem":
            return self._authority(wanted)
        where, _, rest = wanted.path.partition("/")
        if where == "firmware" and wanted.transport != "tftp":
            return await self._firmware(wanted, rest)
        proof, _, path = rest.partition("/")
        if where in ("s", "t") and path:
            if wanted.transport != "https" or not _SECRET.fullmatch(proof):
                return self._refused(wanted, "", 403, "not here")
            if where == "s":
                return await self._by_secret(wanted, proof, path)
            return await self._by_token(wanted, proof, path)
        return await self._by_name(wanted, wanted.path)

    def asked(self, asked: Asking, address: str) -> None:
        """A telephone has asked in the multicast group: it is to be listed."""
        brand = brand_of_mac(self._brands, asked.mac) or "generic"
        models = self._brands[brand].models
        model = next((one for one in models if asked.model.upper().endswith(one.upper())), "")
        self._list(Phone(name=asked.mac, brand=brand, model=model, version=asked.version, address=address))

    def turned_away(self, wanted: Wanted) -> None:
        """Somebody asks so often that it isn't answered: written down once in a while."""
        self._enter(wanted, "", "refused", "too often")

    async def write_journal(self) -> None:
        """Write down who asked since the last time, and whom to list. Raises DatabaseUnavailableError: they
        are kept for the next time.
        """
        fetches, seen, fetched, now = self._fetches, self._seen, self._fetched, self._clock()
        if self._unwritten:
            log.error("requests of telephones that aren't in the journal: %d", self._unwritten)
        self._fetches, self._seen, self._fetched, self._unwritten = [], {}, {}, 0

        def write(connection: sa.Connection) -> None:
            shelf.journal(connection, fetches)
            for phone in seen.values():
                shelf.see(connection, phone, now)
            for name, (digest, at) in fetched.items():
                freshness.fetched(connection, name, digest, at)

        if fetches or seen or fetched:
            try:
                await self._records.write(write)
            except DatabaseUnavailableError:
                self._fetches = (fetches + self._fetches)[:MOST_UNWRITTEN]
                self._seen = {**seen, **self._seen}
                self._fetched = {**fetched, **self._fetched}
                raise

    # What a path says of who asks

    async def _by_secret(self, wanted: Wanted, secret: str, path: str) -> Answer:
        name = await self._records.read(lambda connection: shelf.name_by_secret(connection, secret))
        if not name:
            return self._refused(wanted, "", 403, "wrong_secret")
        if path in DIRECTORIES:
            return await self._directory(wanted, name, secret)
        named = which_file(self._brands, path, await self._phone(name))
        if named is None or (named.mac and named.mac != name):
            return self._refused(wanted, name, 404, "no such file")
        return await self._own_file(wanted, named, name, secret=secret)

    async def _by_token(self, wanted: Wanted, token: str, path: str) -> Answer:
        name = await self._records.read(lambda connection: shelf.name_by_token(connection, token))
        if not name:
            return self._refused(wanted, "", 403, "wrong_secret")
        named = which_file(self._brands, path, await self._phone(name))
        if named is None or (named.mac and named.mac != name):
            return self._refused(wanted, name, 404, "no such file")
        if named.file.common:
            return self._pointer(wanted, named, f"{settings_url(self._configuration.provisioning)}t/{token}/")
        return await self._own_file(wanted, named, name, token=token)

    async def _by_name(self, wanted: Wanted, path: str) -> Answer:
        named = which_file(self._brands, path, None)
        if named is None:
            return self._refused(wanted, "", 404, "no such file")
        if named.file.common:
            if not self.is_voice(wanted.address):
                return self._refused(wanted, "", 403, "not_here")
            return self._pointer(wanted, named, self._onward(wanted, named))
        if not named.mac:
            return self._refused(wanted, "", 404, "no such file")
        return await self._own_file(wanted, named, named.mac)

    # What is handed out

    async def _own_file(
        self, wanted: Wanted, named: Named, name: str, *, secret: str = "", token: str = ""
    ) -> Answer:
        fetch = Fetch(
            wanted.transport,
            name,
            wanted.address,
            self.is_voice(wanted.address),
            secret=secret,
            token=token,
            certificate_mac=wanted.certificate_mac,
            from_isolated=self._is_isolated(wanted.address),
        )
        known = await self._records.read(lambda connection: shelf.enrolled(connection, name))
        admission = admit(fetch, known, window_open=self._window_open(), now=self._clock())
        match admission:
            case Refuse():
                if admission.lists:
                    self._list(self._as_seen(wanted, named, name))
                return self._refused(wanted, name, 403, admission.reason)
            case Point():
                self._list(self._as_seen(wanted, named, name))
                return self._pointer(wanted, named, settings_url(self._configuration.provisioning))
            case Isolated():
                return await self._isolated(wanted, named, name)
            case Serve():
                if known is None:
                    await self._see(wanted, named, name)  # so that it can be enrolled
                has_former = known is not None and bool(known.former_secret)
                return await self._served(wanted, named, name, admission, secret, has_former=has_former)

    async def _served(
        self, wanted: Wanted, named: Named, name: str, admission: Serve, shown: str, *, has_former: bool
    ) -> Answer:
        """Its file, and what that changes. has_former: the secret before the last one is still taken."""
        seen = self._as_seen(wanted, named, name)
        self._list(seen)
        try:
            phone, lines = await self._facts(name)
            if seen.version:  # who has just loaded firmware isn't told to load it
                phone = msgspec.structs.replace(phone, version=seen.version)
            is_own = named.file.holds == "secrets"
            # Made before it is enrolled: else a token were lost.
            digest = self._digest(phone, lines) if is_own or admission.new_secret else ""
            secret = await self._secret(name, admission, phone, shown, has_former=has_former)
        except (NotComposed, RenderingError, ZoneError) as error:
            return self._refused(wanted, name, 404, str(error))
        except PhoneUnknown:
            return self._refused(wanted, name, 403, "token_used")
        answer = self._file(wanted, named, phone, self._made(phone, lines, secret), "served")
        if answer.status == 200 and is_own:
            if lines.renewed:
                await self._records.write(lambda connection: passwords.take(connection, phone.lines))
            self._fetched[name] = (digest, self._clock())
        return answer

    def _file(
        self, wanted: Wanted, named: Named, phone: Phone, made: Mapping[str, bytes], outcome: Outcome
    ) -> Answer:
        """The file asked for. Its telephone may be of another brand than the name that it asked by."""
        brand = self._brands[phone.brand]
        if brand is not named.brand:
            return self._refused(wanted, phone.name, 404, "another brand's file")
        path = file_path(named.file, phone.model, brand.models[phone.model], phone.name, token="")
        self._enter(wanted, phone.name, outcome)
        return Answer(200, made[path], XML if brand.syntax == "xml" else TEXT)

    async def _isolated(self, wanted: Wanted, named: Named, name: str) -> Answer:
        """Settings in clear. Whoever sets the telephone up types one password in once: that of its files, if
        the maker has encrypted ones, else that of its line, which is then not in them.
        """
        self._list(self._as_seen(wanted, named, name))
        try:
            phone, lines = await self._facts(name)
            brand = self._brands[phone.brand]
            if brand.encrypts:
                password = file_password(self._sealing, name)
                clear = self._made(phone, lines, "", encrypted=True)
                made = {
                    path: encrypted(content, password, brand.encrypts) if file.holds == "secrets" else content
                    for file, (path, content) in zip(brand.files, clear.items(), strict=True)
                }
            else:
                made = self._made(phone, lines.without_passwords(), "")
            self._fetched[name] = (self._digest(phone, lines), self._clock())
        except (NotComposed, RenderingError, ZoneError, PhoneUnknown) as error:
            return self._refused(wanted, name, 404, str(error))
        return self._file(wanted, named, phone, made, "isolated")

    async def _secret(
        self, name: str, admission: Serve, phone: Phone, shown: str, *, has_former: bool
    ) -> str:
        """The secret that its files name from now on. Raises PhoneUnknown."""
        if admission.new_secret:
            by_token = admission.proof == "token"
            return await self._records.write(
                lambda connection: shelf.enrol(connection, name, by_token=by_token)
            )
        if admission.proof == "former_secret" or phone.rotates:
            # The answer that held the last one may be lost: the telephone gets another, as often as it asks.
            return await self._records.write(lambda connection: shelf.rotate(connection, name, shown))
        if has_former:
            await self._records.write(lambda connection: shelf.secret_used(connection, name))
        return shown

    async def _facts(self, name: str) -> tuple[Phone, Lines]:
        people = self._plan().people

        def read(connection: sa.Connection) -> tuple[Phone, Lines]:
            phone = shelf.find_phone(connection, name)
            return phone, read_lines(
                connection, self._sealing, phone, lambda one: people.get(self._user(one))
            )

        return await self._records.read(read)

    async def digest(self, name: str) -> str:
        """The digest of what a telephone is to have (pbx.phones.freshness), "" where that can't be made."""
        try:
            return self._digest(*await self._facts(name))
        except (NotComposed, RenderingError, ZoneError, PhoneUnknown):
            return ""

    def _digest(self, phone: Phone, lines: Lines) -> str:
        if phone.old_tls and not self._brands[phone.brand].encrypts:
            lines = lines.without_passwords()
        return freshness.digest_of(self._made(phone, lines, freshness.SAME_SECRET, firmware=False))

    def _made(
        self, phone: Phone, lines: Lines, secret: str, *, firmware: bool = True, encrypted: bool = False
    ) -> dict[str, bytes]:
        url = settings_url(self._configuration.provisioning)
        brand = self._brands[phone.brand]
        telephone = compose(
            self._configuration,
            self._plan(),
            brand,
            phone,
            lines,
            secret=secret,
            sealing=self._sealing,
            firmware=self._images.for_phone(phone, site_of(phone, self._plan()), url) if firmware else None,
            encrypted=encrypted,
        )
        return render(brand, telephone)

    def _onward(self, wanted: Wanted, named: Named) -> str:
        """Where a telephone that asked for the file of its model goes: not over TLS that it hasn't."""
        model = named.brand.models.get(named.model)
        if model is not None and model.tls == "old" and self._is_isolated(wanted.address):
            return plain_url(self._configuration)
        return settings_url(self._configuration.provisioning)

    def _pointer(self, wanted: Wanted, named: Named, url: str, outcome: Outcome = "pointer") -> Answer:
        if not named.file.pointer:
            return self._refused(wanted, named.mac, 404, "nothing for everybody")
        family = self._family(wanted, named)
        content = render_pointer(named.brand, named.file, family, url, authority_url(self._configuration))
        self._enter(wanted, named.mac, outcome)
        return Answer(200, content, XML if named.brand.syntax == "xml" else TEXT)

    def _family(self, wanted: Wanted, named: Named) -> str:
        said = recognise(self._brands, wanted.agent)
        models = named.brand.models
        for name in (named.model, said.model if said is not None else ""):
            if name in models:
                return models[name].family
        return next(iter(models.values())).family

    async def _directory(self, wanted: Wanted, name: str, secret: str) -> Answer:
        phone = await self._phone(name)
        if phone is None or phone.brand not in directory.WRITERS:
            return self._refused(wanted, name, 404, "no directory for this brand")
        viewer = await self._records.read(lambda connection: viewer_of(connection, name, self._user))
        plan = self._plan()
        person = plan.people.get(viewer.extension)
        language = (person.language if person is not None else "") or plan.language
        url = f"{settings_url(self._configuration.provisioning)}s/{secret}/directory.xml"
        asked = directory.Asked(url, wanted.query, wanted.page, language if language == "fr" else "en")
        entries = [
            directory.Entry(one.name, one.numbers, one.mobile if viewer.sees_mobile_of(one) else "")
            for one in self._book().found(wanted.query, viewer)
        ]
        self._enter(wanted, name, "served")
        return Answer(200, directory.written(phone.brand, plan.organization, entries, asked), XML)

    async def _firmware(self, wanted: Wanted, rest: str) -> Answer:
        digest, _, name = rest.partition("/")
        content = await self._images.read(digest, name) if self.is_voice(wanted.address) else None
        if content is None:
            return self._refused(wanted, "", 404, "no such image")
        self._enter(wanted, "", "served")
        return Answer(200, content, BINARY)

    def _authority(self, wanted: Wanted) -> Answer:
        if wanted.transport == "tftp" and not self.is_voice(wanted.address):  # where a sender is easily said
            return self._refused(wanted, "", 404, "not_here")
        if not authority_url(self._configuration):
            return self._refused(wanted, "", 404, "no such file")
        try:
            content = authority_file(self._configuration).read_bytes()
        except OSError:
            return self._refused(wanted, "", 404, "no certificate yet")
        self._enter(wanted, "", "served")
        return Answer(200, content, PEM)

    # What is known

    async def _phone(self, name: str) -> Phone | None:
        try:
            return await self._records.read(lambda connection: shelf.find_phone(connection, name))
        except PhoneUnknown:
            return None

    async def _see(self, wanted: Wanted, named: Named, name: str) -> None:
        phone, now = self._as_seen(wanted, named, name), self._clock()
        await self._records.write(lambda connection: shelf.see(connection, phone, now))

    def _list(self, phone: Phone) -> None:
        """To be written down with the journal: how long that takes would tell who is known here."""
        if len(self._seen) < MOST_UNWRITTEN or phone.name in self._seen:
            self._seen[phone.name] = phone

    def _as_seen(self, wanted: Wanted, named: Named, name: str) -> Phone:
        said = recognise(self._brands, wanted.agent)
        is_same = said is not None and said.brand == named.brand_name
        return Phone(
            name=name,
            brand=named.brand_name,
            model=said.model if said is not None and is_same else "",
            version=said.version if said is not None and is_same else "",
            address=wanted.address,
        )

    def _is_isolated(self, address: str) -> bool:
        """Whether telephones without TLS of today are there: in a network of theirs, if one is named."""
        networks = self._configuration.provisioning.isolated_networks
        said = ipaddress.ip_address(address)
        is_theirs = any(said in network for network in networks if network.version == said.version)
        return self.is_voice(address) and (is_theirs or not networks)

    def is_voice(self, address: str) -> bool:
        """Whether an address is in a network of telephones."""
        said = ipaddress.ip_address(address)
        networks = self._configuration.provisioning.networks or tuple(
            network for site in self._plan().sites.values() for network in site.networks
        )
        return any(said in network for network in networks if network.version == said.version)

    # The journal

    def _refused(self, wanted: Wanted, name: str, status: int, reason: str) -> Answer:
        self._enter(wanted, name, "refused", reason)
        return Answer(status, _REFUSALS[status])

    def _enter(self, wanted: Wanted, name: str, outcome: Outcome, reason: str = "") -> None:
        at, transport, path = self._clock(), wanted.transport, without_secret(wanted.path)
        said = (name or "unknown", wanted.address, transport, path, outcome, reason)
        log.info("fetch phone=%s from=%s by=%s file=%s %s %s", *said)
        if len(self._fetches) >= MOST_UNWRITTEN:
            self._unwritten += 1
            return
        self._fetches.append(PhoneFetch(at, name, wanted.address, transport, path, outcome, reason))
