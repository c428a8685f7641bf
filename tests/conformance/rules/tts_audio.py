"""What the audio is like: whole, in the declared format, in one segment that ends once."""

import numpy as np

from tests.conformance.kit import demand, rule
from tests.conformance.kit.tones import WORD_SECONDS, statement, words_of
from tests.conformance.kit.tts_bench import TTSBench

_SLACK = 0.15
"""Seconds that codecs and framing may add to a text's duration."""


@rule(
    "tts",
    why="The framework ends a reply that has two segments with an error, after it was spoken.",
)
async def one_segment(bench: TTSBench) -> None:
    """A stream is exactly one segment, of however many sentences."""
    speech = await bench.speak(f"{statement(9)} {statement(9)} {statement(9)}")
    demand(speech.error is None, f"{speech.error!r} came out")
    segments = {event.segment_id for event in speech.audio}
    demand(len(segments) == 1, f"audio of {len(segments)} segments came out")
    starts = [attempt.calls.count("start_segment") for attempt in bench.attempts]
    demand(max(starts) <= 1, f"segments were started {starts} times")


@rule("tts", why="Whoever plays the audio stops at the frame that says it is the last one.")
async def final_is_last(bench: TTSBench) -> None:
    """Only the last frame of a stream is final, and it is."""
    speech = await bench.speak(f"{statement(9)} {statement(9)} {statement(9)}")
    finals = [at for at, event in enumerate(speech.audio) if event.is_final]
    last = len(speech.audio) - 1
    demand(finals == [last], f"of {last + 1} frames those numbered {finals} were final")


@rule(
    "tts", why="The framework drops it, or fails the reply that was just spoken without a reason."
)
async def silent_after_end(bench: TTSBench) -> None:
    """No audio is pushed once the segment has ended."""
    speech = await bench.speak(f"{statement(9)} {statement(7)}")
    demand(speech.error is None, f"{speech.error!r} came out")
    for attempt in bench.attempts:
        ends = [attempt.calls.index(end) for end in _ENDS if end in attempt.calls]
        late = [call for call in attempt.calls[min(ends, default=0) :] if call in _PUSHES]
        demand(not late, f"{len(late)} pushes came after the end: {attempt.calls}")


@rule("tts", why="The framework drops everything else, with nothing but a warning in its log.")
async def bytes_only(bench: TTSBench) -> None:
    """Audio is pushed as `bytes`: no bytearray, memoryview or array."""
    await bench.speak(statement(9))
    await bench.say(statement(9))
    pushed = [data for attempt in bench.attempts for _, data in attempt.pushed]
    others = {type(data).__name__ for data in pushed if not isinstance(data, bytes)}
    demand(not others, f"{', '.join(sorted(others))} was pushed")


@rule("tts", why="A sample that is too loud for 16 bits and wraps around is a loud crack.")
async def full_scale(bench: TTSBench) -> None:
    """What is too loud for 16 bits is clipped; it never wraps around."""
    await bench.server_will(gain=1.5)
    text = statement(9)
    speech = await bench.speak(text)
    demand(not speech.silent, f"{speech.error!r} came out")
    leap = float(np.abs(np.diff(speech.samples)).max())
    # The highest tone moves by 0.6 between two samples, and a tone may begin or end with 1.
    demand(leap < 1.3, f"two neighbouring samples differ by {leap:.2f} of full scale")
    demand(speech.words == words_of(text), f"{text!r} was heard as {speech.words}")


@rule("tts", why="Half a sample that is lost turns the rest of the reply into noise.")
async def odd_bytes(bench: TTSBench) -> None:
    """Audio that comes cut in the middle of samples is put together again."""
    await bench.server_will(odd_chunks=True)
    bench.proxy.slice_bytes = 997
    text = statement(9)
    speech = await bench.speak(text)
    demand(speech.error is None, f"{speech.error!r} came out")
    demand(speech.words == words_of(text), f"{text!r} was heard as {speech.words}")


@rule(
    "tts", why="Adapters and the room's output trust the declared format: speech slows or squeaks."
)
async def declared_format(bench: TTSBench) -> None:
    """Frames have the plugin's sample rate and channels, and are at most 250 ms long."""
    speech = await bench.speak(statement(9))
    declared = (bench.plugin.sample_rate, bench.plugin.num_channels)
    formats = {(event.frame.sample_rate, event.frame.num_channels) for event in speech.audio}
    demand(formats == {declared}, f"{declared} is declared, {sorted(formats)} came out")
    longest = max(event.frame.duration for event in speech.audio)
    demand(longest <= 0.25, f"a frame was {longest:.2f} s long")


@rule("tts", why="Missing or added time is cut words, gaps, or captions that run away.")
async def duration(bench: TTSBench) -> None:
    """The audio takes as long as the text takes to say, and its pitch is right."""
    text = statement(20)
    speech = await bench.speak(text)
    expected = 20 * WORD_SECONDS
    demand(
        abs(speech.seconds - expected) <= _SLACK,
        f"{expected:.2f} s of speech took {speech.seconds:.2f} s",
    )
    demand(speech.words == words_of(text), f"{text!r} was heard as {speech.words}")


_ENDS = ("end_segment", "end_input")
_PUSHES = ("push", "push_frame")
