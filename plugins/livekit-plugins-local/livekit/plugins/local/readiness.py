"""What each part of a process is doing: for ``/readyz``, and for whoever waits.

The processes of this project share this: each holds one `Readiness`, changes it as things happen,
and serves it with `livekit.plugins.local.readyz`. Nobody asks again and again: who waits is woken.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

STATES = ("missing", "downloading", "verifying", "loading", "warming", "ready", "failed")
"""What a component may be, in the order in which it goes through them."""

_SETTLED = ("ready", "failed")
# Always part of the JSON; the others only where they say something.
_ALWAYS = ("state", "message", "done", "total")


@dataclass(frozen=True, slots=True)
class Component:
    """State of one part.

    Attributes:
        state: One of `STATES`; what watches others has a few of its own, such as ``starting``.
        message: One sentence, when there is something to say; of a failure, what is wrong and what
            to do.
        done: Bytes that are there already, while downloading.
        total: Bytes that there will be.
        rate: Bytes per second of the last seconds.
        eta: Seconds until all is there, at that rate.
        code: Stable name of a failure.
        remedy: What to do about a failure, where the message has a part that says so.
        parts: What it consists of itself.
    """

    state: str
    message: str = ""
    done: int | None = None
    total: int | None = None
    rate: float | None = None
    eta: float | None = None
    code: str = ""
    remedy: str = ""
    parts: Mapping[str, "Component"] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Whether it will stay as it is: ready or failed."""
        return self.state in _SETTLED

    def as_dict(self, *, terse: bool = False) -> dict[str, Any]:
        """Return it as JSON's types.

        Args:
            terse: Whether to leave out the sentences, which may name places on this machine.
        """
        body: dict[str, Any] = {name: getattr(self, name) for name in _ALWAYS}
        if terse:
            body["message"] = ""
        if self.rate is not None:
            body["rate"] = round(self.rate)
        if self.eta is not None:
            body["eta"] = round(self.eta, 1)
        if self.code:
            body |= {"code": self.code, "remedy": "" if terse else self.remedy}
        if self.parts:
            body["parts"] = {name: part.as_dict(terse=terse) for name, part in self.parts.items()}
        return body


def group_of(name: str) -> str:
    """Return what a component is for: those whose names agree up to a colon can do the same."""
    return name.partition(":")[0]


class Readiness:
    """The components of one process; changed and awaited on one event loop.

    Attributes:
        load: Tells how busy the process is, in [0, 1]; 1 means that it should get no more calls.
    """

    def __init__(self, names: Iterable[str], *, needs: Iterable[str] | None = None) -> None:
        """Begin with everything missing.

        Args:
            names: The components, ``GROUP`` or ``GROUP:NAME``.
            needs: The groups without which the process cannot serve; None is all of them.
        """
        self._components = {name: Component("missing") for name in names}
        self._needs = list(needs) if needs is not None else None
        self._changed = asyncio.Event()
        self.load: Callable[[], float] = lambda: 0.0

    @property
    def ready(self) -> bool:
        """Whether the process can serve: one component of each group that it needs is ready."""
        needs = self._needs if self._needs is not None else map(group_of, self._components)
        able = {group_of(name) for name, part in self._components.items() if part.state == "ready"}
        return able.issuperset(needs)

    @property
    def settled(self) -> bool:
        """Whether nothing is on its way any more: every component is ready or failed."""
        return all(part.settled for part in self._components.values())

    @property
    def components(self) -> Mapping[str, Component]:
        """The components, in the order in which they became known."""
        return dict(self._components)

    def __getitem__(self, name: str) -> Component:
        """Return the state of one component."""
        return self._components[name]

    def set(self, name: str, component: Component) -> None:
        """Change a component's state, or add one, and wake whoever waits."""
        if self._components.get(name) != component:
            self._components[name] = component
            self._wake()

    def remove(self, name: str) -> None:
        """Forget a component that is not used any more."""
        if self._components.pop(name, None):
            self._wake()

    def next_change(self) -> asyncio.Event:
        """Return an event that is set with the next change; take it before looking."""
        return self._changed

    async def until(
        self, condition: Callable[["Readiness"], bool], *, timeout: float | None = None
    ) -> bool:
        """Wait until something holds; it is looked at with each change, failures included.

        Args:
            condition: Judges the readiness.
            timeout: Seconds to wait at most; None waits for as long as it takes.

        Returns:
            Whether it holds; False when the time was over.
        """
        try:
            async with asyncio.timeout(timeout):
                while not condition(self):
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def until_settled(self, name: str, *, timeout: float | None = None) -> Component:
        """Wait until a component is ready or has failed, or the time is over; return its state."""
        await self.until(lambda _: self._components[name].settled, timeout=timeout)
        return self._components[name]

    def as_dict(self, *, terse: bool = False) -> dict[str, Any]:
        """Return the body of ``/readyz``.

        Args:
            terse: See `Component.as_dict`.
        """
        return {
            "ready": self.ready,
            "settled": self.settled,
            "load": round(self.load(), 2),
            "components": {
                name: part.as_dict(terse=terse) for name, part in self._components.items()
            },
        }

    def _wake(self) -> None:
        # Waiters hold the old event; whoever comes next waits for the next change.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class Pace:
    """How fast a download goes, told from how far it was when.

    Args:
        clock: Seconds, never going back.
    """

    _SPAN_SECONDS = 5.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: list[tuple[float, int]] = []

    def at(self, done: int) -> float | None:
        """Note how many bytes are there; return bytes per second, None while that is not known."""
        now = self._clock()
        if self._seen and done < self._seen[-1][1]:  # another source began anew
            self._seen.clear()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self._SPAN_SECONDS:
            del self._seen[0]
        since, before = self._seen[0]
        return (done - before) / (now - since) if now > since else None


class Arriving(Protocol):
    """A model on its way, as the store tells it: `livekit.plugins.local.models.Progress`."""

    @property
    def model(self) -> str:
        """The model's id."""

    @property
    def state(self) -> str:
        """``downloading`` or ``verifying``."""

    @property
    def done(self) -> int:
        """Bytes that are there."""

    @property
    def total(self) -> int:
        """Bytes that there will be."""


def arriving(progress: Arriving, pace: Pace) -> Component:
    """Return the state of a component whose model is on its way."""
    rate = pace.at(progress.done) if progress.state == "downloading" else None
    eta = (progress.total - progress.done) / rate if rate else None
    return Component(
        progress.state, progress.model, progress.done, progress.total, rate=rate, eta=eta
    )
