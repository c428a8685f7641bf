"""Which voice speaks: the one that was asked for, the language's own, or the last resort."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from livekit.plugins.local.errors import EngineError

LAST_RESORT = "espeak"
"""The engine that speaks a language for which no voice is configured."""


class Choice(NamedTuple):
    """A voice that is to speak a language."""

    engine: str
    voice: str
    language: str


class VoiceBook:
    """Knows the voices of all engines and which one is configured for each language.

    Args:
        configured: Voice (``engine/name``) per two-letter language.
        engines: Names of the engines in use; their voices become known with `add`.
    """

    def __init__(self, configured: Mapping[str, str], engines: Iterable[str]) -> None:
        self._configured = dict(configured)
        self._engines = frozenset(engines)
        self._voices: dict[str, Mapping[str, frozenset[str]]] = {}

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages for which a voice is configured, in the order of the configuration."""
        return tuple(self._configured)

    def names(self, engine: str) -> list[str]:
        """Return the voices of an engine, as ``engine/name``; none while it has not loaded."""
        return [f"{engine}/{voice}" for voice in self._voices.get(engine, {})]

    def spoken_by(self, voice: str) -> frozenset[str]:
        """Return the languages of ``engine/name``; none if there is no such voice, or not yet."""
        engine, _, name = voice.partition("/")
        return self._voices.get(engine, {}).get(name, frozenset())

    def add(self, engine: str, voices: Mapping[str, frozenset[str]]) -> None:
        """Enter the voices of an engine that has loaded.

        Args:
            engine: Its name.
            voices: Name of each voice to the languages that it speaks.

        Raises:
            EngineError: A voice that is configured is not among them.
        """
        self._voices[engine] = voices
        for language, voice in self._configured.items():
            if voice.partition("/")[0] == engine:
                self.resolve(None, language)

    def resolve(self, voice: str | None, language: str) -> Choice:
        """Choose the voice for a language.

        Args:
            voice: ``engine/name`` to insist on; None for the language's own.
            language: Language code; what follows a hyphen is ignored.

        Raises:
            EngineError: Nothing like that exists; the sentence lists what does. An engine that
                has not loaded yet is trusted to have the voice.
        """
        language = language.partition("-")[0].lower()
        name = voice or self._configured.get(language)
        if name is None:
            return self._last_resort(language)
        engine, _, voice = name.partition("/")
        if engine not in self._engines:
            raise EngineError("unknown_voice", f"There is no voice {name}; {self._list(language)}.")
        voices = self._voices.get(engine)
        if voices is not None and voice not in voices:
            raise EngineError("unknown_voice", f"There is no voice {name}; {self._list(language)}.")
        if voices is not None and language not in voices[voice]:
            raise EngineError(
                "unknown_language",
                f"The voice {name} does not speak {language!r}; {self._list(language)}.",
            )
        return Choice(engine, voice, language)

    def stand_ins(self, choice: Choice) -> list[Choice]:
        """Return who else speaks the language of a choice, in the order in which to ask them.

        Other engines come first, each with its configured voice, a voice of the same name, or its
        first one; then the last resort.
        """
        found: list[Choice] = []
        for engine in sorted(self._voices, key=lambda name: name == LAST_RESORT):
            names = [
                name
                for name, languages in self._voices[engine].items()
                if choice.language in languages
            ]
            if engine == choice.engine or not names:
                continue
            own = self._configured.get(choice.language)
            best = min(
                names,
                key=lambda name: (
                    f"{engine}/{name}" != own,
                    name != choice.language,
                    not name.endswith(choice.voice),
                ),
            )
            found.append(Choice(engine, best, choice.language))
        return found

    def _last_resort(self, language: str) -> Choice:
        voices = self._voices.get(LAST_RESORT)
        if LAST_RESORT not in self._engines or (voices is not None and language not in voices):
            raise EngineError(
                "unknown_language", f"No voice speaks {language!r}; {self._languages()}."
            )
        return Choice(LAST_RESORT, language, language)

    def _list(self, language: str) -> str:
        names = sorted(
            f"{engine}/{voice}"
            for engine, voices in self._voices.items()
            for voice, languages in voices.items()
            if language in languages
        )
        return f"for {language!r} there are {', '.join(names)}" if names else self._languages()

    def _languages(self) -> str:
        languages = sorted(
            {
                code
                for voices in self._voices.values()
                for codes in voices.values()
                for code in codes
            }
        )
        return f"there are voices for {', '.join(languages) or 'no language yet'}"
