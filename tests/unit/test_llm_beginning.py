import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent.call.instructions import instructions
from agent.call.phrases import greeting
from agent.llm.beginning import read_beginning
from agent.llm.slots import SLOTS
from agent.settings import Settings
from tests.support.ports import free_port

pytestmark = pytest.mark.unit


async def test_every_slot_has_read_what_a_call_begins_with() -> None:
    read: list[dict[str, Any]] = []
    messages: list[dict[str, str]] = []

    async def render(request: web.Request) -> web.Response:
        messages[:] = (await request.json())["messages"]
        return web.json_response({"prompt": "before " + messages[-1]["content"] + " after"})

    async def complete(request: web.Request) -> web.Response:
        read.append(await request.json())
        return web.json_response({"timings": {"prompt_n": 100, "prompt_ms": 1.0}})

    app = web.Application()
    app.router.add_post("/apply-template", render)
    app.router.add_post("/completion", complete)
    async with TestServer(app, host="127.0.0.1") as server:
        settings = Settings().model_copy(update={"llm_port": server.port})
        async with asyncio.timeout(5):
            await asyncio.to_thread(read_beginning, settings)
    assert [each["content"] for each in messages[:2]] == [
        instructions(settings),
        greeting(settings, settings.language),
    ]
    assert [(body["prompt"], body["id_slot"]) for body in read] == [
        ("before ", slot) for slot in range(SLOTS)
    ]


def test_a_server_that_is_away_does_no_harm() -> None:
    read_beginning(Settings().model_copy(update={"llm_port": free_port()}))
