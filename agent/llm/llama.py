"""What llama.cpp's server offers beyond OpenAI's API: a prompt without its end.

A chat request reads on to the end of the message and has it answered. Here the prompt ends where
the caller's words do, so that the words that follow are read behind them, and so that the model
can be asked what follows them. Both are the server's own API:
https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
"""

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from agent.llm.completeness import shares
from agent.llm.reading import Reading
from agent.llm.slots import slot_of
from agent.settings import Settings

# Stands where the caller's words come, to find that place in what the template makes.
_WORDS_HERE = "<<what the caller says>>"
_LIKELY = 40

Messages = Sequence[Mapping[str, object]]
"""A conversation in OpenAI's form."""


class LlamaServer:
    """One call's connection to the embedded server; nothing is connected before it is used.

    Every method raises `aiohttp.ClientError`, `TimeoutError` or `ValueError` if the server fails
    or gives no sense.
    """

    def __init__(self, settings: Settings, slot: int | None) -> None:
        """Prepare.

        Args:
            settings: The settings; the server must be the embedded one.
            slot: The call's slot of the server.
        """
        self._settings = settings
        self._slot = slot
        self._http: aiohttp.ClientSession | None = None

    async def read(self, before: Messages, words: str) -> Reading:
        """Have a conversation read up to the caller's words, and keep what was read.

        Args:
            before: The conversation before them.
            words: What the caller has said so far, or nothing.
        """
        prompt = await self._prompt([*before, _said(_WORDS_HERE)], words)
        answer = await self._complete(prompt, n_predict=0)
        try:
            timings = answer["timings"]
            return Reading(int(timings["prompt_n"]), float(timings["prompt_ms"]) / 1000)
        except (KeyError, TypeError) as error:
            raise ValueError("the server does not tell how long it read") from error

    async def read_question(self, before: Messages, question: str) -> None:
        """Have a conversation read to its end, so that the answer to it can be written at once.

        Args:
            before: The conversation before the question.
            question: What the caller has said.
        """
        await self._complete(await self._render([*before, _said(question)]), n_predict=0)

    async def what_follows(self, before: Messages, words: str) -> dict[str, float]:
        """Return which tokens are likely to follow the caller's words, with their probabilities.

        Args:
            before: The conversation before them.
            words: What the caller has said.
        """
        prompt = await self._prompt([*before, _said(_WORDS_HERE)], words)
        answer = await self._complete(prompt, n_predict=1, n_probs=_LIKELY, temperature=0)
        try:
            likely = answer["completion_probabilities"][0]["top_logprobs"]
        except (LookupError, TypeError) as error:
            raise ValueError("the server does not tell what is likely") from error
        return shares(likely)

    async def aclose(self) -> None:
        """Close the connection."""
        if self._http:
            await self._http.close()

    async def _prompt(self, conversation: Messages, words: str) -> str:
        """Return a prompt that ends with the words, which come where their place is held."""
        prompt, found, _ = (await self._render(conversation)).rpartition(_WORDS_HERE)
        if not found:
            raise ValueError("the model's template has no place for what a caller says")
        return prompt + words

    async def _render(self, conversation: Messages) -> str:
        rendered = await self._post("/apply-template", {"messages": list(conversation)})
        return str(rendered.get("prompt"))

    async def _complete(self, prompt: str, **more: object) -> dict[str, Any]:
        return await self._post("/completion", {"prompt": prompt, **more, **slot_of(self._slot)})

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        # Not OpenAI's client: to make one reads certificates, for a third of a second.
        if self._http is None:
            self._http = aiohttp.ClientSession(
                self._settings.llm_url.removesuffix("/v1"),
                timeout=aiohttp.ClientTimeout(total=self._settings.llm_timeout),
                raise_for_status=True,
            )
        async with self._http.post(path, json=body) as response:
            answer = await response.json()
        return answer if isinstance(answer, dict) else {}


def _said(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}
