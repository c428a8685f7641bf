"""How the agent thinks, and what it says when it cannot."""

import logging
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing

from livekit import rtc
from livekit.agents import Agent, FlushSentinel, ModelSettings, stt
from livekit.agents.llm import ChatChunk, ChatContext, ChatMessage, Tool

from agent.call.instructions import instructions
from agent.call.last_words import LastWords, is_understood
from agent.call.phrases import apology
from agent.call.turn_taking import verdict_pays
from agent.call.unfailing import unfailing
from agent.llm.llama import LlamaServer
from agent.llm.prefill import Prefill
from agent.receipts.nodes import Nodes
from agent.receipts.recorder import Recorder
from agent.settings import Settings

_log = logging.getLogger(__name__)


class Assistant(Agent):
    """The agent of one call.

    Attributes:
        prefill: Has the language model's server read what is being said.
        last_words: How complete what was said is.
    """

    def __init__(
        self,
        settings: Settings,
        language: Callable[[], str],
        recorder: Recorder,
        slot: int | None = None,
    ) -> None:
        """Create the agent.

        Args:
            settings: The settings.
            language: Tells the language that is spoken now.
            recorder: Makes the receipts of the call.
            slot: The call's slot of the embedded language model's server.
        """
        super().__init__(instructions=instructions(settings))
        self._settings = settings
        self._language = language
        self.prefill = Prefill(
            LlamaServer(settings, slot),
            lambda: self.chat_ctx,
            lambda: verdict_pays(language(), recorder.pace.least_so_far),
        )
        embedded = settings.embedded_llm
        self.last_words = (
            LastWords(self.prefill.judge, self.prefill.hear) if embedded else LastWords(None)
        )
        self._recorder = recorder
        self._nodes = Nodes(recorder.observer)

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[stt.SpeechEvent, None]:
        """Transcribe, give way to words, and note when what was said and understood."""
        heard = self._nodes.audio(audio)
        async with aclosing(Agent.default.stt_node(self, heard, model_settings)) as events:
            async for event in events:
                async with aclosing(unfailing(event, self._heard(event))) as weighed:
                    async for each in weighed:
                        yield each

    async def _heard(self, event: stt.SpeechEvent) -> AsyncGenerator[stt.SpeechEvent, None]:
        self._nodes.transcribed(event)
        if is_understood(event):
            self._give_way()
        elif self.session.agent_state == "listening":
            self.last_words.interim(event)
        async with aclosing(self.last_words.weigh(event)) as weighed:
            async for each in weighed:
                yield each

    def _give_way(self) -> None:
        """Stop speaking for a caller whose words are known.

        Sound alone only pauses the agent, in case it was a cough, and while a reply is paused the
        framework asks for no answer before the turn is over.
        """
        speech = self.session.current_speech
        if speech and speech.allow_interruptions:
            speech.interrupt()

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        """Note that the turn is over."""
        self.last_words.turn_over()
        self._recorder.turn_decided(new_message)

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[ChatChunk | str | FlushSentinel, None]:
        """Ask the language model; an answer without any content becomes an apology.

        That is what a server gives that does not speak the protocol, and the caller would
        otherwise hear nothing at all.
        """
        empty = True
        writing = self._nodes.asked(chat_ctx)
        async with (
            self.prefill.at_rest(),
            aclosing(Agent.default.llm_node(self, chat_ctx, tools, model_settings)) as chunks,
        ):
            async for chunk in chunks:
                empty = empty and isinstance(chunk, ChatChunk) and not chunk.has_response()
                writing(chunk)
                yield chunk
        if empty:
            _log.error(
                "the language model at LLM_BASE_URL=%s answered without content; "
                "is it an OpenAI-compatible server that has LLM_MODEL=%s?",
                self._settings.llm_url,
                self._settings.llm_model,
            )
            yield apology(self._language())

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """Speak, and note when the first sound came."""
        speech = self._nodes.speech()
        async with aclosing(
            Agent.default.tts_node(self, speech.texts(text), model_settings)
        ) as frames:
            async for frame in frames:
                speech.audio()
                yield frame
