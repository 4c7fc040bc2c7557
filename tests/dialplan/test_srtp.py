"""What a plan says of encrypted sound, and of sound that telephones send each other."""

from __future__ import annotations

import pytest

from dialplan.checking import check
from dialplan.difference import difference
from dialplan.plan import Plan
from tests.dialplan.plans import OPEN, VILLAGE, errors_of, village

RIGHTS = "[internal, national, mobile]"
HOST = "host: sip.operateur.example"


def codes(plan: Plan) -> list[str]:
    return [finding.code for finding in check(plan, OPEN)]


def test_a_class_that_is_a_list_of_rights_says_nothing_of_srtp() -> None:
    plan = village()
    assert plan.classes["national"].srtp == ""
    assert plan.tables.srtp == {}


@pytest.mark.parametrize("rule", ["required", "preferred", "off"])
def test_a_class_says_it_for_its_people(rule: str) -> None:
    plan = village(replaced={f"national: {RIGHTS}": f"national: {{rights: {RIGHTS}, srtp: {rule}}}"})
    assert plan.classes["national"].rights == {"internal", "national", "mobile"}
    assert plan.tables.srtp == {"201": rule}


def test_a_class_with_srtp_needs_its_rights() -> None:
    text = VILLAGE.replace(f"national: {RIGHTS}", "national: {srtp: off}")
    assert errors_of(text) == ['plan.yaml:13:3: "rights" is missing here; add `rights: …`']


def test_a_trunk_says_it_for_itself() -> None:
    assert village().trunks["operateur"].srtp == ""
    assert village(replaced={HOST: f"{HOST}, srtp: off"}).trunks["operateur"].srtp == "off"


def test_another_word_is_an_error_with_its_line() -> None:
    text = VILLAGE.replace(HOST, f"{HOST}, srtp: maybe")
    (error,) = errors_of(text)
    assert error.startswith("plan.yaml:15:") and 'unknown rule for SRTP "maybe"' in error


@pytest.mark.parametrize(("transport", "warned"), [("udp", True), ("tcp", True), ("tls", False)])
def test_keys_that_would_travel_in_clear_are_warned_of(transport: str, warned: bool) -> None:
    """RFC 4568 section 7."""
    plan = village(replaced={HOST: f"{HOST}, srtp: required, transport: {transport}"})
    assert ("keys_in_clear" in codes(plan)) == warned


def test_a_site_says_whether_its_telephones_send_each_other_their_sound() -> None:
    assert not village().sites["mairie"].direct_media
    plan = village(replaced={"main_number:": "direct_media: true\n    main_number:"})
    assert plan.sites["mairie"].direct_media


def test_the_difference_of_two_plans_tells_of_both() -> None:
    after = village(
        replaced={
            f"national: {RIGHTS}": f"national: {{rights: {RIGHTS}, srtp: required}}",
            "main_number:": "direct_media: true\n    main_number:",
        }
    )
    assert [str(change) for change in difference(village(), after, OPEN)] == [
        "class national, srtp: required instead of nothing",
        "site mairie, direct_media: yes instead of no",
    ]
