"""The language model's server reads what a caller says while it is still being said.

Reading the prompt is half of what a caller waits for on a CPU. llama.cpp keeps what it has read of
a conversation, so that each request costs only what is new: what was read before the question, and
a part of it that was read during it, costs nothing after it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
from livekit.agents import (
    AgentSession,
    ConversationItemAddedEvent,
    UserInputTranscribedEvent,
)
from livekit.agents.llm import ChatContext, ChatMessage

from agent.llm.completeness import completeness, without_end
from agent.llm.llama import LlamaServer, Messages, Reading

# Words at the end of an interim transcript change most often.
_UNSURE_WORDS = 1
_WORDS_AT_ONCE = 3
# To read a few words takes tens of milliseconds; an answer waits no longer for it than this.
_PATIENCE = 1.0
# The answer waits while words are judged: a server that takes longer to read the last few of them
# costs more time than is gained at the end of a turn.
_WORTH_SECONDS = 0.1
# So many tokens at once take about as long; one takes half of that, and each of many an eighth
# (measured on two cores, where the weights come from memory for each pass).
_FEW_TOKENS = range(3, 9)
_MANY_TOKENS = 32
_SHARE_OF_ONE = 1 / 2
_SHARE_OF_MANY = 1 / 8
# This is only a preparation: the answer will show what is wrong.
_FAILURES = (aiohttp.ClientError, TimeoutError, ValueError)


class Prefill:
    """Has the beginnings of one call's prompts read; close it with `aclose`.

    One request at a time, and none beside an answer. To read a few words takes as long as to write
    one, so they are read several at a time.
    """

    def __init__(self, server: LlamaServer, history: Callable[[], ChatContext]) -> None:
        """Prepare; nothing is connected yet.

        Args:
            server: The embedded server; it is closed with this.
            history: Returns the conversation so far.
        """
        self._server = server
        self._history = history
        self._saying = ""
        self._wanted: list[str] | None = None
        self._read_words = 0
        self._reading: asyncio.Task[None] | None = None
        self._judging: asyncio.Task[float | None] | None = None
        self._answers = 0
        self._seconds = float("inf")

    def follow(self, session: AgentSession[None]) -> None:
        """Read along in a session."""

        @session.on("conversation_item_added")
        def _wait(event: ConversationItemAddedEvent) -> None:
            if isinstance(event.item, ChatMessage) and event.item.role == "assistant":
                self.read_ahead()

        @session.on("user_input_transcribed")
        def _go_on(event: UserInputTranscribedEvent) -> None:
            if not event.is_final and session.agent_state == "listening":
                self.hear(event.transcript)

    def read_ahead(self, saying: str = "") -> None:
        """Have the conversation read up to where the caller's next words come.

        Args:
            saying: What the agent is saying now, which is not in the history yet.
        """
        self._saying = saying
        if not self._answers and self._wanted is None:
            self._read_words = 0
            self._want([])

    def hear(self, text: str) -> None:
        """Take what the caller has said so far."""
        words = text.split()[:-_UNSURE_WORDS]
        # A text that is shorter than before begins another utterance.
        if len(words) < self._read_words:
            self._read_words = 0
        if len(words) - self._read_words < _WORDS_AT_ONCE or self._answers:
            return
        self._want(words)

    def judge(self, text: str) -> asyncio.Task[float | None] | None:
        """Have it judged how complete the caller's words are, before an answer is asked for.

        Args:
            text: All that was said in this turn.

        Returns:
            What ends with the `completeness`, or with None if the server does not tell; None where
            the server is too slow for it to be worth the time.
        """
        if self._seconds > _WORTH_SECONDS:
            return None
        self._wanted = None
        if self._judging:
            self._judging.cancel()
        self._judging = asyncio.create_task(self._judge(without_end(text)))
        return self._judging

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Read nothing in this block, which asks for an answer.

        What is being read is waited for, but not long: a server that hangs must not hold the
        answer up.
        """
        self._answers += 1
        self._wanted, self._read_words = None, 0
        try:
            if running := self._running:
                await asyncio.wait(running, timeout=_PATIENCE)
                for task in running:
                    task.cancel()
            yield
        finally:
            self._answers -= 1

    async def aclose(self) -> None:
        """Stop."""
        if running := self._running:
            for task in running:
                task.cancel()
            await asyncio.wait(running)
        await self._server.aclose()

    @property
    def _running(self) -> list[asyncio.Task[Any]]:
        return [task for task in (self._reading, self._judging) if task and not task.done()]

    def _want(self, words: list[str]) -> None:
        self._wanted = words
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())

    def _before(self) -> Messages:
        messages, _ = self._history().to_provider_format(format="openai")
        return messages

    async def _read(self) -> None:
        while (words := self._wanted) is not None:
            self._wanted, self._read_words = None, len(words)
            with suppress(*_FAILURES):
                reading = await self._server.read(self._before(), self._saying, " ".join(words))
                # Beside recognition it takes longer, which tells nothing.
                if not words:
                    self._seconds = _seconds_to_judge(reading) or self._seconds

    async def _judge(self, text: str) -> float | None:
        if self._reading:
            await asyncio.wait({self._reading})
        with suppress(*_FAILURES):
            follows = await self._server.what_follows(self._before(), self._saying, text)
            return completeness(follows)
        return None


def _seconds_to_judge(reading: Reading) -> float | None:
    """Return what it takes to judge words, as far as a reading tells."""
    if reading.tokens in _FEW_TOKENS:
        return reading.seconds
    if 0 < reading.tokens < _FEW_TOKENS.start:
        return reading.seconds / _SHARE_OF_ONE
    if reading.tokens >= _MANY_TOKENS:
        return reading.seconds / reading.tokens / _SHARE_OF_MANY
    return None
