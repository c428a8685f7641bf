"""The system under test: what ``eloquence up`` starts, except the page, on ports of its own."""

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from agent.bench.processes import Processes
from agent.caller.access import SigningKey
from agent.errors import UserError
from agent.livekit.config import LOOPBACK
from agent.livekit.keys import server_keys
from agent.ports import spare_port
from agent.readiness import UNIX_SCHEME
from agent.readiness_feed import first, told_by
from agent.settings import Settings, env_name
from agent.up.board import Board
from agent.up.plan import Service, plan
from agent.up.supervisor import Supervisor

_START_SECONDS = 240.0

MoreServices = Callable[[Settings], Sequence[Service]]
"""Returns services to run beside the rest, given the settings in use."""
Log = Callable[[str, str], None]
"""Takes the name of a service and a line that it printed."""


@dataclass(frozen=True, slots=True)
class VoiceStack:
    """A running Eloquence.

    Attributes:
        settings: With the ports on which it runs.
        processes: What it costs.
    """

    settings: Settings
    processes: Processes

    def access(self, agent_name: str, language: str) -> SigningKey:
        """Return the way into a fresh room with an agent."""
        keys = server_keys(self.settings)
        return SigningKey(
            livekit_url(self.settings),
            keys.key,
            keys.secret,
            agent_name=agent_name,
            language=language,
        )


@asynccontextmanager
async def run_stack(
    settings: Settings,
    more: MoreServices = lambda _: (),
    log: Log = lambda *_: None,
    overrides: Mapping[str, Any] | None = None,
) -> AsyncIterator[VoiceStack]:
    """Start everything, wait until all of it is ready, and stop it afterwards.

    Args:
        settings: Its settings; ports and addresses of servers that it starts are replaced.
        more: Services to run beside it, or instead of those of the same name.
        log: Takes what they print.
        overrides: Settings to replace, by field.

    Raises:
        UserError: Something cannot serve; the sentence says what.
    """
    with tempfile.TemporaryDirectory(prefix="eloquence-bench-") as folder:
        given = overrides or {}
        places = {**given, **_places(settings.model_copy(update=given), Path(folder))}
        moved = settings.model_copy(update=places)
        env = {env_name(name): str(value) for name, value in places.items()}
        planned = await plan(moved, lambda _: None)
        added = [replace(each, env={**env, **each.env}) for each in more(moved)]
        # Callers have a key of their own, so nobody asks for the page.
        without = {"web", *(each.name for each in added)}
        services = [*(_moved(each, env) for each in planned if each.name not in without), *added]
        board = _QuietBoard(log)
        ready = asyncio.Event()
        supervisor = Supervisor(board, ready.set)
        running = asyncio.create_task(supervisor.run(services))
        try:
            await _until_ready(ready, running, board)
            await _until_settled(moved)
            yield VoiceStack(moved, Processes())
        finally:
            running.cancel()
            await asyncio.wait({running})
            await supervisor.stop()


def _places(settings: Settings, folder: Path) -> dict[str, Any]:
    """Return the settings that keep this Eloquence apart from others on the machine."""
    places: dict[str, Any] = {
        "engine_url": f"{UNIX_SCHEME}{folder / 'engine.sock'}",
        "worker_port": spare_port(),
    }
    if settings.livekit_url is None:
        places["livekit_port"] = spare_port()
        places["livekit_udp_port"] = spare_port(udp=True)
    if settings.embedded_llm:
        places["llm_port"] = spare_port()
    return places


def _moved(service: Service, env: Mapping[str, str]) -> Service:
    return service if service.name == "livekit" else replace(service, env={**service.env, **env})


def livekit_url(settings: Settings) -> str:
    """Return the address of the LiveKit server, ours or another."""
    return settings.livekit_url or f"ws://{LOOPBACK}:{settings.livekit_port}"


async def _until_ready(
    ready: asyncio.Event, running: "asyncio.Task[None]", board: "_QuietBoard"
) -> None:
    waiting = asyncio.create_task(ready.wait())
    failing = asyncio.create_task(board.failed.wait())
    tasks = {waiting, failing, running}
    try:
        await asyncio.wait(tasks, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not ready.is_set():
            raise UserError(board.failure or f"Nothing was ready within {_START_SECONDS:.0f} s.")
    finally:
        for task in (waiting, failing):
            task.cancel()
        await asyncio.wait({waiting, failing})


async def _until_settled(settings: Settings) -> None:
    # Not before the chosen models are there: others would be measured.
    answer = await first(
        told_by(settings.engine_address), lambda answer: bool(answer and answer.settled)
    )
    if answer and not answer.ready:
        raise UserError(f"The engine cannot serve: {answer.failure}")


class _QuietBoard(Board):
    """Passes lines on; what fails ends the wait for readiness."""

    def __init__(self, log: Log) -> None:
        super().__init__(Console(file=io.StringIO()))
        self.failed = asyncio.Event()
        self.failure = ""
        self._log = log

    def line(self, name: str, text: str) -> None:
        """See `Board.line`."""
        self._log(name, text)

    def complain(self, sentence: str) -> None:
        """See `Board.complain`."""
        self.failure = self.failure or sentence
        self.failed.set()
