"""How often one client may ask for something."""

import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from agent.web.refusal import refusal

logger = logging.getLogger(__name__)

# Beyond this many clients, the one that has been silent the longest is forgotten.
MAX_CLIENTS: Final = 4096


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float
    refusing: bool = False


class RateLimit:
    """A token bucket for each client.

    Args:
        per_minute: Requests that a client may make in the long run.
        burst: Requests that it may make at once after a while of silence.
        clock: Seconds, never going back.
    """

    def __init__(
        self, per_minute: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_minute / 60
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        """Return how many clients are remembered."""
        return len(self._buckets)

    def take(self, client: str) -> float:
        """Count a request; return 0 when it may pass, else the seconds until one may."""
        now = self._clock()
        bucket = self._buckets.pop(client, None) or _Bucket(self._burst, now)
        self._buckets[client] = bucket  # now the last one
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        earned = (now - bucket.at) * self._per_second
        bucket.tokens, bucket.at = min(self._burst, bucket.tokens + earned), now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            bucket.refusing = False
            return 0.0
        if not bucket.refusing:  # once, not ten thousand times
            bucket.refusing = True
            logger.warning("one client asks for tokens too often; it is being refused")
        return (1 - bucket.tokens) / self._per_second


def rate_limiting(limit: RateLimit) -> Middleware:
    """Return the middleware that counts every POST and answers 429 beyond the limit."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != hdrs.METH_POST:
            return await handler(request)
        wait = math.ceil(limit.take(request.remote or ""))
        if not wait:
            return await handler(request)
        seconds = "1 second" if wait == 1 else f"{wait} seconds"
        sentence = f"Too many requests from this address; try again in {seconds}."
        return refusal(request, 429, sentence, {hdrs.RETRY_AFTER: str(wait)})

    return middleware
