import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from agent.healthcheck import check

pytestmark = pytest.mark.unit


class Process:
    """A process of ours, as far as its health goes."""

    def __init__(self) -> None:
        self.address = ""
        self.status = 200

    async def readyz(self, _: web.Request) -> web.Response:
        return web.json_response({"ready": self.status == 200}, status=self.status)


@pytest.fixture(params=["tcp", "unix"])
async def process(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Process]:
    process = Process()
    app = web.Application()
    app.router.add_get("/readyz", process.readyz)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    if request.param == "unix":
        process.address = f"unix:{tmp_path / 'e.sock'}"
        await web.UnixSite(runner, str(tmp_path / "e.sock")).start()
    else:
        listener = socket.create_server(("127.0.0.1", 0))
        process.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        await web.SockSite(runner, listener).start()
    yield process
    await runner.cleanup()


async def test_passes_when_the_process_is_ready(process: Process) -> None:
    healthy, text = await asyncio.to_thread(check, process.address, "/readyz")
    assert healthy
    assert text == '{"ready": true}'


async def test_fails_and_shows_why_when_it_is_not(process: Process) -> None:
    process.status = 503
    healthy, text = await asyncio.to_thread(check, process.address, "/readyz")
    assert not healthy
    assert text == '{"ready": false}'


@pytest.mark.parametrize("scheme", ["unix", "http"])
def test_fails_when_nobody_answers(scheme: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    address = f"unix:{tmp_path / 'none.sock'}" if scheme == "unix" else f"http://127.0.0.1:{port}"
    healthy, text = check(address, "/readyz")
    assert not healthy
    assert address in text


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
async def test_the_exit_status_is_what_docker_looks_at(
    process: Process, status: int, code: int
) -> None:
    process.status = status
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent.healthcheck", process.address, "/readyz"),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await child.communicate()
    assert child.returncode == code
    assert output.startswith(b'{"ready"')
