"""Digest authentication, both sides (RFC 7616, RFC 8760, RFC 3261 section 22)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from sip.core import digest
from sip.core.digest import (
    BOTH,
    MAX_WINDOWS,
    MD5_ONLY,
    NONCE_SECONDS,
    WINDOW_COUNTS,
    Algorithm,
    Authenticator,
    Credentials,
    Verdict,
    algorithms_for,
    authorization,
    parse_digest,
)
from sip.core.errors import ParseError, RemoteProtocolError

REALM = "valmont.example"
URI = "sip:valmont.example"
ALICE = Credentials.of("1001", REALM, "pw1001")


def lookup(username: str) -> Credentials | None:
    return ALICE if username == "1001" else None


def hashed(algorithm: str, text: str) -> str:
    return hashlib.new({"MD5": "md5", "SHA-256": "sha256"}[algorithm], text.encode()).hexdigest()


class Guard:
    """An authenticator at a time, and a phone that knows a password."""

    def __init__(self) -> None:
        self.server = Authenticator(REALM, b"secret" * 6)
        self.now = 1000.25

    def nonce(self) -> str:
        return parse_digest(self.server.challenge(self.now).split("\r\n")[0].partition(": ")[2])["nonce"]

    def answer(
        self,
        nonce: str,
        count: int | str | None = 1,
        *,
        username: str = "1001",
        password: str = "pw1001",
        realm: str = REALM,
        uri: str = URI,
        method: str = "REGISTER",
        algorithm: str = "SHA-256",
        named_algorithm: str = "",
        cnonce: str = "0a4f113b",
        extra: str = "",
    ) -> str:
        """The Authorization value of a phone, written here from the RFC; count None: without qop."""
        ha1 = hashed(algorithm, f"{username}:{realm}:{password}")
        ha2 = hashed(algorithm, f"{method}:{uri}")
        nc = f"{count:08x}" if isinstance(count, int) else count
        middle = f"{nonce}:{nc}:{cnonce}:auth" if nc is not None else nonce
        response = hashed(algorithm, f"{ha1}:{middle}:{ha2}")
        qop = f', qop=auth, nc={nc}, cnonce="{cnonce}"' if nc is not None else ""
        return (
            f'Digest username="{username}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
            f'response="{response}", algorithm={named_algorithm or algorithm}{qop}{extra}'
        )

    def verdict(self, *values: str, method: str = "REGISTER", uri: str = URI) -> Verdict:
        return self.server.verify(list(values), method, uri, lookup, self.now)[0]


# --- The examples of the RFCs ------------------------------------------------------------------------------

CHALLENGE = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616(algorithm: str, response: str) -> None:
    """RFC 7616 section 3.9.1."""
    line = authorization(
        [CHALLENGE.format(algorithm=algorithm)],
        "Mufasa",
        "Circle of Life",
        "GET",
        "/dir/index.html",
        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    fields = parse_digest(line.removeprefix("Authorization: ").removesuffix("\r\n"))
    assert fields["response"] == response
    assert fields["username"] == "Mufasa"
    assert fields["realm"] == "http-auth@example.org"
    assert fields["uri"] == "/dir/index.html"
    assert fields["algorithm"] == algorithm
    assert fields["nonce"] == "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    assert (fields["nc"], fields["qop"]) == ("00000001", "auth")
    assert fields["cnonce"] == "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    assert fields["opaque"] == "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_the_server_agrees_with_a_phone_written_from_the_rfc(algorithm: str) -> None:
    """RFC 7616 section 3.4.1."""
    guard = Guard()
    assert guard.verdict(guard.answer(guard.nonce(), algorithm=algorithm)) is Verdict.ACCEPTED


@pytest.mark.parametrize("algorithms", [BOTH, MD5_ONLY])
def test_both_sides_of_ours_agree(algorithms: tuple[Algorithm, ...]) -> None:
    guard = Guard()
    lines = guard.server.challenge(guard.now, algorithms).split("\r\n")[:-1]
    challenges = [line.removeprefix("WWW-Authenticate: ") for line in lines]
    line = authorization(challenges, "1001", "pw1001", "REGISTER", URI, "abc")
    value = line.removeprefix("Authorization: ").removesuffix("\r\n")
    assert guard.verdict(value) is Verdict.ACCEPTED


# --- The challenge -----------------------------------------------------------------------------------------


def test_a_challenge_offers_the_best_algorithm_first() -> None:
    """RFC 8760 section 2.4."""
    lines = Authenticator(REALM, b"s").challenge(0.0).split("\r\n")[:-1]
    assert [parse_digest(line.partition(": ")[2])["algorithm"] for line in lines] == ["SHA-256", "MD5"]
    for line in lines:
        fields = parse_digest(line.removeprefix("WWW-Authenticate: "))
        assert (fields["realm"], fields["qop"]) == (REALM, "auth")
        assert "stale" not in fields


def test_a_device_that_knows_only_md5_is_offered_only_md5() -> None:
    lines = Authenticator(REALM, b"s").challenge(0.0, MD5_ONLY)
    assert lines.count("WWW-Authenticate") == 1
    assert "algorithm=MD5" in lines


@pytest.mark.parametrize(
    ("agent", "algorithms"),
    [
        ("baresip v1.0.0 (x86_64/linux)", MD5_ONLY),
        ("pyVoIP 1.6.8", MD5_ONLY),
        ("baresip v3.9.0", BOTH),
        ("Yealink SIP-T46S 66.86.0.15", BOTH),
        ("", BOTH),
    ],
)
def test_agents_known_to_fail_on_sha_256_are_offered_md5(
    agent: str, algorithms: tuple[Algorithm, ...]
) -> None:
    assert algorithms_for(agent) == algorithms


def test_a_stale_challenge_says_so() -> None:
    """RFC 7616 section 3.3."""
    line = Authenticator(REALM, b"s").challenge(0.0, MD5_ONLY, stale=True)
    assert parse_digest(line.partition(": ")[2].strip())["stale"] == "true"


def test_no_nonce_comes_twice() -> None:
    """RFC 7616 section 3.3."""
    guard = Guard()
    assert len({guard.nonce() for _ in range(1000)}) == 1000


def test_a_challenge_keeps_nothing() -> None:
    """RFC 7616 section 5.4: a stranger fills no memory."""
    guard = Guard()
    for _ in range(1000):
        guard.nonce()
        guard.verdict(guard.answer(guard.nonce(), username="nobody"))
    assert len(guard.server._windows) == 0


# --- Verdicts ----------------------------------------------------------------------------------------------


def test_no_credentials_are_absent() -> None:
    assert Guard().verdict() is Verdict.ABSENT


@pytest.mark.parametrize(
    "value",
    [
        "Basic MTAwMTpwdzEwMDE=",
        "NoOneKnowsThisScheme opaque-data=here",
        'Digest username="1001", realm="elsewhere.example", nonce="x", uri="sip:x", response="x"',
        f'Digest username="1001", realm="{REALM}", nonce="x", uri="sip:x", response="x", algorithm=SHA-512',
        f'Digest username="1001", realm="{REALM}", nonce="x", uri="sip:x", response="x", qop=auth-int, nc=1',
    ],
)
def test_credentials_that_are_not_for_us_are_absent(value: str) -> None:
    """RFC 3261 section 22.1: several credentials may stand side by side, by realm."""
    assert Guard().verdict(value) is Verdict.ABSENT


def test_ours_is_found_among_others() -> None:
    """RFC 3261 section 22.3."""
    guard = Guard()
    other = guard.answer("x", realm="elsewhere.example")
    assert guard.verdict("Basic xyz", other, guard.answer(guard.nonce())) is Verdict.ACCEPTED


@pytest.mark.parametrize("wrong", [{"password": "guess"}, {"username": "nobody"}, {"method": "INVITE"}])
def test_wrong_credentials_are_wrong(wrong: dict[str, str]) -> None:
    guard = Guard()
    assert guard.verdict(guard.answer(guard.nonce(), **wrong)) is Verdict.WRONG


def test_the_hash_of_one_algorithm_is_wrong_under_the_name_of_the_other() -> None:
    guard = Guard()
    value = guard.answer(guard.nonce(), algorithm="MD5", named_algorithm="SHA-256")
    assert guard.verdict(value) is Verdict.WRONG


def test_an_algorithm_that_is_not_named_is_md5() -> None:
    """RFC 7616 section 3.3."""
    guard = Guard()
    value = guard.answer(guard.nonce(), algorithm="MD5").replace(", algorithm=MD5", "")
    assert "algorithm" not in value
    assert guard.verdict(value) is Verdict.ACCEPTED


def test_the_name_of_an_algorithm_may_be_quoted_and_in_lower_case() -> None:
    guard = Guard()
    value = guard.answer(guard.nonce(), named_algorithm='"sha-256"')
    assert guard.verdict(value) is Verdict.ACCEPTED


def test_the_response_may_be_in_upper_case() -> None:
    guard = Guard()
    value = guard.answer(guard.nonce())
    response = parse_digest(value)["response"]
    assert guard.verdict(value.replace(response, response.upper())) is Verdict.ACCEPTED


def test_the_username_claimed_is_returned_with_the_verdict() -> None:
    guard = Guard()
    value = guard.answer(guard.nonce(), username="nobody")
    assert guard.server.verify([value], "REGISTER", URI, lookup, guard.now) == (Verdict.WRONG, "nobody")


@pytest.mark.parametrize(
    "value", ["Digest", "Digest ", "Digest x", 'Digest realm="open', "Digest realm=a realm=b"]
)
def test_malformed_credentials_are_a_bad_request_or_absent(value: str) -> None:
    guard = Guard()
    try:
        assert guard.verdict(value) is Verdict.ABSENT
    except ParseError as error:
        assert error.status == 400


# --- The URI -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claimed", "asked"),
    [
        ("sip:valmont.example", "sip:valmont.example"),
        ("sip:VALMONT.example", "sip:valmont.example"),
        ("sip:valmont.example;transport=UDP", "sip:valmont.example"),
        ("sip:valmont.example", "sip:valmont.example;transport=tcp"),
        ("sip:valmont.example;x=1;y=2", "sip:valmont.example;x=3"),
        ("sip:%31002@valmont.example", "sip:1002@valmont.example"),
    ],
)
def test_the_uri_is_compared_with_its_parameters_ignored(claimed: str, asked: str) -> None:
    """RFC 7616 section 3.4.6, RFC 3261 section 19.1.4; pyVoIP adds ;transport=UDP."""
    guard = Guard()
    assert guard.verdict(guard.answer(guard.nonce(), uri=claimed), uri=asked) is Verdict.ACCEPTED


@pytest.mark.parametrize("claimed", ["sip:1003@valmont.example", "sip:valmont.example", "sip:1002@other"])
def test_credentials_for_another_uri_are_a_bad_request(claimed: str) -> None:
    """RFC 7616 section 3.4.6."""
    guard = Guard()
    with pytest.raises(RemoteProtocolError) as caught:
        guard.verdict(guard.answer(guard.nonce(), uri=claimed), uri="sip:1002@valmont.example")
    assert caught.value.status == 400


def test_an_old_client_that_signs_the_server_alone_is_accepted() -> None:
    """pyVoIP 1.6, without qop: the nonce serves once, so nothing is gained for anybody else."""
    guard = Guard()
    value = guard.answer(guard.nonce(), None, uri="sip:valmont.example;transport=UDP", algorithm="MD5")
    assert guard.verdict(value, uri="sip:1002@valmont.example") is Verdict.ACCEPTED


@pytest.mark.parametrize("claimed", ["sip:1003@valmont.example", "sip:other", "sips:1002@valmont.example"])
def test_another_uri_is_refused_without_qop_too(claimed: str) -> None:
    """RFC 7616 section 3.4.6."""
    guard = Guard()
    with pytest.raises(RemoteProtocolError):
        guard.verdict(guard.answer(guard.nonce(), None, uri=claimed), uri="sip:1002@valmont.example")


def test_the_uri_is_looked_at_only_after_the_password() -> None:
    """A stranger learns nothing from it."""
    guard = Guard()
    value = guard.answer(guard.nonce(), uri="sip:other", password="guess")
    assert guard.verdict(value) is Verdict.WRONG


# --- Nonces ------------------------------------------------------------------------------------------------


def test_a_nonce_serves_for_its_time_and_is_stale_after_it() -> None:
    """RFC 7616 section 3.3."""
    guard = Guard()
    nonce = guard.nonce()
    guard.now += NONCE_SECONDS - 1
    assert guard.verdict(guard.answer(nonce, 1)) is Verdict.ACCEPTED
    guard.now += 2
    assert guard.verdict(guard.answer(nonce, 2)) is Verdict.STALE


@pytest.mark.parametrize("nonce", ["", "x", "0" * 48, "é" * 48, "zzzzzzzz" + "0" * 40])
def test_a_nonce_that_is_not_ours_is_stale_and_never_wrong(nonce: str) -> None:
    guard = Guard()
    assert guard.verdict(guard.answer(nonce)) is Verdict.STALE
    assert guard.verdict(guard.answer(nonce, password="guess")) is Verdict.STALE


@pytest.mark.parametrize("position", [0, 7, 8, 15, 16, 47])
def test_a_nonce_with_one_digit_changed_is_stale(position: int) -> None:
    guard = Guard()
    nonce = guard.nonce()
    other = "0" if nonce[position] != "0" else "1"
    forged = nonce[:position] + other + nonce[position + 1 :]
    assert guard.verdict(guard.answer(forged)) is Verdict.STALE


def test_a_nonce_of_another_process_is_stale() -> None:
    guard, before = Guard(), Guard()
    before.server = Authenticator(REALM, b"another secret")
    assert guard.verdict(guard.answer(before.nonce())) is Verdict.STALE


def test_a_nonce_from_before_the_clock_was_set_back_is_stale() -> None:
    guard = Guard()
    nonce = guard.nonce()
    guard.now -= 500
    assert guard.verdict(guard.answer(nonce)) is Verdict.STALE


# --- Nonce counts ------------------------------------------------------------------------------------------


def verdicts(guard: Guard, nonce: str, counts: list[int]) -> list[str]:
    return [guard.verdict(guard.answer(nonce, count)).value for count in counts]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([1, 2, 3], ["accepted", "accepted", "accepted"]),
        ([1, 1], ["accepted", "stale"]),
        ([1, 3, 2], ["accepted", "accepted", "accepted"]),
        ([1, 3, 2, 2, 3], ["accepted", "accepted", "accepted", "stale", "stale"]),
        ([1, 0], ["accepted", "stale"]),
        ([2], ["stale"]),
        ([0], ["stale"]),
        ([1, 1 + WINDOW_COUNTS], ["accepted", "accepted"]),
        ([1, 2 + WINDOW_COUNTS], ["accepted", "stale"]),
        ([1, 1 + WINDOW_COUNTS, 2], ["accepted", "accepted", "accepted"]),
        ([1, 2, 2 + WINDOW_COUNTS, 2], ["accepted", "accepted", "accepted", "stale"]),
        ([1, 41, 81, 10], ["accepted", "accepted", "accepted", "stale"]),  # may have been used
        ([1, 41, 81, 18, 18], ["accepted", "accepted", "accepted", "accepted", "stale"]),
        ([1, 0xFFFFFFFF], ["accepted", "stale"]),
    ],
)
def test_a_count_serves_once_within_a_window_of_64(counts: list[int], expected: list[str]) -> None:
    """RFC 7616 section 3.4: nc lets the server see a replay."""
    guard = Guard()
    assert verdicts(guard, guard.nonce(), counts) == expected


@pytest.mark.parametrize(
    "count", ["1", "0000001", "000000001", "0000000g", "-0000001", "0x000001", "00 00001"]
)
def test_a_count_that_is_not_eight_hexadecimal_digits_is_stale(count: str) -> None:
    """RFC 7616 section 3.4."""
    guard = Guard()
    value = guard.answer(guard.nonce(), count).replace(f"nc={count}", f'nc="{count}"')
    assert guard.verdict(value) is Verdict.STALE


def test_a_wrong_password_uses_no_count() -> None:
    guard = Guard()
    nonce = guard.nonce()
    assert guard.verdict(guard.answer(nonce, 1, password="guess")) is Verdict.WRONG
    assert guard.verdict(guard.answer(nonce, 1)) is Verdict.ACCEPTED


def test_both_algorithms_share_the_counts_of_a_nonce() -> None:
    guard = Guard()
    nonce = guard.nonce()
    assert guard.verdict(guard.answer(nonce, 1, algorithm="SHA-256")) is Verdict.ACCEPTED
    assert guard.verdict(guard.answer(nonce, 1, algorithm="MD5")) is Verdict.STALE


def test_a_client_without_qop_gets_nonces_that_serve_once() -> None:
    """RFC 2069 section 2.1.2, RFC 7616 section 3.4."""
    guard = Guard()
    nonce = guard.nonce()
    assert guard.verdict(guard.answer(nonce, None, algorithm="MD5")) is Verdict.ACCEPTED
    assert guard.verdict(guard.answer(nonce, None, algorithm="MD5")) is Verdict.STALE
    assert guard.verdict(guard.answer(guard.nonce(), None, algorithm="MD5")) is Verdict.ACCEPTED


def test_a_nonce_used_with_qop_does_not_serve_without_it() -> None:
    guard = Guard()
    nonce = guard.nonce()
    assert guard.verdict(guard.answer(nonce, 1)) is Verdict.ACCEPTED
    assert guard.verdict(guard.answer(nonce, None)) is Verdict.STALE


def test_an_eviction_makes_older_nonces_stale_and_leaves_newer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window that was forgotten can't tell a replay, so its nonce and those of its age serve no more."""
    monkeypatch.setattr(digest, "MAX_WINDOWS", 2)
    guard = Guard()
    old, waiting = guard.nonce(), guard.nonce()
    assert guard.verdict(guard.answer(old, 1)) is Verdict.ACCEPTED
    guard.now += 10
    for _ in range(2):
        assert guard.verdict(guard.answer(guard.nonce(), 1)) is Verdict.ACCEPTED
    assert guard.verdict(guard.answer(old, 1)) is Verdict.STALE
    assert guard.verdict(guard.answer(waiting, 1)) is Verdict.STALE
    assert guard.verdict(guard.answer(guard.nonce(), 1)) is Verdict.ACCEPTED


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.6, 0.9])
def test_an_evicted_nonce_is_never_accepted_again_at_any_fraction_of_a_second(
    monkeypatch: pytest.MonkeyPatch, fraction: float
) -> None:
    monkeypatch.setattr(digest, "MAX_WINDOWS", 1)
    guard = Guard()
    old = guard.nonce()
    assert guard.verdict(guard.answer(old, 1)) is Verdict.ACCEPTED
    guard.now = 1010.25
    assert guard.verdict(guard.answer(guard.nonce(), 1)) is Verdict.ACCEPTED
    guard.now = 1011.0 + fraction
    assert guard.verdict(guard.answer(old, 1)) is Verdict.STALE


def test_windows_are_bounded_and_those_too_old_to_be_asked_for_are_dropped() -> None:
    guard = Guard()
    for _ in range(3000):
        guard.now += 1
        assert guard.verdict(guard.answer(guard.nonce(), 1)) is Verdict.ACCEPTED
    assert len(guard.server._windows) <= NONCE_SECONDS + 2
    assert MAX_WINDOWS == 65_536


# --- Strangers ---------------------------------------------------------------------------------------------


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every text that the server hashes."""
    texts: list[str] = []
    for algorithm, original in list(digest._HASH.items()):

        def noted(text: str, original: object = original) -> str:
            texts.append(text)
            assert callable(original)
            return str(original(text))

        monkeypatch.setitem(digest._HASH, algorithm, noted)
    yield texts


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_stranger_takes_the_same_path_as_a_wrong_password(hashes: list[str], algorithm: str) -> None:
    """RFC 7616 section 5.3: who exists can't be told from the answer, nor from what it costs."""
    guard = Guard()
    counts = []
    for username in ("1001", "nobody"):
        value = guard.answer(guard.nonce(), username=username, password="guess", algorithm=algorithm)
        hashes.clear()
        assert guard.verdict(value) is Verdict.WRONG
        counts.append(len(hashes))
    assert counts == [2, 2]


def test_a_stranger_is_not_let_in_by_the_decoys_own_hash() -> None:
    guard = Guard()
    decoy = guard.server._decoy
    nonce = guard.nonce()
    ha2 = hashed("SHA-256", f"REGISTER:{URI}")
    response = hashed("SHA-256", f"{decoy.sha256}:{nonce}:00000001:c:auth:{ha2}")
    value = (
        f'Digest username="nobody", realm="{REALM}", nonce="{nonce}", uri="{URI}", response="{response}", '
        f'algorithm=SHA-256, qop=auth, nc=00000001, cnonce="c"'
    )
    assert guard.verdict(value) is Verdict.WRONG


# --- The client's side -------------------------------------------------------------------------------------


def answered(challenges: list[str], *, proxy: bool = False) -> dict[str, str]:
    line = authorization(challenges, "trunk", "secret", "INVITE", "sip:0383@op.example", "c", proxy=proxy)
    name, _, value = line.removesuffix("\r\n").partition(": ")
    assert name == ("Proxy-Authorization" if proxy else "Authorization")
    return parse_digest(value)


def test_the_first_algorithm_that_we_know_is_taken() -> None:
    """RFC 8760 section 2.4."""
    challenges = [f'Digest realm="r", nonce="{name}", algorithm={name}' for name in ("SHA-512-256", "MD5")]
    assert answered(challenges)["nonce"] == "MD5"
    assert answered(['Digest realm="r", nonce="n", algorithm=SHA-256', *challenges])["nonce"] == "n"
    assert answered(["Basic realm=r", *challenges])["nonce"] == "MD5"


def test_a_challenge_without_qop_is_answered_without_it() -> None:
    """RFC 2069 section 2.1.2."""
    fields = answered(['Digest realm="r", nonce="n"'])
    assert not {"qop", "nc", "cnonce"} & set(fields)
    ha1, ha2 = hashed("MD5", "trunk:r:secret"), hashed("MD5", "INVITE:sip:0383@op.example")
    assert fields["response"] == hashed("MD5", f"{ha1}:n:{ha2}")


def test_a_proxys_challenge_is_answered_in_its_own_header() -> None:
    """RFC 3261 section 22.3."""
    assert answered(['Digest realm="r", nonce="n"'], proxy=True)["realm"] == "r"


def test_a_realm_with_quotes_is_hashed_without_and_written_with_escapes() -> None:
    """RFC 7616 section 3.4.2: unq(realm)."""
    fields = answered(['Digest realm="the \\"op\\"", nonce="n"'])
    assert fields["realm"] == 'the "op"'
    ha1, ha2 = hashed("MD5", 'trunk:the "op":secret'), hashed("MD5", "INVITE:sip:0383@op.example")
    assert fields["response"] == hashed("MD5", f"{ha1}:n:{ha2}")


@pytest.mark.parametrize(
    "challenges",
    [
        [],
        ["Basic realm=r"],
        ['Digest realm="r", nonce="n", algorithm=SHA-512-256'],
        ['Digest realm="r", nonce="n", qop="auth-int"'],
        ["Digest realm"],
    ],
)
def test_a_challenge_that_we_can_not_answer_is_a_parse_error(challenges: list[str]) -> None:
    with pytest.raises(ParseError):
        answered(challenges)


# --- Parameters --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ('Digest a="1",b=2', {"a": "1", "b": "2"}),
        ('digest  A = "1" ,  b=2 ', {"a": "1", "b": "2"}),
        ('Digest a="x, y=z"', {"a": "x, y=z"}),
        ('Digest a="\\"q\\" \\\\"', {"a": '"q" \\'}),
        ('Digest a=""', {"a": ""}),
        ('Digest a="é"', {"a": "é"}),
    ],
)
def test_parameters_are_read_and_unquoted(value: str, fields: dict[str, str]) -> None:
    """RFC 7616 section 3.4, RFC 3261 section 25.1."""
    assert parse_digest(value) == fields


@pytest.mark.parametrize(
    "value", ["Basic x", 'Digest a="1",a="2"', 'Digest a="1', "Digest =1", 'Digest a="1" b="2"']
)
def test_malformed_parameters_are_parse_errors(value: str) -> None:
    with pytest.raises(ParseError):
        parse_digest(value)
