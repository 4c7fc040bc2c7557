"""Answers about what is set by hand, for the control socket."""

from __future__ import annotations

from pbx.control import (
    AddOverride,
    ClearSettings,
    ListSettings,
    RemoveOverride,
    SetDoNotDisturb,
    SetForward,
    SetRing,
    SetSwitch,
    SettingsInForce,
    SettingsQuestion,
    StopForwarding,
)
from pbx.people.settings import NodeSettings, SettingRefused


def answer_about_settings(settings: NodeSettings, question: SettingsQuestion) -> SettingsInForce:
    """Do what was asked on the control socket, and tell what is set then: of one person, or of all."""
    problem = reason = ""
    try:
        _carry_out(settings, question)
    except SettingRefused as refused:
        problem, reason = str(refused), refused.reason
    extension = "" if isinstance(question, AddOverride | RemoveOverride) else question.extension
    people = [kept for kept in settings.everybody() if extension in ("", kept.extension)]
    return SettingsInForce(people, settings.overrides(), problem, reason)


def _carry_out(settings: NodeSettings, question: SettingsQuestion) -> None:
    """Raises SettingRefused."""
    match question:
        case ListSettings():
            pass
        case SetForward(extension, when, to, by, seconds, callers, hours, until):
            settings.forward(
                extension, when, to, by, seconds=seconds, callers=callers, hours=hours, until=until
            )
        case StopForwarding(extension, by, when):
            settings.stop_forwarding(extension, by, when)
        case SetDoNotDisturb(extension, on, by, until):
            settings.do_not_disturb(extension, on, by, until)
        case SetSwitch(extension, what, on, by):
            settings.switch(extension, what, on, by)
        case SetRing(extension, way, by):
            settings.ring(extension, way, by)
        case ClearSettings(extension, by, when):
            settings.clear(extension, by, when)
        case AddOverride(name, is_open, until, by, to):
            settings.override(name, by, is_open=is_open, until=until, to=to)
        case RemoveOverride(name, by):
            settings.end_override(name, by)
