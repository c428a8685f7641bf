"""The real moshi-server with toy models: its own routing, slots, timers and messages."""

import asyncio
import json
import os
import sysconfig
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.conformance.kit.tones import WORDS
from tests.support.moshi.auth import API_KEY
from tests.support.moshi.fake import TONES
from tests.support.moshi.tokenizer import FIRST_WORD, write_model
from tests.support.ports import free_port

_HERE = Path(__file__).parent
_START_SECONDS = 30.0


def server_binary() -> Path | None:
    """Return the installed moshi-server that ``MOSHI_SERVER_BIN`` names; None if it names none."""
    found = os.environ.get("MOSHI_SERVER_BIN")
    return Path(found) if found else None


@dataclass(frozen=True)
class RealServer:
    """A running server.

    Attributes:
        address: Where it listens, ``http://HOST:PORT``.
        log: What it wrote.
    """

    address: str
    log: Path


@dataclass(frozen=True)
class Script:
    """The model of a module.

    Attributes:
        name: File of this directory.
        config: What it is given.
    """

    name: str
    config: Mapping[str, object]


VOICE = Script("stub_tts.py", {"tones": str(TONES)})
EAR = Script("stub_stt.py", {"tones": str(TONES), "first_word": FIRST_WORD})


@asynccontextmanager
async def real_server(
    binary: Path,
    directory: Path,
    *,
    batch_size: int = 2,
    voice: Script | None = VOICE,
    ear: Script | None = None,
) -> AsyncIterator[RealServer]:
    """Run the server until the block ends.

    Better not with both models: they share one interpreter, whose lock the ear hardly lets go.

    Args:
        binary: The program.
        directory: Where its files go.
        batch_size: Slots of each module.
        voice: The model of its module of type ``Py``; None has no such module.
        ear: That of type ``PyBatchedAsr``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), directory / "moshi-server.log"
    config = directory / "config.toml"
    config.write_text(_config(directory, batch_size, voice, ear))
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            str(binary),
            *("worker", "--config", str(config), "--cpu", "--silent"),
            *("--addr", "127.0.0.1", "--port", str(port)),
            stdout=output,
            stderr=output,
            env=_environment(),
        )
    try:
        server = RealServer(f"http://127.0.0.1:{port}", log)
        await _listening(server, process)
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _config(directory: Path, batch_size: int, voice: Script | None, ear: Script | None) -> str:
    (directory / "static").mkdir(exist_ok=True)
    spell, words = directory / "spell.model", directory / "words.model"
    write_model(spell)
    write_model(words, [f"\u2581{word}" for word in WORDS])
    Table = Mapping[str, object]
    tables: list[tuple[str, Table]] = []

    def add(name: str, kind: str, path: str, script: Script, **keys: object) -> None:
        where = {"type": kind, "path": path, "script": str(_HERE / script.name)}
        tables.append((f"[modules.{name}]", {**where, **keys}))
        tables.append((f"[modules.{name}.py]", script.config))

    common = {
        "static_dir": str(directory / "static"),
        "log_dir": str(directory),
        "instance_name": "test",
        "authorized_ids": [API_KEY],
    }
    tables.append(("", common))
    if voice:
        keys = {"batch_size": batch_size, "text_tokenizer_file": str(spell), "text_bos_token": 1}
        add("tts", "Py", "/api/tts_streaming", voice, **keys)
    if ear:
        keys = {"batch_size": batch_size, "text_tokenizer_file": str(words)}
        add("asr", "PyBatchedAsr", "/api/asr-streaming", ear, asr_delay_in_tokens=6, **keys)
    add("voice", "PyPost", "/api/voice", Script("stub_voice.py", {}))
    # JSON's texts, numbers and lists are TOML's, too.
    return "".join(
        f"{name}\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        for name, values in tables
    )


def _environment() -> dict[str, str]:
    """Return the server's environment: where its own Python is, numpy, and these scripts."""
    numpy = os.environ.get("MOSHI_SERVER_PYTHONPATH") or sysconfig.get_path("platlib")
    found = {**os.environ, "PYTHONPATH": os.pathsep.join([numpy, str(_HERE.parents[2])])}
    if library := os.environ.get("MOSHI_SERVER_LIBRARY_PATH"):
        found["LD_LIBRARY_PATH"] = library
    return found


async def _listening(server: RealServer, process: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(_START_SECONDS):
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"moshi-server ended: {server.log.read_text()[-2000:]}")
            try:
                async with session.get(f"{server.address}/api/build_info") as answer:
                    answer.raise_for_status()
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
