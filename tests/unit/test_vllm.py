"""vLLM as its documentation describes it: what it answers, what it refuses."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from livekit.agents.llm import ChatContext
from pydantic import HttpUrl

from agent.llm.vllm import VllmJudge
from agent.settings import Settings

pytestmark = pytest.mark.unit


class Server:
    """An OpenAI-compatible server that notes what it is asked."""

    def __init__(self) -> None:
        self.owner = "vllm"
        self.asked: list[dict[str, Any]] = []
        self.listed = asyncio.Event()
        self.refuses = False
        self.silent = False
        self.nonsense = ""

    async def models(self, _: web.Request) -> web.Response:
        self.listed.set()
        if self.nonsense == "models":
            return web.Response(text="<html>", content_type="text/html")
        card = {"id": "m", "object": "model", "created": 0, "owned_by": self.owner}
        return web.json_response({"object": "list", "data": [card]})

    async def complete(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        if self.nonsense == "complete":
            return web.json_response([1])
        if self.refuses or (body["continue_final_message"] and body["add_generation_prompt"]):
            return web.json_response({"error": {"message": "no", "code": 400}}, status=400)
        likely = [
            {"token": token, "logprob": math.log(share), "bytes": None}
            for token, share in ((" that", 0.6), ("?", 0.3), ("<|im_end|>", 0.1))
        ]
        told = None if self.silent else {"content": [{**likely[0], "top_logprobs": likely}]}
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": " that"},
            "logprobs": told,
            "finish_reason": "length",
        }
        return web.json_response(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": "m",
                "choices": [choice],
            }
        )


@asynccontextmanager
async def judging(server: Server) -> AsyncIterator[VllmJudge]:
    app = web.Application()
    app.router.add_get("/v1/models", server.models)
    app.router.add_post("/v1/chat/completions", server.complete)
    history = ChatContext.empty()
    history.add_message(role="system", content="Be brief.")
    async with TestServer(app) as running:
        url = HttpUrl(str(running.make_url("/v1")))
        judge = VllmJudge(Settings(llm_base_url=url, llm_model="m"), lambda: history)
        try:
            yield judge
        finally:
            await judge.aclose()
        assert len(history.items) == 1


async def begun(judge: VllmJudge, text: str) -> asyncio.Task[float | None]:
    async with asyncio.timeout(5):
        while (task := judge.judge(text)) is None:
            await asyncio.sleep(0.01)
    return task


async def test_words_are_judged_by_what_would_follow_them() -> None:
    server = Server()
    async with judging(server) as judge, asyncio.timeout(5):
        assert await (await begun(judge, "Can you name one animal?")) == pytest.approx(0.4)
    [body] = server.asked
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Can you name one animal"},
    ]
    assert body["max_completion_tokens"] == 1


async def test_only_a_server_that_calls_itself_vllm_is_asked() -> None:
    server = Server()
    server.owner = "library"
    async with judging(server) as judge, asyncio.timeout(5):
        await server.listed.wait()
        await judge._asking
        assert judge.judge("Can you name one animal?") is None
    assert not server.asked


async def test_one_that_refuses_is_asked_once() -> None:
    server = Server()
    server.refuses = True
    async with judging(server) as judge, asyncio.timeout(5):
        assert await (await begun(judge, "Can you name one animal?")) is None
        assert judge.judge("Can you name one animal?") is None
    assert len(server.asked) == 1


async def test_one_without_probabilities_gives_no_verdict() -> None:
    server = Server()
    server.silent = True
    async with judging(server) as judge, asyncio.timeout(5):
        assert await (await begun(judge, "Can you name one animal?")) is None


async def test_nonsense_in_place_of_models_or_answers_does_no_harm() -> None:
    server = Server()
    server.nonsense = "complete"
    async with judging(server) as judge, asyncio.timeout(5):
        assert await (await begun(judge, "Can you name one animal?")) is None
        assert judge.judge("Can you name one animal?")  # it may have been a hiccup
    server.nonsense = "models"
    async with judging(server) as judge, asyncio.timeout(5):
        await judge._asking
        assert judge.judge("Can you name one animal?") is None


async def test_a_server_that_is_away_does_no_harm() -> None:
    judge = VllmJudge(Settings(llm_base_url=HttpUrl("http://127.0.0.1:9/v1")), ChatContext.empty)
    async with asyncio.timeout(5):
        await judge._asking
    assert judge.judge("Can you name one animal?") is None
    await judge.aclose()
