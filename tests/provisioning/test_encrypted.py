"""Files encrypted as makers have it, read by a program that isn't ours."""

import subprocess

from provisioning.encrypted import openssl_aes_256_cbc


def test_openssl_reads_what_was_encrypted():
    content = "<gs_provision><P3>Élodie</P3></gs_provision>".encode()
    command = ["openssl", "enc", "-d", "-aes-256-cbc", "-md", "md5", "-pass", "pass:w8Rj3hYp"]
    made = openssl_aes_256_cbc(content, "w8Rj3hYp")
    assert subprocess.run(command, input=made, capture_output=True, check=True).stdout == content


def test_the_same_file_is_the_same_and_another_shares_nothing_with_it():
    first, again, other = (
        openssl_aes_256_cbc(text, "w8Rj3hYp") for text in (b"a" * 64, b"a" * 64, b"b" * 64)
    )
    assert first == again
    assert first[:8] == other[:8] == b"Salted__"
    assert first[8:16] != other[8:16] and first[16:32] != other[16:32]
