"""Captions that run with the voice, for plugins that claim to time their text."""

from livekit.agents.utils import is_given

from tests.conformance.kit import demand, only_if, rule
from tests.conformance.kit.tones import sentence, statement
from tests.conformance.kit.tts_bench import TTSBench

_SLACK = 0.05


@rule("tts", why="Captions jump, or show what was not said; after a barge-in history is wrong.")
async def timed_transcripts(bench: TTSBench) -> None:
    """Timed text comes in order, lies within the audio, and is the text that was spoken."""
    only_if(bench.speaker.capabilities.aligned_transcript, "timed text")
    text = f"{statement(9)} {sentence(7).capitalize()}, {sentence(4)}. {statement(6)}"
    speech = await bench.speak(text)
    demand(speech.error is None, f"{speech.error!r} came out")
    joined = " ".join("".join(speech.timed).split())
    demand(joined == text, f"{text!r} came as {joined!r}")
    starts = [part.start_time for part in speech.timed if is_given(part.start_time)]
    ends = [part.end_time for part in speech.timed if is_given(part.end_time)]
    demand(len(starts) == len(speech.timed), "some of it has no time")
    for times in (starts, ends):
        demand(times == sorted(times), f"the times go back: {times}")
    latest = max([*starts, *ends])
    demand(
        min(starts) >= 0 and latest <= speech.seconds + _SLACK,
        f"it lasts until {latest:.2f} s, and the audio {speech.seconds:.2f} s",
    )
