"""Who has a mailbox: the `voicemail:` of a plan and of a person, its mistakes, and do not disturb."""

import pytest

from dialplan.decision import DO_NOT_DISTURB, Conditions, Facts, Forwards, ToFeature, ToPerson
from dialplan.explaining import explain
from dialplan.plan import NO_VOICEMAIL, Plan, Voicemail
from dialplan.routing import route
from tests.dialplan.plans import OPEN, VILLAGE, errors_of, village

USER = "name: Mairie, site: mairie, class: national"
UNDISTURBED = Conditions(forwards={"201": Forwards(do_not_disturb=True)})


def with_voicemail(of_201: str = "", of_all: str = "") -> Plan:
    replaced = {USER: f"{USER}, voicemail: {of_201}"} if of_201 else {}
    other = '  - {extension: "202", name: Autre, site: mairie}\n'
    return village(other + (f"voicemail: {of_all}\n" if of_all else ""), replaced)


def test_nobody_has_a_mailbox_unless_the_plan_says_so():
    assert village().voicemail_of("201") == NO_VOICEMAIL
    assert village().voicemail_of("999") == NO_VOICEMAIL


@pytest.mark.parametrize(
    ("of_201", "of_all", "found"),
    [
        ("true", "", Voicemail(True)),
        ("{after_seconds: 12, email: a@b.example}", "", Voicemail(True, 12, "a@b.example")),
        ("", "true", Voicemail(True)),
        ("", "{after_seconds: 40}", Voicemail(True, 40)),
        ("false", "true", NO_VOICEMAIL),
        ("{after_seconds: 12}", "false", Voicemail(True, 12)),
    ],
)
def test_a_person_s_own_word_comes_before_that_of_the_plan(of_201, of_all, found):
    assert with_voicemail(of_201, of_all).voicemail_of("201") == found


def test_who_does_not_want_to_be_disturbed_has_a_message_taken():
    decision = route(with_voicemail("true"), Facts("201", caller="202", conditions=UNDISTURBED), OPEN)
    assert decision.target == ToFeature("mailbox", "201")
    assert [(one.who, one.reason) for one in decision.diversions] == [("201", "do-not-disturb")]
    lines = explain(with_voicemail("true"), decision)
    assert "a message may be left" in lines[-2]
    assert lines[-1] == "=> the mailbox of 201"


def test_where_busy_calls_go_comes_first():
    conditions = Conditions(forwards={"201": Forwards(do_not_disturb=True, busy="202")})
    decision = route(with_voicemail("true"), Facts("201", caller="202", conditions=conditions), OPEN)
    assert isinstance(decision.target, ToPerson)


def test_without_a_mailbox_do_not_disturb_refuses():
    facts = Facts("201", caller="202", conditions=UNDISTURBED)
    assert route(village(), facts, OPEN).target == DO_NOT_DISTURB


def test_no_code_calls_a_mailbox_by_the_name_that_decisions_have_for_it():
    (error,) = errors_of(VILLAGE + 'features:\n  mailbox: "*99{extension}"\n')
    assert 'unknown key "mailbox"' in error


@pytest.mark.parametrize(
    ("of_all", "words"),
    [
        ("perhaps", "expected true or false"),
        ("{after_seconds: 0}", "1 and 300"),
        ("{email: a@b.example}", 'unknown key "email"'),
    ],
)
def test_what_cannot_be_is_told(of_all, words):
    (error,) = errors_of(f"{VILLAGE}voicemail: {of_all}\n")
    assert words in error


def test_a_wrong_address_is_told():
    (error,) = errors_of(VILLAGE.replace(USER, f"{USER}, voicemail: {{email: nobody}}"))
    assert '"nobody" is no e-mail address' in error
