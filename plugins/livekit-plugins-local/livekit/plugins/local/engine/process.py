"""The engine as a process of its own, from its start to its end."""

import asyncio
import logging
import os
import sys

from livekit.plugins.local.engine.config import EngineConfig
from livekit.plugins.local.engine.server import run_engine


def serve(config: EngineConfig) -> None:
    """Serve until SIGINT or SIGTERM, and end the process; returns only by raising.

    Raises:
        EngineError: The address cannot be listened on.
    """
    asyncio.run(_serve(config))


async def _serve(config: EngineConfig) -> None:
    await run_engine(config)
    # A model that is loading or speaking cannot be stopped. When the interpreter goes away under
    # such a thread, the native library aborts the process; and there is nothing to wait for: what
    # is written to disk is written atomically.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
