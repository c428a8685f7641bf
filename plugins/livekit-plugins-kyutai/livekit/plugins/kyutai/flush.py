"""When the server has worked off everything up to a flush, silence after it included."""

import asyncio
from contextlib import suppress

from livekit.plugins.kyutai.messages import FRAME_SAMPLES

_QUIET = 0.2
"""Seconds after the marker, or a later word, in which no other word must come."""


class StepFlush:
    """Judges by the steps, of which there is one for each frame of this connection.

    The count alone is not enough: one kind of server reports the steps of its other users too. So
    the silence, which goes in one message, must also be seen to come into the server's buffer and
    to leave it.

    Attributes:
        moved: Whether the server has done anything since.
    """

    def __init__(self, *, until: int, silence: int) -> None:
        """Begin to watch.

        Args:
            until: Number of the step that is the silence's last, counted on this connection.
            silence: Samples of the message that holds it.
        """
        self.moved = False
        self._until = until
        self._full = silence - FRAME_SAMPLES
        self._came = False
        self._done = asyncio.Event()

    def step(self, count: int, buffered: int) -> None:
        """Note a step.

        Args:
            count: How many there were on this connection.
            buffered: Samples that wait in the server.
        """
        self.moved = True
        self._came = self._came or buffered >= self._full
        if self._came and buffered < FRAME_SAMPLES and count >= self._until:
            self._done.set()

    def word(self) -> None:
        """Note a word."""
        self.moved = True

    def marker(self, number: int) -> None:
        """There are none."""

    async def wait(self) -> None:
        """Return when everything is worked off."""
        await self._done.wait()


class MarkerFlush:
    """Judges by a marker, for models without steps.

    A marker is due by a count of the steps of all users: it can come back before our own last words
    do. So a moment without a word must follow.

    Attributes:
        moved: Whether the server has done anything since.
    """

    def __init__(self, number: int) -> None:
        """Begin to watch.

        Args:
            number: The marker's.
        """
        self.moved = False
        self._number = number
        self._answered = asyncio.Event()
        self._word = asyncio.Event()

    def step(self, count: int, buffered: int) -> None:
        """There are none."""

    def word(self) -> None:
        """Note a word."""
        self.moved = True
        self._word.set()

    def marker(self, number: int) -> None:
        """Note a marker's return."""
        if number == self._number:
            self.moved = True
            self._answered.set()

    async def wait(self) -> None:
        """Return when everything is worked off, as far as can be known."""
        await self._answered.wait()
        with suppress(TimeoutError):
            while True:
                self._word.clear()
                async with asyncio.timeout(_QUIET):
                    await self._word.wait()


Flush = StepFlush | MarkerFlush
