"""The flush: the session's way to say that the turn is over."""

from tests.conformance.kit import demand, only_if, rule
from tests.conformance.kit.deadlines import LATE
from tests.conformance.kit.stt_bench import FINAL, STTBench, push, silence, utter
from tests.conformance.kit.tones import sentence, words_of


@rule("stt", why="The agent answers late: the session waits for the words after it ended the turn.")
async def flush_gives_final(bench: STTBench) -> None:
    """A flush gives the final transcript in time, with or without a pause before it."""
    only_if(bench.plugin.capabilities.manual_flush, "manual flush")
    said = [sentence(6), sentence(5, start=9)]
    async with bench.hearing() as hearing:
        for at, (text, pause) in enumerate(zip(said, (0.4, 0.0), strict=True)):
            utter(hearing.stream, text, pause=pause)
            await hearing.finals(at + 1, LATE)
    demand(hearing.texts() == said, f"{said} was heard as {hearing.texts()}")


@rule("stt", why="The framework flushes when a session closes: a final then is a turn nobody took.")
async def flush_without_audio(bench: STTBench) -> None:
    """A flush without new audio, and the end of the input after it, give no transcript."""
    said = sentence(5)
    async with bench.hearing() as hearing:
        hearing.stream.flush()
        utter(hearing.stream, said)
        await hearing.finals(1)
        for _ in range(3):
            hearing.stream.flush()
        hearing.stream.end_input()
        await hearing.over()
    demand(hearing.error is None, f"{hearing.error!r} came out")
    demand(hearing.texts() == [said], f"{said!r} was heard as {hearing.texts()}")


@rule("stt", why="A cough makes a turn of no words, or repeats the last one.")
async def flush_of_silence(bench: STTBench) -> None:
    """A flush after nothing but silence gives no transcript."""
    async with bench.hearing() as hearing:
        utter(hearing.stream, sentence(5))
        await hearing.finals(1)
        before = len(hearing.transcripts)
        push(hearing.stream, silence(1))
        hearing.stream.flush()
        push(hearing.stream, silence(1))
        hearing.stream.end_input()
        await hearing.over()
    demand(hearing.error is None, f"{hearing.error!r} came out")
    more = [data.text for _, data in hearing.transcripts[before:]]
    demand(not more, f"silence was heard as {more}")


@rule("stt", why="Two quick sentences are answered in the wrong order, or one not at all.")
async def flushes_in_a_row(bench: STTBench) -> None:
    """Utterances flushed before the one before was answered give their finals in order."""
    said = [sentence(4, start=4 * at) for at in range(4)]
    async with bench.hearing() as hearing:
        for text in said:
            utter(hearing.stream, text)
        hearing.stream.end_input()
        await hearing.over()
    demand(hearing.texts() == said, f"{said} was heard as {hearing.texts()}")


@rule("stt", why="Who goes on speaking after the turn detector's mistake loses words or repeats.")
async def flush_amid_speech(bench: STTBench) -> None:
    """Speech that goes on after a flush is heard whole: no word is lost, none comes twice."""
    said = [sentence(6), sentence(6, start=6), sentence(6, start=12)]
    async with bench.hearing() as hearing:
        for text in said:
            utter(hearing.stream, text, pause=0.0)
        push(hearing.stream, silence(0.4))
        hearing.stream.end_input()
        await hearing.over()
    demand(hearing.words == words_of(" ".join(said)), f"{said} was heard as {hearing.texts()}")


@rule("stt", why="The framework opens a stream for every agent, even one that nobody talks to.")
async def no_audio(bench: STTBench) -> None:
    """A stream that gets no audio ends cleanly, without a transcript or an error."""
    async with bench.hearing() as hearing:
        hearing.stream.end_input()
        await hearing.over()
    demand(hearing.error is None, f"{hearing.error!r} came out")
    kinds = [kind.value for kind, _ in hearing.transcripts if kind is FINAL]
    demand(not kinds and not bench.errors, f"{kinds} came, with the errors {bench.errors}")
