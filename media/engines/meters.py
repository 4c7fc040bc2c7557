"""How well legs hear and are heard, looked at once a second in the media process.

```
    each second     a leg from which nothing comes, while its peer is heard  ──> OneWay, once
    each 5 seconds  counters and the leg's own RTCP ──> E-model (media.quality) ──> Measured
```
A leg has a meter from the first second in which it has a route; setting up a call costs nothing. What is
measured is what came from the leg. What the leg says of what it gets from us (RFC 3550 section 6.4) adds
the round trip.
"""

from typing import Final

from media.engines import wire
from media.engines.stream import Stream
from media.quality import ONE_WAY_SUPPRESSED_SECONDS, Counters, LegMeter

MEASURED_EACH_SECONDS: Final = 5
ONE_WAY_SECONDS: Final = 4.0  # looked at each second: told within 5
_HEARD_SECONDS: Final = 1.5
_COMFORT_NOISE: Final = 13


class _Meter:
    """One stream. since: when both parties began to be heard, as far as was seen."""

    __slots__ = ("leg", "packets", "peer_port", "since", "told")

    def __init__(self, codec: str) -> None:
        self.leg = LegMeter(codec)
        self.packets = 0
        self.peer_port = 0
        self.since = 0.0
        self.told = False


class Meters:
    """All streams. reports: where `OneWay` and `Measured` are added."""

    def __init__(self, reports: list[wire.Report]) -> None:
        self._reports = reports
        self._meters: dict[int, _Meter] = {}

    def forget(self, port: int) -> None:
        """Leave out a stream whose leg has gone."""
        self._meters.pop(port, None)

    def each_second(self, stream: Stream, route: wire.Route, now: float, *, measure: bool) -> None:
        """Look at a stream that has a route. measure: tell its quality as well. now: monotonic seconds."""
        meter = self._meters.get(stream.port)
        if meter is None:
            meter = self._meters[stream.port] = _Meter(route.codec)
        if route.watch and route.peer:
            self._watch(meter, stream, route, now)
        else:
            meter.peer_port = 0
        if measure and route.codec:
            self._measure(meter, stream, route, now)

    def _watch(self, meter: _Meter, stream: Stream, route: wire.Route, now: float) -> None:
        """Tell when nothing comes from a leg while its peer, who should be heard as well, is."""
        peer = stream.peer
        if peer is None or meter.peer_port != route.peer:
            meter.peer_port, meter.since, meter.told = route.peer, now, False
            return
        silent = stream.silent_seconds(now)
        if 0 <= silent < _HEARD_SECONDS:
            meter.told = False
            return
        silent = min(silent, now - meter.since) if silent >= 0 else now - meter.since
        quiet_by_right = _COMFORT_NOISE in route.payload_types
        limit = ONE_WAY_SUPPRESSED_SECONDS if quiet_by_right else ONE_WAY_SECONDS
        if not meter.told and silent >= limit and 0 <= peer.silent_seconds(now) < _HEARD_SECONDS:
            meter.told = True
            self._reports.append(wire.OneWay(stream.port, round(silent, 1)))

    def _measure(self, meter: _Meter, stream: Stream, route: wire.Route, now: float) -> None:
        """Tell the quality of a leg that was heard since the last time."""
        counts = stream.counts(now)
        if counts.packets == meter.packets:
            return
        meter.packets = counts.packets
        meter.leg.codec = route.codec
        meter.leg.observe(
            Counters(
                counts.packets, counts.lost, jitter_ms=counts.jitter_ms, round_trip_ms=counts.round_trip_ms
            )
        )
        whole = meter.leg.summary()
        self._reports.append(
            wire.Measured(stream.port, whole.mos, whole.loss_percent, whole.jitter_ms, counts.round_trip_ms)
        )
