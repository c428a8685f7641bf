"""Watches what plugins do to the framework's `AudioEmitter`."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from livekit import rtc
from livekit.agents.tts import tts as framework


@dataclass
class Attempt:
    """One `AudioEmitter`: what an attempt to speak did to it, call by call.

    Attributes:
        late: It was not initialized yet when the plugin first waited for something.
        calls: Names of the methods called, in order.
        pushed: What was pushed, with the time of each.
        arguments: Those of `initialize`.
    """

    late: bool = False
    calls: list[str] = field(default_factory=list)
    pushed: list[tuple[float, Any]] = field(default_factory=list)
    arguments: dict[str, Any] = field(default_factory=dict)


@contextmanager
def watched_emitters(attempts: list[Attempt]) -> Iterator[None]:
    """Record what is done to every `AudioEmitter` that the framework makes."""
    original = framework.AudioEmitter

    class Watched(original):  # type: ignore[misc, valid-type]
        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            self.attempt = Attempt()
            attempts.append(self.attempt)
            # The base calls `_run` right after this; the loop runs again when it first waits.
            asyncio.get_running_loop().call_soon(self._first_wait)

        def _first_wait(self) -> None:
            self.attempt.late = not self._started

        def initialize(self, **arguments: Any) -> None:
            self.attempt.calls.append("initialize")
            self.attempt.arguments = arguments
            super().initialize(**arguments)

        def start_segment(self, **arguments: Any) -> None:
            self.attempt.calls.append("start_segment")
            super().start_segment(**arguments)

        def end_segment(self) -> None:
            self.attempt.calls.append("end_segment")
            super().end_segment()

        def push(self, data: bytes) -> None:
            self.attempt.calls.append("push")
            self.attempt.pushed.append((time.perf_counter(), data))
            super().push(data)

        def push_frame(self, frame: rtc.AudioFrame) -> None:
            self.attempt.calls.append("push_frame")
            super().push_frame(frame)

        def end_input(self) -> None:
            self.attempt.calls.append("end_input")
            super().end_input()

    framework.AudioEmitter = Watched  # type: ignore[misc]
    try:
        yield
    finally:
        framework.AudioEmitter = original  # type: ignore[misc]
