"""The language model's server reads what a caller says while it is still being said.

Reading the prompt is half of what a caller waits for on a CPU. llama.cpp keeps what it has read of
a conversation, so that each request costs only what is new: a part of the question that was read
during the question costs nothing after it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
from livekit.agents import AgentSession, UserInputTranscribedEvent
from livekit.agents.llm import ChatContext

from agent.llm.slots import slot_of
from agent.settings import Settings

# Words at the end of an interim transcript change most often.
_UNSURE_WORDS = 1
_WORDS_AT_ONCE = 3
# To read a few words takes tens of milliseconds; an answer waits no longer for it than this.
_PATIENCE = 1.0
_TIMEOUT = aiohttp.ClientTimeout(total=5.0)


class Prefill:
    """Has the beginnings of one call's prompts read; close it with `aclose`.

    One request at a time, and none beside an answer. To read a few words takes as long as to write
    one, so they are read several at a time.
    """

    def __init__(
        self, settings: Settings, history: Callable[[], ChatContext], slot: int | None = None
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            settings: The settings; the server must be the embedded one.
            history: Returns the conversation so far.
            slot: The call's slot of the server.
        """
        self._settings = settings
        self._history = history
        self._slot = slot
        self._http: aiohttp.ClientSession | None = None
        self._wanted: list[str] | None = None
        self._read_words = 0
        self._running: asyncio.Task[None] | None = None
        self._answers = 0

    def follow(self, session: AgentSession[None]) -> None:
        """Read along in a session."""

        @session.on("user_input_transcribed")
        def _go_on(event: UserInputTranscribedEvent) -> None:
            if not event.is_final and session.agent_state == "listening":
                self.hear(event.transcript)

    def hear(self, text: str) -> None:
        """Take what the caller has said so far."""
        words = text.split()[:-_UNSURE_WORDS]
        # A text that is shorter than before begins another utterance.
        if len(words) < self._read_words:
            self._read_words = 0
        if len(words) - self._read_words < _WORDS_AT_ONCE or self._answers:
            return
        self._wanted = words
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Read nothing in this block, which asks for an answer.

        What is being read is waited for, but not long: a server that hangs must not hold the
        answer up.
        """
        self._answers += 1
        self._wanted, self._read_words = None, 0
        try:
            if self._running:
                await asyncio.wait({self._running}, timeout=_PATIENCE)
                self._running.cancel()
            yield
        finally:
            self._answers -= 1

    async def aclose(self) -> None:
        """Stop."""
        if self._running:
            self._running.cancel()
            await asyncio.wait({self._running})
        if self._http:
            await self._http.close()

    async def _run(self) -> None:
        while (words := self._wanted) is not None:
            self._wanted, self._read_words = None, len(words)
            # Only a preparation: the answer will show what is wrong.
            with suppress(aiohttp.ClientError, TimeoutError):
                await self._read(" ".join(words))

    async def _read(self, text: str) -> None:
        # Not OpenAI's client: to make one reads certificates, for a third of a second.
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=_TIMEOUT)
        history, _ = self._history().to_provider_format(format="openai")
        body: dict[str, Any] = {
            "model": self._settings.llm_model,
            "messages": [*history, {"role": "user", "content": text}],
            "max_completion_tokens": 0,
            "add_generation_prompt": False,
            **slot_of(self._slot),
        }
        url = f"{self._settings.llm_url}/chat/completions"
        async with self._http.post(url, json=body) as response:
            await response.read()
