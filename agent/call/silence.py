"""A caller who has gone silent is asked, and after more silence the call ends.

A page left open would otherwise hold a place for ever.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from livekit.agents import AgentSession, UserStateChangedEvent

from agent.call.phrases import farewell, still_there

_log = logging.getLogger(__name__)


class SilenceWatch:
    """Follows one call; the session itself says when its caller counts as away."""

    def __init__(
        self,
        session: AgentSession[None],
        *,
        language: Callable[[], str],
        patience: float,
        hang_up: Callable[[], Awaitable[object]],
    ) -> None:
        """Start to follow.

        Args:
            session: The call.
            language: Tells the language that is spoken now.
            patience: Seconds between the question and the end of the call.
            hang_up: Ends the call for everybody.
        """
        self._session = session
        self._language = language
        self._patience = patience
        self._hang_up = hang_up
        self._asking: asyncio.Task[None] | None = None
        session.on("user_state_changed", self._on_state)
        session.on("close", lambda _: self._stop())

    def _on_state(self, event: UserStateChangedEvent) -> None:
        if event.new_state != "away":
            self._stop()
        elif self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="silence-watch")

    async def _ask(self) -> None:
        await self._session.say(still_there(self._language()), add_to_chat_ctx=False)
        await asyncio.sleep(self._patience)
        _log.info("the caller was silent for too long; the call ends")
        await self._session.say(farewell(self._language()), add_to_chat_ctx=False)
        await self._hang_up()

    def _stop(self) -> None:
        if self._asking and self._asking is not asyncio.current_task():
            self._asking.cancel()
        self._asking = None
