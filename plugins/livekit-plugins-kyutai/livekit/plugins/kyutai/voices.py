"""Voices: names that the server knows, and embeddings that are sent to it."""

import io
import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

import numpy as np
from livekit.agents import APIError
from livekit.plugins.kyutai import messages
from livekit.plugins.kyutai.messages import ProtocolError, Samples
from numpy.typing import NDArray

SHAPE = (1, 512, 125)
"""Of an embedding: any other ends the server's model loop, for all of its clients."""

_LONGEST_NAME = 200
_LARGEST_FILE = 4 * 1024 * 1024
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


class VoiceError(APIError):
    """A voice that must not reach the server; another attempt cannot help."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


def check_name(name: str) -> str:
    """Return the name of a voice in the server's folder, e.g. ``unmute-prod-website/p329.wav``.

    Whether the server has it cannot be asked: it takes its default voice for an unknown name.

    Raises:
        VoiceError: It is no relative path inside a folder.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name:
        raise VoiceError(
            f"the voice {name[:80]!r} is no path inside the server's folder of voices; name it as "
            "e.g. 'unmute-prod-website/default_voice.wav'"
        )
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise VoiceError(
            f"the voice {name[:80]!r} cannot be a name: it is too long, or not printable"
        )
    return name


@dataclass(frozen=True, slots=True)
class VoiceEmbedding:
    """A voice of one's own, as numbers that the model understands.

    Attributes:
        name: What logs and metrics call it.
        message: The message that carries it, made once.
    """

    name: str
    message: bytes = field(repr=False)

    @classmethod
    def from_values(cls, values: NDArray[Any], *, name: str) -> "VoiceEmbedding":
        """Make it of an array of shape ``(1, 512, 125)``.

        Raises:
            VoiceError: The shape is another, or a number is not finite.
        """
        if values.shape != SHAPE:
            raise VoiceError(
                f"the embedding of the voice {name!r} has the shape {list(values.shape)}; the "
                f"model takes {list(SHAPE)}"
            )
        with np.errstate(over="ignore"):
            numbers = values.astype(np.float32)
        if not np.isfinite(numbers).all():
            raise VoiceError(f"the embedding of the voice {name!r} is not finite")
        return cls(name, messages.voice(numbers))

    @classmethod
    def from_file(cls, path: str | Path) -> "VoiceEmbedding":
        """Read a ``.npy`` or ``.safetensors`` file; the same file is read once.

        Raises:
            VoiceError: It cannot be read, or holds no embedding.
        """
        path = Path(path)
        try:
            found = path.stat()
            if found.st_size > _LARGEST_FILE:
                raise VoiceError(f"{path.name} is too large to be the embedding of a voice")
            return _read(path, found.st_mtime_ns, found.st_size)
        except OSError as error:
            raise VoiceError(f"the voice {path.name} cannot be read ({error.strerror})") from None

    @classmethod
    def from_bytes(cls, data: bytes, *, name: str = "custom") -> "VoiceEmbedding":
        """Take the content of a ``.npy`` or ``.safetensors`` file, or the cloning service's answer.

        Raises:
            VoiceError: It holds no embedding.
        """
        if len(data) > _LARGEST_FILE:
            raise VoiceError(f"the voice {name!r} is too large to be an embedding")
        try:
            if data.startswith(b"\x93NUMPY"):
                values = np.load(io.BytesIO(data), allow_pickle=False)
            elif data[8:9] == b"{":
                values = _safetensors(data, name)
            else:
                values = _answer(data)
        except VoiceError:
            raise
        # What numpy, JSON and arithmetic raise on nonsense.
        except (ValueError, TypeError, KeyError, EOFError, OverflowError, MemoryError):
            _no_embedding(name)
        if values.dtype.kind not in "fiu":
            _no_embedding(name)
        return cls.from_values(values, name=name)


@lru_cache(maxsize=16)
def _read(path: Path, modified: int, size: int) -> VoiceEmbedding:
    return VoiceEmbedding.from_bytes(path.read_bytes(), name=path.name)


def _safetensors(data: bytes, name: str) -> NDArray[Any]:
    """Read the file's only tensor, or the one that Kyutai's voices have.

    The format: https://github.com/huggingface/safetensors#format
    """
    length = int.from_bytes(data[:8], "little")
    if length > len(data) - 8:
        _no_embedding(name)
    header = json.loads(data[8 : 8 + length])
    tensors = {key: value for key, value in header.items() if key != "__metadata__"}
    only = next(iter(tensors.values())) if len(tensors) == 1 else tensors["speaker_wavs"]
    start, end = only["data_offsets"]
    content = data[8 + length :][start:end]
    if only["dtype"] not in _TYPES:
        _no_embedding(name)
    values = np.frombuffer(content, _TYPES[only["dtype"]]).reshape(only["shape"])
    if only["dtype"] == "BF16":
        # The upper half of a 32-bit float.
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values


def _answer(data: bytes) -> Samples:
    message = messages.decode(data)
    if not isinstance(message, messages.Voice):
        raise ProtocolError("no voice")
    return message.values.reshape(message.shape)


def _no_embedding(name: str) -> NoReturn:
    raise VoiceError(
        f"the voice {name!r} is no embedding; give a .npy or .safetensors file of the shape "
        f"{list(SHAPE)}"
    ) from None
