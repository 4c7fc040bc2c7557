"""What commands ask of signalling is entered when it changes something, without anybody's number."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from pbx import control
from pbx.audit.entry import By, fields_of
from pbx.audit.questions import NOTHING, said_of

ASKED = [
    (control.SetForward("1001", "always", "+33612345678", "chef"), "settings.change"),
    (control.StopForwarding("1001", "chef"), "settings.change"),
    (control.SetDoNotDisturb("1001", True, "chef"), "settings.change"),
    (control.SetSwitch("1001", "call_waiting", True, "chef"), "settings.change"),
    (control.SetRing("1001", "together", "chef"), "settings.change"),
    (control.ClearSettings("1001", "chef"), "settings.change"),
    (control.SetPin("1001", "4711", "chef"), "pin.set"),
    (control.SetPin("1001", "", "chef"), "pin.remove"),
    (control.AddOverride("echo", False, 1e9, "chef", "+33612345678"), "service.override"),
    (control.RemoveOverride("echo", "chef"), "service.as_planned"),
    (control.UseDevice("1001-app", "1002", "chef"), "device.use"),
    (control.SayAddress("1001-app", {"street": "rue Basse"}, "chef", True), "address.say"),
    (control.ForgetAddress("1001-app", "chef"), "address.forget"),
    (control.PauseAgent("1001", "chef"), "agent.pause"),
    (control.ResumeAgent("1001", "chef"), "agent.resume"),
    (control.AddBan("203.0.113.7", "calls at night", 60.0), "ban.add"),
    (control.RemoveBan("203.0.113.7"), "ban.remove"),
    (control.DrainDaemon("one", True), "daemon.drain"),
    (control.DeleteMessage("1001", "m1"), "voicemail.delete"),
    (control.Originate("1001", "+33612345678"), "call.originate"),
    (control.Retrieve("1001", "701"), "call.retrieve"),
    (control.PickUp("1001"), "call.pick_up"),
    (control.SendOn("+33612345678", "1002", "1001"), "call.send_on"),
    (control.InCall("hang_up", "+33612345678"), "call.hang_up"),
]


@pytest.mark.parametrize(("question", "what"), ASKED, ids=lambda one: type(one).__name__)
def test_what_changes_something_is_entered_without_a_number_and_without_a_secret(question, what: str):
    said = said_of(question)
    assert said.what == what
    fields = fields_of(1.0, said.what, By("chef", "command"), said.about)
    assert "612345678" not in str(fields)
    assert "4711" not in str(fields)


@pytest.mark.parametrize("kind", control.READS, ids=lambda kind: kind.__name__)
def test_what_only_asks_is_not_entered(kind: type[msgspec.Struct]):
    required = [field for field in msgspec.structs.fields(kind) if field.required]
    assert said_of(kind(*("" for _ in required))) == NOTHING


def test_every_question_of_commands_is_known():
    by_pages = {"ReloadPlan", "Play", "Say", "Gather", "Record", "StopRecording", "MarkHeard", "KeepGreeting"}
    by_pages |= {"DropGreeting", "FollowEvents", "DropBindings", "NotifyDevices"}
    by_pages |= {"ListPages", "SignOutPages", "SetWakeable", "DeclineCall", "AskDoorway", "CallVisitorBack"}
    by_phones = {"TellWaveStopped"}
    known = {type(question) for question, _ in ASKED} | set(control.READS)
    assert {kind.__name__ for kind in get_args(control.Question) if kind not in known} <= by_pages | by_phones
