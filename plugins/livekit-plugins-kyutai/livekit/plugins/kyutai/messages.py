"""The messages of a moshi-server: msgpack maps with a ``type``.

The server drops a connection without a word when it cannot decode a message. What matters: lists of
numbers are lists, never msgpack's ``bin``, and 32-bit floats halve the size of audio.
"""

from dataclasses import dataclass
from typing import Any, cast

import msgpack
import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 24_000
"""Of all audio, both ways, in Hz; mono, 32-bit floats in [-1, 1]."""

FRAME_SAMPLES = 1920
"""Samples of one step of the models, 80 ms."""

MAX_MESSAGE = 1024 * 1024
"""Bytes of the longest message that is accepted; a frame of audio takes 10 to 18 kB."""

Samples = NDArray[np.float32]
"""Mono audio, shape ``(samples,)``."""

_PLAIN_AUDIO = b"\x82\xa4type\xa5Audio\xa3pcm\xdc"
"""How a message of a list of at most 65535 samples begins; its length and the floats follow."""

_FLOAT = np.dtype([("mark", "u1"), ("value", ">f4")])
"""A 32-bit float in msgpack."""


class ProtocolError(ValueError):
    """The server sent what makes no sense; the message says what."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The connection has a slot."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The server's ``Error``.

    Attributes:
        message: What it says.
    """

    message: str


@dataclass(frozen=True, slots=True)
class Audio:
    """A piece of speech.

    Attributes:
        samples: The audio at `SAMPLE_RATE`; nominally, not always, `FRAME_SAMPLES` of it.
    """

    samples: Samples


@dataclass(frozen=True, slots=True)
class Spoken:
    """The server's ``Text``: a word with its place in the audio.

    Attributes:
        text: The word, as the server normalised it.
        start: Where it begins, in seconds of this connection's audio.
        stop: Where it ends. Of the last word it includes the model's delay and padding.
    """

    text: str
    start: float
    stop: float


@dataclass(frozen=True, slots=True)
class Word:
    """A word that was heard.

    Attributes:
        text: The word, with case and punctuation.
        start: Roughly where it begins, in seconds of this connection's audio.
    """

    text: str
    start: float


@dataclass(frozen=True, slots=True)
class EndWord:
    """Where the word before ended.

    Attributes:
        stop: In seconds of this connection's audio.
    """

    stop: float


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the recogniser.

    Attributes:
        index: The server's own count, over all its users.
        pauses: Probability that the speaker pauses for at least 0.5, 1, 2 and 3 s.
        buffered: Samples that wait in the server.
    """

    index: int
    pauses: tuple[float, ...]
    buffered: int


@dataclass(frozen=True, slots=True)
class Marker:
    """An answered marker.

    Attributes:
        number: As it was sent.
    """

    number: int


@dataclass(frozen=True, slots=True)
class Voice:
    """An embedding from the cloning service.

    Attributes:
        values: The numbers, shape ``(count,)``.
        shape: The shape that the service gives them.
    """

    values: Samples
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a type that this version does not know.

    Attributes:
        kind: The type's name.
    """

    kind: str


Message = Ready | Failure | Audio | Spoken | Word | EndWord | Step | Marker | Voice | Unknown


def text(content: str) -> bytes:
    """Return a ``Text`` message; it must hold whole words only."""
    return _pack({"type": "Text", "text": content})


def eos() -> bytes:
    """Return the message that says that no more text comes."""
    return _pack({"type": "Eos"})


def voice(values: Samples) -> bytes:
    """Return a ``Voice`` message.

    Args:
        values: The embedding, of any shape; the server's loop dies of a wrong one.
    """
    shape = [int(length) for length in values.shape]
    return _pack({"type": "Voice", "embeddings": values.ravel().tolist(), "shape": shape})


def audio(samples: Samples) -> bytes:
    """Return an ``Audio`` message for the recogniser."""
    return _pack({"type": "Audio", "pcm": samples.tolist()})


def marker(number: int) -> bytes:
    """Return a ``Marker`` message for the recogniser."""
    return _pack({"type": "Marker", "id": number})


def init() -> bytes:
    """Return the message that makes the recogniser begin anew; it answers with another `Ready`."""
    return _pack({"type": "Init"})


def decode(data: bytes) -> Message:
    """Return the message in a binary frame.

    Args:
        data: One frame, of at most `MAX_MESSAGE` bytes.

    Raises:
        ProtocolError: It is no message, or its fields are not what they should be.
    """
    if len(data) > MAX_MESSAGE:
        raise ProtocolError(f"a message of {len(data)} bytes came")
    if (samples := _plain_audio(data)) is not None:
        return Audio(samples)
    try:
        fields = msgpack.unpackb(data, raw=False, strict_map_key=True)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException):
        # Not `from`: such an error can quote the data.
        raise ProtocolError("a frame came that is no msgpack") from None
    return decode_fields(fields)


def _plain_audio(data: bytes) -> Samples | None:
    """Return the samples of an ``Audio`` message as the server writes it; None if it is another.

    The same as below, without an object for each sample: that takes a tenth of the time, and the
    frames of all streams come at once, after a step of the model.
    """
    head = len(_PLAIN_AUDIO) + 2
    if not data.startswith(_PLAIN_AUDIO) or len(data) <= head:
        return None
    count = int.from_bytes(data[head - 2 : head], "big")
    if len(data) != head + _FLOAT.itemsize * count:
        return None
    floats = np.frombuffer(data, _FLOAT, offset=head)
    samples = floats["value"].astype(np.float32)
    if (floats["mark"] != 0xCA).any() or not np.isfinite(samples).all():
        return None
    return samples


def decode_fields(fields: object) -> Message:
    """Return the message that is in a map, as it comes in frames and in answers over HTTP.

    Raises:
        ProtocolError: As of `decode`.
    """
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        raise ProtocolError("a message without a type came")
    return _message(fields)


def _message(fields: dict[str, Any]) -> Message:
    match fields["type"]:
        case "Audio":
            return Audio(_numbers(fields, "pcm"))
        case "Text":
            return Spoken(
                _string(fields, "text"), _time(fields, "start_s"), _time(fields, "stop_s")
            )
        case "Step":
            pauses = tuple(float(value) for value in _numbers(fields, "prs"))
            return Step(_integer(fields, "step_idx"), pauses, _integer(fields, "buffered_pcm"))
        case "Word":
            return Word(_string(fields, "text"), _time(fields, "start_time"))
        case "EndWord":
            return EndWord(_time(fields, "stop_time"))
        case "Marker":
            return Marker(_integer(fields, "id"))
        case "Ready":
            return Ready()
        case "Error":
            return Failure(_string(fields, "message"))
        case "Voice":
            shape = tuple(int(length) for length in _numbers(fields, "shape"))
            return Voice(_numbers(fields, "embeddings"), shape)
        case kind:
            return Unknown(kind[:40])


def _pack(fields: dict[str, Any]) -> bytes:
    return cast(bytes, msgpack.packb(fields, use_single_float=True, unicode_errors="replace"))


def _numbers(fields: dict[str, Any], name: str) -> Samples:
    values = fields.get(name)
    if not isinstance(values, list):
        raise _wrong(fields, name)
    try:
        found = np.array(values if values else np.zeros(0))
    except (ValueError, OverflowError):
        raise _wrong(fields, name) from None
    # Without a dtype given, text among the numbers shows here instead of being read as a number.
    if found.ndim != 1 or found.dtype.kind not in "fiu":
        raise _wrong(fields, name)
    with np.errstate(over="ignore"):
        numbers = found.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise _wrong(fields, name)
    return numbers


def _string(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise _wrong(fields, name)
    return value


def _time(fields: dict[str, Any], name: str) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(fields, name)
    # Also false for what is not a number.
    if not 0 <= value < 1e9:
        raise _wrong(fields, name)
    return float(value)


def _integer(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(fields, name)
    return value


def _wrong(fields: dict[str, Any], name: str) -> ProtocolError:
    return ProtocolError(f"the {name!r} of a message of type {fields['type']!r} made no sense")
