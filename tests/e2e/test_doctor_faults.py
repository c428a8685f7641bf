"""``eloquence doctor`` on set-ups that are broken in different ways: it names the fault.

Each is really broken, and examined by the command itself. Nothing of ours runs beside it but where
a case needs it, so that the parts that are not started are missed in every report.
"""

import asyncio
import json
import re
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from email.utils import formatdate
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from livekit.plugins.local.readiness import Component, Readiness
from livekit.plugins.local.readyz import Readyz

from agent.settings import Settings
from tests.support.doctor import answer, llm, serve
from tests.support.engine import run_engine
from tests.support.livekit import RunningLiveKit, run_livekit
from tests.support.ports import free_port
from tests.support.stack import stack_environment

pytestmark = pytest.mark.e2e

NOT_STARTED = {"engine", "worker", "web"}
ROOT = Path(__file__).parents[2]
COMMAND = ("-m", "agent", "doctor", "--json")
# Each takes a core for a second or two.
_AT_ONCE = asyncio.Semaphore(2)


class SetUp:
    """A set-up that works, until a case breaks it.

    Attributes:
        env: Its settings.
        command: What runs ``eloquence doctor``.
        folder: For what a case needs.
    """

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        self.env = dict(env)
        self.folder = folder
        self.command: Sequence[str] = (sys.executable, *COMMAND)

    def after(self, shell: str, *arguments: object) -> None:
        """Do something first that nobody else sees, such as mounting; ``$1`` is an argument."""
        self.command = (
            *("unshare", "--mount", "sh", "-c", f'{shell}; shift {len(arguments)}; exec "$@"'),
            *("sh", *map(str, arguments), *self.command),
        )

    async def examine(self) -> dict[str, Any]:
        async with _AT_ONCE:
            process = await asyncio.create_subprocess_exec(
                *self.command,
                env={**self.env, "PYTHONPATH": str(ROOT)},
                cwd=self.folder,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            said, complaints = await asyncio.wait_for(process.communicate(), 120)
        assert not complaints, complaints.decode()
        body: dict[str, Any] = json.loads(said)
        assert (process.returncode, body["healthy"]) == (1, False)
        return body


Break = Callable[[SetUp, AsyncExitStack], Any]


def setting(**values: str) -> Break:
    """Set something wrong."""
    return lambda set_up, _: set_up.env.update(values)


def nobody_there(name: str, url: str) -> Break:
    """Name a port on which nobody listens."""
    return lambda set_up, _: set_up.env.update({name: url.format(free_port())})


async def talks_nonsense(set_up: SetUp, stack: AsyncExitStack) -> None:
    host = await stack.enter_async_context(serve(("GET", "/v1/models", answer(200, "hello"))))
    set_up.env["LLM_BASE_URL"] = f"http://{host}/v1"


async def other_time(set_up: SetUp, stack: AsyncExitStack) -> None:
    date = formatdate(time.time() - 3600, usegmt=True)
    host = await stack.enter_async_context(serve(("GET", "/", answer(200, "OK", Date=date))))
    set_up.env["LIVEKIT_URL"] = f"ws://{host}"


def without_models(set_up: SetUp, _: AsyncExitStack) -> None:
    set_up.env["ELOQUENCE_CACHE_DIR"] = str(set_up.folder / "cache")


def damaged_model(set_up: SetUp, _: AsyncExitStack) -> None:
    """Change one byte of a model that is there in full length."""
    here = Path(set_up.env["ELOQUENCE_CACHE_DIR"]) / "models"
    there = set_up.folder / "cache" / "models"
    shutil.copytree(here / "models" / "whisper-base", there / "models/whisper-base", symlinks=True)
    for link in (there / "models/whisper-base").iterdir():
        blob = there / "sha256" / link.readlink().name
        blob.parent.mkdir(exist_ok=True)
        shutil.copy2(here / "sha256" / blob.name, blob)
        if link.name == "vocabulary.txt":
            content = bytearray(blob.read_bytes())
            content[100] ^= 1
            blob.write_bytes(content)
    set_up.env |= {"ELOQUENCE_CACHE_DIR": str(set_up.folder / "cache")}
    set_up.env |= {"LANGUAGES": "en", "TTS_VOICES": "en=hibari/heart"}


def full_disk(set_up: SetUp, _: AsyncExitStack) -> None:
    (models := set_up.folder / "disk").mkdir()
    set_up.after(
        'mount -t tmpfs -o size=64k none "$1" && ln -s "$2" "$1/models" && '
        'dd if=/dev/zero of="$1/filler" bs=4k 2>/dev/null',
        models,
        f"{set_up.env['ELOQUENCE_CACHE_DIR']}/models",
    )
    set_up.env["ELOQUENCE_CACHE_DIR"] = str(models)


def small_memory(set_up: SetUp, _: AsyncExitStack) -> None:
    told = Path("/proc/meminfo").read_text()
    for name in ("MemFree", "MemAvailable"):
        told = re.sub(rf"^{name}: +\d+", f"{name}: 100000", told, flags=re.MULTILINE)
    (fake := set_up.folder / "meminfo").write_text(told)
    set_up.after('mount --bind "$1" /proc/meminfo', fake)


async def lost_media(set_up: SetUp, stack: AsyncExitStack) -> None:
    # A broadcast address, which nobody can send media to, whatever routes this machine has.
    settings = Settings()
    server = run_livekit(settings, set_up.folder, node_ip="255.255.255.255")
    running = await asyncio.to_thread(stack.enter_context, server)
    set_up.env["LIVEKIT_URL"] = running.url
    set_up.env["LIVEKIT_API_KEY"] = running.api_key
    set_up.env["LIVEKIT_API_SECRET"] = running.api_secret


def without_a_package(set_up: SetUp, _: AsyncExitStack) -> None:
    spec = find_spec("ctranslate2")
    assert spec
    assert spec.origin
    (place := set_up.folder / "packages").mkdir()
    for entry in Path(spec.origin).parents[1].iterdir():
        if entry.name != "ctranslate2":
            (place / entry.name).symlink_to(entry)
    # `-S` leaves out the real place; the workspace's own packages are found by their paths.
    code = (
        f"import site, sys; site.addsitedir({str(place)!r}); sys.argv = {[*COMMAND[1:]]!r}; "
        "import runpy; runpy.run_module('agent', run_name='__main__')"
    )
    set_up.command = (sys.executable, "-S", "-c", code)


def taken_port(set_up: SetUp, stack: AsyncExitStack) -> None:
    taker = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    set_up.env["WEB_PORT"] = str(taker.getsockname()[1])


async def without_an_agent(set_up: SetUp, stack: AsyncExitStack) -> None:
    """Let a worker be ready that is none of this LiveKit server's."""
    engine = await stack.enter_async_context(run_engine(set_up.folder))
    set_up.env["ENGINE_URL"] = engine.address
    readiness = Readiness(["livekit", "capacity"])
    for name in readiness.components:
        readiness.set(name, Component("ready"))
    routes = ("GET", "/readyz", Readyz(readiness).answer)
    set_up.env["WORKER_PORT"] = (await stack.enter_async_context(serve(routes))).split(":")[1]


@asynccontextmanager
async def working(livekit: RunningLiveKit, cache: Path, folder: Path) -> AsyncIterator[SetUp]:
    """Give a set-up to break."""
    async with llm(tool="get_weather") as served:
        yield SetUp(
            stack_environment(
                folder,
                LIVEKIT_URL=livekit.url,
                LIVEKIT_API_KEY=livekit.api_key,
                LIVEKIT_API_SECRET=livekit.api_secret,
                LLM_BASE_URL=served.llm_url,
                LLM_MODEL=served.llm_model,
                ELOQUENCE_CACHE_DIR=str(cache),
            ),
            folder,
        )


# What is broken, which line fails beside those of the parts that do not run, what it has found, and
# what it advises.
CASES: Sequence[tuple[Break, str, str, str]] = (
    (nobody_there("LIVEKIT_URL", "ws://127.0.0.1:{}"), "livekit", "refused", "LIVEKIT_URL"),
    (setting(LIVEKIT_API_KEY="another"), "livekit key", "refuses our token", "LIVEKIT_API_KEY"),
    (setting(LIVEKIT_API_SECRET="w" * 40), "livekit key", "refuses our", "LIVEKIT_API_SECRET"),
    (other_time, "clock", "s ahead of the server's", "NTP"),
    (lost_media, "media", "255.255.255.255:", "rtc.node_ip"),
    (nobody_there("LLM_BASE_URL", "http://127.0.0.1:{}/v1"), "llm", "reached", "LLM_BASE_URL"),
    (talks_nonsense, "llm", "answers what makes no sense", "see its log"),
    (setting(LLM_MODEL="gpt-5"), "llm", "has no model gpt-5; it has m", "LLM_MODEL"),
    (setting(MAX_CALLS="many"), "settings", "MAX_CALLS is 'many'", ""),
    (taken_port, "ports", "(WEB_PORT) is taken by", "WEB_PORT"),
    (without_models, "models", "not on this machine: whisper-base", "models pull whisper-base"),
    (damaged_model, "models", "whisper-base is damaged", "models pull whisper-base"),
    (full_disk, "disk", "The disk is full", "ELOQUENCE_CACHE_DIR"),
    (small_memory, "memory", "102 MB available", "stop other programs"),
    (setting(DEVICE="cuda:99"), "gpu", "DEVICE=cuda:99 asks for a GPU", "DEVICE=cpu"),
    (without_a_package, "packages", "needs the package ctranslate2", "pip install"),
    (without_an_agent, "call", "no agent 'eloquence' joined", "AGENT_NAME"),
)


def failed(body: dict[str, Any]) -> set[str]:
    """Name the checks that found a fault, without those that ran out of time."""
    return {
        name
        for name, check in body["checks"].items()
        if check["level"] == "fail"
        and (name == "call" or not re.search(r" within | in time", check["found"]))
    }


async def test_on_set_ups_that_are_broken_in_different_ways_it_names_the_fault(
    livekit: RunningLiveKit, settings: Settings, tmp_path: Path
) -> None:
    async def report(number: int) -> dict[str, Any]:
        (folder := tmp_path / str(number)).mkdir()
        async with (
            working(livekit, settings.cache_dir, folder) as set_up,
            AsyncExitStack() as stack,
        ):
            done = CASES[number][0](set_up, stack)
            if asyncio.iscoroutine(done):
                await done
            body = await set_up.examine()
            for _ in range(2):  # a busy machine may have left no time for it
                if CASES[number][1] in failed(body):
                    break
                body = await set_up.examine()
            return body

    reports = await asyncio.gather(*map(report, range(len(CASES))))
    for (_, name, found, remedy), body in zip(CASES, reports, strict=True):
        assert failed(body) - NOT_STARTED == {name}, (name, body)
        told = body["checks"][name]
        assert found in told["found"], told
        assert remedy in told["remedy"], told
