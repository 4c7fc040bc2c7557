"""Files encrypted as makers have it, read by a program that isn't ours."""

import subprocess

import pytest

from provisioning.encrypted import encrypted


def test_openssl_reads_what_was_encrypted():
    content = "<gs_provision><P3>Élodie</P3></gs_provision>".encode()
    command = ["openssl", "enc", "-d", "-aes-256-cbc", "-md", "md5", "-pass", "pass:w8Rj3hYp"]
    made = encrypted(content, "w8Rj3hYp", "openssl-aes-256-cbc")
    assert subprocess.run(command, input=made, capture_output=True, check=True).stdout == content


def test_the_same_file_is_the_same_and_another_shares_nothing_with_it():
    first, again, other = (
        encrypted(text, "w8Rj3hYp", "openssl-aes-256-cbc") for text in (b"a" * 64, b"a" * 64, b"b" * 64)
    )
    assert first == again
    assert first[:8] == other[:8] == b"Salted__"
    assert first[8:16] != other[8:16] and first[16:32] != other[16:32]


@pytest.mark.parametrize("octets", [1, 15, 16, 17, 32])
def test_openssl_reads_whole_blocks_without_padding(octets: int):
    key = "w8Rj3hYpQ5mT2xKd"
    command = ["openssl", "enc", "-d", "-aes-128-ecb", "-nopad", "-K", key.encode().hex()]
    made = encrypted(b"\n" * octets, key, "aes-128-ecb")
    clear = subprocess.run(command, input=made, capture_output=True, check=True).stdout
    assert clear.rstrip(b" ") == b"\n" * octets and len(clear) % 16 == 0 and len(clear) < octets + 16


def test_a_password_that_is_no_key_is_refused():
    with pytest.raises(ValueError, match="key size"):
        encrypted(b"text", "w8Rj3hYp", "aes-128-ecb")
