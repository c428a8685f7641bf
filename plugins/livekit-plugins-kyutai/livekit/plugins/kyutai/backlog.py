"""Audio that waits in the server: one that is too slow falls further and further behind."""

import time

from livekit.plugins.kyutai.log import logger
from livekit.plugins.kyutai.messages import SAMPLE_RATE

_TOO_MUCH = 2.0
"""Seconds of audio."""
_TOO_LONG = 10.0
"""Seconds of waiting; a burst, such as after a reconnect, is worked off by then."""


class Backlog:
    """Warns once of a server that does not keep up.

    Attributes:
        seconds: Audio that waits in the server.
    """

    def __init__(self, url: str) -> None:
        """Args: url: The server's, for the warning."""
        self.seconds = 0.0
        self._url = url
        self._since: float | None = None
        self._least = 0.0
        self._warned = False

    def note(self, buffered: int) -> None:
        """Take the number of samples that wait."""
        self.seconds = buffered / SAMPLE_RATE
        now = time.monotonic()
        if self.seconds < _TOO_MUCH or self.seconds < self._least:
            # Little, or less and less.
            self._since = None
        if self._since is None:
            self._since, self._least = now, self.seconds
        if self.seconds >= _TOO_MUCH and now - self._since > _TOO_LONG and not self._warned:
            self._warned = True
            logger.warning(
                "the moshi-server at %s is slower than real time: %.1f s of audio wait in it; "
                "lower the batch_size of its recogniser or use a faster GPU",
                self._url,
                self.seconds,
            )
