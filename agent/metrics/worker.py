"""What the worker is doing, read at the moment of a scrape."""

from collections.abc import Callable, Iterable

from livekit.plugins.local.readiness import STATES, Readiness
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily, StateSetMetricFamily
from prometheus_client.registry import Collector


class WorkerCollector(Collector):
    """Calls, load and readiness of the worker."""

    def __init__(
        self,
        readiness: Readiness,
        *,
        calls: Callable[[], int],
        max_calls: int,
        load: Callable[[], float],
    ) -> None:
        """Prepare to be scraped.

        Args:
            readiness: The parts of the worker.
            calls: Tells how many calls there are.
            max_calls: How many there may be.
            load: Tells how busy the worker is, from 0 to 1.
        """
        self._readiness = readiness
        self._calls = calls
        self._max_calls = max_calls
        self._load = load

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of this moment."""
        yield GaugeMetricFamily("eloquence_active_calls", "Calls in progress", value=self._calls())
        yield GaugeMetricFamily(
            "eloquence_max_calls", "Calls that the worker takes at once", value=self._max_calls
        )
        yield GaugeMetricFamily(
            "eloquence_load", "How busy the worker is; at 1 it takes no more calls", self._load()
        )
        parts = StateSetMetricFamily(
            "eloquence_worker_component",
            "State of what the worker needs, as on /readyz",
            labels=["component"],
        )
        for name, part in self._readiness.components.items():
            parts.add_metric([name], {state: part.state == state for state in STATES})
        yield parts


def worker_registry(collector: WorkerCollector) -> CollectorRegistry:
    """Return a registry with what the worker is doing."""
    registry = CollectorRegistry()
    registry.register(collector)
    return registry
