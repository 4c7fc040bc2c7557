"""Settings of menus, the web step, rooms and paging: what is taken, and what is refused in words."""

import pytest

from dialplan.checking import check
from dialplan.plan import Allowed, Members, NameKey
from tests.dialplan.plans import VILLAGE, errors_of, village

MENU = 'services:\n  s: {number: "210", type: menu, prompt: a, choices: {"1": "201"}, '
WEB = 'services:\n  s: {number: "210", type: web, otherwise: "201", '
PAGE = 'services:\n  s: {number: "210", type: page, members: ["201"], '


def settings(section: str):
    return village(section).services["s"].settings


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        (MENU + 'languages: {"1": en}}\n', "key 1 is in `choices:` and in `languages:`; choose another key"),
        (MENU + 'languages: {"8": en}, names: "8"}\n', "key 8 is in `languages:` and in `names:`"),
        (MENU + 'languages: {"8": de}}\n', 'unknown language "de"; known: en, fr'),
        (MENU + "names: A}\n", '"A" is no key of a telephone; write 0 to 9, * or #'),
        (WEB + "url: http://dossiers.example/}\n", "http is read along by others; write https://…"),
        (WEB + "url: ftp://dossiers.example/}\n", '"ftp://dossiers.example/" is no web address'),
        (WEB + "url: https://}\n", '"https://" is no web address; write https://…'),
        (WEB + "url: https://a:b@dossiers.example/}\n", "a password is written in this address"),
        (WEB + "url: https://dossiers.example:99999/}\n", "is no web address; write https://…"),
        (WEB + "url: https://dossiers.example/, seconds: 60}\n", "a whole number between 1 and 15"),
        (PAGE + 'multicast: "224.0.0.5:5004"}\n', '"224.0.0.5:5004" is no multicast address'),
        (PAGE + 'multicast: "239.54.4.1:5005"}\n', "write 239.54.4.1:5004, with an even port"),
        (PAGE + "ttl: 0}\n", "a whole number between 1 and 255"),
        (PAGE + "interface: eth0}\n", '"eth0" is no address of this machine; write 10.54.1.5'),
        (PAGE + "codec: G722}\n", 'unknown codec "G722"; known: PCMA, PCMU'),
        (PAGE + "allowed: {class: natonal}}\n", 'unknown class "natonal" for `allowed:`'),
        (PAGE + "allowed: {}}\n", "nobody is named here; write {class: …} or {group: …}"),
        ('services:\n  s: {number: "210", type: room, most: 1}\n', "a whole number between 2 and 300"),
        (
            'services:\n  s: {number: "210", type: room, tells: everything}\n',
            'unknown announcement "everything"',
        ),
        (
            'services:\n  s: {number: "210", type: room, moderator_pin: "1234"}\n',
            "a secret is written in the plan",
        ),
    ],
)
def test_a_mistake_is_told_in_words(section: str, sentence: str):
    got = errors_of(VILLAGE + section)
    assert len(got) == 1
    assert sentence in got[0]


def test_http_is_for_this_machine_alone():
    for host in ("127.0.0.1:8080", "localhost", "[::1]:8080"):
        assert settings(WEB + f'url: "http://{host}/appel"}}\n')["url"] == f"http://{host}/appel"


def test_a_page_has_one_multicast_address_or_several():
    assert settings(PAGE + 'multicast: "239.54.4.1:5004"}\n')["multicast"] == ("239.54.4.1:5004",)
    several = settings(PAGE + 'multicast: ["239.54.4.1:5004", "239.54.1.1:5006"]}\n')["multicast"]
    assert several == ("239.54.4.1:5004", "239.54.1.1:5006")


def test_no_page_has_more_than_sixteen_addresses():
    many = ", ".join(f'"239.54.4.{number}:5004"' for number in range(1, 18))
    (got,) = errors_of(VILLAGE + PAGE + f"multicast: [{many}]}}\n")
    assert "at most 16 multicast addresses" in got


def test_a_zone_is_several_groups_and_sites():
    plan = village('services:\n  s: {number: "210", type: page, members: {group: [a, b], site: mairie}}\n')
    members = plan.services["s"].settings["members"]
    assert isinstance(members, Members)
    assert (members.groups, members.sites, members.numbers) == (("a", "b"), ("mairie",), ())


def test_who_may_page_is_a_class_or_a_group():
    allowed = settings(PAGE + "allowed: {class: [national], group: garde}}\n")["allowed"]
    assert isinstance(allowed, Allowed)
    assert (allowed.classes, allowed.groups) == (("national",), ("garde",))


def test_names_are_everybodys_or_those_of_some():
    everybody = settings(MENU + 'names: "*"}\n')["names"]
    some = settings(MENU + 'names: {key: "*", people: {site: mairie}}}\n')["names"]
    assert everybody == NameKey("*", None)
    assert isinstance(some, NameKey)
    assert some.people is not None
    assert some.people.sites == ("mairie",)


def test_names_of_a_group_that_nobody_is_in_are_told():
    plan = village(MENU + 'names: {key: "*", people: {group: nobody}}, otherwise: "201"}\n')
    assert 'nobody is in group "nobody"' in [found.message for found in check(plan)]


def test_a_web_step_without_a_last_destination_is_a_dead_end():
    plan = village('services:\n  s: {number: "210", type: web, url: "https://dossiers.example/"}\n')
    (told,) = [found for found in check(plan) if found.code == "dead_end"]
    assert "hung up on when the web gives no answer" in told.message


def test_a_language_that_the_prompt_is_not_written_in_is_told():
    plan = village(MENU + 'languages: {"8": en}, otherwise: "201"}\n')
    (told,) = [found for found in check(plan) if found.code == "no_text"]
    assert "a key of menu s chooses en, and its prompt isn't written in it" in told.message
