"""Deadlines for answers that the engine owes."""

import asyncio

from livekit.agents import APITimeoutError


class Watchdog:
    """Fails when something that is owed does not come in time.

    Run `watch` beside the work. Whoever asks calls `expect`; every sign of progress restarts the
    clock, and `settle` stops it.
    """

    def __init__(self, what: str, timeout: float) -> None:
        """Create a watchdog that does not expect anything yet.

        Args:
            what: What is owed, for the error's sentence.
            timeout: Seconds without progress after which it is too late.
        """
        self._what = what
        self._timeout = timeout
        self._owed = asyncio.Event()
        self._moved = asyncio.Event()

    def expect(self) -> None:
        """Start the clock."""
        self._owed.set()
        self._moved.set()

    def progress(self) -> None:
        """Start the clock anew, if it runs."""
        self._moved.set()

    def settle(self) -> None:
        """Stop the clock: nothing is owed."""
        self._owed.clear()
        self._moved.set()

    async def watch(self) -> None:
        """Run until cancelled.

        Raises:
            APITimeoutError: What was owed did not come in time.
        """
        while True:
            await self._owed.wait()
            self._moved.clear()
            try:
                async with asyncio.timeout(self._timeout):
                    await self._moved.wait()
            except TimeoutError:
                raise APITimeoutError(
                    f"the speech engine sent no {self._what} for {self._timeout:.1f} s"
                ) from None
