import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.document import MAX_CHARACTERS, read_document, read_text
from dialplan.finding import PlanError


def findings_of(text):
    root = read_document(text, "f.yaml")
    return root, root.findings.collected


def refusal(text):
    with pytest.raises(PlanError) as raised:
        read_document(text, "f.yaml")
    return str(raised.value)


def test_a_scalar_keeps_its_text_as_written():
    root, _ = findings_of("a: 0612345678\nb: 10:20\nc: no\nd: +33612345678\n")
    assert [node.text() for node in root.mapping().values()] == ["0612345678", "10:20", "no", "+33612345678"]


def test_a_node_knows_its_line_and_column():
    root, _ = findings_of("a:\n  - b: 1\n    c: [x, y]\n")
    item = root.mapping()["a"].sequence()[0].mapping()["c"].sequence()[1]
    assert (item.line, item.column) == (3, 12)


def test_a_duplicate_key_is_an_error_that_names_the_first():
    _, collected = findings_of("a: 1\nb: 2\na: 3\n")
    assert [str(finding) for finding in collected] == [
        'f.yaml:3:1: "a" is written twice; the first is on line 1'
    ]


def test_an_unknown_key_is_answered_with_the_nearest():
    root, collected = findings_of("netwroks: []\n")
    root.mapping({"networks", "trunks"})
    assert [str(finding) for finding in collected] == [
        'f.yaml:1:1: unknown key "netwroks"; did you mean "networks"?'
    ]


def test_a_missing_key_is_an_error():
    root, collected = findings_of("a: 1\n")
    root.mapping({"a", "b"}, required=("b",))
    assert [finding.code for finding in collected] == ["missing_key"]


@pytest.mark.parametrize(
    ("text", "read", "expected"),
    [
        ("a", lambda node: node.integer(1, 9), 'expected a whole number between 1 and 9, found "a"'),
        ("10", lambda node: node.integer(1, 9), 'expected a whole number between 1 and 9, found "10"'),
        ("1e400", lambda node: node.decimal(0, 9), 'expected a number between 0 and 9, found "1e400"'),
        ('"true"', lambda node: node.boolean(), 'expected true or false, without quotes, found "true"'),
        ("[a]", lambda node: node.text(), "expected a text, found a list"),
        (
            "{a: b}",
            lambda node: node.sequence(),
            "expected a list, such as [a, b], found a list of `key: value`",
        ),
        ("a", lambda node: node.mapping(), 'expected a list of `key: value`, found "a"'),
        ('""', lambda node: node.text(), "expected a text, found nothing"),
        ("~", lambda node: node.text(), "expected a text, found nothing"),
    ],
)
def test_a_value_of_another_kind_is_told_in_words(text, read, expected):
    root, collected = findings_of(f"key: {text}")
    read(root.mapping()["key"])
    assert [finding.message for finding in collected] == [expected]


def test_a_choice_names_what_it_chooses():
    root, collected = findings_of("transport: upd")
    assert root.mapping()["transport"].choice(("udp", "tcp"), "transport") == "udp"
    assert str(collected[0]) == 'f.yaml:1:12: unknown transport "upd"; did you mean "udp"?'


def test_an_alias_is_refused():
    _, collected = findings_of("a: &x [1]\nb: *x\n")
    assert [(finding.code, finding.line) for finding in collected] == [("alias", 1), ("alias", 2)]


def test_a_tag_is_refused():
    _, collected = findings_of("a: !!python/object:os.system x\n")
    assert [finding.code for finding in collected] == ["tag"]


def test_a_deep_document_is_refused_not_followed():
    assert "nested deeper" in refusal("[" * 100_000)


def test_a_deep_block_document_is_refused_not_followed():
    assert "nested deeper" in refusal("- " * 10_000 + "a")


def test_a_long_document_is_refused():
    assert "longer than 16 million" in refusal(" " * (MAX_CHARACTERS + 1))


def test_a_syntax_error_has_its_place():
    assert refusal("a: [1, 2\nb: 3\n").startswith("f.yaml:2:2: this isn't valid YAML: ")


def test_a_control_character_has_its_place():
    assert refusal("a: 1\nb: \x07\n") == "f.yaml:2:4: this isn't valid YAML: a control character; remove it"


def test_a_second_document_is_an_error():
    _, collected = findings_of("a: 1\n---\nb: 2\n")
    assert [finding.code for finding in collected] == ["documents"]


def test_an_empty_document_is_an_empty_mapping():
    root, collected = findings_of("# nothing\n")
    assert root.mapping() == {}
    assert collected == []


def test_a_file_that_is_not_utf8_has_its_place(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"plan: 1\nname: \xe9cole\n")
    with pytest.raises(PlanError, match=r"plan\.yaml:2:7: this isn't UTF-8 text"):
        read_text(path)


def test_a_missing_file_is_a_finding(tmp_path):
    with pytest.raises(PlanError, match="can't be read: No such file"):
        read_text(tmp_path / "none.yaml")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:- \n\t[]{}\"'&*!|>%#,?~\x00é0"), max_size=60))
def test_any_text_is_read_or_refused_with_findings(text):
    try:
        read_document(text, "f.yaml").mapping({"a"})
    except PlanError as error:
        assert error.findings
