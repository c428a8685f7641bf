"""A failed attempt is made up for: everything is said, and nothing twice."""

import asyncio
import threading
from collections.abc import Callable

from tests.conformance.kit import Backend, Journal, deadlines, demand, rule
from tests.conformance.kit.tones import sentence, statement, words_of
from tests.conformance.kit.tts_bench import TTSBench


@rule("tts", why="One hiccup of the engine, and the caller waits for an answer that never comes.")
async def failure_before_audio(bench: TTSBench) -> None:
    """A failure before the first audio is tried again, and the text is spoken once and whole."""
    await bench.server_will(fail_after_words=0, voice_failures=1)
    text = f"{statement(9)} {statement(7, start=9)}"
    speech = await bench.speak(text, retries=1)
    demand(speech.error is None, f"{speech.error!r} came out")
    demand(speech.words == words_of(text), f"{text!r} was heard as {speech.words}")
    recoverable = [event.recoverable for event in bench.errors]
    demand(recoverable == [True], f"the error events were {bench.errors}")


@rule("tts", why="The reply is still being written when its first attempt fails.")
async def text_across_attempts(bench: TTSBench) -> None:
    """Text from before and after a failed attempt is spoken once, in order, by the next one."""
    await bench.server_will(fail_after_words=0, voice_failures=1)
    parts = [f"{statement(9)} {sentence(4, start=9).capitalize()} ", statement(5, start=13)]
    stream = bench.stream(retries=1)
    stream.push_text(parts[0])
    await bench.until(lambda _: bool(bench.errors), "failed")
    stream.push_text(parts[1])
    stream.end_input()
    speech = await bench.listen(stream)
    said = words_of("".join(parts))
    demand(speech.error is None, f"{speech.error!r} came out")
    demand(speech.words == said, f"{said} was heard as {speech.words}")


@rule(
    "tts",
    why="The framework asks how much was delivered before it tries again; what was pushed in the "
    "same breath as the failure is not counted yet, and is heard twice.",
)
async def push_then_raise(bench: TTSBench) -> None:
    """Audio that comes together with a failure is not repeated by another attempt."""
    text = statement(9)
    # So that there is time between the request's arrival and the audio.
    await bench.server_will(pace=1.0, fail_after_words=1, voice_failures=1)
    stream = bench.stream(retries=1)
    stream.push_text(text)
    stream.end_input()
    await bench.until(lambda journal: bool(journal.spoken), "began to speak")
    _hold_everything_until(bench.server, lambda journal: journal.words > 0)
    speech = await bench.listen(stream)
    said = words_of(text)
    demand(
        speech.words == said[: len(speech.words)],
        f"{text!r} was heard as {speech.words}; attempts: {len(bench.attempts)}",
    )


def _hold_everything_until(server: Backend, condition: Callable[[Journal], bool]) -> None:
    """Stop this loop, and with it plugin and proxy, so that they get all that came at once."""

    async def wait() -> None:
        async with asyncio.timeout(deadlines.PATIENCE):
            while not condition(await server.journal()):
                await asyncio.sleep(0.01)
            # Each answer means one more turn of the server's loop.
            for _ in range(10):
                await server.journal()

    thread = threading.Thread(target=lambda: asyncio.run(wait()))
    thread.start()
    thread.join()
