"""Beffroi under measure: a plan of 10,000 users, a configuration, and the processes that it names."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

from benches import process, program
from benches.load import FIRST_EXTENSION, USERS, Load
from benches.process import BenchError
from benches.program import Running

COMMAND = Path(__file__).resolve().parents[2] / ".venv" / "bin" / "beffroi"
STATUS_SECONDS = 20
Engine = Literal["passthrough", "auto"]
# plain: UDP alone, everybody on a site's network. streams: TLS and WebSocket too, on the two ports above.
# strangers: only 127.0.0.1 is a site, any other address of loopback is a stranger that may be banned.
Shape = Literal["plain", "streams", "strangers"]
EVERYBODY, ONE_ADDRESS = "127.0.0.0/8", "127.0.0.1/32"

_PLAN = """\
plan: 1
organization: Bench
country: FR
language: fr

sites:
  mairie:
    name: Hôtel de ville
    address: {{street: "1 place de la Mairie", postcode: "54999", city: Valmont, insee: "54999"}}
    networks: [{network}]
    trunks: [operateur]
    main_number: "+33383000100"

numbers:
  outside_prefix: "0"
  default_site: mairie
  unassigned: {{to: echo}}
  local: "{first}..{last}"

classes:
  interne:  [internal]
  national: [internal, national, mobile, toll_free, shared_cost, short]

trunks:
  operateur:
    host: 127.0.0.9
    transport: udp
    owns: ["+33383000100"]
    channels: 30
    emergency_channels: 2

services:
  echo: {{number: "9196", type: echo}}

users:
{users}
"""

_CONFIGURATION = """\
data_dir: data
domain: localhost
plan: plan.yaml
sip:
  udp: 127.0.0.1:{port}
  tcp: []
  tls: {tls}
  ws: {ws}
web: []
media:
  engine: {engine}
  address: 127.0.0.1
  ports: 20000-29999
defence:
  ban_loopback: {ban_loopback}
"""


def plan_text(users: int = USERS, network: str = EVERYBODY) -> str:
    """A numbering plan of `users` people with the password pwEXT, half of them with rights inside only.

    network: that of its site.
    """
    last = FIRST_EXTENSION + users - 1
    lines = []
    for extension in range(FIRST_EXTENSION, last + 1):
        rights = "interne" if extension % 2 else "national"
        person = (
            f'extension: "{extension}", name: Agent {extension}, password: pw{extension}, class: {rights}'
        )
        lines.append(f"  - {{{person}}}")
    return _PLAN.format(first=FIRST_EXTENSION, last=last, users="\n".join(lines), network=network)


def configuration_text(port: int, engine: Engine, shape: Shape = "plain") -> str:
    """A configuration that listens on loopback, on a UDP port at least, and keeps its data beside itself."""
    tls, ws = ("[]", "[]") if shape != "streams" else (f"127.0.0.1:{port + 1}", f"127.0.0.1:{port + 2}")
    ban = str(shape == "strangers").lower()
    return _CONFIGURATION.format(port=port, engine=engine, tls=tls, ws=ws, ban_loopback=ban)


def processes(listing: str) -> dict[int, str]:
    """The role of each pid in what `beffroi status --json` printed.

    Raises BenchError if it names none.
    """
    try:
        found = {int(entry["pid"]): str(entry["role"]) for entry in json.loads(listing)["processes"]}
    except (ValueError, TypeError, KeyError) as error:
        raise BenchError(f"beffroi status --json gave no list of role and pid: {listing[:200]!r}") from error
    if not found:
        raise BenchError("beffroi status --json names no process")
    return found


def _roles(pid: int, config: Path) -> Mapping[int, str]:
    # What it names and what it has started: a process that status forgot is counted all the same.
    try:
        done = subprocess.run(
            [str(COMMAND), "status", "--json", "-c", str(config)],
            capture_output=True,
            text=True,
            timeout=STATUS_SECONDS,
            check=True,
        )
    except subprocess.SubprocessError as error:
        raise BenchError(f"beffroi status --json failed: {error}") from error
    named = {pid: "supervisor"} | processes(done.stdout)
    for _ in range(STATUS_SECONDS):
        unnamed = set(process.descendants(pid)) - named.keys()
        if not unnamed:
            break
        time.sleep(1)  # the worker has its database migrated by a process that ends
    return named | dict.fromkeys(unnamed, "unnamed")


@contextmanager
def running(
    directory: Path, core: int, load: Load, port: int, engine: Engine, shape: Shape = "plain"
) -> Iterator[Running]:
    """Beffroi at 127.0.0.1:port with fresh data in `directory`."""
    if not COMMAND.exists():
        raise BenchError("there is no .venv/bin/beffroi: run scripts/setup bench")
    (directory / "plan.yaml").write_text(
        plan_text(network=ONE_ADDRESS if shape == "strangers" else EVERYBODY)
    )
    (directory / "beffroi.yaml").write_text(configuration_text(port, engine, shape))
    with started_from(directory, core, load) as node:
        yield node


@contextmanager
def started_from(directory: Path, core: int, load: Load) -> Iterator[Running]:
    """Beffroi as the configuration in `directory` says, which listens at the load's target."""
    config = directory / "beffroi.yaml"
    command = [str(COMMAND), "serve", "-c", str(config)]
    roles = partial(_roles, config=config)
    with program.launched(command, core, load, directory / "beffroi.log", roles, {}) as node:
        yield node
