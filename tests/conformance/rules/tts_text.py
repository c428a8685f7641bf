"""What becomes of the text: every word is spoken, once, and what cannot be spoken does no harm."""

import asyncio
from collections.abc import Sequence

from livekit.agents import tts

from tests.conformance.kit import deadlines, demand, rule
from tests.conformance.kit.rules import Broken
from tests.conformance.kit.tones import sentence, statement, words_of
from tests.conformance.kit.tts_bench import TTSBench
from tests.conformance.kit.tts_speech import Speech

PACE = 0.005
"""Seconds between two pieces of a reply: a fast model's pace."""


@rule(
    "tts",
    why="Every turn that only calls a tool opens a stream and never writes to it; an error there "
    "ends the call after four such turns.",
)
async def no_text(bench: TTSBench) -> None:
    """A stream that gets no text ends without audio and without error."""
    speech = await bench.speak()
    demand(speech.error is None, f"{speech.error!r} came out")
    demand(not speech.audio, f"{speech.seconds:.2f} s of audio came out")
    demand(not bench.errors, f"error events were emitted: {bench.errors}")


@rule("tts", why="A reply that is cut or repeated is worse than a slow one.")
async def every_word_once(bench: TTSBench) -> None:
    """Each word of a reply is spoken once, in order."""
    text = f"{statement(9)} {statement(7, start=9)}"
    speech = await bench.speak(text)
    demand(speech.error is None, f"{speech.error!r} came out")
    demand(speech.words == words_of(text), f"{text!r} was heard as {speech.words}")


@rule("tts", why="A model that answers with a line break must not cost an error and three retries.")
async def blank_text(bench: TTSBench) -> None:
    """White space alone is no text: no audio, no error, no retry."""
    for text in (" ", "\n\n", "\t \u00a0"):
        speech = await bench.speak(text, retries=2)
        demand(speech.error is None, f"{text!r} ended with {speech.error!r}")
        demand(speech.silent, f"{text!r} was heard")
    demand(not bench.errors, f"error events were emitted: {bench.errors}")


@rule(
    "tts",
    why="Without a single frame of audio the framework calls the text failed and tries it again, "
    "so that a smiley costs seconds.",
)
async def unspeakable_text(bench: TTSBench) -> None:
    """Punctuation and emoji alone are silence at most: no error, no retry, nothing to be heard."""
    for text in ("...", "🙂", "—", "?!"):
        speech = await bench.speak(text, retries=2)
        demand(speech.error is None, f"{text!r} ended with {speech.error!r}")
        demand(speech.silent, f"{text!r} was heard as {speech.words}")
    demand(not bench.errors, f"error events were emitted: {bench.errors}")


@rule("tts", why="Models do write such sentences, and an engine has a limit that cuts them off.")
async def long_sentence(bench: TTSBench) -> None:
    """One sentence of 2 000 characters is spoken to its end."""
    text = statement(320)
    speech = await bench.speak(text)
    demand(speech.error is None, f"{speech.error!r} came out")
    demand(speech.words == words_of(text), f"{len(speech.words)} of 320 words were heard")


@rule("tts", why="A story or a long answer that breaks off sounds like a crash.")
async def long_reply(bench: TTSBench) -> None:
    """A reply of 10 000 characters is spoken to its end."""
    sentences = [f"{statement(40, start=at)} " for at in range(0, 1600, 40)]
    text = "".join(sentences)
    speech = await bench.speak(*sentences)
    demand(len(text) >= 10_000 and speech.error is None, f"{speech.error!r} came out")
    words = words_of(text)
    demand(speech.words == words, f"{len(speech.words)} of {len(words)} words were heard")


@rule("tts", why="Language models write in pieces of words: joined wrongly they are other words.")
async def pieces_of_words(bench: TTSBench) -> None:
    """A reply in pieces, cut anywhere, at a language model's pace, is spoken as one text."""
    text = f"{sentence(8)}, {statement(5, start=8)} {statement(6, start=13)}"
    stream = bench.stream()
    for at in range(0, len(text), 3):
        stream.push_text(text[at : at + 3])
        await asyncio.sleep(PACE)
    stream.end_input()
    speech = await bench.listen(stream)
    demand(speech.error is None, f"{speech.error!r} came out")
    demand(speech.words == words_of(text), f"{text!r} was heard as {speech.words}")


@rule("tts", why="A voice that waits for the whole reply adds seconds before the first word.")
async def speaks_while_written(bench: TTSBench) -> None:
    """The first sentences are spoken while the reply is still being written."""
    text = f"{statement(9)} {statement(7, start=9)} {statement(8, start=16)} "
    stream = bench.stream()
    stream.push_text(text)
    first = await bench.next_audio(stream)
    stream.push_text(statement(4))
    stream.end_input()
    speech = await bench.listen(stream, after=[first])
    said = words_of(f"{text} {sentence(4)}")
    demand(speech.error is None, f"{speech.error!r} came out")
    demand(speech.words == said, f"{said} was heard as {speech.words}")


@rule("tts", why="A model that calls a tool in mid-reply pauses for seconds; that is no fault.")
async def pause_in_text(bench: TTSBench) -> None:
    """A pause of the language model, however long, is not a timeout of the voice."""
    text = f"{statement(9)} {statement(7, start=9)} {sentence(3, start=16)}"
    stream = bench.stream(timeout=deadlines.TIMEOUT)
    stream.push_text(text)
    first = await bench.next_audio(stream)
    await asyncio.sleep(2 * deadlines.TIMEOUT)
    stream.push_text(f" {statement(4)}")
    stream.end_input()
    speech = await bench.listen(stream, after=[first])
    said = words_of(f"{text} {sentence(4)}")
    demand(speech.error is None, f"{speech.error!r} came out")
    demand(speech.words == said, f"{said} was heard as {speech.words}")


@rule(
    "tts", why="Whoever flushes waits for the sound, and an agent that never speaks is hung up on."
)
async def flush_speaks(bench: TTSBench) -> None:
    """After a flush the text so far is spoken to its end, though no sentence ended."""
    text = sentence(9)
    stream = bench.stream()
    stream.push_text(text)
    stream.flush()
    audio = [await bench.next_audio(stream)]
    while (heard := await _words(bench, audio)) != words_of(text):
        try:
            audio.append(await bench.next_audio(stream))
        except Broken:
            demand(False, f"{heard} is all that was heard of {text!r} after its flush")
    stream.end_input()
    speech = await bench.listen(stream, after=audio)
    demand(speech.error is None, f"{speech.error!r} came out")
    demand(speech.words == words_of(text), f"after the end of input {speech.words} was heard")


@rule("tts", why="Filters in front of a voice flush whenever they like.")
async def empty_flush(bench: TTSBench) -> None:
    """A flush before the first text or after the last one changes nothing."""
    text = statement(9)
    stream = bench.stream()
    stream.flush()
    stream.push_text(text)
    stream.flush()
    stream.flush()
    stream.end_input()
    speech = await bench.listen(stream)
    demand(speech.error is None, f"{speech.error!r} came out")
    demand(speech.words == words_of(text), f"{text!r} was heard as {speech.words}")


@rule("tts", why="`session.say` and the framework's adapters use `synthesize`, not `stream`.")
async def whole_text(bench: TTSBench) -> None:
    """`synthesize` speaks a whole text as a stream does: every word, once."""
    text = f"{statement(9)} {statement(7, start=9)}"
    speech = await bench.say(text)
    demand(speech.error is None, f"{speech.error!r} came out")
    demand(speech.words == words_of(text), f"{text!r} was heard as {speech.words}")


async def _words(bench: TTSBench, audio: Sequence[tts.SynthesizedAudio]) -> list[str]:
    """Return the words in audio that is still coming; an ear may take longer than a heartbeat."""
    return await asyncio.to_thread(lambda: Speech(list(audio), None, None, 0, bench.ear).words)
