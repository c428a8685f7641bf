"""How the agent thinks: its instructions, and what it says when it cannot."""

import logging
from collections.abc import AsyncGenerator, Callable

from livekit.agents import Agent, FlushSentinel, ModelSettings
from livekit.agents.llm import ChatChunk, ChatContext, Tool

from agent.phrases import apology
from agent.settings import Settings

_log = logging.getLogger(__name__)

INSTRUCTIONS = (
    "You are Eloquence, a friendly voice assistant on a phone call. "
    "Answer in one or two short spoken sentences, with the answer itself first. "
    "Always answer in the language of the caller's last message. "
    "Never use lists, Markdown, code or emoji. "
    "What the caller says was transcribed from speech and may contain small errors."
)


class Assistant(Agent):
    """The agent of one call."""

    def __init__(self, settings: Settings, language: Callable[[], str]) -> None:
        """Create the agent.

        Args:
            settings: The settings.
            language: Tells the language that is spoken now.
        """
        super().__init__(instructions=instructions(settings))
        self._settings = settings
        self._language = language

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[ChatChunk | str | FlushSentinel, None]:
        """Ask the language model; an answer without any content becomes an apology.

        That is what a server gives that does not speak the protocol, and the caller would
        otherwise hear nothing at all.
        """
        empty = True
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            empty = empty and isinstance(chunk, ChatChunk) and not chunk.has_response()
            yield chunk
        if empty:
            _log.error(
                "the language model at LLM_BASE_URL=%s answered without content; "
                "is it an OpenAI-compatible server that has LLM_MODEL=%s?",
                self._settings.llm_url,
                self._settings.llm_model,
            )
            yield apology(self._language())


def instructions(settings: Settings) -> str:
    """Return the system prompt."""
    return settings.agent_instructions or INSTRUCTIONS
