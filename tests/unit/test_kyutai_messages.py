"""What a server may send, and what it may not."""

import math
import random
from typing import Any

import msgpack
import numpy as np
import pytest
from livekit.plugins.kyutai import messages
from livekit.plugins.kyutai.messages import ProtocolError, decode

pytestmark = pytest.mark.unit

AUDIO = {"type": "Audio", "pcm": [0.5] * 1920}


def packed(**fields: Any) -> bytes:
    data: bytes = msgpack.packb(fields, use_single_float=True)
    return data


def test_a_frame_of_audio_has_single_floats_in_a_list() -> None:
    data = messages.audio(np.full(1920, 0.5, np.float32))
    assert len(data) == 9619
    assert msgpack.unpackb(data) == AUDIO


def test_a_voice_is_a_list_with_its_shape() -> None:
    values = np.zeros((1, 2, 3), np.float32)
    found = msgpack.unpackb(messages.voice(values))
    assert found == {"type": "Voice", "embeddings": [0.0] * 6, "shape": [1, 2, 3]}


def test_text_that_is_no_unicode_is_sent_all_the_same() -> None:
    found = msgpack.unpackb(messages.text("a\ud800b"))
    assert found == {"type": "Text", "text": "a?b"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"type": "Ready"}, messages.Ready()),
        ({"type": "Error", "message": "no"}, messages.Failure("no")),
        (
            {"type": "Text", "text": "hi", "start_s": 1, "stop_s": 1.5},
            messages.Spoken("hi", 1.0, 1.5),
        ),
        ({"type": "Word", "text": "hi", "start_time": 0.5}, messages.Word("hi", 0.5)),
        ({"type": "EndWord", "stop_time": 0.5}, messages.EndWord(0.5)),
        ({"type": "Marker", "id": -3}, messages.Marker(-3)),
        (
            {"type": "Step", "step_idx": 7, "prs": [0.5, 1, 0.25, 0], "buffered_pcm": 9},
            messages.Step(7, (0.5, 1.0, 0.25, 0.0), 9),
        ),
        ({"type": "Later", "x": 1}, messages.Unknown("Later")),
    ],
)
def test_messages_are_read(fields: dict[str, Any], expected: object) -> None:
    assert decode(packed(**fields)) == expected


@pytest.mark.parametrize("pcm", [[], [1, 2], [0.5, -1], [1e300, 0.0][1:]])
def test_numbers_of_any_kind_are_audio(pcm: list[float]) -> None:
    message = decode(packed(type="Audio", pcm=pcm))
    assert isinstance(message, messages.Audio)
    assert message.samples.dtype == np.float32
    assert message.samples.tolist() == pytest.approx(pcm)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x81",
        packed(type="Ready")[:-1],
        packed(type="Ready") + b"\0",
        msgpack.packb([1, 2]),
        msgpack.packb("Ready"),
        msgpack.packb({"type": 5}),
        msgpack.packb({1: 2}),
        b"\x91" * 2000,
        b"\xdd\xff\xff\xff\xff",
        packed(type="Audio"),
        packed(type="Audio", pcm=b"\0\0\0\0"),
        packed(type="Audio", pcm="0.5"),
        packed(type="Audio", pcm=["0.5"]),
        packed(type="Audio", pcm=[[0.5]]),
        packed(type="Audio", pcm=[[0.5], [1, 2]]),
        packed(type="Audio", pcm=[None]),
        packed(type="Audio", pcm=[True, False]),
        packed(type="Audio", pcm=[0.5, math.nan]),
        packed(type="Audio", pcm=[math.inf]),
        msgpack.packb({"type": "Audio", "pcm": [1e300]}),
        packed(type="Text", text=5, start_s=0, stop_s=0),
        packed(type="Text", text="a", start_s="0", stop_s=0),
        packed(type="Text", text="a", start_s=-1, stop_s=0),
        packed(type="Text", text="a", start_s=math.nan, stop_s=0),
        packed(type="Step", step_idx=1.5, prs=[], buffered_pcm=0),
        packed(type="Marker", id=True),
        packed(type="Error"),
        packed(type="Error", message=["no"]),
        bytes(messages.MAX_MESSAGE + 1),
    ],
)
def test_nonsense_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(data)


def test_audio_as_the_server_writes_it_is_read_as_any_other() -> None:
    values = np.random.default_rng(3).uniform(-1, 1, 1920).astype(np.float32)
    data = messages.audio(values)
    other = msgpack.packb({"pcm": values.tolist(), "type": "Audio"})
    for found in (decode(data), decode(other)):
        assert isinstance(found, messages.Audio)
        assert found.samples.dtype == np.float32
        assert np.array_equal(found.samples, values)


@pytest.mark.parametrize("at", [20, 24, 9000])
def test_audio_with_one_byte_changed_is_read_as_msgpack_says(at: int) -> None:
    data = messages.audio(np.full(1920, 0.5, np.float32))
    for byte in range(256):
        changed = data[:at] + bytes([byte]) + data[at + 1 :]
        try:
            expected = messages.decode_fields(msgpack.unpackb(changed))
        except (ValueError, msgpack.UnpackException):
            with pytest.raises(ProtocolError):
                decode(changed)
            continue
        found = decode(changed)
        assert isinstance(found, messages.Audio) and isinstance(expected, messages.Audio)
        assert np.array_equal(found.samples, expected.samples)


def test_an_error_does_not_repeat_what_was_said() -> None:
    with pytest.raises(ProtocolError) as error:
        decode(packed(type="Text", text="secret", start_s="secret", stop_s=0))
    assert "secret" not in str(error.value)


def test_broken_messages_are_protocol_errors_or_messages() -> None:
    rng = random.Random(7)
    good = [
        packed(**AUDIO),
        packed(type="Text", text="héllo", start_s=0.5, stop_s=1.0),
        packed(type="Step", step_idx=1, prs=[0.5] * 4, buffered_pcm=0),
        packed(type="Voice", embeddings=[0.5] * 8, shape=[1, 2, 4]),
    ]
    for _ in range(3000):
        data = bytearray(rng.choice(good))
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        del data[rng.randint(1, len(data)) :]
        try:
            decode(bytes(data))
        except ProtocolError:
            continue
