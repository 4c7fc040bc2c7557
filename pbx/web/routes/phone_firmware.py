"""Firmware of desk telephones: uploaded, given to sites at their hours, and what runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from pbx.accounts.actor import Actor
from pbx.kept import KeptError
from pbx.phones import hosting
from pbx.phones.hosting import HostedImage, HostedStage, HostingError, Upload
from pbx.phones.waves import forgive, stopped_causes
from pbx.web.access import may
from pbx.web.node import Node, TheNode
from pbx.web.people_shapes import Asked
from pbx.web.phone_fleet import Fleet, fleet
from pbx.web.problems import Problem
from provisioning.brand import BrandError, load_brands
from provisioning.firmware import MOST_BYTES, Image, Stage

router = APIRouter(prefix="/phones/firmware", tags=["phones"])

Reader = Annotated[Actor, may("devices.read")]
Changer = Annotated[Actor, may("devices.change")]
Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="Of the file.")]
Hour = Annotated[int, Field(ge=0, le=24)]

Result = TypeVar("Result")

PIECE_BYTES = 1 << 20
_STATUS = {"no_such_image": 404, "image_in_use": 409, "image_exists": 409, "too_many_images": 409}
_BODY = {
    "requestBody": {
        "required": True,
        "description": "The file as its maker publishes it.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class StageShown(BaseModel):
    """Who gets an image when. sites: none for all; hours: local, null for any."""

    sites: list[str] = Field(examples=[["ecole"]])
    hours: tuple[int, int] | None = Field(examples=[(22, 5)])


class ImageShown(BaseModel):
    """A file. uploaded: here; the others are in the folder of the configuration, and changed there."""

    sha256: str = Field(examples=["5f" * 32])
    brand: str = Field(examples=["yealink"])
    models: list[str] = Field(examples=[["T53W", "T54W", "T57W"]])
    version: str = Field(examples=["96.86.0.23"])
    name: str = Field(description="As its maker calls it.", examples=["T54W-96.86.0.23.rom"])
    size_bytes: int = Field(examples=[48_000_000])
    uploaded: bool
    added_at: float = Field(description="0.0 of one that wasn't uploaded.", examples=[1795371300.0])
    account: str = Field(description="Who uploaded it.", examples=["claire"])
    stage: StageShown | None = Field(description="null: it is given to nobody.")
    running: int = Field(description="Telephones of its models that run this version.", examples=[12])
    to_come: int = Field(description="Telephones that are to run it and don't yet.", examples=[3])
    stopped: str = Field(description="Why it is handed to no more telephones by itself; empty for not.")


class Firmware(BaseModel):
    """All that is hosted. problem: what is wrong with the configured folder; empty for nothing."""

    items: list[ImageShown]
    next: str = ""
    problem: str
    most_bytes: int = MOST_BYTES


class StageAsked(Asked):
    """Who gets an image when. sites: none for all; hours: local, null for any."""

    sites: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=200, default_factory=list)]
    hours: tuple[Hour, Hour] | None = None


@router.get("", summary="List firmware that is hosted")
async def list_firmware(node: TheNode, actor: Reader) -> Firmware:
    """Return what there is for whom, and how many telephones run it."""
    return await _shown(node)


@router.post("", status_code=201, summary="Upload firmware", openapi_extra=_BODY)
async def upload(
    node: TheNode,
    actor: Changer,
    request: Request,
    name: Annotated[str, Query(pattern=hosting.NAME.pattern, max_length=100, description="Of the file.")],
    brand: Annotated[str, Query(max_length=31, examples=["yealink"])],
    models: Annotated[
        str, Query(max_length=1000, description="With commas between.", examples=["T53W,T54W"])
    ],
    version: Annotated[str, Query(pattern=r"^[A-Za-z0-9._-]{1,40}$", examples=["96.86.0.23"])],
) -> Firmware:
    """Take a file and pin its bytes. It is given to nobody until it has a stage."""
    for_models = [one.strip() for one in models.split(",") if one.strip()]
    _known_models(node, brand, for_models)
    described = HostedImage(brand, for_models, version, name, "", 0, node.clock(), actor.account)
    about = {"name": name, "brand": brand, "version": version}
    await node.audit.enter(node.clock(), "phone.firmware_add", actor, **about)
    request.state.most_body_bytes = MOST_BYTES
    upload = await _kept(lambda: Upload(node.configuration.data_dir))
    try:
        waiting = bytearray()
        async for piece in request.stream():
            waiting += piece
            if len(waiting) >= PIECE_BYTES:
                await _kept(partial(upload.write, bytes(waiting)))
                waiting.clear()
        await _kept(partial(upload.write, bytes(waiting)))
        await _kept(partial(upload.take, described))
    finally:
        await asyncio.to_thread(upload.close)
    return await _shown(node)


@router.put("/{sha256}/stage", summary="Give firmware to telephones")
async def put_stage(node: TheNode, actor: Changer, sha256: Sha256, asked: StageAsked) -> Firmware:
    """To all of its models, or at these sites alone; at any hour, or at these; in waves."""
    sites = (await node.directory.now()).plan.sites
    if unknown := [site for site in asked.sites if site not in sites]:
        raise Problem(422, "unknown_site", f'the plan has no site "{unknown[0]}"', where="sites")
    stage = HostedStage(sha256, asked.sites, asked.hours or (0, 24))
    await node.audit.enter(node.clock(), "phone.firmware_stage", actor, image=sha256[:12], sites=asked.sites)
    await _kept(lambda: hosting.put_stage(node.configuration.data_dir, stage))
    await node.write(partial(forgive, cause=f"firmware:{sha256}"))  # what was stopped begins anew
    return await _shown(node)


@router.delete("/{sha256}/stage", summary="Give firmware to nobody any more")
async def remove_stage(node: TheNode, actor: Changer, sha256: Sha256) -> Firmware:
    """Telephones that run it already keep it."""
    await node.audit.enter(node.clock(), "phone.firmware_unstage", actor, image=sha256[:12])
    await _kept(lambda: hosting.remove_stage(node.configuration.data_dir, sha256))
    return await _shown(node)


@router.delete("/{sha256}", summary="Remove firmware")
async def remove_image(node: TheNode, actor: Changer, sha256: Sha256) -> Firmware:
    """Forget the file. Raises Problem (409) while it is given to telephones."""
    await node.audit.enter(node.clock(), "phone.firmware_remove", actor, image=sha256[:12])
    await _kept(lambda: hosting.remove_image(node.configuration.data_dir, sha256))
    return await _shown(node)


async def _kept(work: Callable[[], Result]) -> Result:
    """What comes of work on the disk, in a thread. Raises Problem."""
    try:
        return await asyncio.to_thread(work)
    except HostingError as error:
        raise Problem(_STATUS.get(error.code, 422), error.code, str(error)) from None
    except KeptError as error:
        raise Problem(503, "disk_trouble", str(error)) from None


def _known_models(node: Node, brand: str, models: list[str]) -> None:
    try:
        known = load_brands(node.configuration.provisioning.brands)
    except BrandError as error:
        raise Problem(409, "wrong_brand", str(error)) from None
    if brand not in known:
        raise Problem(422, "unknown_brand", f"there are no templates of {brand}", where="brand")
    unknown = [model for model in models if model not in known[brand].models]
    if unknown or not models:
        said = f"{known[brand].name} has no {unknown[0]} here" if unknown else "for no model"
        raise Problem(422, "unknown_model", said, where="models")


async def _shown(node: Node) -> Firmware:
    found = await fleet(node)
    hosted = await _kept(lambda: hosting.read_hosted(node.configuration.data_dir))
    stopped = await node.read(stopped_causes)
    uploads = {one.sha256: one for one in hosted.images}
    stages = {stage.sha256: stage for stage in found.images.stages}
    items = [
        _image(one, uploads.get(one.sha256), stages.get(one.sha256), found, stopped)
        for one in found.images.images
    ]
    return Firmware(items=items, problem=found.images.problem)


def _image(
    image: Image, upload: HostedImage | None, stage: Stage | None, found: Fleet, stopped: dict[str, str]
) -> ImageShown:
    meant = [one for one in found.items if one.phone.brand == image.brand and one.phone.model in image.models]
    runs = [one for one in meant if one.phone.version == image.version]
    to_come = [
        one for one in meant if one.wanted_version == image.version and one.phone.version != image.version
    ]
    return ImageShown(
        sha256=image.sha256,
        brand=image.brand,
        models=list(image.models),
        version=image.version,
        name=image.name,
        size_bytes=image.size_bytes,
        uploaded=upload is not None,
        added_at=upload.added_at if upload is not None else 0.0,
        account=upload.account if upload is not None else "",
        stage=_stage(stage),
        running=len(runs),
        to_come=len(to_come),
        stopped=stopped.get(f"firmware:{image.sha256}", ""),
    )


def _stage(stage: Stage | None) -> StageShown | None:
    if stage is None:
        return None
    return StageShown(sites=list(stage.sites), hours=stage.hours if stage.hours != (0, 24) else None)
