"""What is sealed under the node's key opens for its own purpose and row, and for nothing else."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pbx.node.sealing import SealBroken, Sealing, sealing

SECRET = b"\x07" * 32


def test_what_was_sealed_opens_again_and_shows_nothing_meanwhile():
    node = Sealing(SECRET)
    sealed = node.seal(b"a device's password", "device password", "1001-app")
    assert b"password" not in sealed
    assert node.unseal(sealed, "device password", "1001-app") == b"a device's password"


def test_the_same_secret_sealed_twice_looks_different():
    node = Sealing(SECRET)
    assert node.seal(b"x", "totp", "anne") != node.seal(b"x", "totp", "anne")


@pytest.mark.parametrize(
    ("purpose", "whose", "secret"),
    [("other purpose", "anne", SECRET), ("totp", "bruno", SECRET), ("totp", "anne", b"\x08" * 32)],
)
def test_another_purpose_row_or_node_opens_nothing(purpose, whose, secret):
    sealed = Sealing(SECRET).seal(b"JBSWY3DP", "totp", "anne")
    with pytest.raises(SealBroken):
        Sealing(secret).unseal(sealed, purpose, whose)


@pytest.mark.parametrize("place", range(0, 33, 4))
def test_a_flipped_bit_anywhere_is_noticed(place):
    node = Sealing(SECRET)
    sealed = bytearray(node.seal(b"JBSW", "totp", "anne"))
    sealed[place] ^= 1
    with pytest.raises(SealBroken):
        node.unseal(bytes(sealed), "totp", "anne")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01short", b"\x02" + bytes(40)])
def test_what_was_never_sealed_is_refused(sealed):
    with pytest.raises(SealBroken):
        Sealing(SECRET).unseal(sealed, "totp", "anne")


def test_a_node_seals_by_the_key_in_its_file(tmp_path):
    sealed = sealing(tmp_path / "node.key").seal(b"x", "totp", "anne")
    assert sealing(tmp_path / "node.key").unseal(sealed, "totp", "anne") == b"x"


def test_whoever_makes_the_nodes_key_at_the_same_moment_gets_the_same_one(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: sealing(tmp_path / "data" / "node.key").key("x"), range(24)))
    assert len(set(made)) == 1
    assert sealing(tmp_path / "data" / "node.key").key("x") == made[0]
    assert sorted(file.name for file in (tmp_path / "data").iterdir()) == ["node.key", "node.pub"]
