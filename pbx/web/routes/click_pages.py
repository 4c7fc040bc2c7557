"""What the town's site loads of a button: its script, and the panel that the script opens.

/click/mairie.js   for pages of any site: whether the button works there, the pass decides
/click/mairie      the panel, which the declared sites alone may show within theirs
"""

from __future__ import annotations

from pathlib import Path as File
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import FileResponse, Response

from pbx.web.access import Guest, anybody
from pbx.web.frame import CONTENT_SECURITY_POLICY
from pbx.web.node import TheNode
from pbx.web.pages import pages_folder
from pbx.web.problems import Problem
from pbx.web.routes.click import button_of

router = APIRouter(prefix="/click", tags=["click to call"])

SCRIPT, PANEL = "click-button.js", "click.html"


@router.get("/{file}", summary="A button's script (`mairie.js`), or its panel (`mairie`)")
async def show(
    node: TheNode,
    guest: Annotated[Guest, anybody()],
    file: Annotated[str, Path(pattern=r"^[a-z0-9-]{1,40}(\.js)?$", examples=["mairie.js"])],
) -> Response:
    """Return it; 404 for a button that isn't there."""
    button = button_of(node, file.removesuffix(".js"))
    if file.endswith(".js"):
        # Any page may load it, as any page can copy it.
        headers = {"Cross-Origin-Resource-Policy": "cross-origin", "Cache-Control": "public, max-age=300"}
        return _file(SCRIPT, headers)
    sites = " ".join(button.sites)
    policy = CONTENT_SECURITY_POLICY.replace("frame-ancestors 'none'", f"frame-ancestors {sites}")
    # X-Frame-Options knows no list of sites: browsers that read the policy pass over it (CSP3, 7.7.2).
    return _file(PANEL, {"Content-Security-Policy": policy, "Cache-Control": "no-cache"})


def _file(name: str, headers: dict[str, str]) -> Response:
    file: File = pages_folder() / name
    if not file.is_file():
        raise Problem(503, "no_pages", "the pages are not built", mend="run `scripts/pages`")
    return FileResponse(file, headers=headers)
