"""The language model's server reads what a caller says while it is still being said.

Reading the prompt is half of what a caller waits for on a CPU. llama.cpp keeps what it has read of
a conversation, so that each request costs only what is new: what was read before the question, and
a part of it that was read during it, costs nothing after it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from livekit.agents import AgentSession, ConversationItemAddedEvent
from livekit.agents.llm import ChatContext, ChatMessage

from agent.llm.guess import FAILURES, Guess
from agent.llm.llama import LlamaServer, Messages

# Words at the end of an interim transcript change most often.
_UNSURE_WORDS = 1
_WORDS_AT_ONCE = 3
# To read a few words takes tens of milliseconds; an answer waits no longer for it than this.
_PATIENCE = 1.0
# From so long on for a few words guesses are not worth their time: what is read for one that is
# wrong holds up recognition and the answer.
_WORTH_SECONDS = 0.2
# Guesses of this call that tell how good the next one is.
_REMEMBERED = 4


class Prefill:
    """Has the beginnings of one call's prompts read; close it with `aclose`.

    One request at a time, and none beside an answer. Where the server is fast, all that is heard is
    taken for a `Guess`; where it is not, words are read several at a time, since to read a few
    takes as long as to write one.
    """

    def __init__(
        self,
        server: LlamaServer,
        history: Callable[[], ChatContext],
        verdict_pays: Callable[[], bool] = lambda: True,
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            server: The embedded server; it is closed with this.
            history: Returns the conversation so far.
            verdict_pays: Tells whether words are to be judged where the answer waits for it.
        """
        self._server = server
        self._history = history
        self._verdict_pays = verdict_pays
        self._saying = ""
        self._wanted: list[str] | None = None
        self._read_words = 0
        self._reading: asyncio.Task[None] | None = None
        self._guess: Guess | None = None
        # Of guesses that were wrong, until they are over.
        self._dropped: set[asyncio.Task[Any]] = set()
        self._right: deque[bool] = deque(maxlen=_REMEMBERED)
        self._answers = 0
        self._seconds = float("inf")

    def follow(self, session: AgentSession[None]) -> None:
        """Read along in a session."""

        @session.on("conversation_item_added")
        def _wait(event: ConversationItemAddedEvent) -> None:
            if isinstance(event.item, ChatMessage) and event.item.role == "assistant":
                self.read_ahead()

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
        """Take what the caller has said so far in this turn, as far as it is known."""
        if self._answers:
            return
        if self._fast:
            self._suppose(text)
            return
        words = text.split()[:-_UNSURE_WORDS]
        # A text that is shorter than before begins another utterance.
        if len(words) < self._read_words:
            self._read_words = 0
        if len(words) - self._read_words >= _WORDS_AT_ONCE:
            self._want(words)

    def judge(self, text: str) -> asyncio.Task[float | None] | None:
        """Have it judged how complete the caller's words are, before an answer is asked for.

        Args:
            text: All that was said in this turn.

        Returns:
            What ends with the `completeness`, or with None if the server does not tell; None where
            it is not worth the time.
        """
        if not self._fast:
            return None
        self._wanted = None
        right = self._guess is not None and self._guess.settle(text)
        if self._guess:
            self._right.append(right)
            self._dropped.update(() if right else self._guess.running)
        if right and self._guess:
            return self._guess.verdict
        self._guess = self._guess_at(text, read_on=False) if self._verdict_pays() else None
        return self._guess.verdict if self._guess else None

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
            self._guess = None
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
    def _fast(self) -> bool:
        return self._seconds <= _WORTH_SECONDS

    @property
    def _running(self) -> list[asyncio.Task[Any]]:
        reading = self._reading
        running: list[asyncio.Task[Any]] = [reading] if reading and not reading.done() else []
        self._dropped = {task for task in self._dropped if not task.done()}
        return [*running, *self._dropped, *(self._guess.running if self._guess else ())]

    def _suppose(self, text: str) -> None:
        """Take it that the caller stops now."""
        if len(text.split()) < _WORDS_AT_ONCE or (self._guess and self._guess.text == text):
            return
        if self._guess:
            self._guess.drop()
            self._dropped.update(self._guess.running)
        # What is read for one that is wrong has to end before anything else is read.
        mostly_right = 2 * sum(self._right) >= len(self._right)
        self._guess = self._guess_at(text, read_on=mostly_right)

    def _guess_at(self, text: str, *, read_on: bool) -> Guess:
        return Guess(self._server, self._before(), text, after=self._reading, read_on=read_on)

    def _want(self, words: list[str]) -> None:
        self._wanted = words
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())

    def _before(self) -> Messages:
        messages, _ = self._history().to_provider_format(format="openai")
        if self._saying:
            messages.append({"role": "assistant", "content": self._saying})
        return messages

    async def _read(self) -> None:
        while (words := self._wanted) is not None:
            self._wanted, self._read_words = None, len(words)
            with suppress(*FAILURES):
                reading = await self._server.read(self._before(), " ".join(words))
                # Beside recognition it takes longer, which tells nothing.
                if not words:
                    self._seconds = reading.seconds_for_words or self._seconds
