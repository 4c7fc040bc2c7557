"""Plans and instants that the tests of this folder share."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from dialplan.finding import PlanError
from dialplan.loading import load_plan, parse_plan
from dialplan.plan import Plan

SAMPLE_PATH = Path(__file__).parents[2] / "examples" / "valmont.yaml"
SAMPLE = load_plan(SAMPLE_PATH)
PARIS = ZoneInfo("Europe/Paris")
OPEN = datetime(2026, 11, 23, 10, 0, tzinfo=PARIS)  # a Monday
CLOSED = datetime(2026, 11, 22, 10, 0, tzinfo=PARIS)  # a Sunday

VILLAGE = """\
plan: 1
country: FR
sites:
  mairie:
    networks: [10.1.0.0/24]
    trunks: [operateur]
    main_number: "+33383009001"
numbers:
  outside_prefix: "0"
  direct:
    - {site: mairie, public: "+33383009000..+33383009009", internal: "200..209"}
classes:
  national: [internal, national, mobile]
trunks:
  operateur: {host: sip.operateur.example, owns: ["+33383009000..+33383009009"]}
users:
  - {extension: "201", name: Mairie, site: mairie, class: national}
"""


def village(more: str = "", replaced: dict[str, str] | None = None) -> Plan:
    """The village's plan, with texts replaced and sections added."""
    text = VILLAGE
    for old, new in (replaced or {}).items():
        assert old in text
        text = text.replace(old, new)
    return parse_plan(text + more, "village.yaml")


def errors_of(text: str) -> list[str]:
    """The sentences that a person reads when this plan is refused; empty when it loads."""
    try:
        parse_plan(text, "plan.yaml")
    except PlanError as error:
        return [str(finding) for finding in error.findings]
    return []
