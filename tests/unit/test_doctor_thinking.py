"""A language model that is away, silent, choosy, or without tools."""

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from pydantic import HttpUrl

from agent.doctor import thinking
from agent.doctor.finding import Finding
from agent.settings import Settings
from tests.support.doctor import Handler, answer, llm, never, refusal, settings
from tests.support.ports import free_port

pytestmark = pytest.mark.unit

Ask = Callable[[Settings], Awaitable[Finding]]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_TIMEOUT", "_LIST_TIMEOUT", "_TOOL_TIMEOUT"):
        monkeypatch.setattr(thinking, name, 0.5)


async def test_a_model_that_does_all_is_measured() -> None:
    async with llm(tool="get_weather") as served:
        assert (await thinking.answers(served)).level == "ok"
        speed = await thinking.speed(served)
        assert (await thinking.tools(served)).level == "ok"
    assert speed.level == "ok"
    assert 0 < speed.figures["llm_first_seconds"] < 0.5
    assert 20 < speed.figures["llm_tokens_per_second"] < 1000


async def nothing(_: web.Request) -> web.Response:
    return web.Response(text="data: [DONE]\n\n", content_type="text/event-stream")


@pytest.mark.parametrize(
    ("ask", "chat", "models", "level", "named"),
    [
        (thinking.answers, None, refusal(401, "bad key"), "fail", "LLM_API_KEY"),
        (thinking.answers, None, refusal(500, "boom"), "fail", "status 500"),
        (thinking.answers, None, never, "fail", "in time"),
        (thinking.answers, None, answer(404, "none"), "ok", "does not list"),
        (thinking.answers, None, answer(200, "hello"), "fail", "no sense"),
        (thinking.speed, never, None, "fail", "in time"),
        (thinking.speed, refusal(404, "no model m"), None, "fail", "LLM_MODEL"),
        (thinking.speed, nothing, None, "fail", "hardly a word"),
        (thinking.tools, None, None, "ok", "in words"),
        (thinking.tools, refusal(400, "no tools"), None, "fail", "enable-auto-tool-choice"),
        (thinking.tools, never, None, "warn", "did not call a tool within"),
        (thinking.tools, answer(200, "hello"), None, "fail", "no sense"),
    ],
)
async def test_the_fault_is_named(
    ask: Ask, chat: Handler | None, models: Handler | None, level: str, named: str
) -> None:
    async with llm(chat=chat, models=models) as served:
        finding = await ask(served)
    assert finding.level == level, finding
    assert named in f"{finding.found}; {finding.remedy}"


async def test_another_model_is_named_with_those_that_there_are() -> None:
    async with llm() as served:
        finding = await thinking.answers(served.model_copy(update={"llm_model": "x"}))
    assert finding.level == "fail"
    assert "no model x; it has m" in finding.found


async def test_a_refused_connection_is_named() -> None:
    url = HttpUrl(f"http://127.0.0.1:{free_port()}/v1")
    finding = await thinking.answers(settings(llm_base_url=url))
    assert finding.level == "fail"
    assert "cannot be reached" in finding.found
    assert "LLM_BASE_URL" in finding.remedy
