"""The process that hands out the settings of desk telephones: HTTPS, HTTP, TFTP and the multicast group."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import sqlalchemy as sa
import uvloop

from dialplan.finding import PlanError
from dialplan.plan import Plan
from pbx import control
from pbx.audit.entry import By
from pbx.audit.journal import Audit, AuditJournal, AuditUnavailable
from pbx.configuration import Configuration
from pbx.node.certificates import CertificatesInUse
from pbx.node.keys import node_key
from pbx.node.sealing import Sealing, sealing
from pbx.people.devices import with_directory
from pbx.people.directory import DirectoryError, read_directory
from pbx.phones.book import BookNow, may_look, viewer_of
from pbx.phones.caretaker import Caretaker
from pbx.phones.composing import discovery_url
from pbx.phones.counter import Counter
from pbx.phones.desks import Desks
from pbx.phones.front import Front, Served
from pbx.phones.group import MOST_REQUESTS as GROUP_MOST_REQUESTS
from pbx.phones.group import Group
from pbx.phones.images import Images
from pbx.phones.ldap import LdapServer, Unjudged
from pbx.phones.limits import Limits
from pbx.phones.settings import settings_url
from pbx.phones.sockets import PhoneSockets
from pbx.phones.tftp import MOST_REQUESTS, TftpServer
from pbx.phones.window import open_until
from pbx.plans.in_force import PlanInForce
from pbx.store.database import DatabaseUnavailableError
from pbx.tasks import Tasks
from pbx.web.store import Store
from provisioning.brand import Brand, BrandError, load_brands
from provisioning.enrolment import Transport
from provisioning.ldap.book import Viewer

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0
JOURNAL_SECONDS: Final = 0.5
CARE_SECONDS: Final = 2.0
SURVEY_SECONDS: Final = 0.3


class PlanNow:
    """The plan in force with the people of the database, at most LOOK_SECONDS old."""

    def __init__(self, configuration: Configuration, in_force: PlanInForce) -> None:
        self._configuration = configuration
        self._in_force = in_force
        self._version = ""
        self._stamp = 0
        self._plan = in_force.read()

    def plan(self) -> Plan:
        """The plan as it was read last."""
        return self._plan

    def look(self) -> None:
        """Read it anew where it changed; what can't be read now stays as it was."""
        try:
            stamp = self._configuration.directory_file.stat().st_mtime_ns
        except OSError:
            stamp = 0
        version = self._in_force.version()
        if version == self._version and stamp == self._stamp:
            return
        try:
            plan = self._in_force.read()
            if stamp:
                plan = with_directory(plan, read_directory(self._configuration.directory_file))
        except (PlanError, DirectoryError) as error:
            log.warning("the plan before is used on: %s", error)
            return
        self._plan, self._version, self._stamp = plan, version, stamp


def run_phones(configuration: Configuration, sockets: PhoneSockets, in_force: PlanInForce) -> None:
    """Hand out until SIGTERM."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(configuration, sockets, in_force))


async def _serve(configuration: Configuration, sockets: PhoneSockets, in_force: PlanInForce) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    clock = time.time  # noqa: TID251 (the composition root gives time to the others)
    said = configuration.provisioning
    now = await asyncio.to_thread(PlanNow, configuration, in_force)
    await asyncio.to_thread(now.look)
    images = Images(said.firmware, clock, lambda: now.plan().timezone, configuration.data_dir)
    await asyncio.to_thread(images.load)
    records = Store(configuration.database)

    def window_open() -> bool:
        return open_until(configuration.data_dir, clock()) > 0.0

    brands = _brands(configuration)
    seal = sealing(configuration.node_key_file)
    books = await asyncio.to_thread(BookNow, now.plan, configuration.domain)
    tasks = Tasks()
    desks = Desks(configuration.data_dir, records, brands, tasks)
    counter = Counter(
        configuration,
        brands,
        records,
        seal,
        images,
        now.plan,
        window_open,
        clock,
        books.book,
        desks.user,
    )
    limits = Limits(clock)
    certificates = await asyncio.to_thread(CertificatesInUse, _shown(configuration), clock)
    fronts = [
        await _front(counter, "https", limits, sockets.https, _tls(configuration, certificates)),
        await _front(counter, "http", limits, sockets.http, None),
    ]
    tasks.start(certificates.watch(), "certificates")
    # Limits of their own: whoever writes a telephone's address on a datagram costs it nothing over HTTPS.
    ports = [TftpServer(bound, counter, Limits(clock, MOST_REQUESTS), tasks) for bound in sockets.tftp]
    for port in ports:
        port.start()
    group = _group(configuration, sockets, Limits(clock, GROUP_MOST_REQUESTS), counter, window_open)
    if group is not None:
        group.start()
    names = _directory(books, desks, records, seal, Limits(clock, MOST_REQUESTS), tasks, counter)
    for one in sockets.ldaps:
        await names.listen(one, _tls(configuration, certificates))
    for one in sockets.ldap:
        await names.listen(one, None)
    tasks.start(desks.follow(), "hot desks")
    tasks.start(_look(now, books, images, counter), "the plan and the journal")
    caretaker = _caretaker(configuration, brands, records, images, now, counter, clock)
    tasks.start(_care(caretaker, images), "care of telephones")
    gc.collect()
    gc.freeze()
    log.info("phones ready at=%s", settings_url(said))
    await stop.wait()
    for front in fronts:
        front.close()
    for port in ports:
        port.stop()
    names.close()
    if group is not None:
        group.stop()
    await tasks.cancel()
    try:
        await counter.write_journal()
    except DatabaseUnavailableError as error:
        log.error("the last requests aren't written down: %s", error)
    await asyncio.to_thread(records.close)


def _directory(
    books: BookNow,
    desks: Desks,
    records: Store,
    seal: Sealing,
    limits: Limits,
    tasks: Tasks,
    counter: Counter,
) -> LdapServer:
    """The directory's server: whoever binds is a telephone, and sees what its person sees."""

    async def judge(name: str, password: str) -> Viewer | None:
        def look(connection: sa.Connection) -> Viewer | None:
            if not may_look(connection, seal, name, password):
                return None
            return viewer_of(connection, name, desks.user)

        try:
            return await records.read(look)
        except DatabaseUnavailableError as error:
            raise Unjudged from error

    clock = asyncio.get_running_loop().time
    return LdapServer(books.book, judge, limits, tasks, counter.is_voice, clock)


def _brands(configuration: Configuration) -> dict[str, Brand]:
    try:
        return load_brands(configuration.provisioning.brands)
    except BrandError as error:
        log.error("the town's own brands are left out: %s", error)
        return load_brands()


async def _front(
    counter: Counter,
    transport: Transport,
    limits: Limits,
    bound: Sequence[socket.socket],
    tls: ssl.SSLContext | None,
) -> Served:
    served = Served(Front(counter, transport, limits))
    for one in bound:
        await served.listen(one, tls)
    return served


def _shown(configuration: Configuration) -> Configuration:
    """The configuration with the certificate that telephones are shown, and the makers whose are taken."""
    sip, said = configuration.sip, configuration.provisioning
    certificates = configuration.web.certificates or sip.certificates
    return replace(configuration, sip=replace(sip, certificates=certificates, client_ca=said.makers_ca))


def _tls(configuration: Configuration, certificates: CertificatesInUse) -> ssl.SSLContext:
    """What hands each connection to the context in use; a telephone may show its own certificate there, if
    somebody vouches for its maker. Raises CertificateError (sip.net.certificates) for unusable `makers_ca`.
    """

    def choose(session: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        if certificates.contexts is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        session.context = certificates.contexts.context_for(name)
        return None

    front = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    front.minimum_version = ssl.TLSVersion.TLSv1_2
    if configuration.provisioning.makers_ca is not None:
        front.load_verify_locations(configuration.provisioning.makers_ca)
        front.verify_mode = ssl.CERT_OPTIONAL
    front.sni_callback = choose
    return front


async def _look(now: PlanNow, books: BookNow, images: Images, counter: Counter) -> None:
    """Follow the plan, and write down who asked, until cancelled. A database that is away is said once."""
    looked, is_away = 0.0, False
    while True:
        await asyncio.sleep(JOURNAL_SECONDS)
        looked += JOURNAL_SECONDS
        if looked >= LOOK_SECONDS:
            looked = 0.0
            await asyncio.to_thread(now.look)
            await asyncio.to_thread(books.look)
        try:
            await counter.write_journal()
        except DatabaseUnavailableError as error:
            if not is_away:
                log.warning("requests of telephones aren't written down: %s", error)
            is_away = True
        else:
            is_away = False


def _caretaker(
    configuration: Configuration,
    brands: Mapping[str, Brand],
    records: Store,
    images: Images,
    now: PlanNow,
    counter: Counter,
    clock: Callable[[], float],
) -> Caretaker:
    """What looks after telephones, which enters what it begins by itself into the audit journal."""
    audit = Audit(AuditJournal(configuration.audit_journal, node_key(configuration.node_key_file)))

    async def ask(question: control.Question) -> control.Answer:
        return await control.ask_soon(configuration.data_dir, question)

    async def enter(what: str, about: Mapping[str, str | int]) -> None:
        await audit.enter(clock(), what, By("", "node"), **about)

    return Caretaker(
        brands,
        records,
        images,
        now.plan,
        counter.digest,
        ask,
        enter,
        clock,
        by_itself=configuration.provisioning.resync_by_itself,
    )


async def _care(caretaker: Caretaker, images: Images) -> None:
    """Look after telephones until cancelled; what isn't there now is looked at later, and said once."""
    trouble = ""
    while True:
        await asyncio.sleep(SURVEY_SECONDS if caretaker.is_surveying else CARE_SECONDS)
        try:
            await asyncio.to_thread(images.look)
            await caretaker.look()
        except control.NotRunningError:
            log.debug("the exchange doesn't answer: telephones wait")
        except (DatabaseUnavailableError, AuditUnavailable) as error:
            if str(error) != trouble:
                log.warning("telephones aren't looked after: %s", error)
            trouble = str(error)
        else:
            trouble = ""


def _group(
    configuration: Configuration,
    sockets: PhoneSockets,
    limits: Limits,
    counter: Counter,
    window_open: Callable[[], bool],
) -> Group | None:
    """What answers in the multicast group, where that is configured."""
    if sockets.group is None:
        return None
    return Group(
        sockets.group,
        sockets.group_interface,
        discovery_url(configuration),
        limits,
        is_voice=counter.is_voice,
        window_open=window_open,
        sees=counter.asked,
    )
