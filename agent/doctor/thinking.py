"""The language model: whether it answers, how fast, and whether it calls tools."""

import asyncio
import random
from time import perf_counter
from typing import Any

from openai import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    OpenAIError,
    PermissionDeniedError,
)

from agent.doctor.capacity import BUDGET
from agent.doctor.finding import START, Finding, fail, ok, warn
from agent.settings import Settings

_TIMEOUT = 3.5
_LIST_TIMEOUT = 2.0
_TOOL_TIMEOUT = 5.0
# An answer that begins with so many pieces of text is no call of a tool.
_WORDS = 4
# Seconds from the first token; a busy machine has told enough by then.
_LISTEN = 1.5
_TOKENS = 24
# Slower than this, speech catches up with the text.
_FEWEST_TOKENS_PER_SECOND = 8.0
_TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Tells the weather of a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


async def answers(settings: Settings) -> Finding:
    """Ask the server which models it has."""
    try:
        async with _client(settings, _LIST_TIMEOUT) as client:
            # Their bodies are looked at here, since the library takes any text for one.
            body = (await client.models.with_raw_response.list()).http_response.json()
        listed = [str(model["id"]) for model in body["data"]]
    except NotFoundError:
        # Not every server lists its models; the next check asks the model itself.
        return ok(f"answers at {settings.llm_url}, which does not list its models")
    except (OpenAIError, ValueError, TypeError, KeyError) as error:
        return _failure(settings, error)
    if settings.llm_model not in listed:
        names = ", ".join(listed[:5]) or "none"
        return fail(
            f"{settings.llm_url} has no model {settings.llm_model}; it has {names}",
            "set LLM_MODEL to one of its models",
        )
    return ok(f"{settings.llm_model} at {settings.llm_url}")


async def speed(settings: Settings) -> Finding:
    """Measure the time to the first token, and the tokens per second after it."""
    number = random.randrange(1000, 10_000)  # so that no cache has the answer
    began = perf_counter()
    try:
        async with _client(settings, _TIMEOUT) as client:
            times = await _token_times(client, settings, f"Count from {number} up to a million.")
    except (OpenAIError, ValueError) as error:
        return _failure(settings, error)
    if len(times) < 2:
        return fail("it answered with hardly a word", "see its log, or choose another LLM_MODEL")
    delay, taken = times[0] - began, times[-1] - times[0]
    rate = (len(times) - 1) / max(taken, 0.001)
    told = f"first token after {delay * 1000:.0f} ms, then {rate:.0f} tokens/s"
    figures = {
        "llm_first_seconds": round(delay, 3),
        "llm_tokens_per_second": round(rate, 1),
    }
    if delay > BUDGET or rate < _FEWEST_TOKENS_PER_SECOND:
        return warn(
            f"{told}, too slow for a conversation",
            "choose a smaller LLM_MODEL, or set LLM_BASE_URL to a server with a GPU",
            **figures,
        )
    return ok(told, **figures)


async def _token_times(client: AsyncOpenAI, settings: Settings, question: str) -> list[float]:
    """Return when each token of an answer came; of a slow answer only the first ones."""
    times: list[float] = []
    stream = await client.chat.completions.create(
        model=settings.llm_model,
        messages=[{"role": "user", "content": question}],
        max_completion_tokens=_TOKENS,
        stream=True,
    )
    async with stream:
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                times.append(perf_counter())
            if len(times) > 1 and times[-1] - times[0] > _LISTEN:
                break
    return times


async def tools(settings: Settings) -> Finding:
    """Offer a tool with a question that cannot be answered without it."""
    try:
        async with _client(settings, _TOOL_TIMEOUT) as client:
            called = await _calls_tool(client, settings, "What is the weather in Paris now?")
    except BadRequestError as error:
        return fail(
            f"the server refuses requests with tools ({_said(error)})",
            "start it with tool calls allowed (vLLM: --enable-auto-tool-choice)",
        )
    except (APITimeoutError, TimeoutError):
        # It has just answered without tools; their description makes the question longer.
        return warn(
            f"{settings.llm_model} did not call a tool within {_TOOL_TIMEOUT:g} s",
            "choose a smaller LLM_MODEL if your agent has tools",
        )
    except (OpenAIError, ValueError, AttributeError, IndexError, TypeError) as error:
        return _failure(settings, error)
    if not called:  # the agent that comes with us has no tools
        return ok(
            "it answers in words where it should call a tool: choose another for such an agent"
        )
    return ok("it calls tools")


async def _calls_tool(client: AsyncOpenAI, settings: Settings, question: str) -> bool:
    """Return whether the answer, streamed as in a call, begins to call a tool."""
    chunks = words = 0
    stream = await client.chat.completions.create(
        model=settings.llm_model,
        messages=[{"role": "user", "content": question}],
        max_completion_tokens=2 * _TOKENS,
        tools=_TOOLS,
        stream=True,
    )
    async with asyncio.timeout(_TOOL_TIMEOUT), stream:
        async for chunk in stream:
            chunks += 1
            delta = chunk.choices[0].delta if chunk.choices else None
            if delta and delta.tool_calls:
                return True
            words += bool(delta and delta.content)
            if words >= _WORDS:
                return False
    if not chunks:
        raise ValueError("it answered nothing")
    return False


def _failure(settings: Settings, error: Exception) -> Finding:
    where = settings.llm_url
    if isinstance(error, APITimeoutError):
        return fail(
            f"{where} accepts the request, but does not answer in time",
            "see its log; a smaller LLM_MODEL answers sooner",
        )
    if isinstance(error, APIConnectionError):
        cause = error.__cause__
        remedy = START if settings.embedded_llm else "start that server, or correct LLM_BASE_URL"
        return fail(f"{where} cannot be reached ({cause or error})", remedy)
    if isinstance(error, AuthenticationError | PermissionDeniedError):
        return fail(f"{where} refuses the key ({_said(error)})", "set LLM_API_KEY to a valid one")
    if isinstance(error, NotFoundError):
        return fail(
            f"{where} does not know {settings.llm_model} ({_said(error)})",
            "correct LLM_MODEL and LLM_BASE_URL",
        )
    if isinstance(error, APIStatusError):
        return fail(
            f"{where} answers with status {error.status_code} ({_said(error)})", "see its log"
        )
    return fail(f"{where} answers what makes no sense ({type(error).__name__})", "see its log")


def _said(error: APIStatusError) -> str:
    """Return the server's own words, shortened."""
    return str(error.message)[:120]


def _client(settings: Settings, timeout: float) -> AsyncOpenAI:
    return AsyncOpenAI(
        base_url=settings.llm_url,
        api_key=settings.llm_api_key.get_secret_value(),
        max_retries=0,
        timeout=timeout,
    )
