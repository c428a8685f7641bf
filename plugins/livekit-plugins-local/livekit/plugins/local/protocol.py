"""The engine's streaming protocol, version 1: what plugin and engine say to each other.

One WebSocket is one stream. Text frames carry one JSON object with a ``type``; binary frames carry
PCM, signed 16-bit little-endian mono, at the rate that was agreed on. The client speaks first
(``start``), the engine answers ``ready`` or ``error``. Either side may close at any time; a client
that closes cancels its work at once.

======================  ==========================================================================
``/v1/stt/stream``      speech to text
======================  ==========================================================================
client ``start``        ``protocol, sample_rate, languages, language?, interim, preflight, words,
                        keyterms, patience``
client *binary*         audio, any length, faster or slower than real time
client ``flush``        ``id``: the utterance is over; answered by exactly one ``final``
client ``keyterms``     ``terms``: the names and words to expect from now on
client ``end``          no more audio; the engine answers what is pending, then closes with 1000
engine ``ready``        ``model``
engine ``interim``      ``text, stable, hypothesis, language, start, end``: may still change, but
                        for the words in ``stable``, with which it begins; ``hypothesis`` goes on
                        to the newest word, which is often cut in its middle
engine ``preflight``    ``text, language, confidence, start, end``: what the final will be, unless
                        the caller goes on
engine ``final``        ``flush`` (the id), ``text`` (may be empty), ``language, confidence, start,
                        end``; with ``words`` also those, each ``text, start, end, confidence``
======================  ==========================================================================

======================  ==========================================================================
``/v1/tts/stream``      text to speech
======================  ==========================================================================
client ``start``        ``protocol, language, voice?, speed``
client ``text``         ``text``: a piece of the reply, cut anywhere
client ``flush``        speak what is there without waiting for the end of its sentence
client ``end``          no more text
engine ``ready``        ``sample_rate``
engine ``segment``      ``text``: work on this clause begins; its audio follows
engine ``words``        ``words``: the clause's next words, each ``text, start, end``; those of a
                        clause together are its text; sent before their audio where possible
engine *binary*         audio
engine ``segment_end``  the clause is complete
engine ``done``         all audio was sent; the engine then closes with 1000
======================  ==========================================================================

Both: engine ``error`` has ``code, message, retryable`` and is followed by a close. Times are
seconds of audio since the stream began.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

PROTOCOL_VERSION = 1
STT_PATH = "/v1/stt/stream"
TTS_PATH = "/v1/tts/stream"
STT_SAMPLE_RATE = 16_000
TTS_SAMPLE_RATE = 24_000
STT_PATIENCE = 30.0
"""Seconds that a client waits for a final transcript, if it does not say otherwise."""

T = TypeVar("T")


class ProtocolError(ValueError):
    """The other side sent something that the protocol does not allow."""


@dataclass(frozen=True, slots=True)
class SttStart:
    """Opens a speech-to-text stream.

    Attributes:
        languages: Languages among which the engine detects, most likely first.
        language: Fixes the language; nothing is detected then.
        interim: Whether interim transcripts are wanted.
        preflight: Whether the transcript is wanted as soon as the caller pauses.
        words: Whether finals are to say when each word was said.
        keyterms: Names and words to expect.
        patience: Seconds after which the client gives up on a final transcript.
    """

    languages: list[str]
    language: str | None = None
    interim: bool = True
    preflight: bool = False
    words: bool = False
    keyterms: list[str] = field(default_factory=list)
    patience: float = STT_PATIENCE
    sample_rate: int = STT_SAMPLE_RATE
    protocol: int = PROTOCOL_VERSION
    type: str = "start"


@dataclass(frozen=True, slots=True)
class TtsStart:
    """Opens a text-to-speech stream; ``voice`` is ``engine/name``, None for the language's own."""

    language: str
    voice: str | None = None
    speed: float = 1.0
    protocol: int = PROTOCOL_VERSION
    type: str = "start"


def encode(message: object) -> str:
    """Return the JSON text of a message (a dataclass of this module or a plain dict)."""
    body = message if isinstance(message, dict) else asdict(message)  # type: ignore[call-overload]
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def decode(text: str) -> dict[str, Any]:
    """Parse one text frame.

    Raises:
        ProtocolError: It is not a JSON object with a string ``type``.
    """
    try:
        message = json.loads(text)
    except ValueError:
        raise ProtocolError("a text frame was not JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError("a text frame was not an object with a type")
    return message
