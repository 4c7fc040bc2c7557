"""The server that letters are given to: `mail:` of the configuration."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from dialplan.document import Node
from pbx.settings.values import DOMAIN, Secret, choice_of, parsed, read_secret

Encryption: TypeAlias = Literal["starttls", "tls", "none"]

ENCRYPTIONS: dict[str, Encryption] = {"starttls": "starttls", "tls": "tls", "none": "none"}

MAIL_PORTS: dict[Encryption, int] = {"starttls": 587, "tls": 465, "none": 25}


@dataclass(frozen=True, slots=True)
class Mail:
    """The server that letters are given to, and who they are from.

    encryption: `tls` from the beginning, `starttls`, or `none`. username, password: "" and None for none.
    """

    host: str
    port: int
    sender: str
    encryption: Encryption = "starttls"
    username: str = ""
    password: Secret | None = None


def read_mail(keys: Mapping[str, Node], folder: Path) -> Mail | None:
    """Return what `mail:` says; folder: what paths are relative to. None where no mail is to be sent."""
    if "mail" not in keys:
        return None
    known = ("host", "port", "from", "tls", "username", "password")
    section = keys["mail"].mapping(known, required=("host", "from"))
    encryption = choice_of(section, "tls", ENCRYPTIONS)
    host = section["host"].text() if "host" in section else ""
    if host and not (DOMAIN.fullmatch(host) or parsed(ipaddress.ip_address, host)):
        section["host"].error("wrong_domain", f'"{host[:60]}" is no server', "such as smtp.valmont.example")
    if ("username" in section) != ("password" in section):
        section["username" if "username" in section else "password"].error(
            "missing_key", "`username` and `password` go together"
        )
    return Mail(
        host=host,
        port=section["port"].integer(1, 65535) if "port" in section else MAIL_PORTS[encryption],
        sender=section["from"].email() if "from" in section else "",
        encryption=encryption,
        username=section["username"].text() if "username" in section else "",
        password=read_secret(section["password"], folder) if "password" in section else None,
    )
