"""Answers about queues and their agents, for the control socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialplan.plan import Service
from pbx.control import (
    AgentStatus,
    ListQueues,
    PauseAgent,
    QueueList,
    QueueQuestion,
    QueueStatus,
    ResumeAgent,
    WaitingCaller,
)
from pbx.people.settings import SettingRefused
from pbx.queues.figures import AgentFigures, QueueFigures

if TYPE_CHECKING:
    from pbx.exchange import Exchange
    from pbx.queues.place import Place


def answer_about_queues(exchange: Exchange, question: QueueQuestion) -> QueueList:
    """Do what was asked on the control socket, and tell how the queues are then."""
    problem = ""
    try:
        match question:
            case ListQueues():
                pass
            case PauseAgent(extension, by, service, reason):
                exchange.settings.pause(extension, by, service, reason)
            case ResumeAgent(extension, by, service):
                exchange.queues.resume(extension, by, service)
    except SettingRefused as refused:
        problem = str(refused)
    services = exchange.plan.services.values()
    return QueueList([_status(exchange, one) for one in services if one.type == "queue"], problem)


def _status(exchange: Exchange, service: Service) -> QueueStatus:
    queues, name = exchange.queues, service.name
    waiting, members = queues.waiting(name), queues.members(service)
    at_work = sum(queues.agents.is_at_work(agent, service) for agent in members)
    figures = queues.figures.queues.get(name, QueueFigures())
    speaking = queues.agents.speaking()
    return QueueStatus(
        name,
        service.number or "",
        [_caller(exchange, place) for place in waiting],
        queues.handling.wait_seconds(name, len(waiting), at_work),
        [_agent(exchange, service, agent, speaking, figures) for agent in members],
        figures,
        queues.since,
    )


def _caller(exchange: Exchange, place: Place) -> WaitingCaller:
    waits = "to be called back" if place in exchange.queues.call_backs else "waiting"
    state = "ringing" if place.served else waits
    return WaitingCaller(place.call, place.number, exchange.clock() - place.since, state)


def _agent(
    exchange: Exchange, service: Service, agent: str, speaking: set[str], figures: QueueFigures
) -> AgentStatus:
    person, pause = exchange.plan.people.get(agent), exchange.settings.paused(agent, service.name)
    return AgentStatus(
        agent,
        person.name if person is not None else "",
        exchange.queues.agents.state(agent, service, speaking),
        pause.reason if pause is not None else "",
        figures.agents.get(agent, AgentFigures()),
    )
