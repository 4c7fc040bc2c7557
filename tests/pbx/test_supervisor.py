"""The supervisor beside what it needs from the system."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pbx.settings.values import Listen
from pbx.supervisor import StartError, bound, heard


def test_a_path_too_long_for_a_socket_is_a_reason_not_to_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="AF_UNIX path too long; give another `data_dir`"):
        heard(tmp_path / ("d" * 120))


def test_an_address_of_another_machine_is_a_reason_not_to_start() -> None:
    with pytest.raises(StartError, match=r"cannot listen on 192\.0\.2\.1:5060: Cannot assign"):
        bound(Listen("192.0.2.1", 5060), socket.SOCK_DGRAM)


def test_a_machine_without_ipv6_is_a_reason_not_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_ipv6(*_: object) -> socket.socket:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr(socket, "socket", without_ipv6)
    with pytest.raises(StartError, match=r"cannot listen on \[::1\]:5060: Address family not supported"):
        bound(Listen("::1", 5060), socket.SOCK_DGRAM)


def test_the_supervisor_and_the_media_process_import_nothing_of_the_plan() -> None:
    script = "import sys, pbx.supervisor, pbx.media_process; sys.exit('phonenumbers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
