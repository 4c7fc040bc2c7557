"""The notation that the torture messages are written in (RFC 4475 section 2), and their exact octets."""

from __future__ import annotations

import hashlib

import pytest

from tests.sip.torture.notation import MESSAGES, expand, message, names


def test_a_line_end_becomes_crlf() -> None:
    assert expand("a\nb\n\n") == b"a\r\nb\r\n\r\n"


def test_all_one_line_joins_its_lines_with_nothing_in_between() -> None:
    assert expand("<allOneLine>\nab\n cd\nef\n</allOneLine>\ng\n") == b"ab cdef\r\ng\r\n"


def test_repeat_writes_its_text_that_many_times() -> None:
    assert expand("x<repeat count=3>ab</repeat>y") == b"xabababy"


def test_hex_writes_the_octets_and_ignores_spaces() -> None:
    assert expand("x<hex>00 FFd0</hex>y") == b"x\x00\xff\xd0y"


def test_octets_written_in_hex_are_not_read_as_marks_or_line_ends() -> None:
    assert expand("<hex>0A</hex><hex>3C6865783E</hex>") == b"\n<hex>"


def test_hex_works_inside_all_one_line() -> None:
    assert expand("<allOneLine>\n<hex>0A</hex>\n<hex>0B</hex>\n</allOneLine>\n") == b"\n\x0b\r\n"


@pytest.mark.parametrize(
    "text",
    [
        "<hex>0A",
        "0A</hex>",
        "<hex>0G</hex>",
        "<hex>0</hex>",
        "<allOneLine>\na\n",
        "<repeat count=x>a</repeat>",
        "<repeat count=2>a",
    ],
)
def test_a_mark_misspelt_or_not_closed_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"misspelt or not closed|non-hexadecimal"):
        expand(text)


def test_text_that_is_not_ascii_is_an_error() -> None:
    with pytest.raises(ValueError, match="ascii"):
        expand("é")


def test_an_unknown_message_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        message("nosuch")


def test_both_rfcs_are_complete() -> None:
    assert len([name for name in names() if "-" not in name]) == 49
    assert len([name for name in names() if "-" in name]) == 12


def test_every_message_has_the_octets_of_the_archive_in_the_rfc() -> None:
    lines = (MESSAGES / "sha256.txt").read_text(encoding="ascii").splitlines()
    pinned = {name: digest for digest, name in (line.split() for line in lines)}
    assert {name: hashlib.sha256(message(name)).hexdigest() for name in names()} == pinned
