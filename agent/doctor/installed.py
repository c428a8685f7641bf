"""What is installed: packages, models, the LiveKit server's program, versions."""

import os
import platform
import shutil
import subprocess
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from livekit.plugins.local.models import check_gguf, directory_of
from livekit.plugins.local.packages import missing_for_engine, missing_for_voices

from agent.cli.models import needed_models
from agent.doctor.check import in_daemon
from agent.doctor.finding import Finding, fail, ok, warn
from agent.livekit import VERSION
from agent.livekit.install import cached_path
from agent.model_store import model_store
from agent.settings import Settings

PACKAGES = (
    "eloquence-agent",
    "livekit-agents",
    "livekit",
    "livekit-plugins-local",
    "livekit-plugins-kyutai",
    "livekit-plugins-openai",
)


def packages(settings: Settings) -> Finding:
    """Look for what engine and voices cannot do without; nothing is imported."""
    if lacking := missing_for_engine(settings.stt_model):
        return fail(lacking[0].sentence, lacking[0].remedy)
    if lacking := missing_for_voices(settings.voices.values()):
        return warn(f"{lacking[0].sentence}; another voice stands in", lacking[0].remedy)
    return ok("all that the engine and the voices need")


async def models(settings: Settings) -> Finding:
    """Look for the models that the settings name, and read those that something has written to."""
    store = model_store(settings)
    needed = await in_daemon(lambda: needed_models(settings))
    if directory_of(settings.stt_model):  # never fetched, and so not among them
        needed.insert(0, settings.stt_model)
    if settings.embedded_llm and (path := directory_of(settings.llm_model)):
        await in_daemon(partial(check_gguf, path))
    missing = [name for name in needed if store.locate(name) is None]
    if missing:
        return fail(
            f"not on this machine: {', '.join(missing)}",
            f"fetch with `eloquence models pull {' '.join(missing)}`",
        )
    if damaged := [name for name in needed if await store.damaged(name)]:
        names = " ".join(damaged)
        return fail(
            f"{', '.join(damaged)} is damaged on this machine",
            f"stop what uses it, and fetch it again with `eloquence models pull {names}`",
        )
    return ok(", ".join(needed) or "none is needed")


def server_program(settings: Settings) -> Finding:
    """Look for a LiveKit server that can be started, where one is to be."""
    if settings.livekit_url is not None:
        return ok(f"none is needed: LIVEKIT_URL={settings.livekit_url}")
    if settings.livekit_server_bin is not None:
        path = settings.livekit_server_bin.expanduser()
        if not os.access(path, os.X_OK) or not path.is_file():
            return fail(
                f"LIVEKIT_SERVER_BIN names {path}, which is no program",
                "correct it, or empty it",
            )
        found: str | None = str(path)
    else:
        cached = cached_path(settings.cache_dir)
        found = shutil.which("livekit-server")
        found = found or (str(cached) if os.access(cached, os.X_OK) else None)
    if found is None:
        return warn(
            f"no livekit-server {VERSION} is installed here",
            "run `make`, which installs one, or set LIVEKIT_URL to a server of yours",
        )
    has = _version(found)
    if has is None:
        return fail(f"{found} does not run here", "name a livekit-server for this machine")
    if has != VERSION:
        return warn(f"{found} is version {has}; tested is {VERSION}", "install that version")
    return ok(f"livekit-server {has}")


def versions(settings: Settings) -> Finding:
    """Tell the versions of what a report of a fault should name."""
    told = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            told.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            return fail(f"the package {name} is not installed", "run `make`")
    if node := shutil.which("node"):  # only builds the page
        told.append(f"Node {(_version(node) or 'of unknown version').lstrip('v')}")
    if not (3, 11) <= sys.version_info[:2] < (3, 15):
        return fail(f"{told[0]} is not supported", "use Python 3.11 to 3.14")
    return ok(", ".join(told))


def _version(program: str) -> str | None:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=2)
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = done.stdout.partition("\n")[0].split()
    return said[-1] if said and done.returncode == 0 else None
