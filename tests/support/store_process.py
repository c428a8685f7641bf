"""A process with a model store: it can be killed, and can have disks of its own.

It imports everything once and forks for each command, so that a command takes no second to start.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from livekit.plugins.local.models import (
    Manifest,
    Model,
    ModelError,
    ModelStore,
    export_models,
    import_models,
)
from pydantic import TypeAdapter

_MANIFEST = TypeAdapter(Manifest)


class StoreProcess:
    """The tests' end: one command at a time.

    Args:
        process: The running module.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def begin(self, do: str, root: Path, *models: Model, **arguments: object) -> int:
        """Start a command, and return the pid of the process that runs it."""
        manifest = _MANIFEST.dump_python(Manifest(models), mode="json")
        await self._send({"do": do, "root": str(root), "manifest": manifest, **arguments})
        return int((await self._receive())["pid"])

    async def end(self) -> dict[str, Any]:
        """Wait for the end of the command: ``{}`` if it was killed."""
        return await self._receive()

    async def do(self, do: str, root: Path, *models: Model, **arguments: object) -> dict[str, Any]:
        """Run a command; return its ``result``, or the ``code`` and ``message`` of its error."""
        await self.begin(do, root, *models, **arguments)
        return await self.end()

    async def shell(self, *command: str) -> None:
        """Run a program there, such as `mount`."""
        await self._send({"do": "shell", "command": command})
        answer = await self._receive()
        assert answer["status"] == 0, answer

    async def _send(self, command: dict[str, object]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()

    async def _receive(self) -> dict[str, Any]:
        assert self._process.stdout
        line = await asyncio.wait_for(self._process.stdout.readline(), 60)
        answer: dict[str, Any] = json.loads(line)
        return answer


@asynccontextmanager
async def run_store_process(*, own_disks: bool = False) -> AsyncIterator[StoreProcess]:
    """Run one.

    Args:
        own_disks: Whether what it mounts is seen by it alone, and gone with it.
    """
    prefix: Sequence[str] = ()
    if own_disks:
        user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
        prefix = ("unshare", *user, "--mount")
    process = await asyncio.create_subprocess_exec(
        *(*prefix, sys.executable, "-m", "tests.support.store_process"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )
    try:
        yield StoreProcess(process)
    finally:
        assert process.stdin
        process.stdin.close()
        await process.wait()


def _main() -> None:
    # Slow to import, and wanted by every command.
    import huggingface_hub

    assert callable(huggingface_hub.hf_hub_url)
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "shell":
            done = subprocess.run(command["command"], capture_output=True, text=True)
            _say({"status": done.returncode, "stderr": done.stderr})
            continue
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            os.write(write, json.dumps(_answer(command)).encode())
            os._exit(0)
        os.close(write)
        _say({"pid": child})
        with os.fdopen(read, "rb") as pipe:
            answer = pipe.read()
        _, status = os.waitpid(child, 0)
        # One that was killed may have written a part of its answer.
        _say({} if status else json.loads(answer))


def _answer(command: dict[str, Any]) -> dict[str, Any]:
    os.environ.update(command.get("env", {}))
    try:
        return {"result": asyncio.run(_run(command))}
    except ModelError as error:
        return {"code": error.code, "message": error.message}
    except Exception as error:  # noqa: BLE001 - the test shall see it
        return {"code": type(error).__name__, "message": str(error)}


async def _run(command: dict[str, Any]) -> object:
    store = ModelStore(
        Path(command["root"]),
        manifest=_MANIFEST.validate_python(command["manifest"]),
        sources=command.get("sources", ["hub"]),
    )
    name = command.get("name", "small")
    match command["do"]:
        case "ensure":
            seen: list[int] = []
            path = await store.ensure(name, lambda progress: seen.append(progress.done))
            files = {file.name: file.read_bytes().hex() for file in path.iterdir()}
            return {"files": files, "seen": seen}
        case "require_space":
            store.require_space([name])
            return None
        case "verify":
            return await store.verify(name)
        case "export":
            await export_models(store, Path(command["bundle"]), [name])
            return None
        case "import":
            return await import_models(store, Path(command["bundle"]))
    raise ValueError(command["do"])


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _main()
