"""What `eloquence up` starts, in which environment, and what each part needs."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from agent.livekit.binary import server_command
from agent.livekit.config import LOOPBACK, loopback_config
from agent.livekit.keys import server_keys
from agent.paths import KEEP_CONVERSATIONS
from agent.ports import Port
from agent.readiness import UNIX_SCHEME
from agent.readiness_feed import Feed, livekit_feed, llm_feed, told_by
from agent.settings import ENV_FILE_READ, Settings
from agent.up import server_lines
from agent.up.children import Child, OnLine
from agent.up.large_pages import with_large_pages
from agent.worker.redispatch import Calls

# Neither Ctrl-C nor a new worker must wait for the end of a conversation.
DRAIN_SECONDS = 0
# What the LiveKit server, or the Docker client that runs it, may want from our environment.
SERVER_VARIABLES = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT")


MakeChild = Callable[[Sequence[str], Mapping[str, str], OnLine], Child]


def as_it_is(line: str) -> str | None:
    """Return the line."""
    return line


@dataclass(frozen=True, slots=True)
class Service:
    """One part of the whole.

    Attributes:
        name: What the status board calls it.
        feed: Tells whether it can serve.
        remedy: What to look at when it fails: an imperative clause that names its settings.
        argv: Program and arguments; empty for a service that others run.
        env: The whole environment of the process.
        needs: Services that must be ready before it is started.
        grace: Seconds that it has to end by itself when it is stopped.
        tidy: Returns a line of its output as it is to be shown, or None if it is not.
        calls: The calls to which the agent must come back when this service was replaced.
        child: Makes its process from program and arguments, environment and a taker of lines.
    """

    name: str
    feed: Feed
    remedy: str
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    grace: float = 3.0
    tidy: Callable[[str], str | None] = as_it_is
    calls: Calls | None = None
    child: MakeChild = Child


def ports(settings: Settings) -> list[Port]:
    """Return every port on which the services will listen."""
    listed = [Port("WEB_PORT", settings.web_port, settings.web_host)]
    if settings.livekit_url is None:
        listed.append(Port("LIVEKIT_PORT", settings.livekit_port))
        listed.append(Port("LIVEKIT_UDP_PORT", settings.livekit_udp_port, udp=True))
    if settings.embedded_llm:
        listed.append(Port("LLM_PORT", settings.llm_port))
    if not settings.engine_address.startswith(UNIX_SCHEME):
        engine = urlsplit(settings.engine_address)
        listed.append(Port("ENGINE_URL", engine.port or 80, engine.hostname or LOOPBACK))
    listed.append(Port("WORKER_PORT", settings.worker_port))
    return listed


def feeds(settings: Settings) -> dict[str, Feed]:
    """Return how each service tells whether it can serve, in the order of `plan`."""
    local = f"http://{LOOPBACK}"
    return {
        "livekit": livekit_feed(settings.livekit_url or f"{local}:{settings.livekit_port}"),
        "engine": told_by(settings.engine_address),
        "llm": llm_feed(settings),
        "worker": told_by(f"{local}:{settings.worker_port}"),
        "web": told_by(web_url(settings)),
    }


async def plan(settings: Settings, say: Callable[[str], None]) -> list[Service]:
    """Return the services, in the order in which they are shown.

    Args:
        settings: The settings.
        say: Told in one line what takes long.

    Raises:
        UserError: There is no LiveKit server, or its keys are bad.
    """
    feed = feeds(settings)
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "LOG_FORMAT": settings.log_format}
    env[ENV_FILE_READ] = "1"
    call_env = env | {"DRAIN_SECONDS": str(DRAIN_SECONDS), KEEP_CONVERSATIONS: "1"}
    keys = server_keys(settings)
    url = settings.livekit_url or f"ws://{LOOPBACK}:{settings.livekit_port}"
    call_env["LIVEKIT_URL"] = url
    call_env["LIVEKIT_API_KEY"] = keys.key
    call_env["LIVEKIT_API_SECRET"] = keys.secret
    if settings.livekit_url is None:
        server_env = {name: os.environ[name] for name in SERVER_VARIABLES if name in os.environ}
        livekit = Service(
            "livekit",
            feed["livekit"],
            "check LIVEKIT_PORT and LIVEKIT_UDP_PORT",
            await server_command(settings, say),
            server_env | {"LIVEKIT_CONFIG": loopback_config(settings, keys)},
            grace=1.0,  # with a participant in a room it would stay for as long as they do
            tidy=server_lines.tidy if settings.log_level == "DEBUG" else server_lines.quiet,
        )
    else:
        livekit = Service(
            "livekit",
            feed["livekit"],
            "start the server that LIVEKIT_URL names, or correct it",
        )
    return [
        livekit,
        Service(
            "engine",
            feed["engine"],
            "check DEVICE, STT_MODEL, TTS_VOICES and ENGINE_URL",
            _command("engine"),
            with_large_pages(env),
        ),
        _llm(settings, feed["llm"], env),
        Service(
            "worker",
            feed["worker"],
            "check LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET and WORKER_PORT",
            _command("worker"),
            call_env,
            needs=frozenset({"livekit"}),  # it cannot register before
            grace=DRAIN_SECONDS + 3.0,
            calls=Calls(url, keys.key, keys.secret, settings.agent_name),
        ),
        Service(
            "web",
            feed["web"],
            "check WEB_HOST and WEB_PORT",
            _command("web"),
            call_env,
            needs=frozenset({"livekit"}),
        ),
    ]


def _llm(settings: Settings, feed: Feed, env: Mapping[str, str]) -> Service:
    if settings.embedded_llm:
        return Service(
            "llm",
            feed,
            "check LLM_MODEL and LLM_PORT",
            _command("llm"),
            with_large_pages(env),
        )
    return Service(
        "llm",
        feed,
        "start the server that LLM_BASE_URL names, or empty it to use the embedded model",
    )


def web_url(settings: Settings) -> str:
    """Return the page's address as a browser on this machine opens it."""
    host = LOOPBACK if settings.web_host in ("0.0.0.0", "::") else settings.web_host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.web_port}"


def _command(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "agent", name)
