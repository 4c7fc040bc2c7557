"""Debian's Kamailio as a peer: kamailio.cfg beside this file, one receiver process."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from benches import process, program
from benches.load import Load
from benches.process import BenchError
from benches.program import Running

NAME = "kamailio"
TEMPLATE = Path(__file__).with_name("kamailio.cfg")


def _roles(pid: int) -> Mapping[int, str]:
    return {pid: "main"} | dict.fromkeys(process.descendants(pid), "worker")


@contextmanager
def running(directory: Path, core: int, load: Load, port: int, flood: bool = False) -> Iterator[Running]:
    """Kamailio at 127.0.0.1:port, registrations in memory.

    flood: its module `pike` drops what comes too often from any address but 127.0.0.1.
    """
    binary = which("kamailio") or which("kamailio", path="/usr/sbin")
    if binary is None:
        raise BenchError("kamailio is not installed: run scripts/setup bench")
    config = directory / "kamailio.cfg"
    text = TEMPLATE.read_text()
    config.write_text(text.replace("@PORT@", str(port)).replace("@ALGORITHM@", "MD5"))
    # -x fm: without it Debian's build uses an allocator that checks itself, at two to three times the cost.
    command = [binary, "-f", str(config), "-DD", "-E", "-x", "fm", "-X", "fm", "-m", "512", "-M", "16"]
    command += ["-A", "FLOOD"] if flood else []
    command += ["-Y", str(directory), "-P", str(directory / "kamailio.pid")]
    with program.launched(command, core, load, directory / "kamailio.log", _roles, {}) as node:
        yield node
