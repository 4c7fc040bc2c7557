"""The signalling process: composition root of SIP, calls, journal and the media engine's client."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from dialplan.document import read_text
from dialplan.finding import PlanError
from dialplan.loading import parse_plan
from dialplan.plan import Plan
from media.engine import MediaEngine, MediaUnavailable
from media.engines.passthrough import PassthroughEngine
from media.engines.python import PythonEngine
from media.engines.rtc import RtcEngine
from media.engines.rtc_client import RtcClient
from media.engines.rtpengine import RtpengineEngine
from pbx import control, media_daemons
from pbx.api.answers import answer_about_calls
from pbx.api.calls import CallApi
from pbx.configuration import Configuration
from pbx.defence.answers import answer_about_bans
from pbx.defence.bans import KeptBans
from pbx.defence.spending import KeptSpending
from pbx.events import Events, MediaProcessBack, MediaProcessLost, PhoneWaveStopped
from pbx.exchange import Exchange
from pbx.journal import Journal, Recovered, recover
from pbx.kept import Kept, KeptError, read_kept, write_kept
from pbx.media_addresses import media_addresses
from pbx.messages.tap import Tap
from pbx.node.external import external_of, follow
from pbx.node.reserve import RESERVE_BYTES
from pbx.node.sealing import sealing
from pbx.node.sockets import Sockets
from pbx.node.transports import Transports
from pbx.own_apps import Program, folder_of, load_apps
from pbx.people.browser_passwords import BrowserPasswords
from pbx.people.device_answers import answer_about_devices
from pbx.people.devices import with_directory
from pbx.people.directory import Directory, DirectoryError, read_directory
from pbx.people.settings_answers import answer_about_settings
from pbx.people.visitor_passwords import VisitorPasswords
from pbx.phones.notices import answer_about_notices
from pbx.plans.conditions import KeptCallbacks
from pbx.plans.history import HistoryError, PlanHistory, owner_of, version_of
from pbx.plans.in_force import PlanInForce
from pbx.plans.rota import Rotas
from pbx.queues.answers import answer_about_queues
from pbx.recordings.client import RecorderClient
from pbx.self_test import SelfTest
from pbx.services.colleagues import answer_about_colleagues
from pbx.tasks import Tasks
from pbx.voicemail.answers import answer_about_mailboxes
from pbx.voicemail.mail import Spool
from pbx.voicemail.mailboxes import Voicemail, VoicemailError
from recording.keys import KeyUnusable
from sip.net.addresses import is_address

log = logging.getLogger(__name__)

DRAIN_SECONDS = 30.0
RECONNECT_SECONDS = 0.1
DIRECTORY_SECONDS = 1.0
ROTA_SECONDS = 5.0
SWEEP_SECONDS = 600.0
BANS_SECONDS = 1.0
FAMILIAR_KEPT_SECONDS = 300.0


def run_signalling(
    configuration: Configuration, plan: PlanInForce, sockets: Sockets, serving: Callable[[], object]
) -> None:
    """Be the signalling process until SIGTERM; it then waits for calls to end.

    serving: called once, when phones are answered. Raises PlanError where there is no plan to begin with.
    """
    signalling = _Signalling(configuration, plan, sockets, serving)
    tune_collector()
    asyncio.run(signalling.run())


def tune_collector() -> None:
    """Make the collector's pauses short: calls break their own cycles, so it looks at each object once.

    A round costs nearly 1 µs an object, and 64*T1 of calls at full load are a million of them: the youngest
    2,000 take about 1 ms, all of them would take a second. Survivors are set aside, where they die when
    nothing refers to them any more; a cycle among them waits for `sweep`.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 1_000, 1_000)
    gc.callbacks.append(_set_survivors_aside)


def _set_survivors_aside(phase: str, _info: dict[str, int]) -> None:
    if phase == "stop":
        gc.freeze()


def sweep() -> int:
    """Collect what was set aside as well: some 0.1 s, for a quiet moment. Returns what was found."""
    gc.unfreeze()
    return gc.collect()


class _Signalling:
    def __init__(
        self,
        configuration: Configuration,
        plan: PlanInForce,
        sockets: Sockets,
        serving: Callable[[], object],
    ) -> None:
        self._configuration = configuration
        self._serving = serving
        self._in_force = plan
        self._plan = plan.read()
        self._history = PlanHistory(configuration.data_dir, configuration.plan)
        self._sockets = sockets
        self._rotas = Rotas(configuration.plan.parent)
        self._transports: Transports
        self._engine: MediaEngine  # that carries the sound; the exchange's may stand around it, for browsers
        self._reconnecting = False

    async def run(self) -> None:
        """Start, serve, drain, stop."""
        configuration = self._configuration
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        self._tasks = Tasks()
        recovered = recover(configuration.journal_dir) if configuration.journal_dir.exists() else None
        clock = time.time  # noqa: TID251 (the composition root gives time to the others)
        events = Events(clock)
        journal = Journal(configuration.journal_dir, reserve_bytes=RESERVE_BYTES, events=events)
        engine = self._with_browsers(await self._start_engine())
        directory = self._directory()
        kept_bans = self._kept(self._configuration.bans_file, KeptBans)
        self._recorder = recorder = RecorderClient(configuration.recorder_socket, events, clock, engine)
        self._exchange = exchange = Exchange(
            domain=configuration.domain,
            plan=with_directory(self._plan, directory),
            directory=directory,
            engine=engine,
            journal=journal,
            clock=clock,
            flow=lambda *where: self._transports.flow(*where),  # noqa: PLW0108 (they come after it)
            secret=os.urandom(32),
            defence=configuration.defence,
            kept_bans=kept_bans,
            kept_spending=self._kept(self._configuration.spending_file, KeptSpending),
            kept_callbacks=self._kept(self._configuration.callbacks_file, KeptCallbacks),
            external=external_of(configuration),
            media_addresses=self._told_addresses(self._engine),
            keep_alive_seconds=configuration.sip.keep_alive_seconds,
            events=events,
            rotas=self._rotas,
            voicemail=self._mailboxes(),
            own_apps=self._own_apps(),
            recorder=recorder,
            passwords=self._passwords(),
        )
        self._let_visitors_in(exchange)
        events.subscribe(self._media_process_lost, MediaProcessLost)
        tap = self._tap(exchange)
        self._transports = transports = Transports(
            exchange.driver,
            configuration,
            self._sockets,
            exchange.clock,
            lambda address: exchange.driver.admits(address, loop.time()),
        )
        self._go_on(exchange, recovered)
        if engine.tapes:
            self._tasks.start(recorder.run(), "recorder")
        await transports.start()
        server = await control.serve(self._sockets.control, self._answer, events)
        self._serving()
        await exchange.trunks.start()
        self._tasks.start(transports.watch(), "certificates")
        self._tasks.start(SelfTest(exchange).daily(), "emergency self-test")
        self._start_watching()
        external = configuration.external_address
        if external is not None and not is_address(external):
            follower = follow(external, exchange.driver.external, transports.address_changed)
            self._tasks.start(follower, "external address")
        await self._enter_plan(self._in_force.text(), "", "start")
        log.info("ready plan=%s devices=%d", self._plan.version, len(exchange.devices))
        await stop.wait()
        log.info("draining calls=%d", exchange.status()["calls"])
        await exchange.drain(DRAIN_SECONDS)
        await exchange.trunks.stop()
        exchange.driver.flush()
        server.close()
        events.close()
        await self._tasks.cancel()
        await self._write_bans()
        if exchange.spending.changed:
            await self._write_spending()
        if exchange.conditions.changed:
            await self._write_callbacks()
        await transports.close()
        exchange.driver.close()
        if tap is not None:
            tap.pass_on()
        transports.close_datagrams()
        journal.close()
        if isinstance(self._engine, PythonEngine | RtpengineEngine):
            self._engine.close()

    def _tap(self, exchange: Exchange) -> Tap | None:
        """What keeps the messages of calls; None where the configuration keeps none."""
        if not self._configuration.messages.are_kept:
            return None
        tap = Tap(self._sockets.tap, exchange.clock, asyncio.get_running_loop().time)
        tap.attach(exchange.driver)
        self._tasks.start(tap.run(), "messages")
        return tap

    def _go_on(self, exchange: Exchange, recovered: Recovered | None) -> None:
        """Take back what the process before this one had."""
        now = asyncio.get_running_loop().time()
        if recovered is None:
            exchange.recordings.restored()
            return
        for problem in recovered.problems:
            log.error("journal: %s", problem)
        set_by_hand = exchange.settings.restore(recovered.settings.values(), recovered.overrides.values())
        exchange.restore_personal(recovered.personal.values())
        held = exchange.registrations.restore(recovered.bindings, now)
        for device in exchange.devices:
            for binding in device.bindings:
                exchange.gate.welcome(binding.flow.remote[0])
        parties = exchange.restore(recovered.calls)
        texts = exchange.messages.boxes.restore(recovered.texts.values(), now)
        watched = exchange.subscriptions.restore(recovered.personal.values(), now)
        log.info("bindings=%d calls=%d parties=%d restored", held, len(recovered.calls), parties)
        log.info("settings=%d texts=%d subscriptions=%d restored", set_by_hand, texts, watched)

    def _mailboxes(self) -> Voicemail:
        """The mailboxes, with what was being recorded when a process before this one ended."""
        configuration = self._configuration
        spool = Spool(configuration.mail_dir) if configuration.mail is not None else None
        voicemail = Voicemail(configuration.voicemail_dir, apart=asyncio.to_thread, spool=spool)
        log.info("messages=%d in mailboxes", voicemail.open())
        return voicemail

    def _directory(self) -> Directory:
        try:
            return read_directory(self._configuration.directory_file)
        except DirectoryError as error:
            log.error("%s; the people of the database can't sign in", error)
            return Directory()

    def _passwords(self) -> BrowserPasswords | None:
        """Those of pages, from the node's key; None where that can't be read."""
        try:
            return BrowserPasswords(sealing(self._configuration.node_key_file), self._configuration.domain)
        except (KeyUnusable, OSError) as error:
            log.error("pages have no telephone: %s", error)
            return None

    def _let_visitors_in(self, exchange: Exchange) -> None:
        """Those of the buttons that the configuration lists."""
        configuration = self._configuration
        try:
            passwords = VisitorPasswords(sealing(configuration.node_key_file), configuration.domain)
        except (KeyUnusable, OSError) as error:
            log.error("visitors can't call: %s", error)
            return
        exchange.visitors.allow(configuration.click_to_call, passwords)
        for button in configuration.click_to_call:
            if button.service not in self._plan.services:
                log.error("click_to_call %s: the plan has no service %s", button.name, button.service)

    def _own_apps(self) -> dict[str, Program]:
        programs, findings = load_apps(self._plan, folder_of(self._configuration.plan))
        for finding in findings:
            log.error("%s; its calls go on as when it fails", finding)
        return programs

    # Bans and budgets

    def _kept(self, file: Path, kind: type[Kept]) -> Kept:
        try:
            return read_kept(file, kind)
        except KeptError as error:
            log.error("%s; we begin without it", error)
            return kind()

    async def _keep_bans(self) -> None:
        """Write bans, spending and call backs down soon after they change, now and then who is familiar."""
        seconds = 0.0
        while True:
            await asyncio.sleep(BANS_SECONDS)
            seconds += BANS_SECONDS
            if self._exchange.gate.bans.changed or seconds >= FAMILIAR_KEPT_SECONDS:
                seconds = 0.0
                await self._write_bans()
            if self._exchange.plan.budgets:
                self._exchange.cut_off()
            if self._exchange.spending.changed:
                await self._write_spending()
            if self._exchange.conditions.changed:
                await self._write_callbacks()

    async def _write_callbacks(self) -> None:
        conditions = self._exchange.conditions
        conditions.changed = False
        try:
            await asyncio.to_thread(write_kept, self._configuration.callbacks_file, conditions.kept())
        except KeptError as error:
            log.error("%s; a restart would forget who may be called back", error)

    async def _write_spending(self) -> None:
        spending = self._exchange.spending
        spending.changed = False
        try:
            await asyncio.to_thread(write_kept, self._configuration.spending_file, spending.kept())
        except KeptError as error:
            log.error("%s; a restart would forget what was spent of the budgets", error)

    async def _write_bans(self) -> None:
        gate = self._exchange.gate
        gate.bans.changed = False
        try:
            await asyncio.to_thread(write_kept, self._configuration.bans_file, gate.kept())
        except KeptError as error:
            gate.bans.changed = True
            log.error("%s; the bans hold as long as this process lives", error)

    async def _watch_directory(self) -> None:
        """Take the people of the database anew whenever they are exported."""
        seen = self._directory_stamp()
        while True:
            await asyncio.sleep(DIRECTORY_SECONDS)
            stamp = self._directory_stamp()
            if stamp != seen:
                seen = stamp
                await self._put_in_force(self._plan)
                log.info("directory devices=%d", len(self._exchange.devices))

    async def _put_in_force(self, plan: Plan) -> None:
        """Join plan and directory beside the calls, then swap."""
        directory = self._directory()
        joined = await asyncio.to_thread(with_directory, plan, directory)
        for finding in joined.findings:
            if finding.severity == "error":
                log.error("%s", finding)
        self._plan = plan
        self._exchange.reload(joined, directory)

    def _start_watching(self) -> None:
        """What is read and written again and again."""
        self._tasks.start(self._watch_directory(), "directory")
        self._tasks.start(self._sweep_when_quiet(), "sweep")
        self._tasks.start(self._keep_bans(), "bans")
        self._tasks.start(self._watch_rotas(), "rotas")

    async def _watch_rotas(self) -> None:
        """Read who is on call, and read it again whenever a file changes; only what changes is told."""
        told: dict[str, str] = {}
        while True:
            plan, now = self._exchange.plan, self._exchange.clock()
            problems = await asyncio.to_thread(self._rotas.refresh, plan, now)
            for file, why in problems.items():
                if told.get(file) != why:
                    log.error("rota %s: %s; nobody is on call by it but who was before", file, why)
            told.update(problems)
            await asyncio.sleep(ROTA_SECONDS)

    async def _sweep_when_quiet(self) -> None:
        """Every ten minutes that find no call in progress."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            if not self._exchange.status()["calls"]:
                found = sweep()
                log.debug("swept objects=%d", found)

    def _directory_stamp(self) -> tuple[int, int]:
        try:
            found = self._configuration.directory_file.stat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_ino

    # Media

    async def _start_engine(self) -> MediaEngine:
        if self._configuration.media.engine == "passthrough":
            return PassthroughEngine()
        if self._configuration.media.engine == "rtpengine":
            daemons = media_daemons.engine_of(self._configuration, self._sockets.reel)
            await media_daemons.start(daemons)
            self._tasks.start(daemons.serve(), "rtpengine")
            return daemons
        engine = PythonEngine(
            self._connect_media(),
            media_addresses(self._configuration),
            reserved_pairs=self._configuration.media.emergency_pairs,
        )
        await engine.start()
        return engine

    def _with_browsers(self, engine: MediaEngine) -> MediaEngine:
        """The engine that browsers speak with as well, where there are any."""
        self._engine = engine
        if self._sockets.rtc is None:
            return engine
        worker = RtcClient(self._sockets.rtc)
        self._tasks.start(worker.run(), "rtc")
        media = self._configuration.media
        return RtcEngine(
            engine, worker, media_addresses(self._configuration), opus_only=media.rtc_codec == "opus"
        )

    def _told_addresses(self, engine: MediaEngine) -> tuple[str, ...]:
        match engine:
            case PassthroughEngine():
                return ()
            case RtpengineEngine():
                return media_daemons.ANY_ADDRESSES
        return media_addresses(self._configuration)

    def _connect_media(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(self._sockets.media))
        return connection

    def _media_process_lost(self, _: MediaProcessLost) -> None:
        if isinstance(self._engine, PythonEngine) and not self._reconnecting:
            self._reconnecting = True
            self._tasks.start(self._reconnect_media(), "media")

    async def _reconnect_media(self) -> None:
        engine = self._engine
        assert isinstance(engine, PythonEngine)
        while True:
            try:
                # The supervisor listens: this waits for the next media process, and is its first message.
                await engine.reconnect(self._connect_media())
            except (OSError, MediaUnavailable) as error:
                log.warning("media process: %s", error)
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            log.info("media process is back")
            self._exchange.events.publish(MediaProcessBack)
            self._reconnecting = False
            return

    # Control

    async def _answer(self, question: control.Question) -> control.Answer:
        match question:
            case control.Status():
                troubles = self._recorder.troubles
                if not self._exchange.plan.tables.records:
                    troubles.pop("clock", None)  # `beffroi doctor` says it too
                return control.Counters(self._exchange.status(), self._exchange.plan.version, troubles)
            case control.ReloadPlan():
                return await self._reload(question.author)
            case control.DeleteMessage(mailbox, message):
                return await self._delete_message(mailbox, message)
            case control.MarkHeard() | control.KeepGreeting() | control.DropGreeting():
                assert self._exchange.voicemail is not None
                return await answer_about_mailboxes(self._exchange.voicemail, question)
            case control.ListTrunks():
                return control.TrunkList(self._exchange.trunks.statuses())
            case (
                control.ListCalls()
                | control.Originate()
                | control.Retrieve()
                | control.PickUp()
                | control.SendOn()
                | control.InCall()
                | control.Play()
                | control.Say()
                | control.Gather()
                | control.Record()
                | control.StopRecording()
            ):
                return await answer_about_calls(CallApi(self._exchange), question)
            case control.ListBans() | control.AddBan() | control.RemoveBan():
                return answer_about_bans(self._exchange.gate, question)
            case control.ListDaemons() | control.DrainDaemon():
                return media_daemons.answer_about_daemons(self._engine, question)
            case (
                control.ListSettings()
                | control.SetForward()
                | control.StopForwarding()
                | control.SetDoNotDisturb()
                | control.SetSwitch()
                | control.SetRing()
                | control.ClearSettings()
                | control.AddOverride()
                | control.RemoveOverride()
            ):
                return answer_about_settings(self._exchange.settings, question)
            case (
                control.ListDevices()
                | control.UseDevice()
                | control.SayAddress()
                | control.ForgetAddress()
                | control.SetPin()
            ):
                return answer_about_devices(self._exchange, question)
            case control.ListPages():
                return control.PagesNow(self._exchange.browsers.sessions())
            case control.SignOutPages(sessions):
                return control.PagesSignedOut(self._exchange.browsers.sign_out(sessions))
            case control.NotifyDevices() | control.DropBindings() | control.AskPhones():
                return answer_about_notices(self._exchange, question)
            case control.TellWaveStopped(wave, action, why):
                self._exchange.events.publish(PhoneWaveStopped, wave, action, why)
                return control.EventTold()
            case control.SetWakeable(extensions):
                self._exchange.waking.set_wakeable(extensions)
                return control.WakingSet()
            case control.DeclineCall(call, extension):
                return control.WakingSet(self._exchange.waking.decline(call, extension))
            case control.AskDoorway(button):
                found = self._exchange.visitors.doorway(button)
                return control.DoorwayNow(found is not None, *(found or ()))
            case control.CallVisitorBack(button, number):
                problem = self._exchange.visitors.call_back(button, number)
                return control.DoorwayNow(found=True, problem=problem)
            case control.ListQueues() | control.PauseAgent() | control.ResumeAgent():
                return answer_about_queues(self._exchange, question)
            case control.ListColleagues():
                return answer_about_colleagues(self._exchange, question)

    async def _delete_message(self, mailbox: str, message: str) -> control.MessageDeleted:
        voicemail = self._exchange.voicemail
        assert voicemail is not None
        if all(one.id != message for one in voicemail.messages(mailbox)):
            return control.MessageDeleted(f"mailbox {mailbox[:60]} has no message {message[:60]}")
        try:
            await voicemail.delete(mailbox, message)
        except VoicemailError as error:
            return control.MessageDeleted(str(error))
        return control.MessageDeleted()

    async def _reload(self, author: str) -> control.Reloaded:
        """Load the plan beside the calls, and put it in force only if it has no error."""
        exchange = self._exchange
        try:
            text = await asyncio.to_thread(read_text, self._configuration.plan)
            plan = await asyncio.to_thread(parse_plan, text, str(self._configuration.plan))
        except PlanError as error:
            return control.Reloaded(exchange.plan.version, [str(finding) for finding in error.findings])
        programs, findings = await asyncio.to_thread(load_apps, plan, folder_of(self._configuration.plan))
        if findings:
            return control.Reloaded(exchange.plan.version, [str(finding) for finding in findings])
        await self._put_in_force(plan)
        exchange.own_apps = programs
        self._in_force.keep(plan, text)
        self._tasks.start(exchange.trunks.settle(), "trunks")
        log.info("plan=%s in force", plan.version)
        not_kept = await self._enter_plan(text, author, "reload")
        return control.Reloaded(plan.version, [], not_kept)

    async def _enter_plan(self, text: str, author: str, reason: str) -> str:
        """Enter a plan in force in the history. Returns why it couldn't be, "" when it is there."""
        who = author or owner_of(self._configuration.plan)
        at = self._exchange.clock()
        try:
            await asyncio.to_thread(self._history.enter, text, at=at, author=who, reason=reason)
        except HistoryError as error:
            log.warning("plan=%s isn't in the history: %s", version_of(text), error)
            return str(error)
        return ""
