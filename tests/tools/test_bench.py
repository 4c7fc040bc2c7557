"""How scripts/bench finds processes, judges figures and climbs (the load is C and runs in the bench)."""

from __future__ import annotations

import argparse
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from dialplan.checking import check
from dialplan.loading import load_plan
from pbx.configuration import load_configuration
from pbx.settings.sip import Sip
from pbx.settings.values import Listen
from tests.tools.places import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benches import beffroi, figure, process, signalling
from benches.__main__ import parse, parse_peer
from benches.figure import Figure, Meaning
from benches.load import Flood, Load, Report
from benches.process import BenchError
from benches.program import Running

COST = Meaning("CPU of a call", "us", "lower", 200)
RATE = Meaning("calls a second", "calls/s", "higher", 3000)


def report(failed: int = 0, rate: int = 1000, per_second: float = 1000, repeated: int = 0) -> Report:
    fields: dict[str, Any] = {
        "command": "calls",
        "started": 1000,
        "answered": 1000 - failed,
        "failed": failed,
        "failed_by_status": {"503": failed} if failed else {},
        "timeouts": 0,
        "unfinished": 0,
        "hung_up": 0,
        "unanswerable": 0,
        "no_room": 0,
        "retransmissions": repeated,
        "own_busiest_turn_ms": 0.5,
        "per_second": per_second,
        "seconds": 1.0,
        "watched_seconds": 2.0,
        "asked_per_second": rate,
        "cpu_us": {str(os.getpid()): 100_000},
        "probe": {"sent": 10, "answered": 10, "longest_ms": 3.5},
        "setup_ms": {"p99": 1.5},
    }
    return Report(fields)


@dataclass(frozen=True, slots=True)
class LoadOfAPbxThatBears(Load):
    """A load whose calls all succeed up to a rate; for long runs up to a lower one."""

    most: int = 0
    most_for_long: int = 0
    repeats_from: int = 1_000_000
    asked: list[tuple[int, int]] = field(default_factory=list)

    def calls(
        self,
        rate: int,
        seconds: int,
        pids: object,
        *,
        probe: bool = False,
        reuse_nonce: bool = False,
        hold_seconds: float = 0.5,
    ) -> Report:
        self.asked.append((rate, seconds))
        bears = self.most_for_long if seconds >= signalling.CONFIRM_SECONDS else self.most
        repeated = 900 if rate >= self.repeats_from else 0
        return report(failed=0 if rate <= bears else 7, rate=rate, per_second=rate, repeated=repeated)

    def register(self, pids: object) -> Report:
        return report()

    @contextmanager
    def flood(self, rate: int, sources: int, seconds: int) -> Iterator[Flood]:
        self.asked.append((rate, sources))
        yield Flood(rate)
        self.asked.append((0, 0))


def pbx_that_bears(
    most: int, most_for_long: int | None = None, repeats_from: int = 1_000_000
) -> LoadOfAPbxThatBears:
    for_long = most_for_long or most
    return LoadOfAPbxThatBears(Path("sipload"), 1, "127.0.0.1:9", 17_000, "", most, for_long, repeats_from)


def measurement(load: Load) -> signalling.Measurement:
    bench = signalling.Bench(0, load, 9, lambda said: None, rest=lambda seconds: None)
    node = Running({os.getpid(): "signalling"}, 12.0)
    return signalling.Measurement(bench, figure.BEFFROI, load, node, lambda: node)


def test_a_lower_value_than_the_goal_meets_a_goal_that_is_better_lower():
    assert Figure("call_cpu", 199.0, COST).met is True
    assert Figure("call_cpu", 201.0, COST).met is False


def test_a_higher_value_than_the_goal_meets_a_goal_that_is_better_higher():
    assert Figure("calls_per_second", 3000, RATE).met is True
    assert Figure("calls_per_second", 2000, RATE).met is False


def test_a_figure_that_could_not_be_measured_does_not_meet_its_goal():
    assert Figure("call_cpu", None, COST).met is False


def test_a_peer_has_no_goal_and_meets_none():
    theirs = Figure("call_cpu", 10.0, COST, "kamailio")
    assert (theirs.goal, theirs.met) == (None, None)


def test_json_has_the_fields_that_the_command_promises():
    assert Figure("call_cpu", 150.5, COST).as_json() == {
        "name": "call_cpu",
        "value": 150.5,
        "unit": "us",
        "goal": 200,
        "better": "lower",
        "met": True,
        "peer": "beffroi",
    }


def test_the_table_says_what_is_not_met_and_how_many_times_ours_a_peer_takes():
    console = Console(width=140, record=True, file=StringIO())
    console.print(
        figure.table(
            [Figure("call_cpu", 250, COST), Figure("call_cpu", 500, COST, "other")], {"call_cpu": COST}
        )
    )
    row = next(line for line in console.export_text().splitlines() if "CPU of a call" in line)
    assert [cell.strip() for cell in row.split("│")[1:-1]] == [
        "CPU of a call",
        "us",
        "250",
        "≤ 200",
        "NO",
        "500",
        "×2.00",
    ]


def test_a_load_slower_than_asked_is_not_a_clean_run():
    assert report(rate=1000, per_second=999).clean
    assert not report(rate=1000, per_second=900).clean


def test_a_run_with_failures_says_which():
    assert report(failed=3).in_words() == "3 of 1000 failed (3 × 503)"


def test_the_cost_is_taken_at_the_first_rate_without_a_failure():
    load = pbx_that_bears(most=500)
    one = measurement(load)
    one.cost("call_cpu", highest=2000)
    assert [(f.name, f.value) for f in one.figures] == [("call_cpu", 100.0)]
    assert [rate for rate, _ in load.asked] == [2000, 1000, 500]


def test_the_cost_is_unknown_when_every_rate_fails():
    load = pbx_that_bears(most=10)
    one = measurement(load)
    one.cost("call_cpu", highest=3000)
    assert [f.value for f in one.figures] == [None]


def value(one: signalling.Measurement, name: str) -> float | None:
    (found,) = [figure.value for figure in one.figures if figure.name == name]
    return found


def test_the_most_calls_are_those_that_last_the_long_run_not_the_short_one():
    one = measurement(pbx_that_bears(most=5000, most_for_long=3000))
    one.most_calls()
    assert value(one, "calls_per_second") == 3000


def test_the_pause_of_a_program_that_bears_more_is_taken_at_the_goal():
    load = pbx_that_bears(most=5000)
    one = measurement(load)
    one.most_calls()
    assert load.asked[-1] == (signalling.GOAL_RATE, signalling.CONFIRM_SECONDS)
    assert value(one, "longest_pause") == 3.5


def test_the_pause_of_a_program_that_bears_less_is_that_of_its_own_long_run():
    load = pbx_that_bears(most=2000)
    one = measurement(load)
    one.most_calls()
    assert load.asked[-1] == (2000, signalling.CONFIRM_SECONDS)
    assert value(one, "longest_pause") == 3.5


def test_a_rate_that_needs_repeating_is_not_climbed_beyond():
    load = pbx_that_bears(most=8000, repeats_from=3000)
    one = measurement(load)
    one.most_calls()
    assert max(rate for rate, _ in load.asked) == 3000
    assert value(one, "calls_per_second") == 2000


def test_no_rate_without_a_failure_is_zero_calls_a_second_and_no_pause():
    one = measurement(pbx_that_bears(most=100))
    one.most_calls()
    assert value(one, "calls_per_second") == 0
    assert value(one, "longest_pause") is None


def test_calls_over_connections_are_weighed_at_the_highest_rate_without_a_failure():
    one = measurement(pbx_that_bears(most=1000))
    one.over("tls")
    assert value(one, "calls_tls_per_second") == 1000
    assert value(one, "call_tls_cpu") == 100.0


def test_calls_over_connections_that_always_fail_have_no_cost():
    one = measurement(pbx_that_bears(most=100))
    one.over("ws")
    assert value(one, "calls_ws_per_second") == 0
    assert value(one, "call_ws_cpu") is None


def test_the_calls_of_a_flood_are_made_before_it_and_while_it_lasts():
    load = pbx_that_bears(most=5000)
    one = measurement(load)
    one.flood()
    calls = (signalling.CALLS_IN_THE_FLOOD, signalling.FLOOD_SECONDS)
    assert load.asked == [calls, (signalling.FLOOD_RATE, signalling.FLOOD_SOURCES), calls, (0, 0)]
    assert value(one, "flood_failures") == 0
    assert value(one, "flood_cpu") == 5.0


def test_the_memory_of_the_long_run_is_unknown_when_the_program_was_started_anew_on_the_way():
    one = measurement(pbx_that_bears(most=5000, most_for_long=250))
    one.long_run()
    assert value(one, "soak_failures") == 14
    assert value(one, "soak_memory_growth") is None


def test_the_long_run_is_a_million_calls():
    load = pbx_that_bears(most=5000)
    one = measurement(load)
    one.long_run()
    assert sum(rate * seconds for rate, seconds in load.asked) == 1_000_000
    assert load.asked[0][0] * load.asked[0][1] == 100_000


def test_a_rate_that_was_too_much_is_followed_by_a_new_start():
    one = measurement(pbx_that_bears(most=2000))
    fresh = Running({os.getpid(): "signalling"}, 9.0)
    one.renew = lambda: fresh
    one.calls(3000, 3)
    assert one.node is fresh


def test_the_generated_plan_has_a_user_with_password_for_each_extension():
    plan = yaml.safe_load(beffroi.plan_text(users=3))
    assert [(user["extension"], user["password"]) for user in plan["users"]] == [
        ("10000", "pw10000"),
        ("10001", "pw10001"),
        ("10002", "pw10002"),
    ]
    assert plan["numbers"]["local"] == "10000..10002"


def test_the_generated_plan_loads_and_checks_without_an_error(tmp_path: Path):
    (tmp_path / "plan.yaml").write_text(beffroi.plan_text(users=20))
    findings = check(load_plan(tmp_path / "plan.yaml"))
    assert [found for found in findings if found.severity == "error"] == []


@pytest.mark.parametrize("engine", ["passthrough", "auto"])
def test_the_configuration_loads_and_listens_on_loopback_alone(tmp_path: Path, engine: beffroi.Engine):
    config = tmp_path / "beffroi.yaml"
    config.write_text(beffroi.configuration_text(17_100, engine))
    configuration = load_configuration(config)
    assert configuration.sip == Sip(udp=(Listen("127.0.0.1", 17_100),), tcp=(), tls=(), ws=())
    assert configuration.web.listen == ()


def test_the_configuration_for_connections_listens_on_the_two_ports_above(tmp_path: Path):
    config = tmp_path / "beffroi.yaml"
    config.write_text(beffroi.configuration_text(17_100, "passthrough", "streams"))
    sip = load_configuration(config).sip
    assert (sip.tls, sip.ws) == ((Listen("127.0.0.1", 17_101),), (Listen("127.0.0.1", 17_102),))


def test_in_the_configuration_for_a_flood_loopback_may_be_banned_and_is_no_site(tmp_path: Path):
    config = tmp_path / "beffroi.yaml"
    config.write_text(beffroi.configuration_text(17_100, "passthrough", "strangers"))
    assert load_configuration(config).defence.ban_loopback
    (tmp_path / "plan.yaml").write_text(beffroi.plan_text(users=2, network=beffroi.ONE_ADDRESS))
    networks = load_plan(tmp_path / "plan.yaml").tables.networks
    assert networks.find("127.0.0.1")
    assert not networks.find("127.2.0.1")


def test_status_names_the_role_of_each_process():
    listing = '{"processes": [{"role": "media", "pid": 7}, {"role": "worker", "pid": 8}]}'
    assert beffroi.processes(listing) == {
        7: "media",
        8: "worker",
    }


@pytest.mark.parametrize("listing", ["", "{}", "[]", "[1]", '[{"pid": 3}]', "null"])
def test_a_status_that_is_no_list_of_processes_is_refused(listing: str):
    with pytest.raises(BenchError):
        beffroi.processes(listing)


def test_shared_pages_are_counted_once_in_the_proportional_size():
    weight = process.memory([os.getpid()])
    assert 0 < weight.pss_mb <= weight.rss_mb


def test_the_memory_of_a_process_that_died_is_an_error():
    child = subprocess.Popen(["true"])
    child.wait()
    with pytest.raises(BenchError):
        process.memory([child.pid])


def test_a_process_that_died_under_the_load_is_an_error_that_names_it():
    child = subprocess.Popen(["true"])
    child.wait()
    with pytest.raises(BenchError, match="worker"):
        process.check_alive({os.getpid(): "signalling", child.pid: "worker"})


def test_grandchildren_are_descendants():
    with subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        try:
            assert {child.pid, grandchild} <= set(process.descendants(os.getpid()))
        finally:
            os.kill(grandchild, 15)


def test_a_process_that_its_parent_leaves_behind_is_ended_too(tmp_path: Path):
    parent = "setsid sh -c 'trap \"\" TERM; echo $$; exec sleep 60' & wait"
    log = tmp_path / "log"
    os.mkfifo(log)
    reader = os.open(log, os.O_RDWR)
    try:
        with process.started(["sh", "-c", parent], min(os.sched_getaffinity(0)), log, {}):
            left_behind = os.pidfd_open(int(os.read(reader, 100)))
        ended, _, _ = select.select([left_behind], [], [], 10)
        assert ended == [left_behind]
        os.close(left_behind)
    finally:
        os.close(reader)


def test_the_owner_of_a_udp_port_is_found():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        assert process.udp_owners(bound.getsockname()[1]) == [os.getpid()]


def test_a_peer_is_an_address_on_loopback_and_a_name():
    assert parse_peer("127.0.0.1:5060=asterisk") == signalling.Peer(5060, "asterisk")


@pytest.mark.parametrize(
    "text",
    ["192.0.2.1:5060=x", "127.0.0.1=x", "127.0.0.1:5060", "127.0.0.1:99999=x", "127.0.0.1:5060=beffroi"],
)
def test_a_peer_elsewhere_or_without_a_name_is_refused(text: str):
    with pytest.raises(argparse.ArgumentTypeError):
        parse_peer(text)


def test_an_unknown_area_lists_the_areas(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        parse(["nothing"])
    assert "signalling" in capsys.readouterr().err
