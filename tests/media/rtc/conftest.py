"""Fixtures of the RTC worker's tests."""

import pytest

from tests.media.rtc.desk import Desk


@pytest.fixture
def desk():
    one = Desk()
    yield one
    one.close()
