"""What the IT page shows of queues and hotlines is a plan that loads and checks, with every setting."""

import re
from pathlib import Path

from dialplan.checking import check
from dialplan.loading import parse_plan
from dialplan.plan import Plan, RotaStep

ROOT = Path(__file__).parents[2]
SAMPLE = (ROOT / "examples" / "valmont.yaml").read_text(encoding="utf-8")


def shown() -> Plan:
    """The sample plan with the page's sections before its own."""
    page = (ROOT / "docs" / "users" / "it.md").read_text(encoding="utf-8")
    section = page[page.index("### Queues and hotlines") :]
    block = re.search(r"^```yml\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert block is not None
    before, services = block[1].split("services:\n")
    skills, _ = before.split("pauses:")
    return parse_plan(
        SAMPLE.replace("\nservices:\n", "\nservices:\n" + services, 1).replace(
            "\nusers:", f"\n{skills}\nusers:", 1
        ),
        "plan.yaml",
    )


def test_it_loads_and_has_no_error():
    plan = shown()
    assert [str(found) for found in check(plan) if found.severity == "error"] == []
    steps = plan.services["garde"].settings["steps"]
    assert isinstance(steps, tuple)
    assert isinstance(steps[0], RotaStep)


def test_it_shows_every_setting_of_a_queue():
    assert set(shown().services["urbanisme"].settings) == {
        "agents", "strategy", "ring_seconds", "pause_after", "wrap_up_seconds", "greeting", "announce",
        "messages", "language", "needs", "relax_seconds", "priority", "callback", "when_full", "when_nobody",
    }  # fmt: skip
