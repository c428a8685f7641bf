"""Audio as it comes: any rate, any frame, sound or not."""

import numpy as np

from tests.conformance.kit import demand, rule
from tests.conformance.kit.stt_bench import STTBench, push, silence, utter
from tests.conformance.kit.tones import sentence

RATES = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)


@rule("stt", why="A telephone's 8 kHz or a browser's 48 kHz is heard as gibberish.")
async def any_rate(bench: STTBench) -> None:
    """Audio of 8 to 48 kHz is heard as the same words."""
    said = sentence(6)
    for rate in RATES:
        hearing = await bench.hear(said, rate=rate)
        demand(hearing.texts() == [said], f"at {rate} Hz {said!r} was heard as {hearing.texts()}")


@rule("stt", why="Stereo taken for mono is heard at half the speed.")
async def stereo(bench: STTBench) -> None:
    """Stereo is heard as the same words as mono."""
    said = sentence(6)
    for rate in (16_000, 48_000):
        hearing = await bench.hear(said, rate=rate, channels=2)
        demand(hearing.texts() == [said], f"{said!r} in stereo was heard as {hearing.texts()}")


@rule("stt", why="Rooms, telephones and tests cut audio differently; words fall between frames.")
async def any_frame_length(bench: STTBench) -> None:
    """Frames of 10 ms and of 200 ms are heard as the same words."""
    said = sentence(6)
    for frame_ms in (10, 200):
        hearing = await bench.hear(said, frame_ms=frame_ms)
        demand(
            hearing.texts() == [said],
            f"in frames of {frame_ms} ms {said!r} was heard as {hearing.texts()}",
        )


@rule("stt", why="The agent answers to a silent line.")
async def silent_line(bench: STTBench) -> None:
    """Half a minute of silence gives no transcript and no error."""
    async with bench.hearing() as hearing:
        push(hearing.stream, silence(30), frame_ms=200)
        hearing.stream.end_input()
        await hearing.over()
    demand(hearing.error is None, f"{hearing.error!r} came out")
    demand(not hearing.transcripts, f"silence was heard as {hearing.transcripts}")


@rule("stt", why="The agent answers to a fan.")
async def noise(bench: STTBench) -> None:
    """Background noise gives no transcript, and adds none to the words after it."""
    said = sentence(5)
    hiss = np.random.default_rng(7).normal(0, 0.03, 5 * 16_000).astype(np.float32)
    async with bench.hearing() as hearing:
        push(hearing.stream, hiss)
        hearing.stream.flush()
        push(hearing.stream, hiss)
        utter(hearing.stream, said)
        hearing.stream.end_input()
        await hearing.over()
    demand(hearing.error is None, f"{hearing.error!r} came out")
    demand(hearing.texts() == [said], f"noise and {said!r} were heard as {hearing.texts()}")
