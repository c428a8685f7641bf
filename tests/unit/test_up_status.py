"""``eloquence status`` against parts that serve, load, failed and are not there."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support.ports import free_port

pytestmark = pytest.mark.unit

LOADING = {
    "stt": {
        "state": "downloading",
        "done": 1_000_000,
        "total": 4_000_000,
        "message": "from the hub",
    }
}


class Part:
    """A part of Eloquence that answers what it is told to."""

    def __init__(self, status: int, components: dict[str, Any]) -> None:
        body = json.dumps({"ready": status == 200, "components": components}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def parts() -> Iterator[dict[str, Part]]:
    with ExitStack() as stack:
        started = {name: Part(200, {}) for name in ("livekit", "llm", "worker", "web")}
        started["engine"] = Part(503, LOADING)
        for part in started.values():
            stack.callback(part.close)
        yield started


def status(
    parts: dict[str, Part], folder: Path, *options: str, **overrides: str
) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": "",
        "ELOQUENCE_CACHE_DIR": str(folder),
        "ENGINE_URL": f"http://127.0.0.1:{parts['engine'].port}",
        **{f"{name.upper()}_PORT": str(part.port) for name, part in parts.items()},
        **overrides,
    }
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-m", "agent", "status", *options],
        env={**env, "PYTHONPATH": str(root)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_one_line_for_each_part_and_status_1_while_one_is_not_ready(
    parts: dict[str, Part], tmp_path: Path
) -> None:
    done = status(parts, tmp_path, WEB_PORT=str(free_port()))
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "livekit   ready",
        "engine    downloading: 1 of 4 MB (25 %), from the hub",
        "llm       ready",
        "worker    ready",
        "web       not running",
    ]


def test_status_0_when_every_part_is_ready(parts: dict[str, Part], tmp_path: Path) -> None:
    done = status(parts, tmp_path, ENGINE_URL=f"http://127.0.0.1:{parts['llm'].port}")
    assert done.returncode == 0


def test_json_is_one_object_with_what_the_parts_say(parts: dict[str, Part], tmp_path: Path) -> None:
    done = status(parts, tmp_path, "--json")
    answer = json.loads(done.stdout)
    assert answer["ready"] is False
    assert list(answer["parts"]) == ["livekit", "engine", "llm", "worker", "web"]
    assert answer["parts"]["worker"]["ready"] is True
    assert answer["parts"]["engine"]["components"] == LOADING
    assert done.returncode == 1
