"""A plan's text without the passwords of its `users:`, for those who may read it and not change it.

Only the demonstration and tests have such passwords. Who may change a plan sees and writes it whole; so
nobody can put a masked text in force, and no stand-in for a password has to find its way back.
"""

from __future__ import annotations

import yaml

from dialplan.document import read_document
from dialplan.finding import PlanError

MASK = '"········"'
_LOADER: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def masked(text: str) -> tuple[str, bool]:
    """Return the text with a mask for each password, and whether there was any.

    A text that can't be read strictly, as an older version of Beffroi may have left one, is masked whole.
    """
    try:
        read_document(text, "plan").findings.raise_errors()
        root = yaml.compose(text, Loader=_LOADER)
    except (PlanError, yaml.YAMLError):
        return "", True
    places = [
        (value.start_mark.index, value.end_mark.index)
        for person in _users(root)
        for key, value in person.value
        if isinstance(key, yaml.ScalarNode) and key.value == "password"
    ]
    pieces, copied = [], 0
    for begin, end in places:
        pieces += [text[copied:begin], MASK]
        copied = end
    return "".join([*pieces, text[copied:]]), bool(places)


def _users(root: yaml.Node | None) -> list[yaml.MappingNode]:
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "users" and isinstance(value, yaml.SequenceNode):
            return [one for one in value.value if isinstance(one, yaml.MappingNode)]
    return []
