"""Calls in progress: seen, placed, and everything that may be done in them (pbx.api.calls)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import FileResponse

from pbx import control
from pbx.accounts.actor import Actor
from pbx.api.views import CallView
from pbx.web.access import may, own_extension
from pbx.web.body import whole_body
from pbx.web.node import Node, TheNode
from pbx.web.problems import Problem
from pbx.web.sounds import Sounds

router = APIRouter(prefix="/calls", tags=["calls"])

MOST_SOUND_BYTES = 20 << 20
MAX_TEXT = 1000
WAV_HEADER = b"RIFF"

CallId = Annotated[str, Path(min_length=1, max_length=100, description="The call's id.")]
Who = Annotated[
    str,
    Field(
        max_length=40,
        description="Which party it is about: an extension, or the number of a party outside. "
        "Default: your own. Anybody else's needs the right `calls.control`.",
        examples=["1001"],
    ),
]


class Party(BaseModel):
    """One party of a call."""

    leg: str = Field(examples=["a"])
    device: str = Field(description="Its sign-in, or the trunk's name.", examples=["1001"])
    number: str = Field(description="Its extension, else its number outside.", examples=["1001"])
    name: str = Field(examples=["Alice Martin"])
    state: Literal["calls", "called", "rings", "talks", "holds", "held", "confers", "waits"]
    muted: bool
    dialog: str = Field("", description="The Call-ID of its dialog with the node.", examples=["3vq0kd0r5tj2"])
    may_record: bool = Field(
        False, description="Whether it may have the call recorded from now on.", examples=[False]
    )


class Call(BaseModel):
    """A call in progress."""

    id: str = Field(examples=["20261122-181500-9f3a"])
    direction: str = Field(examples=["internal"])
    from_number: str = Field(examples=["1001"])
    from_name: str = Field(examples=["Alice Martin"])
    dialled: str = Field(examples=["1002"])
    to: str = Field(description="Who or what it reached.", examples=["1002"])
    started_at: float = Field(description="Unix seconds.", examples=[1795371300.5])
    answered_at: float | None = Field(examples=[1795371304.0])
    parties: list[Party]
    parents: list[str] = Field(description="The calls that it came from.", examples=[[]])
    service: str = Field("", description="The one that it came to first.", examples=["standard"])
    recorded: Literal["", "on", "stopped"] = Field(
        "", description="By the plan: `on`, or `stopped` by somebody in it.", examples=["on"]
    )
    stoppable: bool = Field(False, description="Whether somebody in it may stop that.", examples=[False])
    conference: list[str] = Field(
        [], description="The others of its conference by name; empty for a stranger.", examples=[[]]
    )


class Calls(BaseModel):
    """Calls in progress, oldest first."""

    items: list[Call]
    next: str = Field("", description="`after` of the page behind this one; empty for none.")


class Done(BaseModel):
    """What came of it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"call": "20261122-181500-9f3a", "state": "done", "place": ""}]}
    )
    call: str = Field(description="The call that it is about; empty where that is over.")
    state: str = Field(description="`done`, or `rings` where somebody is rung and it goes on.")
    place: str = Field("", description="Where a caller is parked.")


class Pressed(BaseModel):
    """The keys that were pressed."""

    digits: str = Field(examples=["4711"])


class SoundShown(BaseModel):
    """A sound: a recording of a party, or what was sent to be played. It is gone a day later."""

    id: str = Field(examples=["0f343b0931126a20f133d67c2b018a3b"])
    bytes: int = Field(examples=[96044])
    written_at: float = Field(examples=[1795371300.5])


class SoundsShown(BaseModel):
    """One's sounds, the newest first."""

    items: list[SoundShown]
    next: str = ""


class SoundBegun(BaseModel):
    """Where something is being recorded."""

    sound: str = Field(examples=["0f343b0931126a20f133d67c2b018a3b"])
    call: str = Field(examples=["20261122-181500-9f3a"])


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    who: Who = ""


class Place(_Asked):
    """A call to place: the telephones of `who` ring, then the number."""

    number: str = Field(min_length=1, max_length=60, examples=["1002"])
    by_itself: bool = Field(False, description="Ask the telephones to answer alone.")


class PickUp(_Asked):
    """A call to pick up that rings elsewhere."""

    of: str = Field("", max_length=40, description="Where; empty for the groups of `who`.", examples=["1002"])


class Retrieve(_Asked):
    """A parked call to take."""

    place: str = Field(min_length=1, max_length=40, examples=["701"])


class InCall(_Asked):
    """Whose part of the call."""


class Number(_Asked):
    """Whose part of the call, and a number."""

    number: str = Field(min_length=1, max_length=60, examples=["1003"])


class Other(_Asked):
    """Whose part of the call, and the other call."""

    other: str = Field(min_length=1, max_length=100, examples=["20261122-181630-22c1"])


class Park(_Asked):
    """Whose other party, and where."""

    place: str = Field("", max_length=40, description="Empty: the first free one.", examples=["701"])


class Digits(_Asked):
    """Whose keys, and which."""

    digits: str = Field(pattern=r"^[0-9*#A-D]{1,64}$", examples=["1#"])


class Play(_Asked):
    """What a party hears in place of its peer: a tone, music, or a sound that was sent before."""

    tone: Literal["", "ringback", "busy", "congestion", "dial", "special_information", "music"] = "music"
    sound: str = Field("", max_length=40, description="A sound's id, in place of a tone.", examples=[""])


class Say(_Asked):
    """What is spoken to a party."""

    text: str = Field(min_length=1, max_length=MAX_TEXT, examples=["Un instant, je vous prie."])
    language: Literal["fr", "en"] = "fr"


class Gather(_Asked):
    """Which keys are waited for."""

    most: int = Field(1, ge=1, le=64)
    seconds: float = Field(10.0, gt=0, le=25)
    end: Literal["", "#", "*"] = "#"


class Recording(_Asked):
    """Whose part of the call, and whether it is to be recorded."""

    on: bool = Field(examples=[False])


class Record(_Asked):
    """What a party says, from now on."""

    seconds: float = Field(60.0, gt=0, le=3600, description="At most.")


# Looking


@router.get("", summary="List calls in progress", description="All with `calls.read`, else one's own.")
async def list_calls(
    node: TheNode,
    actor: Annotated[Actor, may("own")],
    who: Annotated[str, Query(max_length=40, description="Of one party.")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str, Query(max_length=100)] = "",
) -> Calls:
    """Return a page of them."""
    if not actor.may("calls.read"):
        who = own_extension(actor, who)
    found = [view for view in await _calls(node, who) if view.id > after]
    shown, rest = found[:limit], found[limit:]
    return Calls(items=[_shown(view) for view in shown], next=shown[-1].id if rest else "")


@router.get("/sounds", summary="List one's sounds")
async def list_sounds(node: TheNode, actor: Annotated[Actor, may("own")]) -> SoundsShown:
    """Return all of them: there are few."""
    found = await asyncio.to_thread(_sounds(node).of, actor.account)
    return SoundsShown(items=[SoundShown(id=one.id, bytes=one.bytes, written_at=one.at) for one in found])


@router.post(
    "/sounds",
    status_code=201,
    summary="Send a sound to be played",
    description="The body is a WAV file (16-bit PCM), at most 20 MB. It is gone a day later.",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def send_sound(node: TheNode, actor: Annotated[Actor, may("own")], request: Request) -> SoundShown:
    """Keep it."""
    body = await whole_body(request, MOST_SOUND_BYTES)
    if body[:4] != WAV_HEADER or body[8:12] != b"WAVE":
        raise Problem(422, "no_sound", "this is no WAV file", mend="send 16-bit PCM in a WAV file")

    def keep() -> str:
        made, path = _sounds(node).begin(actor.account)
        path.write_bytes(body)
        return made

    made = await asyncio.to_thread(keep)
    await node.audit.enter(node.clock(), "sound.add", actor, sound=made, bytes=len(body))
    return SoundShown(id=made, bytes=len(body), written_at=node.clock())


@router.get(
    "/sounds/{sound}",
    summary="Fetch a sound",
    response_class=FileResponse,
    responses={200: {"content": {"audio/wav": {}}}},
)
async def fetch_sound(
    node: TheNode, actor: Annotated[Actor, may("own")], sound: Annotated[str, Path(max_length=40)]
) -> FileResponse:
    """Return the WAV file."""
    path = await asyncio.to_thread(_sounds(node).path, actor.account, sound)
    return FileResponse(path, media_type="audio/wav", headers={"Cache-Control": "no-store"})


@router.delete("/sounds/{sound}", status_code=204, summary="Delete a sound")
async def delete_sound(
    node: TheNode, actor: Annotated[Actor, may("own")], sound: Annotated[str, Path(max_length=40)]
) -> None:
    """Delete it now."""
    await asyncio.to_thread(_sounds(node).remove, actor.account, sound)
    await node.audit.enter(node.clock(), "sound.remove", actor, sound=sound)


@router.get("/{call}", summary="Show a call in progress")
async def show_call(node: TheNode, actor: Annotated[Actor, may("own")], call: CallId) -> Call:
    """Return it."""
    who = "" if actor.may("calls.read") else own_extension(actor)
    for view in await _calls(node, who):
        if view.id == call:
            return _shown(view)
    raise Problem(404, "call_not_found", f"no call {call[:60]} is in progress", where="call")


# Beginning


@router.post("", status_code=201, summary="Place a call")
async def place(node: TheNode, actor: Annotated[Actor, may("own")], asked: Place) -> Done:
    """Ring the telephones, then the number, with the rights of whose telephones they are."""
    who = _party(actor, asked.who)
    return await _done(node, actor, "place", who, control.Originate(who, asked.number, asked.by_itself))


@router.post("/pick-up", status_code=201, summary="Pick up a call that rings elsewhere")
async def pick_up(node: TheNode, actor: Annotated[Actor, may("own")], asked: PickUp) -> Done:
    """Ring the telephones of `who` for it."""
    who = _party(actor, asked.who)
    return await _done(node, actor, "pick_up", who, control.PickUp(who, asked.of))


@router.post("/retrieve", status_code=201, summary="Take a parked call")
async def retrieve(node: TheNode, actor: Annotated[Actor, may("own")], asked: Retrieve) -> Done:
    """Ring the telephones of `who` for who is parked."""
    who = _party(actor, asked.who)
    return await _done(node, actor, "retrieve", who, control.Retrieve(who, asked.place))


# In a call


@router.post("/{call}/answer", summary="Answer")
async def answer(node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: InCall) -> Done:
    """Let a telephone that rings answer, where it can be asked to."""
    return await _in_call(node, actor, "answer", call, asked)


@router.post("/{call}/hold", summary="Hold")
async def hold(node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: InCall) -> Done:
    """The other party hears music."""
    return await _in_call(node, actor, "hold", call, asked)


@router.post("/{call}/resume", summary="Resume")
async def resume(node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: InCall) -> Done:
    """End a hold."""
    return await _in_call(node, actor, "resume", call, asked)


@router.post("/{call}/mute", summary="Mute")
async def mute(node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: InCall) -> Done:
    """Nobody hears the party."""
    return await _in_call(node, actor, "mute", call, asked)


@router.post("/{call}/unmute", summary="Unmute")
async def unmute(node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: InCall) -> Done:
    """The party is heard again."""
    return await _in_call(node, actor, "unmute", call, asked)


@router.post("/{call}/transfer", summary="Transfer to a number")
async def transfer(node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: Number) -> Done:
    """Connect the other party with a number; it comes back where nobody takes it."""
    return await _in_call(node, actor, "transfer", call, asked, asked.number)


@router.post("/{call}/join", summary="Transfer to another call of one's own")
async def join(node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: Other) -> Done:
    """Connect the other parties of two calls (attended transfer)."""
    return await _in_call(node, actor, "join", call, asked, asked.other)


@router.post("/{call}/merge", summary="Make one call of two")
async def merge(node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: Other) -> Done:
    """A conversation of three."""
    return await _in_call(node, actor, "merge", call, asked, asked.other)


@router.post("/{call}/park", summary="Park the other party")
async def park(node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: Park) -> Done:
    """It waits at a place until somebody takes it."""
    return await _in_call(node, actor, "park", call, asked, asked.place)


@router.post("/{call}/digits", summary="Press keys")
async def digits(node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: Digits) -> Done:
    """The other party gets them."""
    return await _in_call(node, actor, "digits", call, asked, asked.digits)


@router.post("/{call}/hang-up", summary="Hang up")
async def hang_up(node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: InCall) -> Done:
    """End the party's part; a telephone that rings declines."""
    return await _in_call(node, actor, "hang_up", call, asked)


@router.post("/{call}/recording", summary="Stop the recording of a call, let it go on, or begin one")
async def recording(
    node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: Recording
) -> Done:
    """Where the plan says `stop: allowed` or `start: asked`. What is said before or meanwhile is nowhere."""
    verb = "recording_again" if asked.on else "recording_stop"
    return await _in_call(node, actor, verb, call, asked)


@router.post("/{call}/send-on", summary="Send on a party that waits with a service")
async def send_on(
    node: TheNode, actor: Annotated[Actor, may("calls.control")], call: CallId, asked: Number
) -> Done:
    """Out of a queue, parking or a menu to a number, by your own rights."""
    by = own_extension(actor)
    question = control.SendOn(asked.who, asked.number, by, call)
    return await _done(node, actor, "send_on", asked.who, question, call)


@router.post("/{call}/play", summary="Play something to a party")
async def play(node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: Play) -> Done:
    """In place of what it hears."""
    path = ""
    if asked.sound:
        path = str(await asyncio.to_thread(_sounds(node).path, actor.account, asked.sound))
    who = _party(actor, asked.who)
    question = control.Play(who, call, path, "" if path else asked.tone)
    return await _done(node, actor, "play", who, question, call)


@router.post("/{call}/say", summary="Speak to a party")
async def say(node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: Say) -> Done:
    """In place of what it hears."""
    who = _party(actor, asked.who)
    question = control.Say(who, asked.text, asked.language, call)
    return await _done(node, actor, "say", who, question, call)


@router.post("/{call}/gather", summary="Wait for keys of a party")
async def gather(node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: Gather) -> Pressed:
    """Its peer doesn't get them; answered when they have been pressed, or the time is over."""
    who = _party(actor, asked.who)
    answer = await _asked(node, control.Gather(who, asked.most, asked.seconds, asked.end, call))
    await node.audit.enter(node.clock(), "call.gather", actor, whom=who, call=call)
    return Pressed(digits=answer.digits)


@router.post("/{call}/record", status_code=201, summary="Record what a party says")
async def record(
    node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: Record
) -> SoundBegun:
    """Into a sound of yours; nothing tells the party. The recordings of the plan are another matter."""
    who = _party(actor, asked.who)
    made, path = await asyncio.to_thread(_sounds(node).begin, actor.account)
    try:
        answer = await _asked(node, control.Record(who, str(path), asked.seconds, call))
    except Problem:
        path.with_suffix(".owner").unlink(missing_ok=True)
        raise
    await node.audit.enter(node.clock(), "call.record", actor, whom=who, call=call, sound=made)
    return SoundBegun(sound=made, call=answer.done.call)


@router.post("/{call}/stop-recording", summary="End a recording of a party")
async def stop_recording(
    node: TheNode, actor: Annotated[Actor, may("own")], call: CallId, asked: InCall
) -> Done:
    """What was begun by `record`."""
    who = _party(actor, asked.who)
    return await _done(node, actor, "stop_recording", who, control.StopRecording(who, call), call)


# Asking


def _party(actor: Actor, who: str) -> str:
    """Whose part of a call it is about. Raises Problem (403) for who may not."""
    if who and actor.may("calls.control"):
        return who
    return own_extension(actor, who)


async def _in_call(node: Node, actor: Actor, verb: str, call: str, asked: _Asked, argument: str = "") -> Done:
    who = _party(actor, asked.who)
    return await _done(node, actor, verb, who, control.InCall(verb, who, call, argument), call)


async def _done(
    node: Node, actor: Actor, verb: str, who: str, question: control.CallQuestion, call: str = ""
) -> Done:
    answer = await _asked(node, question)
    done = answer.done
    await node.audit.enter(node.clock(), f"call.{verb}", actor, whom=who, call=call or done.call)
    return Done(call=done.call, state=done.state, place=done.place)


async def _asked(node: Node, question: control.CallQuestion) -> control.CallsNow:
    """Raises Problem: 404 where there is no such call, 409 where it can't be done now."""
    answer = await node.ask(question)
    assert isinstance(answer, control.CallsNow)
    if not answer.found:
        raise Problem(404, "call_not_found", answer.problem, where="call")
    if answer.problem:
        raise Problem(409, "not_possible_now", answer.problem)
    return answer


async def _calls(node: Node, who: str) -> list[CallView]:
    return (await _asked(node, control.ListCalls(who))).calls


def _shown(view: CallView) -> Call:
    parties: list[Any] = [
        {name: getattr(party, name) for name in party.__struct_fields__} for party in view.parties
    ]
    return Call(
        id=view.id,
        direction=view.direction,
        from_number=view.from_number,
        from_name=view.from_name,
        dialled=view.dialled,
        to=view.to,
        started_at=view.started,
        answered_at=view.answered,
        parties=parties,
        parents=list(view.parents),
        service=view.service,
        recorded=view.recorded,  # type: ignore[arg-type]
        stoppable=view.stoppable,
        conference=list(view.conference),
    )


def _sounds(node: Node) -> Sounds:
    return Sounds(node.configuration.data_dir / "sounds", node.clock)
