"""What the IT page shows of menus, rooms and announcements is a plan that loads and checks."""

import re
from pathlib import Path

from dialplan.checking import check
from dialplan.loading import parse_plan
from dialplan.plan import Plan

ROOT = Path(__file__).parents[2]
SAMPLE = (ROOT / "examples" / "valmont.yaml").read_text(encoding="utf-8")


def shown() -> Plan:
    """The sample plan with the services of the page in place of its own of the same name."""
    page = (ROOT / "docs" / "users" / "it.md").read_text(encoding="utf-8")
    section = page[page.index("### Menus, rooms and announcements") :]
    block = re.search(r"^```yml\nservices:\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert block is not None
    own = re.compile(r"^  accueil-vocal:\n(    .*\n)+", re.MULTILINE)
    assert own.search(SAMPLE)
    return parse_plan(own.sub("", SAMPLE).replace("\nservices:", "\nservices:\n" + block[1], 1), "plan.yaml")


def test_it_loads_and_has_no_error():
    plan = shown()
    assert [str(found) for found in check(plan) if found.severity == "error"] == []
    assert {"accueil-vocal", "dossiers", "conseil-a-distance", "alerte-generale"} <= plan.services.keys()


def test_it_shows_every_setting_of_these_services():
    settings = {name: set(shown().services[name].settings) for name in shown().services}
    assert settings["alerte-generale"] >= {
        "multicast", "ttl", "interface", "codec", "unicast", "priority", "allowed", "seconds",
    }  # fmt: skip
    assert settings["conseil-a-distance"] >= {"pin", "moderator_pin", "most", "tells"}
    assert settings["dossiers"] >= {"url", "method", "secret", "prompt", "digits", "seconds", "otherwise"}
    assert settings["accueil-vocal"] >= {
        "languages",
        "names",
        "extensions",
        "seconds",
        "retries",
        "otherwise",
    }
