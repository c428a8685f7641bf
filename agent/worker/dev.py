"""The worker of the development containers, which a file watcher starts anew after every save.

``python -m agent.worker.dev`` runs `eloquence worker` and, once it can take calls, brings the agent
back into the calls that the worker before it left behind. It must be the only worker of its agent.
Outside containers `eloquence dev` does this and more.
"""

import asyncio
import os
import signal
import sys

from agent.errors import UserError
from agent.livekit.config import LOOPBACK
from agent.paths import KEEP_CONVERSATIONS
from agent.readiness_feed import first, told_by
from agent.settings import Settings, load
from agent.worker.redispatch import Calls


async def run(settings: Settings) -> int:
    """Run a worker until it ends; SIGINT and SIGTERM end it as SIGINT does.

    Returns:
        Its exit status.
    """
    stop = asyncio.Event()
    # Before the worker is there: a signal in between must not leave it behind.
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent", "worker"), env={**os.environ, KEEP_CONVERSATIONS: "1"}
    )
    ended = asyncio.create_task(worker.wait())
    stopping = asyncio.create_task(stop.wait())
    recalling = asyncio.create_task(_recall(settings))
    await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not ended.done():
        worker.send_signal(signal.SIGINT)
        await asyncio.wait({ended})
    for task in (stopping, recalling):
        task.cancel()
    await asyncio.wait({stopping, recalling})
    return ended.result()


async def _recall(settings: Settings) -> None:
    secret = settings.livekit_api_secret
    if not (settings.livekit_url and settings.livekit_api_key and secret):
        return  # the worker says what is missing
    calls = Calls(
        url=settings.livekit_url,
        api_key=settings.livekit_api_key,
        api_secret=secret.get_secret_value(),
        agent_name=settings.agent_name,
    )
    feed = told_by(f"http://{LOOPBACK}:{settings.worker_port}")
    await first(feed, lambda answer: answer is not None and answer.ready)
    try:
        await calls.dismiss()
        await calls.recall()
    except UserError as error:
        sys.stderr.write(f"{error}\n")


def main() -> int:
    """Run it with the settings of the environment, and return the exit status."""
    try:
        return asyncio.run(run(load()))
    except UserError as error:
        sys.stderr.write(f"eloquence: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
