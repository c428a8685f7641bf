"""Settings that make no sense together, and ports that others have."""

import os
import re
import socket
from typing import Any

import pytest
from pydantic import HttpUrl

from agent.doctor.check import Check, blocking
from agent.doctor.configuration import ports_are_ours, settings_make_sense
from agent.doctor.runner import examine
from agent.errors import UserError
from tests.support.doctor import answer, serve, settings
from tests.support.ports import free_port

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("values", "level", "named"),
    [
        ({}, "ok", "LANGUAGES=en,fr"),
        ({"stt_model": "whisper-huge"}, "fail", "STT_MODEL is 'whisper-huge'"),
        ({"llm_model": "gpt-5"}, "fail", "LLM_MODEL is 'gpt-5'"),
        ({"tts_voices": ("en=radio/a", "fr=kokoro/a")}, "fail", "'radio'"),
        ({"tts_voices": ("en=openai/a", "fr=kokoro/a")}, "fail", "TTS_OPENAI_URL"),
        ({"languages": ("en", "de")}, "fail", "LANGUAGES has de"),
        ({"livekit_url": "localhost:7880"}, "fail", "LIVEKIT_URL is 'localhost:7880'"),
        ({"stt_model": "whisper-tiny.en"}, "warn", "hears English alone"),
        ({"llm_base_url": HttpUrl("http://127.0.0.1:1/")}, "warn", "does not end in /v1"),
    ],
)
async def test_nonsense_is_named(values: dict[str, Any], level: str, named: str) -> None:
    check = Check("settings", blocking(settings_make_sense), deadline=30)
    finding = (await examine([check], settings(**values))).findings["settings"]
    assert finding.level == level
    assert named in f"{finding.found}; {finding.remedy}"
    assert bool(finding.remedy) == (level != "ok")


def free_ports() -> dict[str, int]:
    return {
        "livekit_port": free_port(),
        "livekit_udp_port": free_port(socket.SOCK_DGRAM),
        "llm_port": free_port(),
        "worker_port": free_port(),
        "web_port": free_port(),
    }


async def test_free_ports_are_well() -> None:
    ports = free_ports()
    finding = await ports_are_ours(settings(**ports))
    assert finding.level == "ok"
    assert f"{ports['web_port']}, " in finding.found
    assert finding.found.endswith("free")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("worker_port", socket.SOCK_STREAM), ("livekit_udp_port", socket.SOCK_DGRAM)],
)
async def test_a_taken_port_is_named_with_who_has_it(name: str, kind: socket.SocketKind) -> None:
    ports = free_ports()
    with socket.socket(socket.AF_INET, kind) as taker:
        taker.bind(("127.0.0.1", ports[name]))
        if kind is socket.SOCK_STREAM:
            taker.listen()
        finding = await ports_are_ours(settings(**ports))
    assert finding.level == "fail"
    assert re.search(rf"{ports[name]} \({name.upper()}\)", finding.found)
    assert f"(process {os.getpid()})" in finding.found
    assert name.upper() in finding.remedy


async def test_another_web_server_is_not_taken_for_ours() -> None:
    async with serve(("GET", "/", answer(200, "hello"))) as host:
        finding = await ports_are_ours(
            settings(**{**free_ports(), "web_port": int(host.partition(":")[2])})
        )
    assert finding.level == "fail"
    assert "WEB_PORT" in finding.found


async def test_the_part_that_a_port_is_meant_for_may_have_it() -> None:
    async with serve(("GET", "/readyz", answer(200, "{}"))) as host:
        port = host.partition(":")[2]
        finding = await ports_are_ours(settings(**{**free_ports(), "worker_port": int(port)}))
    assert finding.level == "ok"
    assert f"{port} in use by Eloquence" in finding.found


async def test_two_settings_with_one_port_are_named() -> None:
    ports = free_ports()
    with pytest.raises(UserError, match="WEB_PORT and LLM_PORT"):
        await ports_are_ours(settings(**{**ports, "web_port": ports["llm_port"]}))
