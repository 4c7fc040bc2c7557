"""What the audit journal says of what signalling was asked by a command; nothing of what only asks.

Numbers that somebody dials or is sent to aren't said: they may be citizens'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pbx import control
from pbx.audit.entry import Value


class Said(NamedTuple):
    """`noun.verb`, and what else is said; "" for a question that changes nothing."""

    what: str
    about: Mapping[str, Value]


NOTHING = Said("", {})


def said_of(question: control.Question) -> Said:
    """Return what is entered once a question was answered."""
    match question:
        case control.SetForward(extension=whom) | control.StopForwarding(extension=whom):
            return Said("settings.change", {"whom": whom, "setting": "forward"})
        case control.ClearSettings(extension=whom, when=when):
            return Said("settings.change", {"whom": whom, "setting": f"clear {when or 'all'}"})
        case control.SetDoNotDisturb(extension=whom, on=on):
            return Said("settings.change", {"whom": whom, "setting": "do_not_disturb", "on": on})
        case control.SetSwitch(extension=whom, what=setting, on=on):
            return Said("settings.change", {"whom": whom, "setting": setting, "on": on})
        case control.SetRing(extension=whom, way=way):
            return Said("settings.change", {"whom": whom, "setting": "ring", "way": way})
        case control.SetPin(extension=whom, digits=digits):
            return Said("pin.set" if digits else "pin.remove", {"whom": whom})
        case control.AddOverride(name=name, is_open=is_open, until=until):
            return Said("service.override", {"service": name, "open": is_open, "until": until})
        case control.RemoveOverride(name=name):
            return Said("service.as_planned", {"service": name})
        case _:
            return _of_others(question)


def _of_others(question: control.Question) -> Said:
    match question:
        case control.UseDevice(device=device, extension=whom):
            return Said("device.use", {"whom": whom, "device": device})
        case control.NotifyDevices(devices=devices, event=event):
            return Said("phone.resync", {"lines": list(devices), "event": event})
        case control.DropBindings(devices=devices, lost=lost):
            return Said("phone.drop", {"lines": list(devices), "lost": lost})
        case control.SayAddress(device=device):
            return Said("address.say", {"whom": device})
        case control.ForgetAddress(device=device):
            return Said("address.forget", {"whom": device})
        case control.PauseAgent(extension=whom, service=service):
            return Said("agent.pause", {"whom": whom, "service": service})
        case control.ResumeAgent(extension=whom, service=service):
            return Said("agent.resume", {"whom": whom, "service": service})
        case control.AddBan(source=source, why=why):
            return Said("ban.add", {"source": source, "why": why})
        case control.RemoveBan(source=source):
            return Said("ban.remove", {"source": source})
        case control.DrainDaemon(name=name, draining=draining):
            return Said("daemon.drain", {"daemon": name, "draining": draining})
        case control.DeleteMessage(mailbox=mailbox, message=message):
            return Said("voicemail.delete", {"whom": mailbox, "message": message})
        case control.Originate(extension=whom):
            return Said("call.originate", {"whom": whom})
        case control.Retrieve(extension=whom, place=place):
            return Said("call.retrieve", {"whom": whom, "place": place})
        case control.PickUp(extension=whom):
            return Said("call.pick_up", {"whom": whom})
        case control.SendOn(who=who):
            return Said("call.send_on", {"whom": who})
        case control.InCall(verb=verb, who=who, call=call):
            return Said(f"call.{verb.replace('-', '_')}", {"whom": who, "call": call})
        case _:
            return NOTHING
