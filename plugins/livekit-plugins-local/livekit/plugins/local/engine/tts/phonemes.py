"""Text to phonemes for Kokoro, by way of the program `espeak-ng`.

The program drops punctuation, which Kokoro needs for its melody; therefore the text is split at
punctuation, the pieces are transcribed line by line in one run, and joined again.
"""

import re
import subprocess
import textwrap

from livekit.plugins.local.engine.text.abbreviations import drop_stops
from livekit.plugins.local.engine.tts.espeak_program import espeak_path
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.packages import KOKORO

_TIMEOUT_SECONDS = 10.0
# `espeak-ng` reads lines of less than 1000 bytes; a character has 4 at most.
_LONGEST_PIECE = 240

# Not where it belongs to a number or a time: 3.5, 1,250, 10:30.
_MARK = r"(?!(?<=\d)[.,:]\d)[;:,.!?¡¿—–…“”«»„(){}\[\]।]"
_MARKS = re.compile(rf"(?:\s*(?:{_MARK}|(?<=\s)-(?=\s)))+\s*")
_OPENING_QUOTE = re.compile(r'(?<![^\s(\[])"')
_KOKORO_MARKS = str.maketrans("«»„–-{}[]।", "“”“——()().", "¡¿")
# What `espeak-ng` puts around a word of another language: "(en)wiːkˈɛnd(fr)".
_LANGUAGE_SWITCH = re.compile(r"\([a-z-]+\)")
# Sounds of foreign words that English voices lack.
_ENGLISH_SOUNDS = str.maketrans("ʲrxɬ", "jɹkl")


def phonemize(text: str, dialect: str) -> str:
    """Transcribe one sentence or clause.

    Args:
        text: One line.
        dialect: Voice of `espeak-ng`, such as ``en-us`` or ``fr-fr``.

    Returns:
        IPA with stress and punctuation; may hold symbols that Kokoro does not know.

    Raises:
        EngineError: `espeak-ng` is missing or failed.
    """
    text = _OPENING_QUOTE.sub("“", drop_stops(text, dialect[:2])).replace('"', "”")
    pieces: list[str] = []
    marks: list[str] = []
    start = 0
    for match in [*_MARKS.finditer(text), None]:
        piece = text[start : match.start() if match else None]
        parts = textwrap.wrap(piece, _LONGEST_PIECE, break_on_hyphens=False) or [""]
        pieces += parts
        marks += [" "] * (len(parts) - 1) + [_spaced(match.group()) if match else ""]
        start = match.end() if match else start
    spoken = iter(_transcribe([piece for piece in pieces if piece], dialect))
    joined = "".join(
        (next(spoken) if piece else "") + mark for piece, mark in zip(pieces, marks, strict=True)
    )
    return " ".join(joined.split())


def _spaced(marks: str) -> str:
    """Translate punctuation to Kokoro's marks, with the spaces that English puts around them."""
    spaced = ""
    for mark in "".join(marks.split()).translate(_KOKORO_MARKS):
        if mark in "(“":
            spaced = f"{spaced.rstrip()} {mark}"
        else:
            spaced = f"{spaced.rstrip()}{' ' if mark == '—' else ''}{mark} "
    return spaced


def _transcribe(pieces: list[str], dialect: str) -> list[str]:
    """Return the IPA of each piece."""
    lines = _run_espeak(pieces, dialect).splitlines() if pieces else []
    if len(lines) == len(pieces):
        return [_clean(line, dialect) for line in lines]
    if len(pieces) == 1:
        return [_clean(" ".join(lines), dialect)]
    # A piece held something at which `espeak-ng` breaks the line: the answers cannot be assigned.
    return [line for piece in pieces for line in _transcribe([piece], dialect)]


def _run_espeak(pieces: list[str], dialect: str) -> str:
    command = [espeak_path(KOKORO.what), "-q", "--ipa", "-b", "1", "-v", dialect]
    try:
        done = subprocess.run(
            command,
            input="\n".join(pieces).encode(),
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError(
            "failed", f"espeak-ng could not transcribe text for Kokoro: {error}.", retryable=True
        ) from error
    return done.stdout.decode()


def _clean(ipa: str, dialect: str) -> str:
    ipa = _LANGUAGE_SWITCH.sub("", ipa)
    return ipa.translate(_ENGLISH_SOUNDS) if dialect.startswith("en") else ipa
