import logging
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from agent.errors import UserError
from agent.settings import Settings
from agent.web.app import create_app
from agent.web.server import run

pytestmark = pytest.mark.unit

SECRET = "0123456789abcdef0123456789abcdef"
DEADLINE_SECONDS = 20

Client = TestClient[Any, Any]


def settings(**changes: Any) -> Settings:
    values = {
        "livekit_url": "ws://127.0.0.1:7880",
        "livekit_api_key": "test-key",
        "livekit_api_secret": SECRET,
    }
    return Settings(**{**values, **changes})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def built_page(tmp_path: Path) -> Path:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html><title>page</title>")
    (static / "assets" / "index-1a2b.js").write_text("export {};")
    (tmp_path / "secret.txt").write_text("not served")
    return static


@pytest.fixture
async def client(built_page: Path) -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app(settings(), built_page))) as client:
        yield client


class Upstream:
    """A LiveKit server or worker, as far as its health check goes."""

    def __init__(self) -> None:
        self.status = 200
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self.server = TestServer(app)

    async def _answer(self, request: web.Request) -> web.Response:
        return web.Response(status=self.status)

    @property
    def port(self) -> int:
        assert self.server.port is not None
        return self.server.port


@pytest.fixture
async def fake_livekit() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    async with upstream.server:
        yield upstream


@pytest.fixture
async def fake_worker() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    async with upstream.server:
        yield upstream


async def readyz(settings: Settings, static: Path, **headers: str) -> tuple[int, Any]:
    async with TestClient(TestServer(create_app(settings, static))) as client:
        response = await client.get("/readyz", headers=headers)
        return response.status, await response.json()


async def test_serves_the_page_and_its_assets(client: Client) -> None:
    page = await client.get("/")
    assert (page.status, page.content_type) == (200, "text/html")
    assert page.headers["Cache-Control"] == "no-cache"
    asset = await client.get("/assets/index-1a2b.js")
    assert asset.status == 200
    assert asset.content_type in ("text/javascript", "application/javascript")
    assert "immutable" in asset.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/%2e%2e/secret.txt", "/assets/%2e%2e/%2e%2e/secret.txt"])
async def test_serves_nothing_outside_the_page(client: Client, path: str) -> None:
    response = await client.get(URL(path, encoded=True))
    assert response.status in (403, 404)


async def test_a_missing_asset_is_not_cached_for_ever(client: Client) -> None:
    response = await client.get("/assets/none.js")
    assert response.status == 404
    assert response.headers["Cache-Control"] == "no-cache"


async def test_without_a_build_says_how_to_build_it(tmp_path: Path) -> None:
    async with TestClient(TestServer(create_app(settings(), tmp_path / "none"))) as client:
        response = await client.get("/")
        assert response.status == 503
        assert "`make`" in await response.text()


@pytest.mark.parametrize("path", ["/", "/assets/index-1a2b.js", "/healthz", "/none"])
async def test_every_answer_confines_the_page(client: Client, path: str) -> None:
    headers = (await client.get(path)).headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == "'self' ws://127.0.0.1:7880 http://127.0.0.1:7880"
    assert policy["frame-ancestors"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Permissions-Policy"].startswith("microphone=(self)")
    assert "aiohttp" not in headers["Server"]


async def test_the_policy_names_a_livekit_server_elsewhere(built_page: Path) -> None:
    app = create_app(settings(livekit_url="https://voice.test/base"), built_page)
    async with TestClient(TestServer(app)) as client:
        policy = (await client.get("/")).headers["Content-Security-Policy"]
        assert "connect-src 'self' wss://voice.test https://voice.test;" in policy
        answer = await (await client.post("/token")).json()
        assert answer["server_url"] == "wss://voice.test/base"


async def test_is_alive(client: Client) -> None:
    assert (await client.get("/healthz")).status == 200


async def test_is_ready_when_livekit_answers_and_the_page_is_built(
    built_page: Path, fake_livekit: Upstream, fake_worker: Upstream
) -> None:
    ready = settings(
        livekit_url=f"ws://127.0.0.1:{fake_livekit.port}", worker_port=fake_worker.port
    )
    status, body = await readyz(ready, built_page)
    component = {"state": "ready", "message": "", "done": None, "total": None}
    assert status == 200
    assert body == {
        "ready": True,
        "settled": True,
        "load": 0.0,
        "components": {"livekit": component, "page": component, "worker": component},
    }


async def test_names_livekit_when_it_does_not_answer(
    built_page: Path, fake_worker: Upstream
) -> None:
    gone = settings(livekit_url=f"ws://127.0.0.1:{free_port()}", worker_port=fake_worker.port)
    status, body = await readyz(gone, built_page)
    assert (status, body["ready"]) == (503, False)
    assert body["components"]["livekit"]["state"] == "missing"
    assert "LIVEKIT_URL" in body["components"]["livekit"]["message"]


async def test_waits_for_a_livekit_that_is_not_healthy(
    built_page: Path, fake_livekit: Upstream, fake_worker: Upstream
) -> None:
    fake_livekit.status = 406
    early = settings(
        livekit_url=f"ws://127.0.0.1:{fake_livekit.port}", worker_port=fake_worker.port
    )
    status, body = await readyz(early, built_page)
    assert status == 503
    assert body["components"]["livekit"]["state"] == "loading"


async def test_is_not_ready_without_the_page(
    tmp_path: Path, fake_livekit: Upstream, fake_worker: Upstream
) -> None:
    bare = settings(livekit_url=f"ws://127.0.0.1:{fake_livekit.port}", worker_port=fake_worker.port)
    status, body = await readyz(bare, tmp_path / "none")
    assert status == 503
    assert body["components"]["page"]["state"] == "failed"
    assert "`make`" in body["components"]["page"]["message"]


async def test_who_comes_through_a_proxy_is_told_no_sentence(
    tmp_path: Path, fake_livekit: Upstream, fake_worker: Upstream
) -> None:
    bare = settings(livekit_url=f"ws://127.0.0.1:{fake_livekit.port}", worker_port=fake_worker.port)
    headers = {"X-Forwarded-For": "203.0.113.9"}
    status, body = await readyz(bare, tmp_path / "none", **headers)
    assert status == 503
    assert body["components"]["page"]["state"] == "failed"
    assert body["components"]["page"]["message"] == ""


async def test_reports_the_worker_without_waiting_for_it(
    built_page: Path, fake_livekit: Upstream, fake_worker: Upstream
) -> None:
    fake_worker.status = 503
    url = f"ws://127.0.0.1:{fake_livekit.port}"
    loading = await readyz(settings(livekit_url=url, worker_port=fake_worker.port), built_page)
    gone = await readyz(settings(livekit_url=url, worker_port=free_port()), built_page)
    assert (loading[0], gone[0]) == (200, 200)
    assert loading[1]["components"]["worker"]["state"] == "loading"
    assert gone[1]["components"]["worker"]["state"] == "missing"
    assert "WORKER_PORT" in gone[1]["components"]["worker"]["message"]


@pytest.mark.parametrize("url", ["127.0.0.1:7880", "ftp://127.0.0.1", "ws://[", "ws://"])
def test_a_bad_livekit_url_is_named(url: str) -> None:
    with pytest.raises(UserError, match="LIVEKIT_URL"):
        create_app(settings(livekit_url=url))


def test_missing_keys_are_named() -> None:
    with pytest.raises(UserError, match="LIVEKIT_API_KEY"):
        create_app(settings(livekit_url=None, livekit_api_key=None, livekit_api_secret=None))


def test_a_busy_port_names_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        busy = settings(web_port=listener.getsockname()[1])
        with pytest.raises(UserError, match=r"taken.*WEB_PORT"):
            run(busy)


def test_an_address_that_is_not_ours_names_its_setting() -> None:
    with pytest.raises(UserError, match="WEB_HOST"):
        run(settings(web_host="192.0.2.1", web_port=free_port()))


def test_serves_until_sigterm_and_logs_no_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    port = free_port()
    statuses: list[int] = []

    def call_and_stop() -> None:
        statuses.append(wait_for_status(f"http://127.0.0.1:{port}/none%0A?private=1"))
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=call_and_stop)
    thread.start()
    run(settings(web_port=port))
    thread.join()
    assert statuses == [404]
    assert any(message.startswith("GET /none%0A 404 in") for message in caplog.messages)
    assert "private" not in caplog.text


def wait_for_status(url: str) -> int:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                status: int = response.status
                return status
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            if time.monotonic() > deadline:
                raise
            threading.Event().wait(0.02)
