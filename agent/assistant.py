"""What the agent says and how: its instructions and its fixed phrases, per language."""

from livekit.agents import Agent

from agent.settings import Settings

INSTRUCTIONS = (
    "You are Eloquence, a friendly voice assistant on a phone call. "
    "Answer in one or two short spoken sentences, with the answer itself first. "
    "Always answer in the language of the caller's last message. "
    "Never use lists, Markdown, code or emoji. "
    "What the caller says was transcribed from speech and may contain small errors."
)

_GREETINGS = {
    "en": "Hello! How can I help you?",
    "fr": "Bonjour ! Comment puis-je vous aider ?",
}
_APOLOGIES = {
    "en": "Sorry, I cannot think right now. Please ask me again in a moment.",
    "fr": "Désolé, je n'arrive pas à réfléchir. Redemandez-moi dans un instant.",
}


class Assistant(Agent):
    """The agent of one call."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(instructions=instructions(settings))


def instructions(settings: Settings) -> str:
    """Return the system prompt."""
    return settings.agent_instructions or INSTRUCTIONS


def greeting(settings: Settings, language: str) -> str:
    """Return the first words of a call."""
    return settings.greeting or _GREETINGS.get(language, _GREETINGS["en"])


def apology(language: str) -> str:
    """Return what to say when the language model has failed."""
    return _APOLOGIES.get(language, _APOLOGIES["en"])
