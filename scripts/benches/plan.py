"""The area `plan`: what routing one call costs, and loading and checking a plan of a large town.

No socket and no load: `route` is called in a process of its own, with the processor time of each call. The
large plan has 10,000 users, 2,000 routes and 500 services, and is made here.
"""

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benches.figure import Figure, Meaning
from benches.process import BenchError
from benches.signalling import Bench, Peer

MEANINGS = {
    "route_sample": Meaning("CPU of routing a call, sample plan, median", "us", "lower", 20),
    "route_sample_slowest": Meaning("the same, of the dearest kind of call", "us", "lower"),
    "route_large": Meaning("CPU of routing a call, large plan, median", "us", "lower", 40),
    "route_large_slowest": Meaning("the same, of the dearest kind of call", "us", "lower"),
    "plan_load": Meaning("CPU of loading the large plan", "s", "lower"),
    "plan_check": Meaning("CPU of checking it, the emergency proof included", "s", "lower"),
    "plan_load_and_check": Meaning("loading and checking together", "s", "lower", 3),
    "plan_memory": Meaning("memory of a process that did so", "MB", "lower", 200),
}
ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "examples" / "valmont.yaml"
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
CALLS_OF_A_KIND = 2_000
USERS, RULES, SERVICES, SITES, TRUNKS, CLASSES, SCHEDULES = 10_000, 2_000, 500, 20, 4, 8, 20
RIGHTS = ("internal", "national", "mobile", "toll_free", "shared_cost", "short", "international", "premium")


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """Every figure of MEANINGS; a peer plays no part."""
    for part in ("sample", "large"):
        bench.say(f"the {part} plan")
        command = ["taskset", "-c", str(bench.core), sys.executable, "-m", "benches.plan", part]
        done = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"the {part} plan could not be measured: {done.stderr.strip()[-400:]}")
        for name, value in json.loads(done.stdout).items():
            yield Figure(name, value, MEANINGS[name])


def large_plan() -> str:
    """The text of the large plan."""
    people = USERS // SITES
    lines = ["plan: 1", "country: FR", "sites:"]
    for site in range(SITES):
        trunks = f"t{site % TRUNKS}, t{(site + 1) % TRUNKS}"
        main = f"+3338{site:02d}00000"
        lines.append(
            f'  s{site}: {{networks: [10.{site}.0.0/16], trunks: [{trunks}], main_number: "{main}"}}'
        )
    lines += [
        "numbers:",
        '  outside_prefix: "0"',
        "  default_site: s0",
        "  unassigned: {to: accueil}",
        "  direct:",
    ]
    for site in range(SITES):
        first, public = 30_000 + site * people, f"+3338{site:02d}"
        lines.append(
            f'    - {{site: s{site}, public: "{public}10000..{public}{9_999 + people}", '
            f'internal: "{first}..{first + people - 1}"}}'
        )
    lines.append("classes:")
    lines += [f"  c{index}: [{', '.join(RIGHTS[: index + 1])}]" for index in range(CLASSES)]
    owned = ", ".join(f'"+3338{site:02d}00000..+3338{site:02d}19999"' for site in range(SITES))
    lines.append("trunks:")
    for trunk in range(TRUNKS):
        key = "presents" if trunk else "owns"
        lines.append(f"  t{trunk}: {{host: t{trunk}.example, {key}: [{owned}], channels: 100}}")
    lines.append("routes:")
    for rule in range(RULES - 2):
        via = f"t{rule % TRUNKS}, t{(rule + 1) % TRUNKS}"
        lines.append(f'  - {{to: "+{4_400_000 + rule * 3}", via: [{via}]}}')
    lines += ["  - {to: mobile, via: [t1, t0]}", "  - {to: international, via: [t2, t3]}", "schedules:"]
    for index in range(SCHEDULES):
        hours = f"mon-fri 0{index % 8 + 1}:{index % 6}0-1{index % 8}:00"
        lines.append(f'  h{index}: {{open: ["{hours}"], holidays: FR}}')
    lines += ["services:", '  accueil: {number: "9", public: "+33380000000", type: voicemail}']
    for index in range(SERVICES - 1):
        lines.append(
            f'  g{index}: {{number: "{7_000 + index}", type: group, schedule: h{index % SCHEDULES}, '
            f"members: {{group: g{index % 50}}}, when_closed: {{to: accueil}}, otherwise: {{to: accueil}}}}"
        )
    lines.append("users:")
    for user in range(USERS):
        lines.append(
            f'  - {{extension: "{30_000 + user}", name: Personne {user}, site: s{user // people}, '
            f"class: c{user % CLASSES}, groups: [g{user % 50}]}}"
        )
    return "\n".join(lines) + "\n"


def _routed(text: str) -> tuple[float, float]:
    """CPU microseconds of a call: the median of all kinds, and that of the dearest; inputs all different."""
    from dialplan.decision import Facts
    from dialplan.loading import parse_plan
    from dialplan.routing import route

    plan = parse_plan(text, "plan.yaml")
    chance = random.Random(5)
    people, services = list(plan.people), list(plan.tables.services)
    networks = [network for site in plan.sites.values() for network in site.networks]

    def digits(count: int) -> str:
        return "".join(chance.choices("0123456789", k=count))

    def address() -> str:
        return str(chance.choice(networks)[chance.randrange(1, 250)])

    def inside(dialled: str) -> Facts:
        return Facts(dialled, caller=chance.choice(people), address=address())

    public = [
        number for block in plan.ranges if block.public for number in (block.public.at(0), block.public.at(9))
    ]
    kinds: dict[str, Callable[[], Facts]] = {
        "a person": lambda: inside(chance.choice(people)),
        "a service": lambda: inside(chance.choice(services)),
        "a mobile": lambda: inside("006" + digits(8)),
        "a mobile as shown": lambda: inside("+336" + digits(8)),
        "a city": lambda: inside("003" + digits(8)),
        "abroad": lambda: inside("0004420" + digits(8)),
        "America": lambda: inside("+1212" + digits(7)),
        "an emergency": lambda: inside(chance.choice(["112", "018", "15", "+33112"])),
        "from outside": lambda: Facts(
            chance.choice(public), trunk=next(iter(plan.trunks)), caller_number="+336" + digits(8)
        ),
    }
    costs: list[int] = []
    medians: list[float] = []
    for make in kinds.values():
        facts = [make() for _ in range(CALLS_OF_A_KIND)]
        spent = []
        for one in facts:
            before = time.process_time_ns()
            route(plan, one, NOW)
            spent.append(time.process_time_ns() - before)
        costs += spent
        medians.append(statistics.median(spent) / 1000)
    return statistics.median(costs) / 1000, max(medians)


def _loaded(text: str) -> dict[str, float]:
    """CPU seconds of loading and checking, and the resident megabytes of a process that did."""
    import resource

    from dialplan.checking import check
    from dialplan.loading import parse_plan

    start = time.process_time()
    plan = parse_plan(text, "plan.yaml")
    loaded = time.process_time()
    check(plan)
    checked = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "plan_load": loaded - start,
        "plan_check": checked - loaded,
        "plan_load_and_check": checked - start,
        "plan_memory": memory,
    }


def main() -> None:
    """Measure one plan (`sample` or `large`) in this process, and print the figures as JSON."""
    part = sys.argv[1]
    text = SAMPLE.read_text(encoding="utf-8") if part == "sample" else large_plan()
    found = {} if part == "sample" else _loaded(text)
    found[f"route_{part}"], found[f"route_{part}_slowest"] = _routed(text)
    print(json.dumps(found))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
