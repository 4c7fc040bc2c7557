"""Verifying a recording for a page: what a workshop finds, with what it looked at."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pbx.configuration import Configuration
from pbx.web.listening import shown
from pbx.web.listening.asking import asked
from pbx.web.listening.hearings import problem_of
from pbx.web.listening.keys import node_public_key, opened_key
from pbx.web.listening.workshop import Workshop
from pbx.web.node import Node
from pbx.web.problems import Problem
from recording.archive import requests
from recording.export.orders import Examine, Examined, Failed


async def verification(node: Node, request: requests.Verify) -> shown.Verification:
    """Have a recording verified. Raises Problem."""
    told = await asked(node, request, requests.Verifiable)
    order = await asyncio.to_thread(_order, node.configuration, request.recording, told)
    found = await _examined(order)
    return shown.Verification(
        recording=request.recording,
        whole=not found.findings,
        goes_on=not told.head,
        segments=found.segments,
        bytes=found.bytes,
        opened=found.opened if found.opened >= 0 else None,
        journal_entries=found.entries,
        findings=found.findings,
        proved_seconds=found.proved_seconds if found.proved_seconds >= 0 else None,
    )


def _order(settings: Configuration, recording: str, told: requests.Verifiable) -> Examine:
    try:
        key = opened_key(settings, Path(told.path), told.key)
    except Problem:  # it isn't here, or has a passphrase: all else is verified
        key = b""
    return Examine(
        recording=recording,
        path=told.path,
        key=key,
        head=told.head,
        journal=str(settings.recordings_journal),
        node_key=node_public_key(settings),
    )


async def _examined(order: Examine) -> Examined:
    try:
        workshop = await Workshop.begin(order)
    except OSError as error:
        raise problem_of(Failed("died", error.strerror or str(error))) from None
    try:
        async for told in workshop.told():
            if isinstance(told, Examined):
                return told
            if isinstance(told, Failed):
                raise problem_of(told)
    finally:
        await workshop.end()
    raise problem_of(Failed("died", "the program that opens recordings said nothing"))
