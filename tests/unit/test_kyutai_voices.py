"""Voices: what may be sent to a server."""

import io
import json
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from livekit.plugins.kyutai import TTS, VoiceEmbedding, VoiceError, messages
from livekit.plugins.kyutai.voices import SHAPE, check_name
from numpy.typing import NDArray

pytestmark = pytest.mark.unit

VALUES = np.linspace(-1, 1, 64_000, dtype=np.float32).reshape(SHAPE)


def npy(values: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=True)
    return file.getvalue()


def safetensors(content: bytes, kind: str = "F32", shape: tuple[int, ...] = SHAPE) -> bytes:
    entry = {"dtype": kind, "shape": shape, "data_offsets": [0, len(content)]}
    header = json.dumps({"__metadata__": {"a": "b"}, "speaker_wavs": entry}).encode()
    return len(header).to_bytes(8, "little") + header + content


def sent(voice: VoiceEmbedding) -> NDArray[np.float32]:
    fields = msgpack.unpackb(voice.message)
    return np.array(fields["embeddings"], np.float32).reshape(fields["shape"])


@pytest.mark.parametrize("name", ["barack_demo.wav", "unmute-prod-website/p329.wav", "é/ü.wav"])
def test_names_inside_the_folder(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "../x.wav", "a/../../x", "/etc/passwd", "a\\..\\b", "a\nb", "x" * 300, ".."]
)
def test_other_names(name: str) -> None:
    with pytest.raises(VoiceError) as error:
        TTS(voice=name)
    assert not error.value.retryable


async def test_a_wrong_name_does_not_replace_a_voice() -> None:
    plugin = TTS(voice="a.wav")
    with pytest.raises(VoiceError):
        plugin.update_options(voice="../b.wav")
    plugin.update_options()
    assert plugin._options.voice == "a.wav"


@pytest.mark.parametrize(
    "data",
    [
        npy(VALUES),
        npy(VALUES.astype(np.float64)),
        safetensors(VALUES.tobytes()),
        messages.voice(VALUES),
    ],
    ids=["npy", "npy of doubles", "safetensors", "cloning service"],
)
def test_embeddings_are_read(data: bytes) -> None:
    assert np.array_equal(sent(VoiceEmbedding.from_bytes(data)), VALUES)


def test_half_floats_are_read() -> None:
    half = VALUES.astype("<f2")
    voice = VoiceEmbedding.from_bytes(safetensors(half.tobytes(), "F16"))
    assert np.array_equal(sent(voice), half.astype(np.float32))
    upper = (VALUES.view("<u4") >> 16).astype("<u2")
    voice = VoiceEmbedding.from_bytes(safetensors(upper.tobytes(), "BF16"))
    assert np.allclose(sent(voice), VALUES, rtol=0.01)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        npy(VALUES)[:1000],
        npy(VALUES[0]),
        npy(VALUES.reshape(1, 125, 512)),
        npy(np.full(SHAPE, np.nan, np.float32)),
        npy(np.full(SHAPE, 1e300)),
        npy(np.full(SHAPE, "a")),
        npy(np.array([{"a": 1}], dtype=object)),
        safetensors(VALUES.tobytes()[:-4]),
        safetensors(VALUES.tobytes(), shape=(64_000,)),
        safetensors(VALUES.tobytes(), "I64"),
        safetensors(VALUES.tobytes())[:40],
        b"\xff" * 8 + b"{}",
        messages.voice(VALUES[:, :1]),
        messages.text("no voice"),
        bytes(5 * 1024 * 1024),
    ],
)
def test_what_is_no_embedding_is_refused(data: bytes) -> None:
    with pytest.raises(VoiceError) as error:
        VoiceEmbedding.from_bytes(data)
    assert not error.value.retryable


def test_a_wrong_shape_is_named() -> None:
    with pytest.raises(VoiceError, match=r"\[512, 125\].*\[1, 512, 125\]"):
        VoiceEmbedding.from_values(VALUES[0], name="mine")


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "mine.npy"
    path.write_bytes(npy(VALUES))
    voice = VoiceEmbedding.from_file(path)
    assert voice.name == "mine.npy"
    assert VoiceEmbedding.from_file(str(path)) is voice
    path.write_bytes(npy(VALUES.astype(np.float64) / 2))
    assert np.allclose(sent(VoiceEmbedding.from_file(path)), VALUES / 2)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(VoiceError, match=r"none\.npy cannot be read"):
        VoiceEmbedding.from_file(tmp_path / "none.npy")
