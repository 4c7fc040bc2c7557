"""The pages that `softphone_web/src/pages.ts` registers, and who may open each."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pbx.accounts.rights import RIGHTS, ROLES, Role, rights_of
from tests.tools.places import ROOT

_ENTRY = re.compile(r'\{ path: "([^"]+)", place: "(\w+)", right: "([\w.]+)"')


@dataclass(frozen=True)
class RegisteredPage:
    """A page. opened_by: a role that may open it, the administrator where they may."""

    path: str
    place: str
    opened_by: Role

    @property
    def name(self) -> str:
        """What its pictures are called."""
        return "page" + self.path.rstrip("/").replace("/", "-")


def registered_pages() -> list[RegisteredPage]:
    """Those that somebody signed in opens by an address without a name in it."""
    text = (ROOT / "softphone_web/src/pages.ts").read_text(encoding="utf-8")
    found = []
    for path, place, right in _ENTRY.findall(text):
        if right == "anybody" or ":" in path:
            continue
        assert right in RIGHTS, f"{path} asks for the right {right}, which there isn't"
        roles: list[Role] = ["administrator", *ROLES]
        opened_by = next(role for role in roles if right in rights_of([role]))
        found.append(RegisteredPage(path, place, opened_by))
    assert found, "no page is found: has pages.ts another form?"
    return found
