"""``scripts/moshi-server python -m tests.support.moshi COMMAND``: KYUTAI_URL is a real server.

It speaks in tones, a step of its model taking as long as one on a GPU, for as long as the command
runs.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from tests.support.moshi.running import Kind, kinds

_SLOTS = 32
_STEP_SECONDS = 0.02


async def _main(command: list[str]) -> int:
    kind: Kind | None = kinds().get("real")
    if kind is None:
        sys.exit("MOSHI_SERVER_BIN names no server; scripts/moshi-server sets it.")
    with tempfile.TemporaryDirectory() as folder:
        async with kind.running(
            Path(folder), batch_size=_SLOTS, step_seconds=_STEP_SECONDS
        ) as moshi:
            address = moshi.address.replace("http", "ws", 1)
            process = await asyncio.create_subprocess_exec(
                *command, env={**os.environ, "KYUTAI_URL": address}
            )
            return await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(sys.argv[1:])))
