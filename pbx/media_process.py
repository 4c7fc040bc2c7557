"""The media process: a relay that outlives the signalling process, and where it listens."""

from __future__ import annotations

import logging
import socket
import threading

from media.engines import native, relay
from media.engines.inheritance import Inheritance
from media.engines.reel import Reel
from pbx.configuration import Configuration
from pbx.media_addresses import media_addresses
from pbx.settings.media import Media

log = logging.getLogger(__name__)


def run_media(
    configuration: Configuration, listening: socket.socket, inheritance: Inheritance, reel: Reel
) -> None:
    """Relay for the signalling process that is connected to `listening`; never returns.

    inheritance: the sockets and records of the media processes before this one. reel: of the recorder's tape.
    """
    media = configuration.media
    plane = plane_of(media)
    if plane == "python" and media.engine != "python" and native.is_of_another_version():
        log.warning("the native engine is compiled for another version of Beffroi: install it again")
    log.info("packets are moved by the %s engine", plane)
    prompts = configuration.data_dir / "prompts"
    prompts.mkdir(mode=0o700, exist_ok=True)
    threading.Thread(target=relay.load_codecs, daemon=True).start()
    relay.main(
        None,
        media_addresses(configuration),
        (media.first_port, media.last_port),
        prompts=prompts,
        voices=dict(media.voices),
        music=media.music,
        listening=listening,
        inheritance=inheritance,
        plane=plane,
        threads=media.threads,
        reel=reel,
    )


def plane_of(media: Media) -> relay.PlaneName:
    """What moves packets with this configuration on this installation: C where it was compiled."""
    return "native" if native.is_built() and media.engine != "python" else "python"
