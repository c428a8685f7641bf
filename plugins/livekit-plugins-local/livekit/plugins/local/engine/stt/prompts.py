"""What the decoder is told before it writes: its task, the language, words to expect."""

from faster_whisper.tokenizer import Tokenizer
from tokenizers import Tokenizer as Vocabulary

MAX_LENGTH = 448
"""Tokens of prompt and text together; the first half is for what came before the text."""
_MAX_HINTS = MAX_LENGTH // 2 - 1
_MAX_REMEMBERED = 64


class Prompts:
    """The prompts of one model."""

    def __init__(self, vocabulary: Vocabulary, *, multilingual: bool) -> None:
        self._vocabulary = vocabulary
        self._multilingual = multilingual
        self._tokenizers: dict[str, Tokenizer] = {}
        self._hints: dict[tuple[str, ...], list[int]] = {}

    def prompt(self, language: str, keyterms: tuple[str, ...] = ()) -> list[int]:
        """Return the tokens that precede the text."""
        tokenizer = self.tokenizer(language)
        return [*self.hints(keyterms), *tokenizer.sot_sequence, tokenizer.no_timestamps]

    def hints(self, keyterms: tuple[str, ...]) -> list[int]:
        """Return words to expect, as text that came before: the decoder then spells them so."""
        if not keyterms:
            return []
        if keyterms not in self._hints:
            if len(self._hints) >= _MAX_REMEMBERED:
                self._hints.clear()
            tokenizer = self.tokenizer("en")  # text is cut alike in all languages
            tokens = tokenizer.encode(" " + ", ".join(keyterms))
            self._hints[keyterms] = [tokenizer.sot_prev, *tokens[: _MAX_HINTS - 1]]
        return self._hints[keyterms]

    def tokenizer(self, language: str) -> Tokenizer:
        """Return the tokenizer for a language."""
        if language not in self._tokenizers:
            self._tokenizers[language] = Tokenizer(
                self._vocabulary, self._multilingual, task="transcribe", language=language
            )
        return self._tokenizers[language]
