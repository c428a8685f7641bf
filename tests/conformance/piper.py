"""``python -m tests.conformance.piper``: fetches a voice of Piper and prints where it is.

It is printed as `voices.PIPER_VOICES` wants it: a directory with a folder ``piper``.
"""

import asyncio
import json
import sys
from pathlib import Path

from livekit.plugins.local.models import ModelStore
from livekit.plugins.local.models.manifest import parse_manifest

from agent.model_store import model_store
from agent.settings import load

VOICE = "piper-en_US-joe-medium"


async def _fetch() -> Path:
    store = model_store(load())
    manifest = parse_manifest(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    found = await ModelStore(store.root, manifest=manifest).ensure(VOICE)
    folder = store.root.parent / "bench" / "piper-voices"
    (folder / "piper").mkdir(parents=True, exist_ok=True)
    for file in found.iterdir():
        link = folder / "piper" / file.name
        link.unlink(missing_ok=True)
        if file.suffix == ".json":
            link.write_text(_without_chance(file.read_text("utf-8")), "utf-8")
        else:
            link.symlink_to(file.resolve())
    return folder


def _without_chance(config: str) -> str:
    """Let the voice say a text the same way each time, so that what is heard amiss can be found."""
    voice = json.loads(config)
    voice["inference"] |= {"noise_scale": 0, "noise_w": 0}
    return json.dumps(voice)


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(_fetch())}\n")
