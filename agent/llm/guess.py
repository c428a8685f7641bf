"""What the caller has said if they stop now: judged and read before that is known.

A recogniser's newest hypothesis is mostly what the final transcript will be, a quarter of a second
before that is there. So it is judged how complete its words are, and if they are, the prompt is
read to its end: when the transcript says the same, the answer is written from the next token on.
When it says something else, only the words from there on are read again.
"""

import asyncio
from contextlib import suppress

import aiohttp

from agent.llm.completeness import COMPLETE, completeness, without_end
from agent.llm.llama import LlamaServer, Messages

FAILURES = (aiohttp.ClientError, TimeoutError, ValueError)
"""How the server fails. All of this is only a preparation: the answer will show what is wrong."""


class Guess:
    """A text that the caller may have said, on its way through the server.

    Attributes:
        text: The text.
        verdict: Ends with its `completeness`, or with None if the server does not tell.
    """

    def __init__(
        self,
        server: LlamaServer,
        before: Messages,
        text: str,
        *,
        after: asyncio.Task[None] | None,
        read_on: bool,
    ) -> None:
        """Begin.

        Args:
            server: The server.
            before: The conversation before the text.
            text: The text.
            after: What the server is reading now.
            read_on: Whether to read the prompt to its end too, if the words are complete.
        """
        self.text = text
        self._server = server
        self._before = before
        self.verdict = asyncio.create_task(self._judge(after))
        self._question = asyncio.create_task(self._read_on()) if read_on else None

    @property
    def running(self) -> list[asyncio.Task[float | None] | asyncio.Task[None]]:
        """What is not over yet."""
        return [task for task in (self.verdict, self._question) if task and not task.done()]

    def settle(self, text: str) -> bool:
        """Take what was really said; return whether the verdict is on those words."""
        # The mark at its end is read with the answer.
        if text != self.text and self._question:
            self._question.cancel()
        if without_end(text) == without_end(self.text):
            return True
        self.drop()
        return False

    def drop(self) -> None:
        """Stop: something else was said."""
        for task in self.running:
            task.cancel()

    async def _judge(self, after: asyncio.Task[None] | None) -> float | None:
        if after:
            await asyncio.wait({after})
        with suppress(*FAILURES):
            follows = await self._server.what_follows(self._before, without_end(self.text))
            return completeness(follows)
        return None

    async def _read_on(self) -> None:
        await asyncio.wait({self.verdict})
        # Whoever asked for the verdict is told what went wrong with it.
        if self.verdict.cancelled() or self.verdict.exception():
            return
        if (self.verdict.result() or 0.0) >= COMPLETE:
            with suppress(*FAILURES):
                await self._server.read_question(self._before, self.text)
