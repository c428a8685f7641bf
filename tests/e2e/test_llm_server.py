"""The embedded language model, started the way ``eloquence up`` starts it."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from agent.llm.completeness import completeness, without_end
from agent.llm.llama import LlamaServer
from agent.readiness import fetch_readiness
from agent.settings import Settings
from tests.support.ports import free_port

pytestmark = pytest.mark.e2e

SYSTEM = "You are a voice assistant. Answer in one short sentence, without lists or markup."


class Llm:
    """A server process."""

    def __init__(self, **env: str) -> None:
        self.port = free_port()
        self.output = ""
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent", "llm"],
            env={**os.environ, "LLM_PORT": str(self.port), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and self.process.poll() is None:
            readiness = asyncio.run(fetch_readiness(self.url, "/health"))
            if readiness is not None and readiness.ready:
                return
            time.sleep(0.1)
        self.stop()
        raise AssertionError(f"not ready: {self.output}")

    def stop(self) -> None:
        self.process.kill()
        self.output += self.process.communicate()[0] or ""


@pytest.fixture(scope="module")
def llm() -> Iterator[Llm]:
    server = Llm()
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def completion(
    server: Llm, question: str, *, stream: bool = False, **options: Any
) -> AsyncIterator[aiohttp.ClientResponse]:
    body = {
        "model": "any",
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": question},
        ],
        "stream": stream,
        "temperature": 0,
        **options,
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/v1/chat/completions", json=body) as response,
    ):
        yield response


@pytest.mark.parametrize(
    ("question", "city"),
    [
        ("What is the capital of France?", "Paris"),
        ("Quelle est la capitale de l'Espagne ?", "Madrid"),
    ],
)
async def test_it_answers_in_a_stream(llm: Llm, question: str, city: str) -> None:
    pieces: list[str] = []
    async with completion(llm, question, stream=True) as response:
        assert response.status == 200
        async for line in response.content:
            data = line.decode().removeprefix("data: ").strip()
            if data and data != "[DONE]":
                choices = json.loads(data)["choices"]
                pieces += [choice["delta"].get("content") or "" for choice in choices]
    assert city in "".join(pieces)
    assert len(pieces) > 3


@pytest.mark.parametrize(
    ("begun", "whole"),
    [
        ("Can you name one animal?", "Can you name one animal that lives in the sea?"),
        ("Dans quel pays se trouve ?", "Dans quel pays se trouve la ville de Rome ?"),
    ],
)
async def test_it_tells_whether_words_are_complete(llm: Llm, begun: str, whole: str) -> None:
    server = LlamaServer(Settings().model_copy(update={"llm_port": llm.port}), 0)
    context = [{"role": "system", "content": SYSTEM}]
    greeted = [*context, {"role": "assistant", "content": "Hello, how can I help?"}]
    try:
        reading = await server.read(greeted, "")
        assert reading.tokens > 1
        again = await server.read(greeted, "Can you")
        assert again.tokens < reading.tokens
        shares = [
            completeness(await server.what_follows(context, without_end(text)))
            for text in (begun, whole)
        ]
    finally:
        await server.aclose()
    assert shares[0] < 0.1 < 0.5 < shares[1]


async def test_what_a_call_said_before_is_not_read_again(llm: Llm) -> None:
    cached: list[int] = []
    for question in ("Name a river in Egypt.", "Name a river in Egypt, please."):
        async with completion(llm, question, max_tokens=4) as response:
            cached.append((await response.json())["timings"]["cache_n"])
    assert cached[1] > 20


async def test_a_question_that_was_read_is_answered_from_the_next_token_on(llm: Llm) -> None:
    server = LlamaServer(Settings().model_copy(update={"llm_port": llm.port}), None)
    question = "Which river is in Egypt?"
    try:
        await server.read_question([{"role": "system", "content": SYSTEM}], question)
    finally:
        await server.aclose()
    async with completion(llm, question, max_tokens=4) as response:
        assert (await response.json())["timings"]["prompt_n"] == 1


async def test_two_calls_are_answered_at_the_same_time(llm: Llm) -> None:
    async def interval(question: str) -> tuple[float, float]:
        """Return when the first piece of the answer came, and the last."""
        async with completion(llm, question, stream=True, max_tokens=48) as response:
            await response.content.readline()
            begun = time.monotonic()
            await response.content.read()
            return begun, time.monotonic()

    one, other = await asyncio.gather(
        interval("Tell a long story of Rome."), interval("Tell a long story of Oslo.")
    )
    assert max(one[0], other[0]) < min(one[1], other[1])


async def test_running_prompts_are_not_shown(llm: Llm) -> None:
    slots = await fetch_readiness(llm.url, "/slots")
    assert slots is not None
    assert not slots.ready


async def test_pages_from_elsewhere_may_not_read_answers(llm: Llm) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{llm.url}/v1/models", headers={"Origin": "http://page.example"}) as response,
    ):
        assert "Access-Control-Allow-Origin" not in response.headers


def test_it_stops_at_once_in_the_middle_of_an_answer() -> None:
    server = Llm()
    try:
        server.wait_until_ready()
        asyncio.run(_stop_while_answering(server))
        assert server.process.returncode == 0
    finally:
        server.stop()


async def _stop_while_answering(server: Llm) -> None:
    async with completion(server, "Tell a long story.", stream=True, max_tokens=2000) as response:
        await response.content.readline()
        server.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(server.process.wait, 2)


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({}, "(LLM_PORT) is already in use;"),
        ({"LLM_MODEL": "no-such-model"}, "LLM_MODEL is 'no-such-model'"),
    ],
)
def test_what_is_wrong_is_one_sentence(env: dict[str, str], sentence: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        if not env:
            holder.listen()
            env = {"LLM_PORT": str(holder.getsockname()[1])}
        server = Llm(**env)
        output, _ = server.process.communicate(timeout=60)
    assert server.process.returncode == 1
    assert output.startswith("eloquence: ")
    assert output.count("\n") == 1
    assert sentence in output
