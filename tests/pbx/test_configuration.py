"""The configuration: its defaults, its sample, and each mistake with its place."""

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialplan.finding import PlanError
from pbx.configuration import find_configuration, load_configuration, parse_configuration
from pbx.settings.media import Media
from pbx.settings.recordings import Bucket, Timestamp
from pbx.settings.values import PRIVATE_NETWORKS, Listen, Secret
from pbx.settings.web import Web

EXAMPLE = Path(__file__).parents[2] / "examples" / "beffroi.yaml"
HERE = Path("/srv/town/beffroi.yaml")


def errors(text: str) -> list[str]:
    with pytest.raises(PlanError) as caught:
        parse_configuration(text, HERE)
    return [str(finding).removeprefix("/srv/town/beffroi.yaml:") for finding in caught.value.findings]


def test_the_example_is_read():
    configuration = load_configuration(EXAMPLE)
    assert configuration.domain == "localhost"
    assert configuration.plan == EXAMPLE.parent / "valmont.yaml"
    assert configuration.data_dir == EXAMPLE.parent / "data"
    assert configuration.sip.udp == (Listen("127.0.0.1", 5060),)
    assert configuration.media == Media("auto", (ipaddress.ip_address("127.0.0.1"),), 20000, 29999)
    assert configuration.recordings.directory == EXAMPLE.parent / "data" / "recordings"


def test_music_and_voices_are_files_beside_the_configuration():
    text = "media: {music: hold.wav, voices: {fr: voices/fr.onnx, en: /opt/en.onnx}}"
    media = parse_configuration(text, HERE).media
    assert media.music == HERE.parent / "hold.wav"
    assert dict(media.voices) == {"fr": HERE.parent / "voices" / "fr.onnx", "en": Path("/opt/en.onnx")}


def test_every_key_of_the_example_does_something():
    assert load_configuration(EXAMPLE).notes == ()


def test_an_empty_file_is_a_configuration_that_works():
    configuration = parse_configuration("", HERE)
    assert configuration.data_dir == Path("/srv/town/data")
    assert configuration.plan == Path("/srv/town/plan.yaml")
    assert configuration.database == "sqlite:////srv/town/data/beffroi.sqlite3"
    assert configuration.sqlite_file == Path("/srv/town/data/beffroi.sqlite3")
    assert configuration.journal_dir == Path("/srv/town/data/journal")
    assert configuration.sip.udp == configuration.sip.tcp == (Listen("0.0.0.0", 5060),)
    assert configuration.media == Media("auto", (), 20000, 29999)
    assert [str(network) for network in configuration.local_networks] == list(PRIVATE_NETWORKS)
    assert configuration.external_address is None
    assert configuration.log.level == "info"
    assert configuration.notes == ()


def test_paths_are_relative_to_the_file_and_absolute_ones_stay():
    configuration = parse_configuration("data_dir: /var/lib/beffroi\nplan: ../plans/town.yaml", HERE)
    assert configuration.data_dir == Path("/var/lib/beffroi")
    assert configuration.plan == Path("/srv/town/../plans/town.yaml")
    assert configuration.recordings.key_file == Path("/var/lib/beffroi/recording.pub")


def test_a_folder_with_a_question_mark_in_its_name_is_where_the_database_is():
    configuration = parse_configuration("data_dir: why?", HERE)
    assert configuration.sqlite_file == Path("/srv/town/why?/beffroi.sqlite3")


def test_an_address_may_be_one_or_a_list_or_none():
    sip = parse_configuration(
        "sip: {udp: ['[::1]:5060', 192.0.2.1:5070], tcp: [], ws: 127.0.0.1:0}", HERE
    ).sip
    assert sip.udp == (Listen("::1", 5060), Listen("192.0.2.1", 5070))
    assert [str(listen) for listen in sip.udp] == ["[::1]:5060", "192.0.2.1:5070"]
    assert sip.tcp == ()
    assert sip.ws == (Listen("127.0.0.1", 0),)


def test_a_postgresql_database_has_no_file_and_its_password_is_not_shown():
    configuration = parse_configuration("database: postgresql://u:hushhush@db/beffroi", HERE)
    assert configuration.sqlite_file is None
    assert "hushhush" not in repr(configuration)


def test_every_mistake_is_told_at_once_with_its_place_and_a_mend():
    found = errors(
        "data_dri: x\n"
        "sip: {udp: foo, upd: 1.2.3.4:1, key: k.pem}\n"
        "media: {engine: pyton, ports: 9-1}\n"
        "local_networks: [10.0.0.1/8]\n"
        "log: {level: trace}\n"
    )
    assert found == [
        '1:1: unknown key "data_dri"; did you mean "data_dir"?',
        '2:12: "foo" is no address with a port; such as 192.0.2.1:5060, [2001:db8::1]:5060 or 0.0.0.0:5060',
        '2:17: unknown key "upd"; did you mean "udp"?',
        '2:38: "key" needs "certificate" beside it',
        '3:17: unknown engine "pyton"; did you mean "python"?',
        "3:31: expected two ports between 1024 and 65535; such as 20000-29999",
        '4:18: "10.0.0.1/8" is no network; such as 10.0.0.0/8',
        '5:14: unknown level "trace"; known: debug, error, info, warning',
    ]


@pytest.mark.parametrize(
    "text",
    [
        "sip: {udp: 1.2.3.4}",
        "sip: {udp: '1.2.3.4:'}",
        "sip: {udp: '1.2.3.4:65536'}",
        "sip: {udp: '1.2.3.4:-1'}",
        "sip: {udp: '1.2.3.4:٥٠٦٠'}",
        "sip: {udp: '::1:5060'}",
        "sip: {udp: [1.2.3.4:5060, 1.2.3.4:5060]}",
        "sip: {udp: {a: b}}",
        "sip: [udp]",
        "media: {ports: 20000-20002}",
        "media: {ports: 80-90}",
        "media: {threads: 0}",
        "media: {threads: 65}",
        "media: {voices: {xx: a.onnx}}",
        "media: {voices: [a.onnx]}",
        "media: {ports: 60000-70000}",
        "media: {address: 0.0.0.0}",
        "media: {address: []}",
        "media: {address: [192.0.2.1, 192.0.2.2]}",
        "external_address: 224.0.0.1",
        "external_address: -pbx.example",
        "external_address: 203.0.113",
        "sip: {keep_alive_seconds: 5}",
        "domain: 'a b'",
        "domain: ''",
        "plan: ''",
        "data_dir: [a]",
        "database: mysql://a/b",
        "database: sqlite://",
        "database: 'postgresql://h:port/x'",
        "local_networks: 10.0.0.0/8",
        "log: {sip_trace: maybe}",
        "- a\n- b",
        "web: 8080",
        "mail: {host: smtp.example.org}",
        "mail: {host: a b, from: a@b.example}",
        "mail: {host: smtp.example.org, from: nobody}",
        "mail: {host: smtp.example.org, from: a@b.example, tls: perhaps}",
        "mail: {host: smtp.example.org, from: a@b.example, username: a}",
        "mail: {host: smtp.example.org, from: a@b.example, username: a, password: hushhush}",
        "mail: {host: smtp.example.org, from: a@b.example, username: a, password: {}}",
        "recordings: {when_full: panic}",
        "recordings: {warn_days: 0}",
        "recordings: {timestamp: {url: 'https://tsa.example'}}",
        "recordings: {timestamp: {url: 'ftp://tsa.example', ca_file: tsa.pem}}",
        "recordings: {timestamp: {url: 'https://tsa.example:x', ca_file: tsa.pem}}",
        "recordings: {copy_to: 's3:/bucket'}",
        "recordings: {copy_to: 's3://bucket/../other'}",
        "recordings: {copy_to: /mnt/nas, s3: {region: eu-west-3}}",
        "recordings: {copy_to: 's3://bucket', s3: {access_key: town}}",
        "recordings: {copy_to: 's3://bucket', s3: {access_key: town, secret_key: hushhush}}",
    ],
)
def test_what_cannot_be_is_an_error_with_its_line(text):
    assert all(finding.startswith(("1:", "2:")) for finding in errors(text))


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_of_mail_follows_its_encryption(tls, port):
    mail = parse_configuration(f"mail: {{host: smtp.example.org, from: a@b.example, tls: {tls}}}", HERE).mail
    assert (mail.port, mail.encryption) == (port, tls)


def test_recordings_are_stamped_by_an_authority_and_copied_to_a_folder():
    text = """
recordings:
  when_full: oldest_first
  timestamp: {url: "https://tsa.example/tsr", ca_file: tsa.pem, every_minutes: 15}
  copy_to: /mnt/nas
"""
    recordings = parse_configuration(text, HERE).recordings
    assert (recordings.when_full, recordings.warn_days) == ("oldest_first", 14)
    assert recordings.timestamp == Timestamp("https://tsa.example/tsr", HERE.parent / "data/tsa.pem", 900.0)
    assert recordings.copy_to == Path("/mnt/nas")


def test_recordings_are_copied_to_a_bucket_whose_secret_key_is_elsewhere():
    text = """
recordings:
  copy_to: s3://calls/valmont/fire
  s3: {endpoint: "http://[::1]:9000", region: eu-west-3, access_key: town, secret_key: {file: s3.secret}}
"""
    copied = parse_configuration(text, HERE).recordings.copy_to
    assert str(copied) == "s3://calls/valmont/fire"
    assert copied == Bucket(
        "calls",
        "valmont/fire",
        "http://[::1]:9000",
        "eu-west-3",
        "town",
        Secret(file=HERE.parent / "data" / "s3.secret"),
    )


def test_the_password_of_mail_is_elsewhere():
    text = "mail: {host: m, from: a@b.example, username: u, password: {file: secret}}"
    assert parse_configuration(text, HERE).mail.password == Secret(file=HERE.parent / "secret")
    assert parse_configuration(text.replace("file:", "env:"), HERE).mail.password == Secret(env="secret")
    assert "hushhush" not in " ".join(errors(text.replace("{file: secret}", "hushhush")))


def test_a_wrong_database_is_told_without_its_password():
    assert "hushhush" not in " ".join(errors("database: mysql://root:hushhush@db/x"))


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_any_text_is_a_configuration_or_an_error_with_findings(text):
    try:
        parse_configuration(text, HERE)
    except PlanError as error:
        assert error.findings


VALUES = st.recursive(
    st.sampled_from(["", "~", "1", "a", "1.2.3.4:5060", "true", "0x10", "sqlite:///x", "::1", '""']),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | st.dictionaries(st.sampled_from(["udp", "engine", "dir", "level", "x"]), inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        )
    ),
    max_leaves=6,
)
KEYS = ["data_dir", "domain", "plan", "database", "sip", "web", "external_address", "local_networks", "media"]


@given(st.dictionaries(st.sampled_from([*KEYS, "recordings", "log"]), VALUES))
def test_any_value_of_any_key_is_read_or_refused_in_words(values):
    text = "\n".join(f"{key}: {value}" for key, value in values.items())
    try:
        parse_configuration(text, HERE)
    except PlanError as error:
        assert error.findings


def test_a_given_file_is_taken_and_must_exist(tmp_path):
    path = tmp_path / "town.yaml"
    with pytest.raises(PlanError, match="there is no such file"):
        find_configuration(path)
    path.touch()
    assert find_configuration(path) == path


def test_a_file_here_comes_before_the_system_one(tmp_path):
    (tmp_path / "beffroi.yaml").touch()
    assert find_configuration(None, tmp_path) == tmp_path / "beffroi.yaml"


def test_no_configuration_anywhere_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("pbx.configuration.SYSTEM_FILE", tmp_path / "etc" / "beffroi.yaml")
    with pytest.raises(PlanError, match="beffroi init"):
        find_configuration(None, tmp_path)


def test_a_file_that_cannot_be_read_is_an_error_in_words(tmp_path):
    with pytest.raises(PlanError, match="can't be read"):
        load_configuration(tmp_path)


def test_a_name_that_cannot_be_looked_up_is_an_error_in_words():
    with pytest.raises(PlanError, match="can't be read: File name too long"):
        find_configuration(Path("x" * 300))


def test_rtpengine_has_a_pool_of_daemons_and_a_place_for_digits():
    text = 'media: {engine: rtpengine, rtpengine: ["192.0.2.8:2223", "[2001:db8::8]:2223"]}'
    media = parse_configuration(text, HERE).media
    assert media.rtpengine == (Listen("192.0.2.8", 2223), Listen("2001:db8::8", 2223))
    assert media.rtpengine_digits == Listen("127.0.0.1", 2224)
    assert not media.has_process


@pytest.mark.parametrize(
    "text",
    ["rtpengine: []", "rtpengine: 192.0.2.8:0", 'rtpengine_digits: ["192.0.2.8:1", "192.0.2.9:2"]'],
)
def test_daemons_without_a_port_are_an_error(text):
    with pytest.raises(PlanError, match=r"such as 127\.0\.0\.1:222"):
        parse_configuration(f"media: {{engine: rtpengine, {text}}}\n", HERE)


@pytest.mark.parametrize(
    ("text", "idle"),
    [
        ("{engine: rtpengine, ports: 20000-20100}", "ports"),
        ("{engine: native, rtpengine: 192.0.2.8:2223}", "rtpengine"),
    ],
)
def test_a_key_of_another_engine_is_a_note(text, idle):
    (note,) = parse_configuration(f"media: {text}\n", HERE).notes
    assert (note.severity, note.message) == ("note", f"`{idle}:` does nothing with this media engine")


@pytest.mark.parametrize("engine", ["auto", "native", "python", "passthrough", "rtpengine"])
def test_an_engine_that_works_is_not_worth_a_word(engine):
    assert parse_configuration(f"media: {{engine: {engine}}}\n", HERE).notes == ()


@pytest.mark.parametrize(
    ("text", "deaf"),
    [
        ('sip: {udp: ["192.0.2.1:5060", "[::]:5060"]}\nmedia: {address: 192.0.2.1}', "IPv6 ([::]:5060)"),
        ('media: {address: "2001:db8::1"}', "IPv4 (0.0.0.0:5060)"),
    ],
)
def test_telephones_that_could_not_be_heard_are_told(text, deaf):
    (note,) = parse_configuration(text, HERE).notes
    assert (note.code, note.severity) == ("no_sound", "warning")
    assert f"telephones on {deaf} can't be heard" in note.message


@pytest.mark.parametrize(
    "text",
    [
        'sip: {udp: "[2001:db8::1]:5060", tcp: "[2001:db8::1]:5060"}',
        'sip: {udp: ["192.0.2.1:5060", "[::]:5060"]}\nmedia: {engine: passthrough, address: 192.0.2.1}',
        'sip: {udp: ["192.0.2.1:5060", "[::]:5060"]}',
        'sip: {udp: ["192.0.2.1:5060", "[::]:5060"]}\nmedia: {address: [192.0.2.1, "2001:db8::1"]}',
        "sip: {udp: [], tcp: []}",
    ],
)
def test_telephones_that_are_heard_are_not_worth_a_word(text):
    assert parse_configuration(text, HERE).notes == ()


def test_pages_that_may_open_a_websocket_are_named_by_origin():
    """RFC 6454 section 6.2."""
    one = parse_configuration("sip: {websocket_origins: https://WWW.valmont.example}", HERE)
    assert one.sip.websocket_origins == ("https://www.valmont.example",)
    two = parse_configuration('sip: {websocket_origins: ["http://a:8080", "https://[2001:db8::1]"]}', HERE)
    assert two.sip.websocket_origins == ("http://a:8080", "https://[2001:db8::1]")


@pytest.mark.parametrize("origin", ["www.valmont.example", "https://www.valmont.example/", "*", "wss://a"])
def test_what_is_no_origin_is_an_error(origin: str):
    assert errors(f"sip: {{websocket_origins: '{origin}'}}") == [
        f'1:26: "{origin}" is no origin of a web page; such as https://www.valmont.example, without a path'
    ]


@pytest.mark.parametrize(("ports", "kept"), [("20000-29999", 8), ("20000-20009", 2), ("20001-20010", 2)])
def test_pairs_for_emergency_calls_are_eight_or_half_of_a_few(ports: str, kept: int):
    assert parse_configuration(f"media: {{ports: {ports}}}", HERE).media.emergency_pairs == kept


def test_pairs_for_emergency_calls_are_what_is_written():
    text = "media: {ports: 20000-20009, emergency_pairs: 1}"
    assert parse_configuration(text, HERE).media.emergency_pairs == 1


def test_more_than_half_of_the_pairs_kept_is_an_error_with_its_place():
    (error,) = errors("media: {ports: 20000-20009, emergency_pairs: 3}")
    assert error.startswith("1:46: 3 pairs of ports are kept for emergency calls, and there are 5 in `ports`")


# The pages


def web(text: str) -> Web:
    return parse_configuration(f"web: {text}", HERE).web


def test_pages_are_heard_everywhere_over_tls_unless_something_else_is_written():
    settings = parse_configuration("", HERE).web
    assert settings.listen == (Listen("0.0.0.0", 8080),)
    assert settings.is_tls(settings.listen[0])


def test_pages_have_an_address_several_or_none():
    assert web("127.0.0.1:8080").listen == (Listen("127.0.0.1", 8080),)
    assert web("[127.0.0.1:8080, '[::1]:8080']").listen == (Listen("127.0.0.1", 8080), Listen("::1", 8080))
    assert web("[]").listen == ()


@pytest.mark.parametrize(
    ("tls", "loopback", "elsewhere"),
    [("auto", False, True), ("always", True, True), ("never", False, False)],
)
def test_where_pages_speak_tls(tls: str, loopback: bool, elsewhere: bool):
    settings = web(f"{{tls: {tls}}}")
    assert settings.is_tls(Listen("127.0.0.1", 8080)) == settings.is_tls(Listen("::1", 8080)) == loopback
    assert settings.is_tls(Listen("192.0.2.1", 8080)) == elsewhere


def test_what_pages_show_and_whom_they_believe():
    settings = web(
        "{listen: 127.0.0.1:80, certificate: a.crt, key: a.key, public_url: 'https://Pbx.example/', "
        "proxies: [10.0.0.5/32]}"
    )
    assert settings.certificates == ((HERE.parent / "a.crt", HERE.parent / "a.key"),)
    assert settings.public_url == "https://pbx.example"
    assert [str(network) for network in settings.proxies] == ["10.0.0.5/32"]


@pytest.mark.parametrize(
    "wrong", ["https://x.example/path", "x.example", "ftp://x.example", "https://x:99999"]
)
def test_what_is_no_public_address_is_an_error_with_its_place(wrong: str):
    (message,) = errors(f"web: {{public_url: '{wrong}'}}")
    assert message.startswith("1:")
    assert "where a browser finds the pages" in message


def test_an_unknown_key_of_the_pages_is_an_error():
    (message,) = errors("web: {lisen: 127.0.0.1:8080}")
    assert "lisen" in message
