"""What went wrong with telephones that are looked after, as `beffroi doctor` says it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Final

from dialplan.finding import Finding
from pbx.configuration import Configuration
from pbx.phones.images import Images
from pbx.phones.waves import Progress, Wave, list_waves
from pbx.store.database import DatabaseUnavailableError, open_database
from pbx.store.revision import revision
from pbx.store.schema import SCHEMA_REVISION

TOLD_SECONDS: Final = 7 * 86_400.0


def care_findings(settings: Configuration, now: datetime) -> Iterator[Finding]:
    """Yield waves that stopped within a week, and what is wrong with hosted firmware."""
    for wave, progress in _stopped(settings, now.timestamp()):
        message = f"wave {wave.id} of telephones ({wave.action}) stopped: {wave.stopped}"
        hint = f"look at them ({progress.lost} lost), then `beffroi phone wave {wave.action}` again"
        yield Finding("phones_wave_stopped", "warning", str(settings.path), 0, 0, message, hint)
    images = Images(settings.provisioning.firmware, now.timestamp, lambda: "UTC", settings.data_dir)
    images.load()
    if images.problem:
        message = f"firmware isn't handed out: {images.problem}"
        yield Finding("phones_firmware", "warning", str(settings.path), 0, 0, message)


def _stopped(settings: Configuration, now: float) -> list[tuple[Wave, Progress]]:
    """Waves that nobody stopped but failure; none without a database, which is said elsewhere."""
    try:
        with closing(open_database(settings.database)) as database:
            if database.read(revision) != SCHEMA_REVISION:
                return []
            found = database.read(list_waves)
    except DatabaseUnavailableError:
        return []
    return [
        (wave, progress)
        for wave, progress in found
        if wave.stopped and not wave.stopped.startswith("by ") and now - wave.begun_at < TOLD_SECONDS
    ]
