"""Answers about bans, for the control socket of a running node and for the command line without one."""

from __future__ import annotations

from pbx.control import AddBan, BanList, Question, RemoveBan
from pbx.defence.gate import Gate


def answer_about_bans(gate: Gate, question: Question) -> BanList:
    """Do what was asked about bans on the control socket, and tell which there are then."""
    problem = ""
    match question:
        case AddBan(source, why, seconds):
            try:
                gate.ban(source, why, seconds)
            except ValueError as error:
                problem = str(error)
        case RemoveBan(source):
            if not gate.lift(source):
                problem = f"{source} isn't banned; `beffroi ban list` shows who is"
        case _:
            pass
    return BanList(gate.bans_in_force(), problem)
