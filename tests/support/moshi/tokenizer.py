"""A SentencePiece model without training: each byte of the text is a token.

The file is the protobuf ``ModelProto`` of
https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto, written by hand.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

PAD = 3
FIRST_BYTE = 4
"""Token of the byte 0; that of the byte b is ``FIRST_BYTE + b``."""

FIRST_WORD = FIRST_BYTE + 256
"""Token of the first word, in a model that has words."""

_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6


def tokens_of(word: str) -> list[int]:
    """Return the tokens of a word."""
    return [FIRST_BYTE + byte for byte in word.encode()]


def word_of(tokens: list[int]) -> str:
    """Return the word of its tokens; what is no byte is left out."""
    found = bytes(token - FIRST_BYTE for token in tokens if 0 <= token - FIRST_BYTE < 256)
    return found.decode(errors="replace")


def write_model(path: Path, words: Sequence[str] = ()) -> None:
    """Write the model.

    Args:
        path: Where.
        words: Texts that are tokens of their own.
    """
    pieces = [_piece("<unk>", _UNKNOWN), *(_piece(f, _CONTROL) for f in ("<s>", "</s>", "<pad>"))]
    pieces += [_piece(f"<0x{byte:02X}>", _BYTE) for byte in range(256)]
    # The format wants one piece of text at least; nothing that is spoken is like this one.
    pieces += [_piece(word, _NORMAL) for word in words or ("\u2581\u2581",)]
    trainer = b"".join(
        [
            _number(3, 1),  # unigram
            _number(4, len(pieces)),
            _number(35, 1),  # unknown characters fall back to bytes
            _number(40, 0),
            _number(41, 1),
            _number(42, 2),
            _number(43, PAD),
        ]
    )
    normalizer = _text(1, "identity") + _number(3, 0) + _number(4, 0) + _number(5, 0)
    content = b"".join(_field(1, piece) for piece in pieces)
    path.write_bytes(content + _field(2, trainer) + _field(3, normalizer))


def _piece(text: str, kind: int) -> bytes:
    score = bytes([2 << 3 | 5]) + struct.pack("<f", 0.0)
    return _text(1, text) + score + _number(3, kind)


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
