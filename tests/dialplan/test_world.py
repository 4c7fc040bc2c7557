"""Our compiled reading of public numbers says what `phonenumbers` says, of any digits."""

import phonenumbers
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, ValidationResult

from dialplan.world import calling_code_of, codes_beginning

CODES = sorted(str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
EXAMPLES = sorted(
    phonenumbers.format_number(example, PhoneNumberFormat.E164)[1:]
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()
    for region in regions
    for kind in range(11)
    for example in [
        phonenumbers.example_number_for_non_geo_entity(code)
        if region == "001"
        else phonenumbers.example_number_for_type(region, kind)
    ]
    if example is not None
)
DIGITS = st.text("0123456789", max_size=17)


def by_phonenumbers(digits):
    try:
        parsed = phonenumbers.parse("+" + digits, None)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164), phonenumbers.number_type(parsed)


def by_us(digits):
    for code in calling_code_of(digits):
        national = code.read(digits[len(code.code) :])
        if national:
            return f"+{code.code}{national}", code.kind(national)
    return None


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(CODES), st.sampled_from(["", "0", "1", "8", "00", "06"]), DIGITS)
def test_any_digits_after_a_country_code_are_read_as_phonenumbers_does(code, prefix, digits):
    assert by_us(code + prefix + digits) == by_phonenumbers(code + prefix + digits)


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(EXAMPLES), st.integers(2, 16), DIGITS)
def test_numbers_like_real_ones_are_read_as_phonenumbers_does(example, kept, digits):
    number = (example[:kept] + digits)[: len(example)]
    assert by_us(number) == by_phonenumbers(number)


@settings(max_examples=300, deadline=None)
@given(DIGITS)
def test_digits_of_no_country_are_read_as_phonenumbers_does(digits):
    assert by_us(digits) == by_phonenumbers(digits)


def test_every_example_of_every_country_is_read_as_phonenumbers_does():
    assert [number for number in EXAMPLES if by_us(number) != by_phonenumbers(number)] == []


def test_the_country_codes_that_some_digits_may_belong_to():
    assert codes_beginning("33") == ("33",)
    assert codes_beginning("4420") == ("44",)
    assert "351" in codes_beginning("35")
    assert codes_beginning("999") == ()
