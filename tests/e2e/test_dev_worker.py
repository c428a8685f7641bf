"""The watching worker of the development containers, with the command that stands there."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from livekit import api, rtc

from tests.support.ports import free_port
from tests.support.stack import Stack

pytestmark = pytest.mark.e2e

OVERRIDE = Path(__file__).parents[2] / "docker-compose.override.yml"
AGENT = "containers"
SAVES = 5


def command(watched: Path) -> list[str]:
    """Return what the container runs, watching ``watched`` in place of the mounted source."""
    service = yaml.safe_load(OVERRIDE.read_text())["services"]["worker"]
    program, *arguments = [word for word in service["command"] if not word.startswith("/app/")]
    folder = Path(sys.executable).parent
    return [str(folder / program), *arguments, str(watched)]


@asynccontextmanager
async def watching_worker(stack: Stack, watched: Path, log: Path) -> AsyncIterator[None]:
    overrides = {
        "AGENT_NAME": AGENT,
        "WORKER_PORT": str(free_port()),
        "DRAIN_SECONDS": "2",
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            command(watched),
            env={**stack.worker_env, **overrides},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) is not None


@asynccontextmanager
async def caller(stack: Stack, room_name: str) -> AsyncIterator[rtc.Room]:
    env = stack.worker_env
    token = (
        api.AccessToken(env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"])
        .with_identity("caller")
        .with_grants(api.VideoGrants(room_join=True, room=room_name))
        .with_room_config(api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=AGENT)]))
    )
    room = rtc.Room()
    await room.connect(env["LIVEKIT_URL"], token.to_jwt())
    try:
        yield room
    finally:
        await room.disconnect()


async def only_agent(room: rtc.Room, other_than: str = "", seconds: float = 60) -> str:
    """Wait until there is exactly one agent, and return its identity."""
    async with asyncio.timeout(seconds):
        while True:
            agents = [
                each.identity
                for each in room.remote_participants.values()
                if each.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
            ]
            if len(agents) == 1 and agents[0] != other_than:
                return agents[0]
            await asyncio.sleep(0.1)


async def test_a_call_gets_one_agent_back_after_several_quick_saves(
    stack: Stack, tmp_path: Path
) -> None:
    watched, log = tmp_path / "source", tmp_path / "worker.log"
    watched.mkdir()
    async with (
        watching_worker(stack, watched, log),
        caller(stack, "containers-call") as room,
    ):
        first = await only_agent(room)
        for number in range(SAVES):
            (watched / "module.py").write_text(f"NUMBER = {number}\n")
            await asyncio.sleep(0.3)  # a person's pace: each save is one of its own
        try:
            second = await only_agent(room, other_than=first)
        except TimeoutError:
            pytest.fail(log.read_text())
        assert second != first
        env = stack.worker_env
        async with api.LiveKitAPI(
            env["LIVEKIT_URL"], env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"]
        ) as server:
            assert len(await server.agent_dispatch.list_dispatch("containers-call")) == 1
