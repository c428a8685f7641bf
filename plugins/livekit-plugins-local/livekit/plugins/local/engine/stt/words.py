"""When each word was said.

The decoder's cross-attention is aligned with the audio by dynamic time warping, as OpenAI's own
Whisper does (https://github.com/openai/whisper/blob/main/whisper/timing.py); that part is
CTranslate2's.
"""

import string
from collections.abc import Sequence

import numpy as np
from ctranslate2 import StorageView
from ctranslate2.models import Whisper
from faster_whisper.tokenizer import Tokenizer
from livekit.plugins.local.engine.stt.base import Word

# The aligner's unit: one encoder position is two frames of the spectrogram.
_FRAMES_PER_SECOND = 100
_POSITIONS_PER_SECOND = 50
_MARKS = frozenset(string.punctuation + "…«»“”‘’¿¡")
_WITHOUT_SPACES = frozenset({"ja", "lo", "my", "th", "yue", "zh"})


def align(
    model: Whisper,
    tokenizer: Tokenizer,
    encoded: StorageView,
    tokens: Sequence[int],
    seconds: float,
) -> tuple[Word, ...]:
    """Return the words of one utterance, in order and without overlap.

    Args:
        model: The model that decoded it.
        tokenizer: For its language.
        encoded: The encoder's output, shape ``(1, positions, width)``.
        tokens: The text's tokens, without special ones.
        seconds: Length of the audio, without the padding.
    """
    if not tokens:
        return ()
    frames = min(round(seconds * _FRAMES_PER_SECOND), 2 * encoded.shape[1])
    # Without frames the aligner would end the process.
    (found,) = model.align(encoded, tokenizer.sot_sequence, [list(tokens)], max(frames, 2))
    pieces, groups = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
    text_at, time_at = (np.array(column) for column in zip(*found.alignments, strict=True))
    steps = np.concatenate([[True], np.diff(text_at) > 0])
    # The time at which each token begins; the last one is the end of the text.
    begins = time_at[steps] / _POSITIONS_PER_SECOND
    words: list[Word] = []
    token = 0
    for piece, group in zip(pieces[:-1], groups[:-1], strict=True):
        first, token = token, token + len(group)
        start, end = (float(begins[min(at, len(begins) - 1)]) for at in (first, token))
        confidence = float(np.mean(found.text_token_probs[first:token] or [0.0]))
        inside = not piece.startswith(" ") and tokenizer.language_code not in _WITHOUT_SPACES
        if words and (inside or not set(piece.strip()) - _MARKS):
            last = words.pop()
            words.append(Word(last.text + piece.rstrip(), last.start, end, last.confidence))
        else:
            words.append(Word(piece.strip(), start, end, confidence))
    return tuple(word for word in words if word.text)
