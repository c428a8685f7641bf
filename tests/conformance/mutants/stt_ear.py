"""How a broken ear is made: our own plugin, with another stream or another plugin class."""

from collections.abc import Callable, Iterable
from typing import Any

from livekit.agents import stt
from livekit.plugins import local
from livekit.plugins.local.stt import SpeechStream

from tests.conformance.mutants.mutant import Mutant

Change = Callable[["Stream", stt.SpeechEvent], Iterable[stt.SpeechEvent]]
"""Returns what is emitted in place of an event."""

FINAL = stt.SpeechEventType.FINAL_TRANSCRIPT
INTERIM = stt.SpeechEventType.INTERIM_TRANSCRIPT
PREFLIGHT = stt.SpeechEventType.PREFLIGHT_TRANSCRIPT


class Stream(SpeechStream):
    """A stream that can be broken.

    Attributes:
        attempts: How many attempts to connect have begun.
        memory: What the break needs to remember.
    """

    attempts = 0
    memory: Any = None

    def change(self, event: stt.SpeechEvent) -> Iterable[stt.SpeechEvent]:
        """Return what is emitted in place of an event."""
        return [event]

    def emit(self, event: stt.SpeechEvent) -> None:
        """Emit an event as it is."""
        type(self._event_ch).send_nowait(self._event_ch, event)

    async def _run(self) -> None:
        self.attempts += 1
        self._event_ch.send_nowait = self._changed  # type: ignore[method-assign]
        await super()._run()

    def _changed(self, value: stt.SpeechEvent) -> None:
        for each in self.change(value):
            self.emit(each)


class Ear(local.STT):
    """A plugin whose streams can be broken."""

    streams: type[Stream] = Stream

    def stream(self, **options: Any) -> SpeechStream:
        """Open a stream of the class `streams`."""
        stream = super().stream(**options)
        # Its task has not begun to run: what it will call is the broken class's.
        stream.__class__ = self.streams
        return stream


def mutant(
    name: str,
    broken: type[Stream] | type[Ear] | Change,
    *breaks: str,
    may_break: Iterable[str] = (),
) -> Mutant:
    """Return a mutant.

    Args:
        name: What is broken.
        broken: The stream, the plugin or what happens to events.
        breaks: The rules that must notice, without the kind.
        may_break: Others that notice.
    """

    def make(address: str) -> local.STT:
        return _ear(broken)(engine=address, languages=("en", "fr"), word_times=True)

    return Mutant(
        name,
        "stt",
        make,
        frozenset(f"stt_{rule}" for rule in breaks),
        frozenset(f"stt_{rule}" for rule in may_break),
    )


def _ear(broken: type[Stream] | type[Ear] | Change) -> type[Ear]:
    if isinstance(broken, type):
        if issubclass(broken, Ear):
            return broken
        return type("BrokenEar", (Ear,), {"streams": broken})
    return _ear(type("ChangedStream", (Stream,), {"change": broken}))


def only(
    kind: stt.SpeechEventType, change: Callable[[stt.SpeechEvent], Iterable[stt.SpeechEvent]]
) -> Change:
    """Return a change of events of one kind."""
    return lambda _, event: change(event) if event.type is kind else [event]
