"""The node's figures as Prometheus reads them. Import it where they are asked for: few nodes are."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from pbx import control
from pbx.web.fan import Fan
from pbx.web.figures import BUCKETS_SECONDS, Durations, Figures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
TRUNK_STATES = ("up", "unknown", "unregistered", "down", "refusing")

_GAUGES = {
    "calls": "Calls in progress.",
    "bindings": "Registrations that last.",
    "unreachable": "Devices that are registered and don't answer.",
    "devices": "Devices that may register.",
    "texts": "Texts that wait for a device.",
}


class Measures:
    """What is told of one moment. Each is None where nobody answered."""

    def __init__(
        self,
        status: control.Counters | None,
        trunks: control.TrunkList | None,
        queues: control.QueueList | None,
        daemons: control.DaemonList | None,
        figures: Figures,
        events: Fan,
    ) -> None:
        self._status = status
        self._trunks = trunks
        self._queues = queues
        self._daemons = daemons
        self._figures = figures
        self._events = events

    def text(self) -> bytes:
        """Return them in the text format of Prometheus."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterable[Metric]:
        """Give each figure (prometheus_client.registry.Collector)."""
        up = int(self._status is not None)
        yield GaugeMetricFamily("beffroi_up", "Whether signalling answers.", value=up)
        yield from self._of_signalling()
        yield from self._of_trunks()
        yield from self._of_queues()
        yield from self._of_daemons()
        yield from self._of_web()

    def _of_signalling(self) -> Iterable[Metric]:
        if self._status is None:
            return
        counters = self._status.counters
        ended = counters.get("ended_calls", 0)
        yield CounterMetricFamily("beffroi_ended_calls", "Calls that have ended.", value=ended)
        for name, words in _GAUGES.items():
            yield GaugeMetricFamily(f"beffroi_{name}", words, value=counters.get(name, 0))
        plan = GaugeMetricFamily("beffroi_plan", "The plan in force.", labels=["version"])
        plan.add_metric([self._status.plan_version], 1)
        yield plan
        words = "What isn't well with recordings."
        troubles = GaugeMetricFamily("beffroi_recording_trouble", words, labels=["what"])
        for what in self._status.recordings:
            troubles.add_metric([what], 1)
        yield troubles

    def _of_trunks(self) -> Iterable[Metric]:
        if self._trunks is None:
            return
        state = GaugeMetricFamily(
            "beffroi_trunk_state", "1 for the state it is in.", labels=["trunk", "state"]
        )
        words = "Channels of a trunk that have a call."
        used = GaugeMetricFamily("beffroi_trunk_channels_in_use", words, labels=["trunk"])
        channels = GaugeMetricFamily("beffroi_trunk_channels", "Channels of a trunk.", labels=["trunk"])
        for trunk in self._trunks.trunks:
            for one in TRUNK_STATES:
                state.add_metric([trunk.name, one], int(trunk.state == one))
            used.add_metric([trunk.name], trunk.channels_in_use)
            channels.add_metric([trunk.name], trunk.channels)
        yield from (state, used, channels)

    def _of_queues(self) -> Iterable[Metric]:
        if self._queues is None:
            return
        waiting = GaugeMetricFamily("beffroi_queue_waiting", "Who waits in a queue.", labels=["queue"])
        words = "Calls of a queue, by what became of them."
        calls = CounterMetricFamily("beffroi_queue_calls", words, labels=["queue", "outcome"])
        agents = GaugeMetricFamily("beffroi_queue_agents", "Agents of a queue.", labels=["queue", "state"])
        for queue in self._queues.queues:
            waiting.add_metric([queue.name], len(queue.waiting))
            for outcome in ("answered", "abandoned", "sent_on", "to_call_back"):
                calls.add_metric([queue.name, outcome], getattr(queue.figures, outcome))
            states = [agent.state for agent in queue.agents]
            for one in sorted(set(states)):
                agents.add_metric([queue.name, one], states.count(one))
        yield from (waiting, calls, agents)

    def _of_daemons(self) -> Iterable[Metric]:
        if self._daemons is None:
            return
        is_up = GaugeMetricFamily("beffroi_media_daemon_up", "Whether it answers.", labels=["daemon"])
        calls = GaugeMetricFamily("beffroi_media_daemon_calls", "Calls in it.", labels=["daemon"])
        for daemon in self._daemons.daemons:
            is_up.add_metric([daemon.name], int(daemon.up))
            calls.add_metric([daemon.name], daemon.calls)
        yield from (is_up, calls)

    def _of_web(self) -> Iterable[Metric]:
        labels = ["route", "method", "status"]
        served = CounterMetricFamily("beffroi_web_requests", "Requests that were answered.", labels=labels)
        for (route, method, status), count in self._figures.requests.items():
            served.add_metric([route, method, str(status)], count)
        words = "How long answers took."
        lasted = HistogramMetricFamily("beffroi_web_request_seconds", words, labels=["route"])
        for route, durations in self._figures.durations.items():
            lasted.add_metric([route], _buckets(durations), durations.total_seconds)
        yield from (served, lasted)
        sockets = len(self._events.listeners)
        yield GaugeMetricFamily("beffroi_event_listeners", "Who is told events.", value=sockets)


def _buckets(durations: Durations) -> list[tuple[str, float]]:
    """How many ended within each time, as Prometheus counts: those of the shorter ones too."""
    limits = [*map(str, BUCKETS_SECONDS), "+Inf"]
    return [(limit, float(count)) for limit, count in zip(limits, accumulate(durations.counts), strict=True)]
