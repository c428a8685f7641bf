"""A clause that was spoken completely, as bytes that can be kept."""

import json
import struct
from collections.abc import Sequence
from typing import NamedTuple

from livekit.plugins.local.engine.tts.base import Phoneme

_LENGTH = struct.Struct("<I")


class Recording(NamedTuple):
    """The audio of a clause, s16le mono, and what is said in it, where the engine told."""

    pcm: bytes
    phonemes: Sequence[Phoneme] = ()

    def pack(self) -> bytes:
        """Return it as bytes; none if there is no audio."""
        if not self.pcm:
            return b""
        told = json.dumps(self.phonemes, ensure_ascii=False, separators=(",", ":")).encode()
        return _LENGTH.pack(len(told)) + told + self.pcm

    @classmethod
    def unpack(cls, packed: bytes) -> "Recording":
        """Return what was packed."""
        begin = _LENGTH.size
        end = begin + _LENGTH.unpack_from(packed)[0]
        return cls(packed[end:], [Phoneme(*each) for each in json.loads(packed[begin:end])])
