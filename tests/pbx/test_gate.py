"""The gate, by itself: who is read, who is answered, who is banned. Time is a value."""

from __future__ import annotations

import random
from ipaddress import ip_network

import pytest

from pbx.defence.bans import BAN_SECONDS, Bans, KeptBans, read_source
from pbx.defence.gate import FLOOD, MALFORMED, STRIKES, Gate, Settings, Standing
from pbx.defence.limit import Limit
from pbx.events import AddressBanned, Events
from pbx.kept import KeptError, read_kept, write_kept

STRANGER = "203.0.113.66"
SITE = "10.54.1.10"
TRUNK = "198.51.100.5"
UNIX_NOW = 1_700_000_000.0


class Clock:
    """Loop seconds and Unix seconds, which pass together."""

    def __init__(self) -> None:
        self.now = 100.0

    def unix(self) -> float:
        return UNIX_NOW + self.now


class Door(Gate):
    """A gate with a site's network, a trunk and a clock of its own; `told` is what it told of bans."""

    def __init__(self, settings: Settings | None = None, kept: KeptBans | None = None) -> None:
        self.time = Clock()
        self.told: list[AddressBanned] = []
        events = Events(self.time.unix)
        events.subscribe(self.told.append, AddressBanned)
        super().__init__(
            clock=self.time.unix,
            is_ours=lambda host: host.startswith("10.54.") or host == TRUNK,
            settings=settings,
            kept=kept,
            events=events,
        )

    @property
    def now(self) -> float:
        return self.time.now

    def messages(self, host: str, count: int) -> int:
        """How many of so many messages at one instant are read."""
        return sum(self.admits(host, self.now) for _ in range(count))

    def guess(self, host: str, names: int) -> None:
        for number in range(names):
            self.wrong_credentials(host, f"user{number}", self.now, known_user=False)


def test_a_limit_allows_a_burst_and_then_its_rate():
    limit = Limit(per_second=2, burst=5)
    assert [limit.allows("a", 0.0) for _ in range(6)] == [True] * 5 + [False]
    assert [limit.allows("a", 0.5), limit.allows("a", 0.5)] == [True, False]


def test_a_limit_is_for_each_key():
    limit = Limit(per_second=1, burst=1)
    assert limit.allows("a", 0.0)
    assert limit.allows("b", 0.0)
    assert not limit.allows("a", 0.0)


def test_a_limit_forgets_the_least_recent_key_when_it_is_full():
    limit = Limit(per_second=0.001, burst=1, most_keys=2)
    for key in ("a", "b", "a", "c"):
        limit.allows(key, 0.0)
    assert len(limit) == 2
    assert limit.allows("b", 0.0) or limit.allows("a", 0.0)


def test_what_is_given_back_can_be_taken_again():
    limit = Limit(per_second=0.001, burst=1)
    assert limit.allows("a", 0.0)
    limit.give_back("a")
    assert limit.allows("a", 0.0)


def test_a_stranger_is_heard_so_many_times_a_second():
    door = Door(Settings(messages_per_second=50))
    assert door.messages(STRANGER, 60) == 50
    door.time.now += 1
    assert door.messages(STRANGER, 60) == 50


@pytest.mark.parametrize("host", [SITE, TRUNK, "127.0.0.1", "::1", "::ffff:10.54.1.10"])
def test_ours_is_always_heard(host: str):
    assert Door(Settings(messages_per_second=5)).messages(host, 1000) == 1000


def test_loopback_is_a_stranger_where_asked():
    door = Door(Settings(ban_loopback=True, messages_per_second=5))
    assert door.messages("127.0.0.1", 1000) == 5


def test_a_flood_is_banned_and_then_not_read_at_all():
    door = Door()
    door.messages(STRANGER, 1000)
    assert [told.source for told in door.told] == [STRANGER]
    door.time.now += 10
    assert door.messages(STRANGER, 10) == 0


def test_a_ban_ends_by_itself():
    door = Door()
    door.messages(STRANGER, 1000)
    door.time.now += BAN_SECONDS[0] + 1
    assert door.messages(STRANGER, 1) == 1
    assert door.bans_in_force() == []


def test_five_unknown_names_are_not_banned_and_six_are():
    door = Door()
    door.guess(STRANGER, 5)
    assert door.told == []
    door.guess(STRANGER, 1)
    assert [told.source for told in door.told] == [STRANGER]
    assert "wrong credentials" in door.told[0].why


def test_each_proven_ban_is_longer_than_the_one_before():
    door = Door()
    lengths = []
    for _ in range(len(BAN_SECONDS) + 1):
        door.guess(STRANGER, 6)
        (ban,) = door.bans_in_force()
        lengths.append(ban.until - ban.since)
        door.time.now += lengths[-1] + 1
        door.messages(STRANGER, 1)
    assert lengths == pytest.approx([*BAN_SECONDS, BAN_SECONDS[-1]])


def test_forged_evidence_earns_the_shortest_ban_again_and_again():
    """Nobody can be locked out for long by datagrams in his name."""
    door = Door()
    for _ in range(4):
        door.messages(STRANGER, 1000)
        (ban,) = door.bans_in_force()
        assert ban.until - ban.since == pytest.approx(BAN_SECONDS[0])
        door.time.now += BAN_SECONDS[0] + 1
        door.messages(STRANGER, 1)


def test_where_a_telephone_signed_in_nobody_is_banned():
    door = Door()
    door.welcome(STRANGER)
    door.guess(STRANGER, 100)
    door.accuse(STRANGER, STRIKES, "anything", door.now)
    assert door.messages(STRANGER, 1000) == 1000
    assert door.told == []


def test_a_source_is_familiar_for_days_and_no_longer():
    door = Door()
    door.welcome(STRANGER)
    door.time.now += 6 * 86_400
    assert door.standing(STRANGER) is Standing.FAMILIAR
    door.time.now += 2 * 86_400
    assert door.standing(STRANGER) is Standing.STRANGER


def test_a_failing_account_is_throttled_and_the_others_are_not():
    door = Door()
    door.welcome(STRANGER)
    for _ in range(10):
        door.wrong_credentials(STRANGER, "1001", door.now, known_user=True)
    assert door.tries_too_often(STRANGER, "1001", door.now)
    assert not door.tries_too_often(STRANGER, "1002", door.now)


def test_failures_from_one_place_lock_the_account_nowhere_else():
    door = Door()
    for _ in range(100):
        door.wrong_credentials(STRANGER, "1001", door.now, known_user=True)
    assert not door.tries_too_often(SITE, "1001", door.now)
    assert not door.tries_too_often("203.0.113.67", "1001", door.now)


def test_an_account_may_be_tried_again_after_a_while():
    door = Door()
    for _ in range(100):
        door.wrong_credentials(SITE, "1001", door.now, known_user=True)
    door.time.now += 40
    assert not door.tries_too_often(SITE, "1001", door.now)


@pytest.mark.parametrize(
    "agent", ["friendly-scanner", "sipcli/v1.8", "SIPVicious 0.3", "sundayddr", "pplsip", "VaxSIPUserAgent/3"]
)
def test_a_scanner_that_says_its_name_is_banned_at_once(agent: str):
    door = Door()
    assert not door.answers_stranger(STRANGER, door.now, agent)
    assert agent in door.told[0].why


@pytest.mark.parametrize(
    "agent",
    [
        "Yealink SIP-T46U 108.86.0.20",
        "snomD785/10.1",
        "Grandstream GXP2170",
        "baresip v1.0.0",
        "Linphone",
        "SIPp",
        "PolyEdge",
        "MicroSIP/3.21",
        "",
    ],
)
def test_a_telephone_is_no_scanner(agent: str):
    door = Door()
    assert door.answers_stranger(STRANGER, door.now, agent)
    assert door.told == []


def test_a_scanner_on_a_site_is_not_banned():
    door = Door()
    assert door.answers_stranger(SITE, door.now, "friendly-scanner")
    assert door.told == []


def test_a_stranger_gets_some_challenges_and_then_silence():
    door = Door()
    answered = sum(door.answers_stranger(STRANGER, door.now) for _ in range(80))
    assert answered == 50


def test_strangers_from_everywhere_are_answered_only_so_often_together():
    door = Door()
    hosts = [f"198.18.{number // 250}.{number % 250 + 1}" for number in range(3000)]
    assert sum(door.answers_stranger(host, door.now) for host in hosts) == 2000
    assert door.answers_stranger(SITE, door.now)
    door.welcome(STRANGER)
    assert door.answers_stranger(STRANGER, door.now)
    assert door.told == []


def test_in_a_flood_from_everywhere_a_stranger_that_was_not_answered_is_not_read_for_the_rest_of_the_second():
    door = Door()
    for number in range(2000):
        door.admits(f"198.18.{number // 250}.{number % 250 + 1}", door.now)
        door.answers_stranger(f"198.18.{number // 250}.{number % 250 + 1}", door.now)
    assert door.admits(STRANGER, door.now)
    assert not door.answers_stranger(STRANGER, door.now)
    assert not door.admits(STRANGER, door.now)
    door.time.now += 1.0
    assert door.admits(STRANGER, door.now)


def test_in_a_flood_from_everywhere_a_source_with_a_telephone_of_ours_is_still_read():
    door = Door()
    for number in range(2000):
        door.answers_stranger(f"198.18.{number // 250}.{number % 250 + 1}", door.now)
    assert not door.answers_stranger(STRANGER, door.now)
    door.welcome(STRANGER)
    assert door.admits(STRANGER, door.now)


def test_challenges_that_were_answered_well_cost_nothing():
    door = Door()
    for _ in range(500):
        assert door.answers_stranger(STRANGER, door.now)
        door.welcome(STRANGER)


def test_a_new_office_whose_telephones_all_start_at_once_is_not_banned():
    """200 telephones behind one address that is still unknown, challenged before the first one answers."""
    door = Door()
    for _ in range(200):
        door.answers_stranger(STRANGER, door.now)
    door.welcome(STRANGER)
    assert door.answers_stranger(STRANGER, door.now)
    assert door.told == []


def test_a_device_registers_and_calls_only_so_often():
    door = Door(Settings(registrations_per_minute=6, calls_per_minute=12))
    assert sum(door.allows_register(STRANGER, "1001", door.now) for _ in range(20)) == 6
    assert sum(door.allows_call(STRANGER, "1001", door.now) for _ in range(20)) == 12
    assert door.allows_register(STRANGER, "1002", door.now)
    door.time.now += 10
    assert door.allows_register(STRANGER, "1001", door.now)


def test_an_ipv6_source_is_its_64():
    door = Door()
    door.guess("2001:db8:1:2::a", 3)
    door.guess("2001:db8:1:2::b", 3)
    assert [ban.source for ban in door.bans_in_force()] == ["2001:db8:1:2::/64"]
    assert door.messages("2001:db8:1:2:ffff::1", 3) == 0
    assert door.messages("2001:db8:1:3::1", 3) == 3


def test_malformed_messages_add_up():
    door = Door()
    for _ in range(21):
        door.accuse(STRANGER, MALFORMED, "malformed messages", door.now)
    assert len(door.told) == 1


def test_points_are_forgiven_with_time():
    door = Door()
    for _ in range(200):
        door.accuse(STRANGER, MALFORMED, "malformed messages", door.now)
        door.time.now += 30
    assert door.told == []


@pytest.mark.parametrize("source", [SITE, TRUNK, "127.0.0.1", "192.0.2.9"])
def test_ours_can_not_be_banned_by_hand_either(source: str):
    door = Door(Settings(never_ban=(ip_network("192.0.2.0/24"),)))
    with pytest.raises(ValueError, match="never banned"):
        door.ban(source, "by hand", 60)
    assert door.messages(source, 1000) == 1000


def test_a_ban_by_hand_holds_for_a_familiar_source_too():
    door = Door()
    door.welcome(STRANGER)
    door.ban(STRANGER, "by hand", 3600)
    assert door.messages(STRANGER, 5) == 0


def test_a_ban_that_is_lifted_is_over_at_once():
    door = Door()
    door.guess(STRANGER, 6)
    assert door.lift(STRANGER)
    assert door.messages(STRANGER, 5) == 5
    assert not door.lift(STRANGER)


def test_a_restart_keeps_bans_and_who_is_familiar(tmp_path):
    before = Door()
    before.guess(STRANGER, 6)
    before.welcome("203.0.113.9")
    write_kept(tmp_path / "bans.json", before.kept())
    after = Door(kept=read_kept(tmp_path / "bans.json", KeptBans))
    assert after.messages(STRANGER, 5) == 0
    assert after.standing("203.0.113.9") is Standing.FAMILIAR
    assert (tmp_path / "bans.json").stat().st_mode & 0o777 == 0o600


def test_after_a_restart_the_next_ban_is_longer():
    before = Door()
    before.guess(STRANGER, 6)
    after = Door(kept=before.kept())
    after.time.now += BAN_SECONDS[0] + 1
    after.messages(STRANGER, 1)
    after.guess(STRANGER, 6)
    (ban,) = after.bans_in_force()
    assert ban.until - ban.since == pytest.approx(BAN_SECONDS[1])


@pytest.mark.parametrize(
    "text", ["", "{", '{"bans": 3}', '{"bans": [{"source": 1}]}', "\x00" * 100, "[" * 100_000]
)
def test_a_damaged_file_is_an_error_with_its_place(tmp_path, text: str):
    file = tmp_path / "bans.json"
    file.write_text(text)
    with pytest.raises(KeptError, match=r"bans\.json"):
        read_kept(file, KeptBans)


def test_what_a_stranger_wrote_stays_on_one_line():
    door = Door()
    for number in range(6):
        door.wrong_credentials(STRANGER, f"a\r\nb\x1b[2J{number}", door.now, known_user=False)
    assert door.told[0].why.isprintable()


def test_bans_are_bounded_and_the_first_to_end_makes_room(monkeypatch):
    monkeypatch.setattr("pbx.defence.bans.MOST_BANS", 3)
    bans = Bans()
    for number in range(5):
        bans.add(f"203.0.113.{number}", "x", UNIX_NOW + number)
    assert [ban.source for ban in bans.in_force(UNIX_NOW + 5)] == [
        f"203.0.113.{number}" for number in (2, 3, 4)
    ]


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7/32", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::/64", "2001:db8::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_a_source_is_read_as_a_person_writes_it(text: str, source: str):
    assert read_source(text) == source


@pytest.mark.parametrize(
    "text", ["", "10.0.0.0/8", "2001:db8::/32", "host.example", "1.2.3", "203.0.113.7/33"]
)
def test_what_is_no_source_is_refused(text: str):
    with pytest.raises(ValueError):
        read_source(text)


def test_ten_thousand_sources_cost_bounded_room():
    door = Door()
    chance = random.Random(1)
    for _ in range(100_000):
        host = f"198.18.{chance.randrange(256)}.{chance.randrange(256)}"
        door.admits(host, door.now)
        door.accuse(host, FLOOD, "x", door.now)
        door.time.now += 0.001
    assert len(door._strikes) <= 65_536
    assert len(door._heard) <= 1001


def test_ours_and_familiar_sources_are_known_and_strangers_are_not():
    door = Door()
    assert door.knows(SITE)
    assert door.knows("127.0.0.1")
    assert not door.knows(STRANGER)
    door.welcome(STRANGER)
    door.welcome("2001:db8::1")
    assert door.knows(STRANGER)
    assert door.knows("2001:db8::2")  # of the same /64
