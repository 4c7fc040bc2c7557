import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.ranges import NumberRange, RangeMap, RangeSet, parse_range


def test_a_range_holds_both_its_ends():
    numbers = parse_range("2000..2199")
    assert "2000" in numbers
    assert "2199" in numbers
    assert "2200" not in numbers
    assert len(numbers) == 200


def test_a_number_of_another_length_is_not_in_a_range():
    assert "02100" not in parse_range("2000..2199")


@pytest.mark.parametrize("text", ["+3338300101p", "+33383001\u066004", "+3338300+010"])
def test_a_text_between_two_numbers_that_is_no_number_is_in_no_range(text):
    numbers = parse_range("+33383001000..+33383001199")
    assert numbers.first <= "+3338300101p" <= numbers.last
    assert text not in numbers
    assert RangeMap([(numbers, "block")]).find(text) == ()
    assert text not in RangeSet([numbers])


def test_leading_zeros_and_plus_are_kept():
    assert parse_range("0098..0102").at(3) == "0101"
    assert parse_range("+33383001000..+33383001199").at(150) == "+33383001150"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("2000...2199", "is no number and no range"),
        ("2000..219", "equally long"),
        ("2199..2000", "backwards; write 2000..2199"),
        ("+100..1000", "equally long"),
        ("٢٠٠٠", "is no number"),
    ],
)
def test_a_bad_range_is_told_in_words(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse_range(text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 15)), max_size=8))
def test_a_set_of_ranges_holds_what_any_of_them_holds(spans):
    ranges = [NumberRange(f"{start:03}", f"{start + length:03}") for start, length in spans]
    merged = RangeSet(ranges)
    for number in range(120):
        text = f"{number:03}"
        assert (text in merged) == any(text in item for item in ranges)


def test_a_set_of_ranges_covers_a_range_over_two_that_touch():
    merged = RangeSet([NumberRange("100", "149"), NumberRange("150", "199")])
    assert merged.covers(NumberRange("140", "160"))
    assert not merged.covers(NumberRange("190", "200"))


def test_a_map_finds_the_value_of_the_range():
    found = RangeMap([(NumberRange("100", "199"), "a"), (NumberRange("300", "399"), "b")])
    assert found.find("150") == ("a",)
    assert found.find("399") == ("b",)
    assert found.find("250") == ()
    assert found.find("1500") == ()
