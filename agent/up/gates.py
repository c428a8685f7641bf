"""Following a service from its start to its end, by what it really answers."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from agent.readiness import Component, Readiness
from agent.readiness_feed import Feed

# In the order in which they are shown.
SERVICES = ("livekit", "engine", "llm", "worker", "web")


@dataclass(frozen=True, slots=True)
class Report:
    """Where a service stands.

    Attributes:
        state: The service as a whole: ``waiting``, ``starting``, ``ready``, ``failed``, or the
            state of the first of its parts that is not ready.
        parts: What it says of its parts.
    """

    state: Component
    parts: Mapping[str, Component] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether the service can serve."""
        return self.state.state == "ready"

    @property
    def failed(self) -> bool:
        """Whether the service has failed; the message says why."""
        return self.state.state == "failed"

    @property
    def unfinished(self) -> dict[str, Component]:
        """The parts that are not ready; a service that serves already may have some.

        What it says of other services is left out: those say it themselves.
        """
        return {
            name: part
            for name, part in self.parts.items()
            if part.state != "ready" and name not in SERVICES
        }


async def follow(feed: Feed, silence: Component) -> AsyncGenerator[Report, None]:
    """Yield a report at once and then whenever it changes, for ever.

    Args:
        feed: The service's answers.
        silence: The state of a service that does not answer.
    """
    last: Report | None = None
    async with aclosing(feed()) as answers:
        async for answer in answers:
            report = summarize(answer, silence)
            if report != last:
                last = report
                yield report


def summarize(readiness: Readiness | None, silence: Component) -> Report:
    """Return the report that an answer amounts to."""
    if readiness is None:
        return Report(silence)
    parts = readiness.components
    if readiness.ready:
        return Report(Component("ready"), parts)
    busy = [part for part in parts.values() if not part.settled]
    if not busy and (failure := readiness.failure):
        return Report(Component("failed", failure), parts)
    return Report(busy[0] if busy else Component("loading"), parts)
