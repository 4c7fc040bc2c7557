"""The daemons of the engine `rtpengine`: how a node reaches them, and what is asked and said of them."""

from __future__ import annotations

import asyncio
import logging

from media.engine import MediaEngine, MediaUnavailable
from media.engines.daemons import DaemonStatus, Pool
from media.engines.reel import Reel
from media.engines.rtpengine import RtpengineEngine
from pbx.configuration import Configuration
from pbx.control import DaemonList, DrainDaemon, ListDaemons
from pbx.settings.media import Media

log = logging.getLogger(__name__)

# A daemon's own address is told; what we say chooses between IPv4 and IPv6 alone.
ANY_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104 (told, never bound)
DOCTOR_SECONDS = 1.0


def engine_of(configuration: Configuration, reel: Reel) -> RtpengineEngine:
    """The engine over the daemons that a configuration names. reel: of the recorder's tape."""
    media = configuration.media
    prompts = configuration.data_dir / "prompts"
    prompts.mkdir(mode=0o700, exist_ok=True)
    digits = (media.rtpengine_digits.host, media.rtpengine_digits.port)
    return RtpengineEngine(
        _addresses(media), prompts, digits=digits, voices=dict(media.voices), music=media.music, reel=reel
    )


async def start(engine: RtpengineEngine) -> None:
    """Find the daemons. Without one the node runs: telephones register, and calls wait for a daemon."""
    try:
        await engine.start()
    except MediaUnavailable as error:
        log.error("%s; calls are refused meanwhile", error)


def answer_about_daemons(engine: MediaEngine, question: ListDaemons | DrainDaemon) -> DaemonList:
    """List the daemons, after giving one of them no new calls, or again, where that was asked."""
    if not isinstance(engine, RtpengineEngine):
        return DaemonList([], "the media engine of this node isn't rtpengine")
    problem = ""
    if isinstance(question, DrainDaemon):
        try:
            engine.drain(question.name, draining=question.draining)
        except KeyError:
            known = ", ".join(status.name for status in engine.status())
            problem = f'no rtpengine "{question.name[:60]}" in the configuration; known: {known}'
        else:
            log.info("rtpengine=%s draining=%s", question.name, question.draining)
    return DaemonList(engine.status(), problem)


def look(media: Media) -> list[DaemonStatus]:
    """How the daemons are, asked without a loop; one that doesn't answer within a second is down."""

    async def asked() -> list[DaemonStatus]:
        pool = Pool(_addresses(media))
        try:
            async with asyncio.timeout(DOCTOR_SECONDS):
                await pool.start()
        except (MediaUnavailable, TimeoutError):
            log.debug("not every rtpengine answers")
        status = pool.status()
        pool.close()
        return status

    return asyncio.run(asked())


def _addresses(media: Media) -> list[tuple[str, int]]:
    return [(listen.host, listen.port) for listen in media.rtpengine]
