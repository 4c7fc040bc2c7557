"""The supervisor: owns the sockets, starts the other processes, starts one again that dies.

It is plain synchronous code without threads, so that it can fork at any moment: children share its sockets. A
child imports what it alone needs and reads the plan itself, so that nobody carries what is another's. A child
never outlives the supervisor.

    supervisor ─┬─ signalling   SIP, routing, apps, journal
                ├─ media        RTP
                ├─ recorder     the tape of recorded calls into files, and what becomes of these
                ├─ worker       journal into the database
                ├─ rtc          browsers' sound: WebRTC into RTP and back
                └─ web          pages and the HTTP API
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import json
import logging
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dialplan.finding import PlanError
from media.engines.inheritance import Inheritance
from media.engines.reel import Reel
from pbx import control
from pbx.configuration import Configuration, find_configuration, load_configuration
from pbx.media_addresses import browsers_port
from pbx.node.logs import start_logging
from pbx.node.sockets import Sockets, tapped
from pbx.phones.sockets import PhoneSockets, bound_group
from pbx.plans.in_force import PlanInForce
from pbx.settings.values import Listen
from pbx.settings.web import Web
from sip.net.addresses import family_of

log = logging.getLogger(__name__)

STEADY_SECONDS = 5.0  # a child that lived this long is started again at once
RESTART_SECONDS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
STOP_SECONDS = 10.0
SERVING_SECONDS = 5.0
"""The longest that worker and web wait for signalling to serve when a node starts: the first call doesn't
wait for what they import. The recorder is there from the first call on."""

WORKER_NICENESS = 10
WEB_NICENESS = 5  # whatever is asked of a page, a call is first
NO_PLAN = 78  # EX_CONFIG of sysexits.h
WRITE_AGAIN_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1


class StartError(Exception):
    """The node can't start; the message says why and what to do."""


@dataclass(slots=True)
class Child:
    """One process and how to start it."""

    role: str
    main: Callable[[], None]
    pid: int = 0
    started_at: float = 0.0
    failures: int = 0
    start_at: float | None = 0.0  # None while it runs


class Supervisor:
    """The processes of one node."""

    def __init__(self, configuration: Configuration) -> None:
        """Take the data directory and the sockets. Raises StartError."""
        self._configuration = configuration
        data_dir = configuration.data_dir
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = (data_dir / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"another node runs on {data_dir}") from None
        except OSError as error:
            raise StartError(f"{data_dir}: {error.strerror}") from None
        raise_descriptor_limit()
        self._media_listening = heard(data_dir / "media.sock")
        self._inheritance = Inheritance()
        self._reel = Reel()  # of the recorder's tape
        self._recorder_listening = heard(configuration.recorder_socket)
        self._recordings_listening = heard(configuration.recordings_socket)
        self._worker_end, self._worker_wake = os.pipe()
        tap, self._scribe_end = tapped()
        self._browsers = list(_bound_for_browsers(configuration))
        rtc = data_dir / "rtc.sock" if self._browsers else None
        self._sockets = Sockets(
            udp=[bound(listen, socket.SOCK_DGRAM) for listen in configuration.sip.udp],
            streams=[
                (transport, bound(listen, socket.SOCK_STREAM))
                for transport, listens in configuration.sip.streams
                for listen in listens
            ],
            control=heard(control.control_path(data_dir)),
            media=data_dir / "media.sock",
            reel=self._reel,
            tap=tap,
            pages=heard(configuration.pages_socket),
            rtc=rtc,
        )
        self._web_sockets = list(_bound_for_pages(configuration.web))
        self._plan = PlanInForce(configuration.plan)
        self._told_serving, self._tell_serving = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._first = [Child("signalling", self._be_signalling)]
        if configuration.media.has_process:
            self._first.insert(0, Child("media", self._be_media))
        if configuration.media.engine != "passthrough":
            self._first.insert(0, Child("recorder", self._be_recorder))
        self._later = [Child("worker", self._be_worker)]
        if rtc is not None:
            self._rtc_listening = heard(rtc)
            self._later.insert(0, Child("rtc", self._be_rtc))
        if self._web_sockets:
            self._later.append(Child("web", self._be_web))
        if configuration.provisioning.https:
            self._phone_sockets = _bound_for_phones(configuration)
            self._later.append(Child("phones", self._be_phones))
        self._children = [*self._first, *self._later]
        self._stopping = False
        self._status = 0
        self._write_again = False

    def run(self) -> int:
        """Keep the processes running until SIGTERM or SIGINT; returns the exit status."""
        start_logging(self._configuration.log, "supervisor")
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        gc.collect()
        gc.freeze()
        for child in self._later:
            child.start_at = _now() + SERVING_SECONDS
        waiting = [reader, self._told_serving, self._inheritance.fileno()]
        while not self._stopping:
            self._start_due()
            select.select(waiting, [], [], self._seconds_to_next_start())
            _drain(reader)
            if _drain(self._told_serving):
                self._start_later()
            self._reap()
            self._inheritance.receive()  # after a death: also what was bound just before it
        self._end()
        return self._status

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _start_due(self) -> None:
        for child in self._children:
            if child.start_at is not None and child.start_at <= _now():
                self._start(child)
        self._write_processes()

    def _start_later(self) -> None:
        """Signalling serves: nobody has to wait for it any more."""
        for child in self._later:
            if not child.started_at:
                child.start_at = 0.0

    def _start(self, child: Child) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        supervisor = os.getpid()
        try:
            child.pid = os.fork()
        except OSError as error:  # no memory, or too many processes: the others go on
            log.error("process=%s can't be started: %s", child.role, error.strerror)
            child.start_at = _now() + RESTART_SECONDS[-1]
            return
        child.started_at = _now()
        child.start_at = None
        if child.pid:
            return
        status = 1
        try:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != supervisor:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells all of us: the supervisor decides
            Path("/proc/self/comm").write_text(f"beffroi-{child.role[:7]}")
            start_logging(self._configuration.log, child.role)
            child.main()
            status = 0
        except PlanError as error:
            sys.stderr.write("".join(f"{finding}\n" for finding in error.findings))
            status = NO_PLAN
        except BaseException:
            log.critical("%s failed", child.role, exc_info=True)
        finally:
            logging.shutdown()
            os._exit(status)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for child in self._children:
                if child.pid == pid:
                    self._ended(child, status)

    def _ended(self, child: Child, status: int) -> None:
        steady = _now() - child.started_at >= STEADY_SECONDS
        child.failures = 0 if steady else min(child.failures + 1, len(RESTART_SECONDS) - 1)
        wait = RESTART_SECONDS[child.failures - 1 if child.failures else 0]
        code = os.waitstatus_to_exitcode(status)
        child.pid = 0
        child.start_at = _now() + wait
        if code == NO_PLAN and not self._plan.begun:
            self._stopping, self._status = True, 1  # it has said why
        elif not self._stopping:
            log.error("process=%s ended status=%d, starts again in %.1f s", child.role, code, wait)

    def _seconds_to_next_start(self) -> float | None:
        waiting = [child.start_at for child in self._children if child.start_at is not None]
        if self._write_again:
            waiting.append(_now() + WRITE_AGAIN_SECONDS)
        return max(min(waiting) - _now(), 0.0) if waiting else None

    def _write_processes(self) -> None:
        """Tell `beffroi status` who is who."""
        processes = [{"role": "supervisor", "pid": os.getpid()}]
        processes += [{"role": child.role, "pid": child.pid} for child in self._children if child.pid]
        path = self._configuration.data_dir / "processes.json"
        unfinished = path.with_suffix(".new")
        try:
            unfinished.write_text(json.dumps(processes))
            unfinished.replace(path)
            if self._write_again:
                log.warning("%s is written again", path.name)
            self._write_again = False
        except OSError as error:  # a full disk: no reason to end
            if not self._write_again:
                log.error("%s can't be written: %s", path, error.strerror)
            self._write_again = True

    def _end(self) -> None:
        """Stop signalling first, which waits for its calls, then the others."""
        log.info("stopping")
        others = [(role, STOP_SECONDS) for role in ("web", "phones", "rtc", "media", "recorder", "worker")]
        for role, seconds in (("signalling", None), *others):
            for child in self._children:
                if child.role == role and child.pid:
                    _end_process(child.pid, seconds)
        with contextlib.suppress(OSError):
            (self._configuration.data_dir / "processes.json").unlink(missing_ok=True)

    def _be_signalling(self) -> None:
        self._inheritance.renounce()
        from pbx.signalling import run_signalling

        serving = partial(os.write, self._tell_serving, b"\n")
        run_signalling(self._configuration, self._plan, self._sockets, serving)

    def _be_media(self) -> None:
        from pbx.media_process import run_media

        run_media(self._configuration, self._media_listening, self._inheritance, self._reel)

    def _be_recorder(self) -> None:
        self._inheritance.renounce()
        from pbx.recorder_process import run_recorder

        listening, asked = self._recorder_listening, self._recordings_listening
        run_recorder(self._configuration, listening, asked, self._reel)

    def _be_worker(self) -> None:
        self._inheritance.renounce()
        self._reel.renounce()
        os.nice(WORKER_NICENESS)  # before it imports: signalling and media start beside it
        from pbx.worker import run_worker

        os.close(self._worker_wake)
        run_worker(self._configuration, self._worker_end, self._scribe_end)

    def _be_rtc(self) -> None:
        self._inheritance.renounce()
        self._reel.renounce()
        from pbx.rtc_process import run_rtc

        run_rtc(self._configuration, self._rtc_listening, self._browsers)

    def _be_web(self) -> None:
        self._inheritance.renounce()
        self._reel.renounce()
        os.nice(WEB_NICENESS)  # before it imports, as the worker
        from pbx.web.process import run_web

        run_web(self._configuration, self._web_sockets, self._plan)

    def _be_phones(self) -> None:
        self._inheritance.renounce()
        self._reel.renounce()
        os.nice(WEB_NICENESS)
        from pbx.phones.process import run_phones

        run_phones(self._configuration, self._phone_sockets, self._plan)


def serve(configuration: Path | None) -> int:
    """Be a node until it is told to stop; returns the exit status. What is wrong is said on standard error.

    configuration: its file; None finds it as `find_configuration` does.
    """
    try:
        settings = load_configuration(find_configuration(configuration))
        sys.stderr.write("".join(f"{note}\n" for note in settings.notes))
        return Supervisor(settings).run()
    except PlanError as error:
        sys.stderr.write("".join(f"{finding}\n" for finding in error.findings))
    except StartError as error:
        sys.stderr.write(f"beffroi: {error}\n")
    return 1


def _bound_for_pages(web: Web) -> Iterator[tuple[socket.socket, bool]]:
    """The sockets of pages, each with whether it speaks TLS. Telephones never wait for one that is taken."""
    for listen in web.listen:
        try:
            yield bound(listen, socket.SOCK_STREAM), web.is_tls(listen)
        except StartError as error:
            log.error("no pages at %s, telephones are served without them: %s", listen, error)


def _bound_for_phones(configuration: Configuration) -> PhoneSockets:
    """The sockets that settings are handed out on. Calls never wait for one that is taken."""
    said = configuration.provisioning

    def each(listens: Sequence[Listen], kind: socket.SocketKind) -> Iterator[socket.socket]:
        for listen in listens:
            try:
                yield bound(listen, kind)
            except StartError as error:
                log.error("nothing for telephones at %s: %s", listen, error)

    group, interface = None, ""
    if said.plug_and_play:
        interface = next((one.host for one in said.https if ":" not in one.host), "0.0.0.0")  # noqa: S104
        try:
            group = bound_group(interface)
        except OSError as error:
            log.error("no plug and play for telephones on %s: %s", interface, error.strerror)
    return PhoneSockets(
        https=list(each(said.https, socket.SOCK_STREAM)),
        http=list(each(said.http, socket.SOCK_STREAM)),
        tftp=list(each(said.tftp, socket.SOCK_DGRAM)),
        group=group,
        group_interface=interface,
        ldaps=list(each(said.ldaps, socket.SOCK_STREAM)),
        ldap=list(each(said.ldap, socket.SOCK_STREAM)),
    )


def _bound_for_browsers(configuration: Configuration) -> Iterator[socket.socket]:
    """The UDP port of browsers, on each of its addresses. Telephones never wait for one that is taken."""
    for listen in browsers_port(configuration):
        try:
            yield bound(listen, socket.SOCK_DGRAM)
        except StartError as error:
            log.error("no browsers at %s, telephones are served without them: %s", listen, error)


def bound(listen: Listen, kind: socket.SocketKind) -> socket.socket:
    """A socket bound as the configuration says. Raises StartError."""
    try:
        made = socket.socket(family_of(listen.host), kind)
    except OSError as error:  # a machine without IPv6
        raise StartError(f"cannot listen on {listen}: {error.strerror}") from None
    if family_of(listen.host) is socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if kind is socket.SOCK_STREAM:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((listen.host, listen.port))
        if kind is socket.SOCK_STREAM:
            made.listen(1024)
    except OSError as error:
        made.close()
        raise StartError(
            f"cannot listen on {listen}: {error.strerror}; is another program running there?"
        ) from None
    return made


def heard(path: Path) -> socket.socket:
    """A control socket that listens at `path`. Raises StartError."""
    try:
        return control.listen(path)
    except OSError as error:
        raise StartError(
            f"cannot listen on {path}: {error.strerror or error}; give another `data_dir`"
        ) from None


def raise_descriptor_limit() -> None:
    """Allow as many open files as the system does: two for each relayed stream are the first limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _end_process(pid: int, seconds: float | None) -> None:
    """SIGTERM, and SIGKILL after `seconds`; None leaves it the time that it takes."""
    try:
        os.kill(pid, signal.SIGTERM)
        until = None if seconds is None else _now() + seconds
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if until is not None and _now() > until:
                os.kill(pid, signal.SIGKILL)
                until = None
            time.sleep(0.01)
    except (ProcessLookupError, ChildProcessError):
        return


def _drain(descriptor: int) -> bool:
    """Read what there is; returns whether there was anything."""
    try:
        return bool(os.read(descriptor, 4096))
    except BlockingIOError:
        return False


def _now() -> float:
    return time.monotonic()  # noqa: TID251 (the supervisor has no loop: this is its clock)
