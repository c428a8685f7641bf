"""The engine as OpenAI clients use it: `curl` and the official Python client, real models."""

import asyncio
import io
import json
import os
import re
import subprocess
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import openai
import pytest
from livekit import rtc
from livekit.agents import APIConnectOptions, stt
from livekit.plugins import local

from tests.support.engine_process import EngineProcess
from tests.support.ports import free_port
from tests.support.speech import Speaker, Transcriber, resample

pytestmark = pytest.mark.e2e

EN = "The capital of France is Paris, and it is a beautiful city."
FR = "Bonjour, la capitale de l'Espagne est Madrid, une très belle ville."
LONG = (
    "My sister lives in a small village near the mountains. "
    "Every summer we visit her and walk through the forest. "
    "Last year it rained for a week, so we stayed at home and played cards. "
)


@dataclass
class TcpEngine(EngineProcess):
    """An engine on a port of loopback."""

    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TcpEngine]:
    engine = TcpEngine(tmp_path_factory.mktemp("engine"), dict(os.environ), port=free_port())
    engine.start()
    try:
        asyncio.run(engine.ready())
        yield engine
    finally:
        engine.kill()


@pytest.fixture
def url(engine: TcpEngine) -> str:
    return f"{engine.address}/v1"


def wav(samples: np.ndarray, rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(rate)
        audio.writeframes(samples.tobytes())
    return file.getvalue()


def recorded(speaker: Speaker, text: str, language: str) -> np.ndarray:
    """A text as somebody recorded it: int16 samples at 16 kHz, with silence around it."""
    silence = np.zeros(8_000, np.int16)
    return np.concatenate([silence, resample(speaker.say(text, language), 48_000, 16_000), silence])


def decoded(data: bytes) -> np.ndarray:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=24_000)
    with av.open(io.BytesIO(data), "r") as source:
        frames = [part for frame in source.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in [*frames, *resampler.resample(None)]])


def curl(*arguments: str) -> bytes:
    command = ["curl", "--silent", "--show-error", "--fail-with-body", *arguments]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def curl_speech(url: str, path: Path, **body: str) -> np.ndarray:
    sent = json.dumps(body)
    header = "Content-Type: application/json"
    curl("--no-buffer", f"{url}/audio/speech", "-H", header, "-d", sent, "-o", str(path))
    return decoded(path.read_bytes())


def test_curl_lists_the_models(url: str) -> None:
    names = {model["id"] for model in json.loads(curl(f"{url}/models"))["data"]}
    assert {"whisper-base", "hibari", "kokoro", "espeak", "whisper-1", "tts-1"} <= names


def test_curl_transcribes_a_wav(url: str, speaker: Speaker, tmp_path: Path) -> None:
    file = tmp_path / "speech.wav"
    file.write_bytes(wav(recorded(speaker, EN, "en")))
    form = ["-F", f"file=@{file}", "-F", "model=whisper-1"]
    text = json.loads(curl(f"{url}/audio/transcriptions", *form))["text"]
    assert {"capital", "france", "paris"} <= words(text)
    plain = curl(f"{url}/audio/transcriptions", *form, "-F", "response_format=text").decode()
    assert plain == f"{text}\n"


def test_curl_streams_speech(url: str, transcriber: Transcriber, tmp_path: Path) -> None:
    for voice, language, text, expected in (
        ("alloy", "en", EN, {"capital", "france", "paris"}),
        ("hibari/heart", "en", EN, {"capital", "france", "paris"}),
        ("kokoro/ff_siwis", "fr", FR, {"bonjour", "capitale", "belle", "ville"}),
    ):
        samples = curl_speech(url, tmp_path / "a.mp3", input=text, model="tts-1", voice=voice)
        heard = transcriber.transcribe(samples, 24_000, language)
        assert expected <= words(heard), heard


def words(text: str) -> set[str]:
    return {word.strip(".,!?").lower() for word in text.replace("-", " ").split()}


async def test_the_official_client_lists_speaks_and_transcribes(
    url: str, transcriber: Transcriber
) -> None:
    async with openai.AsyncClient(api_key="none", base_url=url, max_retries=0) as client:
        assert "whisper-1" in [model.id async for model in client.models.list()]
        speech = await client.audio.speech.create(input=EN, model="tts-1", voice="nova")
        heard = await client.audio.transcriptions.create(
            file=("speech.mp3", speech.content), model="whisper-1"
        )
        assert {"capital", "france", "paris"} <= words(heard.text)
        french = await client.audio.speech.create(
            input=FR, model="tts-1", voice="nova", extra_body={"language": "fr"}
        )
        verbose = await client.audio.transcriptions.create(
            file=("speech.mp3", french.content), model="whisper-1", response_format="verbose_json"
        )
    assert verbose.language == "french"
    assert {"capitale", "madrid"} <= words(verbose.text), verbose.text


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac", "wav"])
async def test_what_it_says_in_any_format_it_understands(url: str, name: str) -> None:
    async with openai.AsyncClient(api_key="none", base_url=url, max_retries=0) as client:
        speech = await client.audio.speech.create(
            input=EN,
            model="tts-1",
            voice="hibari/heart",
            response_format=name,  # type: ignore[arg-type]
        )
        heard = await client.audio.transcriptions.create(
            file=(f"speech.{name}", speech.content), model="whisper-1"
        )
    assert {"capital", "france", "paris"} <= words(heard.text), heard.text


@pytest.mark.parametrize(
    ("text", "language", "times"),
    [(EN, "en", 1), (FR, "fr", 1), (LONG, "en", 4)],
    ids=["English", "French", "longer than the model hears"],
)
async def test_a_file_reads_word_for_word_as_a_stream_does(
    engine: TcpEngine, speaker: Speaker, text: str, language: str, times: int
) -> None:
    samples = np.tile(recorded(speaker, text, language), times)
    async with openai.AsyncClient(
        api_key="none", base_url=f"{engine.address}/v1", max_retries=0
    ) as client:
        file = await client.audio.transcriptions.create(
            file=("speech.wav", wav(samples)), model="whisper-1"
        )
    plugin = local.STT(engine=engine.address, languages=("en", "fr"))
    async with plugin.stream(conn_options=APIConnectOptions(max_retry=0, timeout=60)) as stream:
        for at in range(0, len(samples), 800):
            frame = samples[at : at + 800]
            stream.push_frame(rtc.AudioFrame(frame.tobytes(), 16_000, 1, len(frame)))
        stream.end_input()
        finals = [
            event.alternatives[0].text
            async for event in stream
            if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT
        ]
    await plugin.aclose()
    # A long recording is cut at pauses, and frames of another size move the cut a little: that may
    # change a comma, never a word.
    (final,) = finals
    assert re.findall(r"\w+", file.text.lower()) == re.findall(r"\w+", final.lower())
    assert len(words(text) & words(file.text)) > 0.8 * len(words(text)), file.text


async def test_over_the_unix_socket_with_curl(
    speaker: Speaker, transcriber: Transcriber, tmp_path: Path
) -> None:
    engine = EngineProcess(tmp_path, dict(os.environ))
    engine.start()
    try:
        await engine.ready()
        file = tmp_path / "speech.wav"
        file.write_bytes(wav(recorded(speaker, EN, "en")))
        socket = ["--unix-socket", engine.address.removeprefix("unix:")]
        form = ["-F", f"file=@{file}", "-F", "model=whisper-1"]
        answer = curl(*socket, "http://engine/v1/audio/transcriptions", *form)
        assert {"capital", "france", "paris"} <= words(json.loads(answer)["text"])
    finally:
        engine.kill()
