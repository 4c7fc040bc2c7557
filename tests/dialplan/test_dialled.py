import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.country import load_country
from dialplan.dialled import read_dialled

FRANCE = load_country("FR")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("2301", "2301"),
        ("06 12 34 56 78", "0612345678"),
        ("06.12.34.56.78", "0612345678"),
        ("06\u202f12\u00a034-56-78", "0612345678"),
        ("+33 (0)6 12 34 56 78", "+330612345678"),
        ("%2321%23", "#21#"),
        ("*21*0612345678#", "*21*0612345678#"),
        ("2301#", "2301"),
        ("tel:+33-6-12-34-56-78", "+33612345678"),
        ("tel:15;phone-context=+33", "15"),
        ("TEL:112", "112"),
        ("sip:0612345678@valmont.example;user=phone", "0612345678"),
        ("sips:%2B33112@valmont.example", "+33112"),
        ("sip:15;phone-context=+33@valmont.example", "15"),
        ("sip:1001:secret@valmont.example", "1001"),
        ("sip:112", "112"),
        ("2301;user=phone", "2301"),
        ("urn:service:sos", "112"),
        ("URN:SERVICE:SOS.Fire", "18"),
        ("urn:service:sos.police.municipal", "17"),
        ("urn:service:sos.unheard-of", "112"),
        ("urn:service:counseling", ""),
        ("urn:service:sosfire", ""),
        ("alice", "alice"),
        ("", ""),
        ("1" * 2000, ""),
    ],
)
def test_a_dialled_string_is_read_in_its_plain_form(text, plain):
    assert read_dialled(text, FRANCE) == plain


def test_digits_of_other_scripts_are_not_digits():
    assert read_dialled("١١٢", FRANCE) == "١١٢"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_any_text_has_a_plain_form(text):
    assert isinstance(read_dialled(text, FRANCE), str)
