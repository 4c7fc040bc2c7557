"""The files of telephones: as they are in `golden`, the same each time, and nothing in them that nobody
meant.
"""

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.brand import Brand, BrandError, brand_of_mac, load_brands, recognise
from provisioning.rendering import RenderingError, render, render_pointer, settings_of
from provisioning.telephone import Account, Change, Energy, Key
from provisioning.zones import zone
from tests.provisioning.telephones import KEYS, telephone

GOLDEN = Path(__file__).parent / "golden"
BRANDS = load_brands()
MODELS = [(name, model) for name, brand in BRANDS.items() for model in brand.models]
MAKERS = ["fanvil", "grandstream", "snom", "yealink"]


@pytest.mark.parametrize(("name", "model"), MODELS)
def test_a_model_gets_the_files_that_are_in_golden(name: str, model: str):
    files = render(BRANDS[name], telephone(BRANDS[name], model))
    folder = GOLDEN / name / model
    if os.environ.get("BEFFROI_WRITE_GOLDEN"):
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


def test_golden_holds_no_model_that_is_gone():
    assert sorted((path.parent.name, path.name) for path in GOLDEN.glob("*/*")) == sorted(MODELS)


@pytest.mark.parametrize(("name", "model"), MODELS)
def test_the_same_telephone_gets_the_same_bytes(name: str, model: str):
    brand = BRANDS[name]
    assert render(brand, telephone(brand, model)) == render(load_brands()[name], telephone(brand, model))


@pytest.mark.parametrize(("name", "model"), MODELS)
def test_secrets_are_in_files_that_hold_secrets_alone(name: str, model: str):
    brand = BRANDS[name]
    phone = telephone(brand, model)
    secrets = [phone.accounts[0].password, phone.web_password, "gX2wqPz0aVbC1dEfGhIjKl", "nB4kLs9d"]
    contents = list(render(brand, phone).values())
    for file, content in zip(brand.files, contents, strict=True):
        found = [secret for secret in secrets if secret.encode() in content]
        assert bool(found) == (file.holds == "secrets"), (file.path, found)


@pytest.mark.parametrize("name", MAKERS)
def test_a_common_file_names_nobody(name: str):
    brand = BRANDS[name]
    model = next(iter(brand.models))
    for file, content in zip(brand.files, render(brand, telephone(brand, model)).values(), strict=True):
        if file.common:
            assert b"2010" not in content and "Élodie".encode() not in content


@pytest.mark.parametrize("name", MAKERS)
def test_a_pointer_says_where_to_go_and_nothing_else(name: str):
    brand = BRANDS[name]
    for file in brand.files:
        for family in {model.family for model in brand.models.values()}:
            content = render_pointer(
                brand, file, family, "https://pbx.valmont.example:8443/", "http://10.54.1.1/a.pem"
            )
            assert b"pbx.valmont.example:8443" in content
            words = content.lower()
            assert not [word for word in (b"password", b"user_pass", b"pswd", b"<p34>") if word in words]


def test_what_the_generic_sheet_has_is_for_whoever_types_it_and_has_no_pointer():
    generic = BRANDS["generic"]
    with pytest.raises(ValueError, match="has no pointer"):
        render_pointer(generic, generic.files[0], "", "https://pbx/", "")


HOSTILE = [
    'Eve"><user_pass idx="9">mine</user_pass>',
    "]]><!--",
    "{{ phone.web_password }}",
    "&amp; & <b>",
    "%NULL%",
    "# no comment",
    "= 1",
]


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("yealink", "T54W"),
        ("snom", "D785"),
        ("grandstream", "GRP2614"),
        ("fanvil", "X5U"),
        ("linphone", "Linphone"),
        ("grandstream", "GXP1630"),
    ],
)
def test_what_somebody_is_called_stays_a_value(name: str, model: str, words: str):
    brand = BRANDS[name]
    plain = telephone(brand, model)
    account = plain.accounts[0]
    named = telephone(
        brand, model, accounts=(Account(account.sign_in, account.password, "2010", words, words),)
    )
    for before, after in zip(render(brand, plain).values(), render(brand, named).values(), strict=True):
        assert [key for key, _ in settings_of(brand, after)] == [key for key, _ in settings_of(brand, before)]


@pytest.mark.parametrize("name", [*MAKERS, "linphone", "generic"])
@pytest.mark.parametrize(
    "words", ["two\nlines", "carriage\rreturn", "nothing\0", "escape\x1b[2J", "line\u2028separator"]
)
def test_a_value_with_a_lines_end_is_refused(name: str, words: str):
    brand = BRANDS[name]
    model = next(iter(brand.models))
    phone = telephone(brand, model, accounts=(Account("2010-desk", words, "2010", "E", "2010"),))
    with pytest.raises(RenderingError, match="line's end"):
        render(brand, phone)


@given(words=st.text(max_size=60))
def test_any_name_makes_a_file_of_the_same_settings_or_none(words: str):
    brand = BRANDS["snom"]
    phone = telephone(brand, "D785", accounts=(Account("2010-desk", "p", "2010", words, words),))
    usual = settings_of(brand, render(brand, telephone(brand, "D785"))["snomD785-805EC0123456.htm"])
    try:
        content = render(brand, phone)["snomD785-805EC0123456.htm"]
    except (RenderingError, UnicodeEncodeError):
        return
    assert [key for key, _ in settings_of(brand, content)] == [key for key, _ in usual]


def test_a_setting_that_the_maker_does_not_know_is_refused(tmp_path: Path):
    (tmp_path / "yealink").mkdir()
    template = "#!version:1.0.0.1\nsip.notify_reboot_enabled = 0\n"
    (tmp_path / "yealink" / "common.cfg.j2").write_text(template)
    brand = load_brands(tmp_path)["yealink"]
    with pytest.raises(RenderingError, match=r"the maker knows no setting sip.notify_reboot_enabled"):
        render(brand, telephone(brand, "T54W"))


def test_a_setting_of_its_own_is_written_and_answered_for_by_it():
    brand = BRANDS["yealink"]
    phone = telephone(brand, "T54W", own_settings=(("phone_setting.contrast", "7"),))
    assert b"\nphone_setting.contrast = 7\n" in render(brand, phone)["y000000000096.cfg"]


def test_a_setting_that_is_there_twice_is_refused():
    brand = BRANDS["yealink"]
    phone = telephone(brand, "T54W", own_settings=(("call_waiting.enable", "0"),))
    with pytest.raises(RenderingError, match=r"call_waiting.enable is set twice"):
        render(brand, phone)


def test_a_town_adds_a_brand_without_code(tmp_path: Path):
    folder = tmp_path / "acme"
    folder.mkdir()
    (folder / "brand.yaml").write_text(
        "name: Acme\nsyntax: xml\nouis: ['0a0b0c']\nagents: ['^Acme (?P<model>\\w+)/(?P<version>[\\d.]+)']\n"
        "files: [{path: '{MAC}.xml', template: all.xml.j2, holds: secrets}]\nmodels: {One: {keys: 2}}\n"
        "resync: {event: check-sync, reboots: true}\nrestart: {event: check-sync, reboots: true}\n"
    )
    (folder / "all.xml.j2").write_text("<phone><pass>{{ phone.accounts[0].password }}</pass></phone>\n")
    brand = load_brands(tmp_path)["acme"]
    files = render(brand, telephone(brand, "One"))
    assert files == {"805EC0123456.xml": b"<phone><pass>kT9vQx2mRw7n</pass></phone>\n"}


def test_a_file_of_the_towns_replaces_ours(tmp_path: Path):
    (tmp_path / "generic").mkdir()
    (tmp_path / "generic" / "device.cfg.j2").write_text(
        "#!version:1.0.0.1\naccount.1.user_name = {{ phone.accounts[0].sign_in }}\n"
    )
    brand = load_brands(tmp_path)["generic"]
    files = render(brand, telephone(brand, "SIP"))
    assert files["805ec0123456.cfg"] == b"#!version:1.0.0.1\naccount.1.user_name = 2010-desk\n"


ACME = (
    "name: Acme\nsyntax: xml\nouis: []\nagents: []\nfiles: []\nmodels: {}\n"
    "resync: {event: check-sync, reboots: true}\nrestart: {event: check-sync, reboots: true}\n"
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: [", "yaml"),
        ("name: A\n", "missing required field"),
        ("nom: A\n", "nom"),
        ("name: A\nsyntax: ini\n", "Invalid enum value"),
        (ACME + "vendor_classes: ['a b']\n", 'vendor_classes: "a b" has something besides'),
        (ACME + "sub_option: 255\n", "sub_option: 255 isn't from 1 to 254"),
    ],
)
def test_a_brand_that_cannot_be_read_says_where(tmp_path: Path, text: str, words: str):
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "brand.yaml").write_text(text)
    with pytest.raises(BrandError, match=r"acme/brand\.yaml") as refused:
        load_brands(tmp_path)
    assert words in str(refused.value)


def test_a_template_that_names_nothing_known_is_refused_with_its_name(tmp_path: Path):
    (tmp_path / "generic").mkdir()
    (tmp_path / "generic" / "device.cfg.j2").write_text("#!version:1.0.0.1\na = {{ phone.pasword }}\n")
    brand = load_brands(tmp_path)["generic"]
    with pytest.raises(RenderingError, match=r"Generic: device\.cfg\.j2: .*pasword"):
        render(brand, telephone(brand, "SIP"))


def test_a_template_reaches_nothing_but_what_it_is_given(tmp_path: Path):
    (tmp_path / "generic").mkdir()
    template = "#!version:1.0.0.1\na = {{ phone.__class__.__mro__[1].__subclasses__() }}\n"
    (tmp_path / "generic" / "device.cfg.j2").write_text(template)
    brand = load_brands(tmp_path)["generic"]
    with pytest.raises(RenderingError, match="unsafe"):
        render(brand, telephone(brand, "SIP"))


def test_more_keys_than_the_model_has_are_refused():
    brand = BRANDS["yealink"]
    with pytest.raises(RenderingError, match="T31G has 2 keys, not 6"):
        render(brand, telephone(brand, "T31G", keys=KEYS))


def test_a_model_that_is_not_known_says_which_are():
    brand = BRANDS["linphone"]
    with pytest.raises(RenderingError, match='no model "T54W" here; known: Linphone'):
        render(brand, telephone(BRANDS["yealink"], "T54W"))


@pytest.mark.parametrize(
    ("agent", "brand", "model", "version", "mac"),
    [
        ("Yealink SIP-T54W 96.86.0.23 80:5e:c0:12:34:56", "yealink", "T54W", "96.86.0.23", "805ec0123456"),
        (
            "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 2010.12-00004-g9ba52f5 000413922D24)",
            "snom",
            "D785",
            "10.1.33.33",
            "000413922d24",
        ),
        ("Mozilla/4.0 (compatible; snom320-SIP 8.4.18 1.1.3-s)", "snom", "320", "8.4.18", ""),
        (
            "Grandstream Model HW GRP2614 SW 1.0.5.15 DevId c074ad0b63ee",
            "grandstream",
            "GRP2614",
            "1.0.5.15",
            "c074ad0b63ee",
        ),
        (
            "Grandstream Model HW GXV3350  V1.3A SW 1.0.1.8 DevId c074ad150b88",
            "grandstream",
            "GXV3350",
            "1.0.1.8",
            "c074ad150b88",
        ),
        ("Fanvil X4U 2.10.2.6887 0c383e07e16c", "fanvil", "X4U", "2.10.2.6887", "0c383e07e16c"),
        ("Fanvil X6U Pro 2.12.16 0c383e2cd782", "fanvil", "X6U-Pro", "2.12.16", "0c383e2cd782"),
        ("Yealink W70B 146.85.0.40 80:5e:c0:09:ab:dc", "yealink", "W70B", "146.85.0.40", "805ec009abdc"),
        ("Linphone-Desktop/5.2.6 (Debian) LinphoneCore/5.3.0", "linphone", "Linphone", "5.2.6", ""),
    ],
)
def test_a_telephone_is_recognised_by_how_it_calls_itself(
    agent: str, brand: str, model: str, version: str, mac: str
):
    found = recognise(BRANDS, agent)
    assert found is not None
    assert (found.brand, found.model, found.version, found.mac) == (brand, model, version, mac)


def test_a_browser_is_no_telephone():
    assert recognise(BRANDS, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0") is None


def test_the_first_digits_of_a_mac_address_say_whose_it_is():
    assert brand_of_mac(BRANDS, "805ec0123456") == "yealink"
    assert brand_of_mac(BRANDS, "000413922d24") == "snom"
    assert brand_of_mac(BRANDS, "020000000001") == ""


def test_no_two_brands_have_the_same_first_digits():
    ouis = [oui for brand in BRANDS.values() for oui in brand.ouis]
    assert len(ouis) == len(set(ouis))


@pytest.mark.parametrize("name", MAKERS)
def test_every_model_of_a_maker_is_recognised_by_its_own_agents(name: str):
    says = {
        "yealink": "Yealink SIP-{} 96.86.0.23 80:5e:c0:12:34:56",
        "snom": "Mozilla/4.0 (compatible; snom{}-SIP 10.1.33.33 2010.12 000413922D24)",
        "grandstream": "Grandstream Model HW {} SW 1.0.5.15 DevId c074ad0b63ee",
        "fanvil": "Fanvil {} 2.10.2 0c383e07e16c",
    }[name]
    for model in BRANDS[name].models:
        found = recognise(BRANDS, says.format(model))
        assert found is not None and (found.brand, found.model) == (name, model)


@pytest.mark.parametrize(("name", "model"), MODELS)
def test_what_is_xml_is_well_formed_for_any_reader(name: str, model: str):
    brand: Brand = BRANDS[name]
    if brand.syntax == "xml":
        for content in render(brand, telephone(brand, model)).values():
            ElementTree.fromstring(content)


def test_a_key_of_each_kind_is_written_by_each_maker():
    for name, model in (("yealink", "T54W"), ("snom", "D785"), ("grandstream", "GRP2614"), ("fanvil", "X5U")):
        content = b"".join(render(BRANDS[name], telephone(BRANDS[name], model)).values())
        for key in KEYS[1:]:
            assert key.label.encode() in content, (name, key)
            assert key.number.encode() in content, (name, key)


def test_a_lines_key_needs_no_number():
    brand = BRANDS["yealink"]
    content = render(brand, telephone(brand, "T31G", keys=(Key("line", "", "2010"),)))["805ec0123456.cfg"]
    assert b"linekey.1.type = 15\nlinekey.1.line = 1\nlinekey.1.label = 2010\n" in content


TWO = (
    Account("2010-desk", "kT9vQx2mRw7n", "2010", "Élodie Martin", "2010 Élodie"),
    Account("2011-desk", "mW4cZs8yBn3k", "2011", "Paul Petit", "2011 Paul"),
)


def test_as_many_keys_as_a_model_has_are_known_to_its_maker():
    for name in MAKERS:
        brand = BRANDS[name]
        model, most = max(
            ((model, one.keys) for model, one in brand.models.items()), key=lambda each: each[1]
        )
        keys = tuple(Key("lamp", f"{2000 + place}", f"No {place}") for place in range(most))
        content = b"".join(render(brand, telephone(brand, model, keys=keys)).values())
        assert f"{2000 + most - 1}".encode() in content, name


@pytest.mark.parametrize(("name", "model"), [("yealink", "T54W"), ("snom", "D785"), ("fanvil", "X5U")])
def test_a_second_line_is_known_to_its_maker(name: str, model: str):
    content = b"".join(render(BRANDS[name], telephone(BRANDS[name], model, accounts=TWO)).values())
    assert b"2010-desk" in content and b"2011-desk" in content


def test_a_yealink_of_the_first_ones_is_told_by_the_names_of_then():
    brand = BRANDS["yealink"]
    content = b"".join(render(brand, telephone(brand, "T28P")).values())
    assert b"static." not in content and b"sip_server.1.transport_type" not in content
    assert b"\nauto_provision.server.url = https://" in content
    assert b"\naccount.1.transport = 2\n" in content
    assert b"\naccount.1.codec.6.payload_type = G722\naccount.1.codec.6.priority = 1\n" in content


def test_a_base_has_a_handset_for_each_line():
    brand = BRANDS["yealink"]
    content = render(brand, telephone(brand, "W70B", accounts=TWO))["805ec0123456.cfg"]
    for line in (b"1", b"2"):
        assert b"\nhandset.%b.incoming_lines = %b\n" % (line, line) in content
        assert b"\nhandset.%b.dial_out_default_line = %b\n" % (line, line) in content


def test_an_adapter_has_a_port_for_each_line():
    brand = BRANDS["grandstream"]
    content = render(brand, telephone(brand, "HT802", accounts=TWO))["cfg805ec0123456.xml"]
    settings = dict(settings_of(brand, content))
    of_ports = [
        [settings[f"gs_provision/config/P{number}"] for number in port] for port in ((35, 34), (735, 734))
    ]
    assert of_ports == [["2010-desk", "kT9vQx2mRw7n"], ["2011-desk", "mW4cZs8yBn3k"]]


def test_a_key_of_a_fanvil_that_dials_is_no_key_of_digits():
    brand = BRANDS["fanvil"]
    settings = settings_of(brand, render(brand, telephone(brand, "X5U"))["805ec0123456.cfg"])
    assert [value for name, value in settings if name.endswith("/Type")] == ["2", "1", "1", "1", "1", "1"]


def test_a_zone_says_when_its_clocks_change():
    assert zone("Europe/Paris").changes == (Change(3, 5, 0, 2), Change(10, 5, 0, 3))
    assert zone("Europe/London").changes == (Change(3, 5, 0, 1), Change(10, 5, 0, 2))
    assert zone("America/Cayenne").changes == ()


def test_a_snom_where_its_list_has_no_zone_is_told_the_offset():
    brand = BRANDS["snom"]
    content = render(brand, telephone(brand, "D785", zone=zone("America/Martinique")))["snomD785.htm"]
    assert (
        b'<timezone perm="R"></timezone>' in content
        and b'<utc_offset perm="R">-14400</utc_offset>' in content
    )


@pytest.mark.parametrize(
    ("name", "model", "never", "soon"),
    [
        (
            "yealink",
            "T54W",
            b"\nphone_setting.backlight_time = 0\n",
            b"\nphone_setting.backlight_time = 60\n",
        ),
        ("snom", "D785", b">2147483647</dim_timer>", b">90</dim_timer>"),
        ("grandstream", "GRP2614", b'brightness.idle">60<', b'activeTimeout">1<'),
        ("fanvil", "X5U", b"<BacklightOffTime>0<", b"<BacklightOffTime>90<"),
    ],
)
def test_a_screen_goes_off_when_it_is_to_or_never(name: str, model: str, never: bytes, soon: bytes):
    for energy, words in ((Energy(0), never), (Energy(90), soon)):
        files = render(BRANDS[name], telephone(BRANDS[name], model, energy=energy))
        assert words in b"".join(files.values())


@pytest.mark.parametrize("name", BRANDS)
def test_a_brand_says_what_its_telephones_can_be_told_of_energy(name: str):
    brand = BRANDS[name]

    def files(energy: Energy) -> list[dict[str, bytes]]:
        return [render(brand, telephone(brand, model, energy=energy)) for model in brand.models]

    usual = files(Energy(600))
    assert (files(Energy(60)) != usual) == (brand.energy != "nothing")
    assert (files(Energy(600, ((9, 12),) * 7)) != usual) == (brand.energy == "hours")
