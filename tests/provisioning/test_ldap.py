"""The directory over LDAP, without a network: ldap3 and its definitions are the other side."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.ldap import ber
from provisioning.ldap.answers import Result
from provisioning.ldap.ber import BerError
from provisioning.ldap.book import MOST_FOUND, Book, End, Listed, Viewer
from provisioning.ldap.conversation import Conversation
from provisioning.ldap.requests import MOST_MESSAGE, Bind, Search, read_request
from tests.provisioning.ldap_client import (
    AGENT,
    OPERATOR,
    SUFFIX,
    binding,
    encoded,
    found,
    searching,
    small_book,
    told,
)

NUMBER = "(|(telephoneNumber={0})(mobile={0}))"


def names(filter_: str, viewer: Viewer = OPERATOR, **more: Any) -> list[str]:
    entries, code = found(viewer, searching(filter_, **more))
    assert code == Result.SUCCESS
    return [entry["cn"][0] for entry in entries if "cn" in entry]


@pytest.mark.parametrize(
    ("filter_", "who"),
    [
        ("(|(cn=el*)(sn=el*))", ["Élodie Martin"]),
        ("(|(cn=MAR*)(sn=MAR*))", ["Élodie Martin"]),
        ("(sn=Le Goff)", ["Zoé Le Goff"]),
        ("(cn=*o*e*)", ["Élodie Martin", "Zoé Le Goff"]),
        ("(&(objectClass=inetOrgPerson)(!(sn=martin)))", ["Paul Petit", "Zoé Le Goff"]),
        ("(&(mail=*)(cn=*))", ["Paul Petit"]),
        ("(cn>=p)", ["Paul Petit", "standard", "Zoé Le Goff"]),
        ("(&(cn<=paul petit)(objectClass=person))", ["Élodie Martin", "Paul Petit"]),
        ("(ou=accueil)", ["Élodie Martin"]),
        ("(!(nonsense=*))", []),  # neither true nor false, and so is its contrary
        (NUMBER.format("2012"), ["Zoé Le Goff"]),
        (NUMBER.format("+33 3 83 00 01 10"), ["Élodie Martin"]),
        (NUMBER.format("00698765432"), ["Paul Petit"]),
        (NUMBER.format("3900"), ["standard"]),
        (NUMBER.format("201"), []),
        ("(telephoneNumber=201*)", ["Élodie Martin", "Paul Petit", "Zoé Le Goff"]),
    ],
)
def test_a_filter_finds_whom_it_says(filter_: str, who: list[str]):
    assert names(filter_) == who


def test_a_mobile_number_is_shown_and_found_by_those_who_may_see_it():
    everybody = "(objectClass=inetOrgPerson)"
    mine = [entry.get("mobile") for entry in found(AGENT, searching(everybody))[0]]
    assert mine == [["00612345678"], None, None]  # one's own
    assert names(NUMBER.format("00698765432"), AGENT) == []
    assert names("(!(mobile=00698765432))", AGENT) == ["Élodie Martin"]  # of others nothing is told
    theirs = [entry.get("mobile") for entry in found(OPERATOR, searching(everybody))[0]]
    assert theirs == [["00612345678"], ["00698765432"], None]


def test_what_was_selected_is_sent_and_nothing_else():
    (entry,), _ = found(OPERATOR, searching("(uid=2010)", attributes=["TelephoneNumber", "l"]))
    assert entry == {"telephoneNumber": ["2010", "00383000110"], "l": ["Mairie"]}
    (entry,), _ = found(OPERATOR, searching("(uid=2010)", attributes=["1.1"]))
    assert entry == {}
    (entry,), _ = found(OPERATOR, searching("(uid=2010)", attributes=["sn"], types_only=True))
    assert entry == {"sn": []}


def test_a_search_goes_as_far_as_its_scope():
    people = f"ou=people,{SUFFIX}"
    assert names("(cn=*)", base=f"uid=2010,{people}", scope="BASE") == ["Élodie Martin"]
    assert len(names("(cn=*)", base=people, scope="LEVEL")) == 3
    assert names("(cn=*)", base=SUFFIX, scope="LEVEL") == []
    assert found(OPERATOR, searching("(cn=*)", base="dc=other"))[1] == Result.NO_SUCH_OBJECT


def test_more_than_was_asked_for_is_said_to_be_there():
    entries, code = found(OPERATOR, searching("(cn=*)", size=2))
    assert (len(entries), code) == (2, Result.SIZE_LIMIT_EXCEEDED)


def test_pages_follow_one_another_to_the_end():
    # RFC 2696 section 3: the cookie goes back as it came; an empty one is the end.
    assert _pages("(cn=*)", 3) == (["Élodie Martin", "Paul Petit", "standard", "Zoé Le Goff"], [3, 1])
    # What is above the people is in pages as well, each once.
    assert _pages("(objectClass=*)", 2)[1] == [2, 2, 2, 1]
    other = Book(SUFFIX, "Valmont", [Listed("Somebody Else", ("2999",))])
    end = _ended(other, _page("(cn=*)", 3, b"0000" + b"00000003"))[1]
    assert end.result == Result.UNWILLING_TO_PERFORM


def _page(filter_: str, many: int, cookie: bytes) -> Search:
    asked = read_request(searching(filter_))
    assert isinstance(asked, Search)
    return replace(asked, page=many, cookie=cookie)


def _ended(book: Book, search: Search) -> tuple[bytes, End]:
    """All that a search finds, and how it ends."""
    found, looking = b"", book.look(search, OPERATOR)
    while True:
        try:
            found += next(looking)
        except StopIteration as over:
            return found, over.value


def _pages(filter_: str, many: int) -> tuple[list[str], list[int]]:
    """Names in all pages, and how many entries are on each."""
    book = small_book()
    names: list[str] = []
    counts: list[int] = []
    cookie = b""
    while len(counts) < 10:
        found, end = _ended(book, _page(filter_, many, cookie))
        entries = [entry for _, entry in told(found)]
        counts.append(len(entries))
        names += [
            bytes(one["vals"][0]).decode()
            for entry in entries
            for one in entry["attributes"]
            if str(one["type"]) == "cn"
        ]
        cookie = end.cookie or b""
        if not cookie:
            break
    return names, counts


@pytest.fixture(scope="module")
def large_book() -> Book:
    """A thousand people, in several slices: everybody's name is one of forty, and one is alone."""
    crowd = [Listed(f"Agent{number % 40} Public{number}", (str(20_000 + number),)) for number in range(1000)]
    return Book(SUFFIX, "Valmont", [*crowd, Listed("Solange Unique", ("2999",), "00612345678")])


@pytest.mark.parametrize(
    ("filter_", "many"),
    [
        ("(cn=*niqu*)", 1),
        ("(cn=*gent7 *)", 25),
        ("(|(cn=*agent7 *)(sn=*niqu*))", 26),
        ("(&(objectClass=person)(cn=*9*)(telephoneNumber=*999*))", 1),
        ("(mobile=*345*)", 1),
        ("(!(cn=*agent*))", 4),  # and what is above them
        ("(cn>=s)", 1),
        ("(mail=*)", 0),
        ("(nonsense=*)", 0),
    ],
)
def test_what_is_in_a_later_slice_is_found_as_well(large_book: Book, filter_: str, many: int):
    entries, _ = found(OPERATOR, searching(filter_), large_book)
    assert len(entries) == many


@settings(max_examples=200)
@given(st.data())
def test_slices_leave_out_nobody_who_fits(large_book: Book, data: st.DataObject):
    part = st.text("agent 0129u", min_size=1, max_size=4)
    values = (data.draw(part).strip() or "a" for _ in range(2))
    first, second = (f"({data.draw(st.sampled_from(['cn', 'sn', 'uid']))}=*{value}*)" for value in values)
    filter_ = data.draw(
        st.sampled_from([f"(&{first}{second})", f"(|{first}{second})", f"(&{first}(!{second}))"])
    )
    asked = read_request(searching(filter_))
    assert isinstance(asked, Search)
    viewer = Viewer("", sees_mobiles=True)
    fits = [one for one in large_book._entries if asked.filter.fits(one.values(viewer))]
    assert len(found(viewer, searching(filter_), large_book)[0]) == min(len(fits), MOST_FOUND)


def test_nobody_looks_before_saying_who_they_are():
    conversation, book = Conversation(), small_book()
    asked = conversation.next_request(searching("(cn=*)"))
    assert isinstance(asked, Search)
    ((_, done),) = told(b"".join(conversation.search(asked, book)))
    assert done["resultCode"] == Result.INSUFFICIENT_ACCESS_RIGHTS
    asked = conversation.next_request(searching("(objectClass=*)", base="", scope="BASE", attributes=["*"]))
    assert isinstance(asked, Search)
    (_, root), _ = told(b"".join(conversation.search(asked, book)))
    assert SUFFIX.encode() in [bytes(value) for one in root["attributes"] for value in one["vals"]]


def test_a_bind_without_a_password_is_refused_and_one_that_fails_is_nobody():
    # RFC 4513 section 5.1.2: an unauthenticated bind must not be taken for a proof.
    conversation = Conversation()
    asked = conversation.next_request(binding("cn=x", "y"))
    assert isinstance(asked, Bind) and conversation.without_judge(asked) == b""
    conversation.judged(asked, OPERATOR)
    bound = [conversation.is_bound]
    ((_, done),) = told(conversation.without_judge(Bind(2, 3, "cn=x", "")))
    assert done["resultCode"] == Result.UNWILLING_TO_PERFORM
    bound.append(conversation.is_bound)
    ((_, done),) = told(conversation.judged(asked, None))
    assert done["resultCode"] == Result.INVALID_CREDENTIALS
    assert [*bound, conversation.is_bound] == [True, False, False]


def test_nothing_is_written():
    conversation = Conversation()
    asked = conversation.next_request(encoded("delRequest", f"uid=2010,{SUFFIX}"))
    ((kind, done),) = told(b"".join(conversation.answer(asked)))
    assert kind == "delResponse" and done["resultCode"] == Result.UNWILLING_TO_PERFORM


def test_requests_come_in_any_pieces():
    conversation = Conversation()
    octets = searching("(cn=a)") + searching("(cn=b)")
    requests = []
    for octet in octets:
        request = conversation.next_request(bytes((octet,)))
        if request is not None:
            requests.append(request)
    assert [one.filter.value for one in requests] == ["a", "b"]


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x30\x84\x7f\xff\xff\xff",  # longer than we take
        b"\x30\x80",  # RFC 4511 section 5.1: definite lengths alone
        ber.written(0x30, ber.integer(1), b"\x63" + b"\x05" + b"\x04\x00\x0a\x01\x09"),
        searching("(!" * 30 + "(cn=a)" + ")" * 30),
        searching("(|" + "(cn=a)" * 60 + ")"),
        searching(f"(cn={'a' * 300})"),
    ],
)
def test_what_is_too_much_or_no_ldap_is_refused(octets: bytes):
    with pytest.raises(BerError):
        Conversation().next_request(octets)


@settings(max_examples=100)
@given(st.data())
def test_damaged_messages_are_answered_or_refused(data):
    good = data.draw(st.sampled_from([searching("(|(cn=a*b*c)(!(sn>=d)))"), binding("cn=x", "y")]))
    octets = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    conversation = Conversation()
    conversation.judged(Bind(0, 3, "", ""), OPERATOR)
    try:
        request = conversation.next_request(bytes(octets))
    except BerError:
        return
    if isinstance(request, Search):
        told(b"".join(conversation.search(request, small_book())))
    elif request is not None and not isinstance(request, Bind):
        told(b"".join(conversation.answer(request)))
    assert len(octets) <= MOST_MESSAGE
