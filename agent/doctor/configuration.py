"""Whether the settings make sense together, and whether the ports that they name can be had."""

import asyncio
from functools import partial

import psutil
from livekit.plugins.local.packages import VOICES

from agent.cli.models import needed_models
from agent.doctor.check import in_daemon
from agent.doctor.finding import Finding, fail, ok, warn
from agent.doctor.parts import ask
from agent.errors import UserError
from agent.ports import Port, check_distinct, check_ports
from agent.settings import Settings
from agent.up.plan import feeds, ports

# What `probes` calls the part that listens on a port.
_PART = {
    "WEB_PORT": "web",
    "LIVEKIT_PORT": "livekit",
    "LIVEKIT_UDP_PORT": "livekit",
    "LLM_PORT": "llm",
    "ENGINE_URL": "engine",
    "WORKER_PORT": "worker",
}
_OTHER_ENGINES = ("openai",)
_SCHEMES = ("ws", "wss", "http", "https")


def settings_make_sense(settings: Settings) -> Finding:
    """Name what `agent.settings.load` lets pass because each setting is valid by itself."""
    needed_models(settings)  # says which model does not exist
    for language, voice in settings.voices.items():
        engine = voice.partition("/")[0]
        known = (*VOICES, *_OTHER_ENGINES)
        if engine not in known:
            return fail(
                f"TTS_VOICES names the voice engine {engine!r} for {language}, which is none",
                f"name one of {', '.join(known)}",
            )
        if engine == "openai" and settings.tts_openai_url is None:
            return fail(f"TTS_VOICES names {voice}, but there is no server", "set TTS_OPENAI_URL")
    if mute := [language for language in settings.languages if language not in settings.voices]:
        return fail(
            f"LANGUAGES has {', '.join(mute)}, but TTS_VOICES has no voice for it",
            "add one, or take the language out",
        )
    if settings.livekit_url and settings.livekit_url.partition("://")[0] not in _SCHEMES:
        return fail(
            f"LIVEKIT_URL is {settings.livekit_url!r}, which is no address of a server",
            "write it as `ws://HOST:PORT` or `wss://HOST`",
        )
    english = settings.stt_model.endswith((".en", "-en"))
    if others := [code for code in settings.languages if code != "en"] if english else []:
        return warn(
            f"STT_MODEL={settings.stt_model} hears English alone, but LANGUAGES has "
            f"{', '.join(others)}",
            "choose a model for several languages, or set LANGUAGES=en",
        )
    if settings.llm_base_url and not settings.llm_url.endswith("/v1"):
        return warn(
            f"LLM_BASE_URL is {settings.llm_url}, which does not end in /v1",
            "check it: OpenAI-compatible servers nearly always answer there",
        )
    return ok(f"valid; PROFILE={settings.profile}, LANGUAGES={','.join(settings.languages)}")


async def ports_are_ours(settings: Settings) -> Finding:
    """Find each port free, or in the hands of the part that it is meant for.

    Raises:
        UserError: One is given twice, or may not be used.
    """
    wanted = ports(settings)
    check_distinct(wanted)
    names = list(feeds(settings))
    reports = await asyncio.gather(*(ask(settings, name) for name in names))
    # Any other program that listens there has nothing to say of its parts.
    answering = {
        name for name, report in zip(names, reports, strict=True) if report.ready or report.parts
    }
    busy = [port for port in wanted if _PART[port.setting] in answering]
    free = [port for port in wanted if port not in busy]
    for port in free:
        try:
            check_ports([port])
        except UserError:
            owner = await in_daemon(partial(_owner, port))
            if owner is None:
                raise
            return fail(
                f"{'UDP port' if port.udp else 'port'} {port.number} ({port.setting}) is taken by "
                f"{owner}",
                f"stop that program, or set {port.setting} to a free port",
            )
    told = [f"{_numbers(busy)} in use by Eloquence"] if busy else []
    told += [f"{_numbers(free)} free"] if free else []
    return ok("; ".join(told))


def _numbers(listed: list[Port]) -> str:
    return ", ".join(str(port.number) for port in listed)


def _owner(port: Port) -> str | None:
    """Return who listens on a port; None as far as this user may not know."""
    try:
        connections = psutil.net_connections("udp" if port.udp else "tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        listens = port.udp or connection.status == psutil.CONN_LISTEN
        if connection.laddr and connection.laddr.port == port.number and listens:
            try:
                name = psutil.Process(connection.pid).name() if connection.pid else ""
            except psutil.Error:
                name = ""
            return f"{name} (process {connection.pid})" if name else "a program of another user"
    return None
