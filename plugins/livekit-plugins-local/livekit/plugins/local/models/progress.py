"""How far a model has come."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

State = Literal["downloading", "verifying", "ready"]

# Chunks arrive far more often than anybody can look.
MIN_INTERVAL = 0.1


@dataclass(frozen=True, slots=True)
class Progress:
    """A model on its way into the store.

    Attributes:
        model: The model's id.
        state: What is going on.
        file: What it is going on with: a file, or a package that carries some; empty for all.
        done: Bytes of this fetch that have arrived, earlier interrupted attempts included.
        total: Bytes that this fetch transfers (of archives where those are what is transferred).
    """

    model: str
    state: State
    file: str
    done: int
    total: int


OnProgress = Callable[[Progress], None]


def to_json(progress: Progress) -> str:
    """Return progress as another process can read it."""
    return json.dumps(asdict(progress))


def from_json(text: str) -> Progress | None:
    """Return the progress that another process wrote; None if it has written none (or half)."""
    try:
        return Progress(**json.loads(text))
    except (ValueError, TypeError):
        return None


class Tally:
    """Adds up what several transfers of one model have brought, and tells the listener.

    Args:
        model_id: The model.
        listener: Called on the event loop, at most ten times a second and on each change of state.
    """

    def __init__(self, model_id: str, listener: OnProgress | None) -> None:
        self._model_id = model_id
        self._listener = listener
        self.share: OnProgress = lambda _: None
        """Told the same, for those who wait in other processes."""
        self._arrived: dict[str, int] = {}
        self._total = 0
        self._last = 0.0

    def begin(self, total: int) -> None:
        """Start over, with ``total`` bytes to transfer."""
        self._arrived, self._total = {}, total
        self._tell("downloading", "")

    def arrived(self, name: str, done: int) -> None:
        """Note that ``done`` bytes of the transfer called ``name`` are there."""
        self._arrived[name] = done
        if time.monotonic() - self._last >= MIN_INTERVAL:
            self._tell("downloading", name)

    def verifying(self, name: str) -> None:
        """Note that the bytes of ``name`` are being checked."""
        # While others still arrive, that is what people wait for.
        if sum(self._arrived.values()) >= self._total:
            self._tell("verifying", name)

    def ready(self) -> None:
        """Note that the model can be used."""
        self._tell("ready", "")

    def relay(self, progress: Progress) -> None:
        """Pass on how far another process has come with the model."""
        if self._listener:
            self._listener(progress)

    def _tell(self, state: State, name: str) -> None:
        self._last = time.monotonic()
        done = sum(self._arrived.values())
        progress = Progress(self._model_id, state, name, done, self._total)
        self.share(progress)
        self.relay(progress)
