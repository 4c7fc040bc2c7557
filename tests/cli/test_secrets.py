"""What a busy node writes down and tells: never a password, a nonce, a digest response or a key."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pbx.control import follow
from tests.cli.conftest import Town, serve_command
from tests.cli.test_encrypted_trunk import OPERATOR, TrunkTown
from tests.sim.wire import credentials, parse_challenge

TRUNK_SECRET = "the-operator-s-secret"
PASSWORD = "pw2010"
WRONG_PASSWORD = "a-wrong-guess"
OURS = "a-cnonce-of-the-telephone"


class Telephone:
    """One that registers by hand; `secrets` are what it was told and what it said in its credentials."""

    def __init__(self, town: Town) -> None:
        self.secrets: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(20)
        self._socket.connect(("127.0.0.1", town.port))
        self._cseq = 0

    def register(self, password: str) -> int:
        """Register as 2010; returns the last status."""
        challenged = self._ask("")
        challenge = parse_challenge(header(challenged, "WWW-Authenticate"))
        value = credentials(
            challenge,
            user="2010",
            password=password,
            method="REGISTER",
            uri="sip:localhost",
            count=1,
            cnonce=OURS,
        )
        self.secrets += [challenge.nonce, field(value, "response")]
        return int(self._ask(f"Authorization: {value}\r\n").split()[1])

    def _ask(self, headers: str) -> str:
        self._cseq += 1
        here = "{}:{}".format(*self._socket.getsockname())
        self._socket.send(
            f"REGISTER sip:localhost SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{self._cseq};rport\r\n"
            f"From: <sip:2010@localhost>;tag=1\r\nTo: <sip:2010@localhost>\r\nCall-ID: secrets\r\n"
            f"CSeq: {self._cseq} REGISTER\r\nMax-Forwards: 70\r\nContact: <sip:2010@{here}>\r\n"
            f"{headers}Content-Length: 0\r\n\r\n".encode()
        )
        return self._socket.recv(65_535).decode()

    def close(self) -> None:
        self._socket.close()


@contextmanager
def challenging(secrets: list[str]) -> Iterator[int]:
    """A registrar at 127.0.0.2 that challenges, and takes whatever comes back; `secrets` are of both."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind((OPERATOR, 0))
        bound.settimeout(0.2)
        stop = threading.Event()

        def answer() -> None:
            nonce = "a-nonce-of-the-operator"
            secrets.append(nonce)
            while not stop.is_set():
                try:
                    data, source = bound.recvfrom(65_535)
                except TimeoutError:
                    continue
                request = data.decode()
                said = header(request, "Authorization") if "\r\nAuthorization:" in request else ""
                if said:
                    secrets.extend(field(said, name) for name in ("response", "cnonce"))
                status, more = "200 OK", "Expires: 600"
                if request.startswith("REGISTER ") and not said:
                    status = "401 Unauthorized"
                    more = f'WWW-Authenticate: Digest realm="op", nonce="{nonce}", qop="auth", algorithm=MD5'
                elif request.startswith("REGISTER "):
                    more = f"Contact: {header(request, 'Contact')};expires=600"
                names = ("Via", "From", "To", "Call-ID", "CSeq")
                kept = [line for line in request.split("\r\n") if line.partition(":")[0] in names]
                bound.sendto("\r\n".join([f"SIP/2.0 {status}", *kept, more, "", ""]).encode(), source)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield bound.getsockname()[1]
        finally:
            stop.set()
            thread.join()


def header(message: str, name: str) -> str:
    return message.partition(f"\r\n{name}: ")[2].partition("\r\n")[0]


def field(value: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]+)"', value)
    assert found is not None
    return found[1]


def everything_below(folder: Path) -> str:
    """The text of every file that the node wrote, but for those that are there to keep secrets.

    The plan's history holds what the town wrote in its plan, for its owner alone.
    """
    kept = {"tls.key", "node.key"}
    history = folder / "plans"
    assert all(file.stat().st_mode & 0o077 == 0 for file in (history, *history.iterdir()))
    files = [
        file
        for file in folder.rglob("*")
        if file.is_file() and file.name not in kept and file.parent != history
    ]
    return "\n".join(f"{file}\n{file.read_bytes().decode('latin-1')}" for file in files)


def test_a_busy_node_tells_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its log, even at `debug`, its events, its answers on the control socket and its files."""
    monkeypatch.setenv("OPERATEUR_A_SECRET", TRUNK_SECRET)
    town = TrunkTown(tmp_path)
    with town.configuration_file.open("a") as configuration:
        configuration.write("log: {level: debug}\ndefence: {ban_loopback: true}\n")
    secrets = [TRUNK_SECRET, PASSWORD, WRONG_PASSWORD, OURS]
    with challenging(secrets) as port:
        town.change_plan(f"port: {town.operator[1]}\n    transport: tls", f"port: {port}\n    register: true")
        town.change_plan("    certificates: [secure.example]\n", "")
        with subprocess.Popen(
            serve_command(town.configuration_file), stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            log = []
            for line in process.stderr:
                log.append(line)
                if "operateur-a registered" in line:
                    break
            phone = Telephone(town)
            with follow(town.settings.data_dir) as happening:
                assert phone.register(PASSWORD) == 200
                told = [str(next(happening))]
                for _ in range(3):
                    assert phone.register(WRONG_PASSWORD) == 403
                town.run("ban", "add", "203.0.113.7", "by hand")
                told.append(str(next(happening)))
                answers = [
                    town.run(*asked, "--json").out
                    for asked in (("status",), ("trunk", "list"), ("ban", "list"), ("user", "list"))
                ]
                os.kill(process.pid, signal.SIGTERM)
                log.append(process.stderr.read())
            phone.close()
            assert process.wait(30) == 0
    secrets += phone.secrets
    key = (town.settings.data_dir / "tls.key").read_text()
    secrets += [line for line in key.splitlines() if not line.startswith("-")]
    written = "".join(log)
    assert "wrong credentials" in written
    assert "source=203.0.113.7 banned" in written
    assert "DeviceReachable" in told[0]
    everywhere = {
        "log": written,
        "events": "".join(told),
        "answers": "".join(answers),
        "files": everything_below(town.settings.data_dir),
    }
    leaks = [(where, secret) for where, text in everywhere.items() for secret in secrets if secret in text]
    assert leaks == []
    assert len(secrets) >= 4 + 3 + 2 * 4 + 2
