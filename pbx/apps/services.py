"""Which app serves each type of service of a plan. A type that isn't here answers with an announcement."""

from __future__ import annotations

from collections.abc import Mapping

from pbx.apps.callthrough import callthrough
from pbx.apps.echo import echo
from pbx.apps.group import group
from pbx.apps.hotline import hotline
from pbx.apps.menu import menu
from pbx.apps.own import own
from pbx.apps.page import page
from pbx.apps.park import park
from pbx.apps.queue import queue
from pbx.apps.room import room
from pbx.apps.voicemail import voicemail
from pbx.apps.web import web
from pbx.calls.app import ServiceApp

SERVICES: Mapping[str, ServiceApp] = {
    "callthrough": callthrough,
    "app": own,
    "echo": echo,
    "group": group,
    "hotline": hotline,
    "menu": menu,
    "page": page,
    "park": park,
    "queue": queue,
    "room": room,
    "web": web,
    "voicemail": voicemail,
}
