"""Where recordings go, are stamped and are copied: `recordings:` of the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from dialplan.document import Node
from pbx.settings.values import Secret, choice_of, file_of, path_of, read_secret, section_of, url_of

WhenFull: TypeAlias = Literal["stop", "oldest_first"]

WHEN_FULL: dict[str, WhenFull] = {"stop": "stop", "oldest_first": "oldest_first"}

_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9._=-]{1,200}){0,8})/?")


@dataclass(frozen=True, slots=True)
class Timestamp:
    """The authority that stamps the journal of recordings (RFC 3161). ca_file: whom we trust for it, PEM."""

    url: str
    ca_file: Path
    every_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """A place in an S3-compatible store. endpoint: its URL, "" for Amazon's own of the region.

    secret: where the secret key is; None: where the store's own tools look.
    """

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    access_key: str = ""
    secret: Secret | None = None

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}".rstrip("/")


@dataclass(frozen=True, slots=True)
class Recordings:
    """Where recordings go and the public key that they are encrypted for.

    when_full: whether the oldest that nobody holds go when the disk is full, or recording stops.
    warn_days: how long before the disk is full somebody is told. copy_to: where each is copied as well.
    """

    directory: Path
    key_file: Path
    when_full: WhenFull = "stop"
    warn_days: int = 14
    timestamp: Timestamp | None = None
    copy_to: Path | Bucket | None = None


def read_recordings(keys: Mapping[str, Node], data_dir: Path) -> Recordings:
    """Return what `recordings:` says; data_dir: what paths are relative to."""
    known = ("dir", "key_file", "when_full", "warn_days", "timestamp", "copy_to", "s3")
    section = section_of(keys, "recordings", known)
    return Recordings(
        directory=path_of(section, "dir", data_dir, "recordings"),
        key_file=path_of(section, "key_file", data_dir, "recording.pub"),
        when_full=choice_of(section, "when_full", WHEN_FULL),
        warn_days=section["warn_days"].integer(1, 365) if "warn_days" in section else 14,
        timestamp=_timestamp(section["timestamp"], data_dir) if "timestamp" in section else None,
        copy_to=_copy_to(section, data_dir),
    )


def _timestamp(node: Node, data_dir: Path) -> Timestamp:
    section = node.mapping(("url", "ca_file", "every_minutes"), required=("url", "ca_file"))
    return Timestamp(
        url=url_of(section["url"], "such as https://tsa.valmont.example/tsr") if "url" in section else "",
        ca_file=path_of(section, "ca_file", data_dir, ""),
        every_seconds=60.0
        * (section["every_minutes"].integer(1, 1440) if "every_minutes" in section else 60),
    )


def _copy_to(section: Mapping[str, Node], data_dir: Path) -> Path | Bucket | None:
    """None where recordings aren't copied."""
    text = section["copy_to"].text() if "copy_to" in section else ""
    if not text.startswith("s3:"):
        if "s3" in section:
            hint = "write `copy_to: s3://BUCKET/PREFIX`, or leave `s3:` out"
            section["s3"].error("idle_key", "nothing is copied to a store of that kind", hint)
        return file_of(section, "copy_to", data_dir)
    found = _BUCKET.fullmatch(text)
    if found is None or {".", ".."} & set(found[2].split("/")):
        section["copy_to"].error("wrong_bucket", "this names no bucket", "such as s3://recordings/valmont")
        return None
    keys = section_of(section, "s3", ("endpoint", "region", "access_key", "secret_key"))
    if ("access_key" in keys) != ("secret_key" in keys):
        keys["access_key" if "access_key" in keys else "secret_key"].error(
            "missing_key", "`access_key` and `secret_key` go together"
        )
    return Bucket(
        name=found[1],
        prefix=found[2].strip("/"),
        endpoint=url_of(keys["endpoint"], "such as https://s3.valmont.example") if "endpoint" in keys else "",
        region=keys["region"].text() if "region" in keys else "us-east-1",
        access_key=keys["access_key"].text() if "access_key" in keys else "",
        secret=read_secret(keys["secret_key"], data_dir) if "secret_key" in keys else None,
    )
