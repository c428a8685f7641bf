"""What the agent says in the same words to everybody, per language.

The engine, too, reads this: nothing here may need the framework.
"""

from agent.settings import Settings

_GREETINGS = {
    "en": "Hello! How can I help you?",
    "fr": "Bonjour ! Comment puis-je vous aider ?",
}
_STILL_THERE = {"en": "Are you still there?", "fr": "Êtes-vous toujours là ?"}
_FAREWELLS = {
    "en": "I cannot hear you, so I will hang up now. Goodbye!",
    "fr": "Je ne vous entends pas, alors je raccroche. Au revoir !",
}
_APOLOGIES = {
    "en": "Sorry, I cannot think right now. Please ask me again in a moment.",
    "fr": "Désolé, je n'arrive pas à réfléchir. Redemandez-moi dans un instant.",
}


def greeting(settings: Settings, language: str) -> str:
    """Return the first words of a call."""
    return settings.greeting or _GREETINGS.get(language, _GREETINGS["en"])


def apology(language: str) -> str:
    """Return what to say when the language model has failed."""
    return _APOLOGIES.get(language, _APOLOGIES["en"])


def still_there(language: str) -> str:
    """Return what to ask a caller who has been silent for long."""
    return _STILL_THERE.get(language, _STILL_THERE["en"])


def farewell(language: str) -> str:
    """Return the last words to a caller who stays silent."""
    return _FAREWELLS.get(language, _FAREWELLS["en"])


def fixed_phrases(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return everything that the agent says in the same words to everybody, per language."""
    return {
        language: (
            greeting(settings, language),
            apology(language),
            still_there(language),
            farewell(language),
        )
        for language in settings.languages
    }
