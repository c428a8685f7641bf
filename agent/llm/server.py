"""The embedded language model: llama.cpp's HTTP server in a process of ours.

It speaks the OpenAI API under ``/v1`` and answers ``/health`` with 200 once the model is loaded.
"""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import psutil
from aiohttp import web
from livekit.plugins.local.cores import available_cores
from livekit.plugins.local.models import (
    OnProgress,
    Progress,
    check_gguf,
    directory_of,
    repository_of,
)
from livekit.plugins.local.readiness import Pace, Readiness, arriving
from livekit.plugins.local.readyz import Readyz

from agent.errors import UserError
from agent.llm.beginning import read_beginning
from agent.llm.slots import SLOTS
from agent.model_store import model_store
from agent.ports import Port, check_ports
from agent.priority import give_way
from agent.settings import Settings

HOST = "127.0.0.1"
PROMPT_CACHE_MIB = 512
PERCENT_STEP = 5
# How long a thread that waits for the others keeps its core busy (libgomp). By default it is so
# long that, with recognition or synthesis on the same cores, a token takes up to ten times as long.
SPIN_COUNT = "1000"

# What hears and speaks has work of milliseconds that callers wait for; writing goes on for seconds.
NICENESS = 10

_MODEL = "model"

Say = Callable[[str], None]


def run(settings: Settings, say: Say) -> None:
    """Serve the model until SIGTERM or SIGINT.

    Args:
        settings: The settings.
        say: Told in single lines what goes on.

    Raises:
        UserError: The port is taken or the model does not load.
        ModelError: The model is unknown or cannot be fetched.
    """
    check_ports([Port("LLM_PORT", settings.llm_port, HOST)])
    path = asyncio.run(model_file(settings, say))
    llama = _load_library()
    gpu = has_gpu(llama.get_device_info())
    if settings.device.startswith("cuda") and not gpu:
        say("The embedded language model's build has no GPU support; it runs on the CPU.")
    # Loading is one long native call, in which Python would not get round to its own handlers.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    say(f"Loading {settings.llm_model}.")
    give_way(NICENESS)
    try:
        server = llama.Server(set_params(llama.CommonParams(), settings, path, gpu=gpu))
    except RuntimeError:
        raise UserError(
            f"The language model {path} does not load, or LLM_PORT {settings.llm_port} was taken "
            "meanwhile; the lines above say which (`eloquence models verify` checks the file)."
        ) from None
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    say(f"Serving {settings.llm_model} at {server.listening_address}.")
    threading.Thread(target=read_beginning, args=(settings,), daemon=True).start()
    stopped.wait()
    # The library would first finish the replies in progress, which may take minutes.
    os._exit(0)


async def model_file(settings: Settings, say: Say) -> Path:
    """Return the model's GGUF file, fetching it when it is missing.

    Raises:
        UserError: There is no such language model.
        ModelError: It cannot be fetched, or is of another kind.
    """
    if path := directory_of(settings.llm_model):
        return await asyncio.to_thread(check_gguf, path)
    store = model_store(settings)
    known = [model.id for model in store.manifest if model.kind == "llm"]
    repo = repository_of(settings.llm_model)
    if settings.llm_model not in known and (repo is None or repo.kind != "llm"):
        raise UserError(
            f"LLM_MODEL is {settings.llm_model!r}, but the embedded server needs one of "
            f"{', '.join(known)}, a path, or `ORG/NAME/FILE.gguf` of the hub; set LLM_BASE_URL to "
            "use another server."
        )
    if store.locate(settings.llm_model) is None:
        async with _progress_on_health(settings.llm_port) as show:
            lines = progress_lines(say)

            def listen(progress: Progress) -> None:
                lines(progress)
                show(progress)

            await store.ensure(settings.llm_model, listen)
    folder = await store.ensure(settings.llm_model)
    return await asyncio.to_thread(check_gguf, folder)


@asynccontextmanager
async def _progress_on_health(port: int) -> AsyncIterator[OnProgress]:
    """Answer ``/health`` like llama.cpp's server does while it loads, and say how far things are.

    Args:
        port: Where that server will answer.

    Yields:
        What takes the progress.
    """
    readiness = Readiness([_MODEL])
    pace = Pace()

    def show(progress: Progress) -> None:
        if progress.state != "ready":
            readiness.set(_MODEL, arriving(progress, pace))

    app = web.Application()
    app.router.add_get("/health", Readyz(readiness).answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port, reuse_address=True).start()
        yield show
    finally:
        await runner.cleanup()


def progress_lines(say: Say) -> OnProgress:
    """Return a listener that says how far a download is, one line for every few percent."""
    last = ""

    def listen(progress: Progress) -> None:
        nonlocal last
        line = f"{progress.model}: {progress.state}"
        if progress.state == "downloading" and progress.total:
            percent = 100 * progress.done // progress.total // PERCENT_STEP * PERCENT_STEP
            line += f", {percent} % of {progress.total / 1e6:.0f} MB"
        if line != last:
            last = line
            say(line)

    return listen


def _load_library() -> ModuleType:
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # read when the library is loaded
    import xllamacpp

    return cast(ModuleType, xllamacpp)


def set_params(params: Any, settings: Settings, path: Path, *, gpu: bool) -> Any:  # noqa: ANN401
    """Set llama.cpp's parameters, an object without types, and return them.

    Args:
        params: A fresh ``CommonParams``.
        settings: The settings.
        path: The GGUF file.
        gpu: Whether this build can use a GPU.
    """
    params.model.path = str(path)
    params.model_alias = {settings.llm_model}
    params.hostnames = [HOST]
    params.port = settings.llm_port
    params.n_parallel = SLOTS
    params.n_ctx = settings.llm_context * SLOTS  # llama.cpp divides it among the slots
    params.cache_prompt = True
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.warmup = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = physical_cores()
    params.n_gpu_layers = -1 if gpu and settings.device != "cpu" else 0
    params.main_gpu = int(settings.device.partition(":")[2] or 0)
    params.ui = False
    params.endpoint_slots = False  # it would show the prompts of running calls
    params.cors_origins = "localhost"  # no page from elsewhere may talk to the model
    params.verbosity = 3 if settings.log_level == "DEBUG" else 2  # from 4 on it logs prompts
    return params


def has_gpu(devices: list[dict[str, Any]]) -> bool:
    """Return whether llama.cpp's device list names anything but the CPU."""
    return any(device["name"] != "CPU" for device in devices)


def physical_cores() -> int:
    """Return how many physical cores this process may use."""
    return min(available_cores(), psutil.cpu_count(logical=False) or available_cores())
