"""What hears while another recogniser is away, in a real `AgentSession`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from livekit.agents import stt
from livekit.plugins import local

from agent.call.ears import Ears, build_stt
from agent.settings import Ear, Settings
from tests.conformance.kit import PluginUnderTest
from tests.conformance.kit.proxy import FaultProxy
from tests.conformance.kit.session import Conversation, conversation
from tests.conformance.kit.session_llm import ScriptedLLM
from tests.conformance.kit.vad import LoudnessVAD
from tests.conformance.plugins import PLUGINS
from tests.conformance.servers import Servers

pytestmark = pytest.mark.conformance

QUESTION, ANSWER = "alpha bravo charlie", "delta echo."


def plugin(kind: str) -> PluginUnderTest:
    return next(plugin for plugin in PLUGINS if (plugin.name, plugin.kind) == ("local", kind))


@pytest.fixture
async def server(servers: Servers) -> str:
    """Address of an engine; it answers OpenAI's requests, too."""
    engine = servers(plugin("stt"))
    await engine.reset()
    return engine.address


def ear(engine: str, server: str, *names: Ear) -> Ears:
    """Build the ears that settings name: ``local`` is at ``engine``, ``openai`` at ``server``."""
    settings = Settings(
        engine_url=engine,
        stt=names[0],
        stt_fallback=names[1:] or names,
        stt_base_url=f"{server}/v1",
        languages=("en",),
    )
    ears = build_stt(settings, "en", LoudnessVAD())
    assert isinstance(ears, Ears)
    return ears


@asynccontextmanager
async def call(ear: Ears, server: str, *replies: str) -> AsyncIterator[Conversation]:
    async with conversation(ear, local.TTS(engine=server), ScriptedLLM(*replies)) as talk:
        ear.on("stt_availability_changed", talk._changes)
        yield talk
    for member in ear._stt_instances:
        await member.aclose()


async def test_a_call_is_heard_while_the_engine_is_down(server: str) -> None:
    async with FaultProxy(server) as proxy:
        await proxy.refuse()
        ears = ear(proxy.address, server, "local", "openai")
        async with call(ears, server, ANSWER) as talk:
            # What is said before the switch is lost: the framework keeps no audio for the next one.
            await talk.until(lambda: ears.provider != "local", "the switch")
            talk.microphone.say(QUESTION)
            await talk.says(["delta", "echo"])
            assert talk.heard == [QUESTION]
            assert not talk.errors


async def test_an_engine_that_dies_in_a_call_is_replaced(server: str) -> None:
    async with FaultProxy(server) as proxy:
        ears = ear(proxy.address, server, "local", "openai")
        async with call(ears, server, ANSWER, "golf.") as talk:
            talk.microphone.say(QUESTION)
            await talk.says(["delta", "echo"])
            await proxy.refuse()
            await talk.until(lambda: ears.provider != "local", "the switch")
            talk.microphone.say("hotel india")
            await talk.says(["delta", "echo", "golf"])
            assert talk.heard == [QUESTION, "hotel india"]
            assert talk.closed is None


async def test_the_engine_is_asked_at_the_end_of_a_turn_behind_a_service_that_is_not(
    server: str,
) -> None:
    """The framework's adapter would not ask it: nothing would ever be heard."""
    async with FaultProxy(server) as proxy:
        await proxy.refuse()
        ears = ear(server, proxy.address, "openai", "local")
        async with call(ears, server, ANSWER, "golf.") as talk:
            talk.microphone.say("hotel india")
            await talk.until(lambda: ears.provider == "local", "the switch")
            talk.microphone.say(QUESTION)
            await talk.until(lambda: QUESTION in talk.heard, QUESTION)


async def test_a_service_that_hears_whole_utterances_is_not_confused_by_being_asked(
    server: str,
) -> None:
    ears = ear("http://127.0.0.1:1", server, "openai", "local")
    assert ears.capabilities.manual_flush
    async with call(ears, server, ANSWER, "golf.") as talk:
        talk.microphone.say(QUESTION)
        await talk.says(["delta", "echo"])
        talk.microphone.say("hotel india")
        await talk.says(["delta", "echo", "golf"])
        assert talk.heard == [QUESTION, "hotel india"]


async def test_the_frameworks_own_adapter_would_not_ask(server: str) -> None:
    """When this fails, `Ears` is needed no longer."""
    ears = ear("http://127.0.0.1:1", server, "local", "openai")
    plain = stt.FallbackAdapter(ears._stt_instances)
    assert ears.capabilities.manual_flush
    assert not plain.capabilities.manual_flush
    await plain.aclose()
    await ears.aclose()
