"""The built pages: files that are known by name, so that no path leads anywhere else.

    /assets/…   content-hashed names, kept for ever by browsers
    any other   the file of that name, else index.html, whose router shows the page; never kept

They are `softphone_web`'s, built into the environment (`scripts/pages`) or carried by the wheel. A file may
have the same beside it, compressed: `.br`, `.gz`.
"""

from __future__ import annotations

import mimetypes
import sys
from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

import softphone_web
from pbx.web.problems import Problem

_ENCODINGS = ((b"br", ".br"), (b"gzip", ".gz"))
_FOR_EVER = "public, max-age=31536000, immutable"
_NOT_BUILT = """<!doctype html>
<html lang="fr"><meta charset="utf-8"><title>Beffroi</title>
<h1>Les pages ne sont pas construites</h1>
<p>Lancez <code>scripts/pages</code>, puis rechargez cette page. L’API répond déjà sous
<code>/api/v1/</code>.</p>
<h1 lang="en">The pages are not built</h1>
<p lang="en">Run <code>scripts/pages</code>, then load this page again. The API answers already below
<code>/api/v1/</code>.</p>
</html>
"""


def pages_folder() -> Path:
    """Return where the built pages are: in the environment, else in the package."""
    built = Path(sys.prefix) / "pages"
    return built if (built / "index.html").is_file() else Path(softphone_web.__file__).parent / "pages"


class Pages:
    """Serves them (ASGI), for whatever no route of the API has taken."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp = 0
        self._files: dict[str, Path] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        path = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            raise Problem(
                405, "method_not_allowed", "this can't be done here", headers={"Allow": "GET, HEAD"}
            )
        if path.startswith("/api/"):
            raise Problem(404, "not_found", "there is nothing here")
        await self._response(path, scope)(scope, receive, send)

    def _response(self, path: str, scope: Scope) -> Response:
        self._look()
        file = self._files.get(path)
        if file is None and (path.startswith("/assets/") or "." in path.rpartition("/")[2]):
            raise Problem(404, "not_found", "there is nothing here")
        file = file or self._files.get("/index.html")
        if file is None:
            return Response(_NOT_BUILT, 503, media_type="text/html")
        kept = _FOR_EVER if path.startswith("/assets/") else "no-cache"
        headers = {"Cache-Control": kept, "Vary": "Accept-Encoding"}
        media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        accepted = next((value for name, value in scope["headers"] if name == b"accept-encoding"), b"")
        codings = {coding.split(b";")[0].strip() for coding in accepted.split(b",")}
        for coding, suffix in _ENCODINGS:
            packed = self._files.get(f"/{file.relative_to(self._folder)}{suffix}")
            if coding in codings and packed is not None:
                headers["Content-Encoding"] = coding.decode()
                return FileResponse(packed, headers=headers, media_type=media_type)
        return FileResponse(file, headers=headers, media_type=media_type)

    def _look(self) -> None:
        """Take what was built anew."""
        try:
            stamp = (self._folder / "index.html").stat().st_mtime_ns
        except OSError:
            self._stamp, self._files = 0, {}
            return
        if stamp != self._stamp:
            self._stamp = stamp
            self._files = {
                f"/{file.relative_to(self._folder)}": file
                for file in self._folder.rglob("*")
                if file.is_file() and not file.is_symlink()
            }
