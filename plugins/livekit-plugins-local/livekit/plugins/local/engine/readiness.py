"""What each part of the engine is doing, for ``/readyz`` and for whoever waits."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["missing", "downloading", "verifying", "loading", "warming", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class Component:
    """State of one part.

    Attributes:
        state: Where it stands.
        message: One sentence, when there is something to say.
        done: Bytes fetched so far, while downloading.
        total: Bytes to fetch, while downloading.
    """

    state: State
    message: str = ""
    done: int | None = None
    total: int | None = None


class Readiness:
    """The components of one process; changed and awaited on one event loop.

    Attributes:
        load: Tells how busy the process is, in [0, 1]; 1 means that it should get no more calls.
    """

    def __init__(self, names: list[str]) -> None:
        self._components = {name: Component("missing") for name in names}
        self._changed = asyncio.Event()
        self.load: Callable[[], float] = lambda: 0.0

    @property
    def ready(self) -> bool:
        """Whether the process can serve.

        Components whose names agree up to a colon stand in for each other: one of them must be
        ready, and none may still be on its way.
        """
        groups: dict[str, list[State]] = {}
        for name, part in self._components.items():
            groups.setdefault(name.partition(":")[0], []).append(part.state)
        return all(
            "ready" in states and all(state in ("ready", "failed") for state in states)
            for states in groups.values()
        )

    def __getitem__(self, name: str) -> Component:
        """Return the state of one component."""
        return self._components[name]

    def set(self, name: str, component: Component) -> None:
        """Change a component's state and wake whoever waits."""
        self._components[name] = component
        # Waiters hold the old event; whoever comes next waits for the next change.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def settled(self, name: str) -> Component:
        """Wait until a component is ready or has failed, and return its state."""
        while self._components[name].state not in ("ready", "failed"):
            await self._changed.wait()
        return self._components[name]

    def as_dict(self) -> dict[str, Any]:
        """Return the body of ``/readyz``."""
        return {
            "ready": self.ready,
            "load": round(self.load(), 3),
            "components": {name: asdict(part) for name, part in self._components.items()},
        }
