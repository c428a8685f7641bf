"""Following a service from its start to its end, by what it really answers."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

from agent.readiness import Component, Readiness

Probe = Callable[[], Awaitable[Readiness | None]]

# Seconds between two questions, before and after the service is ready.
WARM_UP_INTERVAL = 0.2
STEADY_INTERVAL = 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """Where a service stands.

    Attributes:
        state: The service as a whole: ``waiting``, ``starting``, ``ready``, ``failed``, or the
            state of the first of its parts that is not ready.
        parts: What it says of its parts.
    """

    state: Component
    parts: dict[str, Component] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether the service can serve."""
        return self.state.state == "ready"

    @property
    def failed(self) -> bool:
        """Whether the service has failed; the message says why."""
        return self.state.state == "failed"


async def follow(probe: Probe, silence: Component) -> AsyncGenerator[Report, None]:
    """Yield a report at once and then whenever it changes, for ever.

    Args:
        probe: Asks the service; None when nothing answers.
        silence: The state of a service that does not answer.
    """
    last: Report | None = None
    while True:
        report = summarize(await probe(), silence)
        if report != last:
            last = report
            yield report
        await asyncio.sleep(STEADY_INTERVAL if report.ready else WARM_UP_INTERVAL)


def summarize(readiness: Readiness | None, silence: Component) -> Report:
    """Return the report that an answer amounts to."""
    if readiness is None:
        return Report(silence)
    parts = readiness.components
    if readiness.ready:
        return Report(Component("ready"), parts)
    if failure := readiness.failure:
        return Report(Component("failed", failure), parts)
    busy = [part for part in parts.values() if part.state != "ready"]
    return Report(busy[0] if busy else Component("loading"), parts)
