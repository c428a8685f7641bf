"""What vLLM offers beyond OpenAI's API: to go on with a message instead of answering it.

That tells how complete a caller's words are, as in `agent.llm.llama`. Other servers may take no
notice of it and answer the message, which would tell nothing; so only one that calls itself vLLM is
asked: https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
"""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from livekit.agents.llm import ChatContext
from openai import APIStatusError, AsyncOpenAI, OpenAIError
from openai.types.chat import ChatCompletionMessageParam

from agent.llm.client import open_client
from agent.llm.completeness import completeness, shares, without_end
from agent.settings import Settings

_OWNER = "vllm"
# The most that vLLM gives by default.
_LIKELY = 20
_TIMEOUT = 5.0

_log = logging.getLogger(__name__)


class VllmJudge:
    """Has the words of one call judged; close it with `aclose`."""

    def __init__(self, settings: Settings, history: Callable[[], ChatContext]) -> None:
        """Begin to find out whether the server is vLLM; until then nothing is judged.

        Args:
            settings: The settings.
            history: Returns the conversation so far.
        """
        self._settings = settings
        self._history = history
        self._client: AsyncOpenAI | None = None
        self._judging: asyncio.Task[float | None] | None = None
        self._able = False
        self._asking = asyncio.create_task(self._ask())

    def judge(self, text: str) -> asyncio.Task[float | None] | None:
        """Have it judged how complete the caller's words are, beside the answer to them.

        Args:
            text: All that was said in this turn.

        Returns:
            What ends with the `completeness`, or with None if the server does not tell; None if
            it is no vLLM.
        """
        if not self._able or self._client is None:
            return None
        if self._judging:
            self._judging.cancel()
        self._judging = asyncio.create_task(self._judge(self._client, without_end(text)))
        return self._judging

    async def aclose(self) -> None:
        """Stop."""
        tasks = [task for task in (self._asking, self._judging) if task]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        if self._client:
            await self._client.close()

    async def _ask(self) -> None:
        self._client = open_client(self._settings, timeout=_TIMEOUT)
        # What is wrong with the server shows when a caller waits for an answer. What it answers is
        # read here, since the library fails in any way on what makes no sense.
        with suppress(OpenAIError, ValueError, LookupError, TypeError):
            answer = await self._client.models.with_raw_response.list()
            cards = json.loads(answer.content)["data"]
            self._able = any(card["owned_by"] == _OWNER for card in cards)

    async def _judge(self, client: AsyncOpenAI, text: str) -> float | None:
        context = self._history().copy()
        context.add_message(role="user", content=text)
        messages, _ = context.to_provider_format(format="openai")
        try:
            answer = await client.chat.completions.with_raw_response.create(
                model=self._settings.llm_model,
                messages=cast(list[ChatCompletionMessageParam], messages),
                max_completion_tokens=1,
                temperature=0,
                logprobs=True,
                top_logprobs=_LIKELY,
                extra_body={"add_generation_prompt": False, "continue_final_message": True},
            )
        except APIStatusError as error:
            # The template may not allow it, or the server no probabilities.
            self._able = False
            _log.info("vLLM does not tell how complete words are (status %d)", error.status_code)
            return None
        except OpenAIError:
            return None  # the answer will show what is wrong
        try:
            told = json.loads(answer.content)["choices"][0]["logprobs"]["content"][0]
            return completeness(shares(told["top_logprobs"]))
        except (ValueError, LookupError, TypeError):
            return None
