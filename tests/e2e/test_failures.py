"""What goes wrong is said in one sentence that names the setting, and the rest goes on."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from agent.call.phrases import apology
from tests.support.calls import converse
from tests.support.livekit import RunningLiveKit
from tests.support.ports import free_port
from tests.support.stack import Stack, stack_environment
from tests.support.worker import run_worker

pytestmark = pytest.mark.e2e

Say = Callable[[str, str], np.ndarray]


def environment(livekit: RunningLiveKit, folder: Path) -> dict[str, str]:
    return {
        **stack_environment(folder),
        "LIVEKIT_URL": livekit.url,
        "LIVEKIT_API_KEY": livekit.api_key,
        "LIVEKIT_API_SECRET": livekit.api_secret,
    }


@pytest.mark.waits
@pytest.mark.parametrize("name", ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"])
async def test_a_refused_key_ends_the_worker_with_one_sentence(
    livekit: RunningLiveKit, tmp_path: Path, name: str
) -> None:
    wrong = {name: "0123456789012345678901234567890123456789"}
    async with run_worker(tmp_path, environment(livekit, tmp_path), **wrong) as worker:
        assert await worker.exits() == 1
        last = worker.output.splitlines()[-1]
        assert "LIVEKIT_API_KEY and LIVEKIT_API_SECRET" in last
        assert "Traceback" not in worker.output
        assert "0123456789" not in worker.output


@pytest.mark.waits
async def test_a_server_that_is_not_there_is_named_and_waited_for(
    livekit: RunningLiveKit, tmp_path: Path
) -> None:
    url = f"ws://127.0.0.1:{free_port()}"
    async with run_worker(tmp_path, environment(livekit, tmp_path), LIVEKIT_URL=url) as worker:
        assert url in await worker.prints(f"LIVEKIT_URL={url} cannot be reached")
        await worker.prints("retrying in")


@pytest.fixture
async def rubbish() -> AsyncIterator[str]:
    """The base URL of a server that answers every request with words instead of JSON."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="The kettle is on.")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}/v1"
    await runner.cleanup()


@pytest.mark.parametrize("kind", ["unreachable", "rubbish"])
async def test_without_a_language_model_the_agent_apologises_and_the_log_names_the_setting(
    stack: Stack, rubbish: str, say: Say, tmp_path: Path, kind: str
) -> None:
    url = rubbish if kind == "rubbish" else f"http://127.0.0.1:{free_port()}/v1"
    env = {**stack.worker_env, "AGENT_NAME": kind, "LLM_BASE_URL": url}
    async with run_worker(tmp_path, env) as worker:
        await worker.ready()
        question = say("What is the capital of France?", "en")
        report = await converse(
            stack.page_url, tmp_path, [question], access=stack.signing_key(kind)
        )
        assert report.turns[0].agent_transcript == apology("en")
        assert f"LLM_BASE_URL={url}" in worker.output
