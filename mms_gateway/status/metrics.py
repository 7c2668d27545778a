"""The board as Prometheus metrics."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mms_gateway.status.board import Board


class BoardCollector(Collector):
    """Collector that reads the board at each scrape."""

    def __init__(self, board: Board, monotonic: Callable[[], float]) -> None:
        self._board = board
        self._monotonic = monotonic

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        board = self._board
        up = GaugeMetricFamily("mms_gateway_worker_up", "1 if the worker is heard", labels=["worker"])
        for worker, state in board.workers.items():
            up.add_metric([worker], float(state == "alive"))
        yield up
        connected = GaugeMetricFamily(
            "mms_gateway_line_connected", "1 if the port or connection is there", labels=["line"]
        )
        load = GaugeMetricFamily("mms_gateway_line_load", "share of the line's time in use", labels=["line"])
        late = GaugeMetricFamily(
            "mms_gateway_line_lateness_periods", "how late the latest block is, in its periods", labels=["line"]
        )
        for line in board.lines.values():
            connected.add_metric([line.line], float(line.connected))
            load.add_metric([line.line], line.load)
            late.add_metric([line.line], line.lateness)
        yield connected
        yield load
        yield late
        yield from self._devices()
        yield from self._points()
        events = CounterMetricFamily("mms_gateway_line_events", "what happened on a line", labels=["line", "event"])
        for name, count in board.counters.items():
            line_name, _, event = name.rpartition(".")
            events.add_metric([line_name, event], count)
        yield events

    def _devices(self) -> Iterator[Metric]:
        online = GaugeMetricFamily("mms_gateway_device_online", "1 if the device answers", labels=["device"])
        polls = CounterMetricFamily("mms_gateway_device_polls", "exchanges with the device", labels=["device"])
        failures = CounterMetricFamily("mms_gateway_device_failures", "exchanges without an answer", labels=["device"])
        for device in self._board.devices.values():
            online.add_metric([device.device], float(device.online))
            polls.add_metric([device.device], device.polls)
            failures.add_metric([device.device], device.failures)
        yield online
        yield polls
        yield failures

    def _points(self) -> Iterator[Metric]:
        points = self._board.points(self._monotonic())
        good = sum(point["good"] for point in points)
        yield GaugeMetricFamily("mms_gateway_points_good", "points whose value may be used", value=good)
        yield GaugeMetricFamily(
            "mms_gateway_points_bad", "points whose value may not be used", value=len(points) - good
        )
        age = GaugeMetricFamily("mms_gateway_point_age_seconds", "since the exchange that gave it", labels=["point"])
        for point in points:
            if point["age"] is not None:
                age.add_metric([point["point"]], point["age"])
        yield age
