"""What a moshi-server says of a text, as the plugin relies on it: audio, words and their times.

The fake has to do as the real one does.
"""

import itertools
from pathlib import Path

import msgpack
import numpy as np
import pytest
from aiohttp import WSMsgType

from tests.conformance.kit import tones
from tests.support.moshi.client_tts import TEXT, connected, samples, spoken
from tests.support.moshi.running import Kind, every_server
from tests.support.moshi.stub_tts import FRAME, SHAPE

pytestmark = pytest.mark.conformance


@every_server()
async def test_an_utterance_is_ready_then_audio_and_words_then_an_empty_close(
    kind: Kind, tmp_path: Path
) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        messages = await client.speak(TEXT)
        audio = [message for message in messages if message["type"] == "Audio"]
        assert {len(message["pcm"]) for message in audio} == {FRAME}
        assert tones.hear(samples(messages), 24_000) == tones.words_of(TEXT)
        assert [word["text"] for word in spoken(messages)] == TEXT.split()


@every_server()
async def test_words_have_times_and_the_last_one_outlasts_the_audio(
    kind: Kind, tmp_path: Path
) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        messages = await client.speak(TEXT)
    words = spoken(messages)
    for word, following in itertools.pairwise(words):
        assert word["stop_s"] == following["start_s"]
    heard = tones.hear_timed(samples(messages), 24_000)
    for word, (_, start, _) in zip(words, heard, strict=True):
        assert abs(word["start_s"] - start) <= 0.16 + 1e-6
    assert words[-1]["stop_s"] > len(samples(messages)) / 24_000
    assert messages[-1] == words[-1]


@every_server()
async def test_a_word_is_told_when_the_next_one_begins(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        assert await client.message() == {"type": "Ready"}
        await client.send(type="Text", text=tones.sentence(4))
        kinds = []
        while "Text" not in kinds:
            kinds.append((await client.message())["type"])
        # Four words, of which two may be begun: the first is over, and its audio has not come yet.
        assert kinds.count("Audio") <= 1


@every_server()
async def test_without_eos_the_last_words_are_not_spoken(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        assert await client.message() == {"type": "Ready"}
        await client.send(type="Text", text=tones.sentence(2))
        with pytest.raises(TimeoutError):
            await client.socket.receive(timeout=0.3)
        await client.send(type="Eos")
        assert tones.hear(samples(await client.rest()), 24_000) == tones.sentence(2).split()


@every_server()
async def test_a_word_cut_in_two_messages_is_two_words(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        await client.send(type="Text", text="alpha bra")
        messages = await client.speak("vo charlie")
        assert [word["text"] for word in spoken(messages)] == ["alpha", "bra", "vo", "charlie"]


@every_server()
async def test_text_is_normalised(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        messages = await client.speak("it’s (alpha) – bravo:charlie")
        words = [word["text"] for word in spoken(messages)]
        assert words == ["it's", "alpha", "bravo", "charlie"]


@every_server()
@pytest.mark.parametrize(
    ("seconds", "echo", "pause"), [("0.5", "0.50", 0.48), ("0.01", "0.01", 0.08)]
)
async def test_a_pause_is_silence_with_an_echo(
    kind: Kind, tmp_path: Path, seconds: str, echo: str, pause: float
) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        messages = await client.speak(f'alpha bravo <break time="{seconds}s"/> charlie delta')
        words = [word["text"] for word in spoken(messages)]
        assert words == ["alpha", "bravo", f'<break time="{echo}s">', "charlie", "delta"]
        heard = tones.hear_timed(samples(messages), 24_000)
        assert heard[2][1] - heard[1][1] == pytest.approx(tones.WORD_SECONDS + pause, abs=0.02)


@every_server()
async def test_a_pause_cut_in_two_messages_is_read_aloud(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        await client.send(type="Text", text="alpha <break ")
        messages = await client.speak('time="0.5s"/> bravo')
        words = [word["text"] for word in spoken(messages)]
        assert words == ["alpha", "<break", 'time="0.5s"/>', "bravo"]


@every_server()
async def test_eos_may_be_a_zero_byte_and_text_a_text_frame(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        assert await client.message() == {"type": "Ready"}
        await client.socket.send_str(TEXT)
        await client.socket.send_bytes(b"\0")
        assert tones.hear(samples(await client.rest()), 24_000) == tones.words_of(TEXT)


@every_server()
async def test_eos_without_text_is_a_close(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        await client.send(type="Eos")
        assert await client.message() == {"type": "Ready"}
        assert await client.rest() == []


@every_server()
@pytest.mark.parametrize(
    "nonsense",
    [
        {"type": "Sing", "text": "la"},
        {"type": "text", "text": "lower case"},
        {"type": "Text"},
        {"type": "Text", "text": 1},
        {"type": "Voice", "embeddings": b"\0\0\0\0", "shape": [1]},
        [1, 2],
    ],
    ids=str,
)
async def test_nonsense_is_a_close_without_an_error(
    kind: Kind, tmp_path: Path, nonsense: object
) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        assert await client.message() == {"type": "Ready"}
        await client.socket.send_bytes(msgpack.packb(nonsense))
        assert await client.rest() == []
        await client.socket.close()
        await moshi.until_used(0)


@every_server()
@pytest.mark.parametrize(
    "message",
    [
        msgpack.packb({"text": b"alpha bravo", "type": "Text", "more": 1}),
        msgpack.packb(["Text", "alpha bravo"]),
        msgpack.packb({"type": "Text", "text": "alpha bravo"}) + b"more",
    ],
    ids=["bytes", "positional", "followed"],
)
async def test_messages_are_read_generously(kind: Kind, tmp_path: Path, message: bytes) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        await client.socket.send_bytes(message)
        messages = await client.speak("charlie")
        assert [word["text"] for word in spoken(messages)] == ["alpha", "bravo", "charlie"]


@every_server()
@pytest.mark.parametrize("raw", ["Pcm", "OggOpus"])
async def test_raw_formats_are_audio_alone(kind: Kind, tmp_path: Path, raw: str) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi, f"?format={raw}") as client:
        await client.send(type="Text", text=TEXT)
        await client.send(type="Eos")
        frames = []
        while (frame := await client.frame()).type is WSMsgType.BINARY:
            frames.append(frame.data)
        assert (frame.type, frame.data) == (WSMsgType.CLOSE, 0)
        if raw == "Pcm":
            assert {len(data) for data in frames} == {4 * FRAME}
            heard = np.frombuffer(b"".join(frames), "<f4")
            assert tones.hear(heard.astype(np.float32), 24_000) == tones.words_of(TEXT)
        else:
            assert all(data.startswith(b"OggS") for data in frames)


@every_server()
async def test_opus_comes_in_messages_too(kind: Kind, tmp_path: Path) -> None:
    query = "?format=OggOpusMessagePack"
    async with kind.running(tmp_path) as moshi, connected(moshi, query) as client:
        messages = await client.speak(TEXT)
        pages = [message["data"] for message in messages if message["type"] == "OggOpus"]
        assert all(bytes(page).startswith(b"OggS") for page in pages)
        assert [word["text"] for word in spoken(messages)] == TEXT.split()


@every_server()
async def test_an_embedding_counts_before_the_first_text_only(kind: Kind, tmp_path: Path) -> None:
    values = np.zeros(SHAPE, np.float32)
    voice = {"type": "Voice", "embeddings": values.ravel().tolist(), "shape": list(SHAPE)}
    async with kind.running(tmp_path) as moshi:
        lengths = []
        for before, after in ((False, False), (True, False), (False, True)):
            async with connected(moshi) as client:
                if before:
                    await client.send(**voice)
                await client.send(type="Text", text="alpha")
                if after:
                    await client.send(**voice)
                lengths.append(len(samples(await client.speak("bravo charlie delta echo"))))
        plain, early, late = lengths
        assert early > 1.5 * plain and late == plain


@every_server()
async def test_numbers_that_do_not_fit_their_shape_are_the_default_voice(
    kind: Kind, tmp_path: Path
) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        await client.send(type="Voice", embeddings=[0.5, 1], shape=[3])
        messages = await client.speak(TEXT)
        assert tones.hear(samples(messages), 24_000) == tones.words_of(TEXT)
