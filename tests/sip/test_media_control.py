"""Whole pictures asked for by INFO (RFC 5168)."""

from __future__ import annotations

import pytest

from sip.core.errors import RemoteProtocolError
from sip.core.media_control import CONTENT_TYPE, PICTURE_FAST_UPDATE, asks_for_picture
from tests.sip.test_info import info

# RFC 5168 section 6
OF_THE_RFC = b"""<?xml version="1.0" encoding="utf-8"?>
<media_control>

  <vc_primitive>
    <to_encoder>
      <picture_fast_update>
      </picture_fast_update>
    </to_encoder>
  </vc_primitive>

</media_control>
"""


def of_stream(body: bytes) -> bytes:
    """A body that names a stream, which it may (RFC 5168 section 5)."""
    return body.replace(b"<vc_primitive>", b"<vc_primitive><stream_id>1</stream_id>")


@pytest.mark.parametrize("body", [OF_THE_RFC, PICTURE_FAST_UPDATE, of_stream(PICTURE_FAST_UPDATE)])
def test_a_picture_is_asked_for_as_the_rfc_writes_it_and_as_we_do(body: bytes) -> None:
    assert asks_for_picture(info(body, CONTENT_TYPE))
    assert asks_for_picture(info(body, "Application/Media_Control+XML;charset=utf-8"))


def test_another_info_asks_for_none() -> None:
    assert not asks_for_picture(info(b"Signal=5\r\n"))
    assert not asks_for_picture(info(b""))
    assert not asks_for_picture(info(OF_THE_RFC, CONTENT_TYPE, "Info-Package: x\r\n"))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<picture_fast_update/>", 400),
        (OF_THE_RFC.replace(b"picture_fast_update", b"picture_freeze"), 400),
        (b"<!-- picture_fast_update -->", 400),
        (OF_THE_RFC + bytes(2048), 413),
    ],
)
def test_what_asks_for_something_else_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        asks_for_picture(info(body, CONTENT_TYPE))
    assert refused.value.status == status
