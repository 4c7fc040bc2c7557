import pytest

from dialplan.country import OutsideNumber, Unreadable, load_country

FRANCE = load_country("FR")


@pytest.mark.parametrize(
    ("digits", "number", "right"),
    [
        ("0383001150", "+33383001150", "national"),
        ("0112345678", "+33112345678", "national"),
        ("0612345678", "+33612345678", "mobile"),
        ("+330612345678", "+33612345678", "mobile"),
        ("0033712345678", "+33712345678", "mobile"),
        ("0977123456", "+33977123456", "national"),
        ("0806123456", "+33806123456", "national"),
        ("0809123456", "+33809123456", "national"),
        ("0800123456", "+33800123456", "toll_free"),
        ("0810123456", "+33810123456", "shared_cost"),
        ("0825123456", "+33825123456", "shared_cost"),
        ("0899123456", "+33899123456", "premium"),
        ("0836123456", "+33836123456", "premium"),
        ("3919", "3919", "short"),
        ("3020", "3020", "toll_free"),
        ("1014", "1014", "short"),
        ("116006", "116006", "toll_free"),
        ("118218", "118218", "premium"),
        ("0262123456", "+262262123456", "national"),
        ("0692123456", "+262692123456", "mobile"),
        ("00442079460000", "+442079460000", "international"),
        ("00449098790000", "+449098790000", "premium"),
        ("+88216123456", "+88216123456", "premium"),
        ("+80012345678", "+80012345678", "toll_free"),
    ],
)
def test_a_number_is_read_and_classed(digits, number, right):
    assert FRANCE.read(digits) == OutsideNumber(number, right)


@pytest.mark.parametrize(
    "digits", ["", "+", "612345678", "061234567", "06123456789", "20100", "+999123456", "00"]
)
def test_what_is_no_possible_number_is_told(digits):
    reading = FRANCE.read(digits)
    assert isinstance(reading, Unreadable)
    assert reading.why


def test_every_emergency_number_of_france_has_both_names():
    assert sorted(FRANCE.emergency) == [
        "112", "114", "115", "116000", "116117", "119", "15", "17", "18", "191", "196", "197",
    ]  # fmt: skip
    assert all(number.names["fr"] and number.names["en"] for number in FRANCE.emergency.values())
