"""Media control within a session (RFC 5168): a party asks for a whole picture by INFO.

For telephones that have no feedback in RTCP. It is one of the bodies that are older than info packages (RFC
6086 section 9.1), and no other primitive of it is in use.
"""

from __future__ import annotations

import re

from sip.core.errors import RemoteProtocolError
from sip.core.message import Request

CONTENT_TYPE = "application/media_control+xml"
PICTURE_FAST_UPDATE = (
    b'<?xml version="1.0" encoding="utf-8"?>\r\n'
    b"<media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder></vc_primitive></media_control>"
    b"\r\n"
)
_MOST_BYTES = 2048
# RFC 5168 section 5: it has no attributes and nothing within; prefixes of a namespace are seen from nobody.
_ASKED = re.compile(
    rb"<vc_primitive>.*<to_encoder>\s*<picture_fast_update\s*(?:/>|>\s*</picture_fast_update>)", re.DOTALL
)


def asks_for_picture(info: Request) -> bool:
    """Say whether an INFO asks for a whole picture; False for one of another kind of body, or of a package.

    Raises RemoteProtocolError, to be answered: 413 for a body that is too long, 400 for one of this kind
    that asks for something else.
    """
    if (
        "info-package" in info.headers
        or info.get("content-type").partition(";")[0].strip().lower() != CONTENT_TYPE
    ):
        return False
    if len(info.body) > _MOST_BYTES:
        raise RemoteProtocolError(413, "Request Entity Too Large")
    if _ASKED.search(info.body) is None:
        raise RemoteProtocolError(400, "Unknown Media Control")
    return True
