"""What becomes of the words: which transcripts come, when, and with what in them."""

from contextlib import suppress

from livekit.agents import stt

from tests.conformance.kit import demand, only_if, rule
from tests.conformance.kit.deadlines import LATE, TIMEOUT
from tests.conformance.kit.rules import Broken
from tests.conformance.kit.stt_bench import (
    FINAL,
    INTERIM,
    PREFLIGHT,
    TRANSCRIPTS,
    Hearing,
    STTBench,
    push,
    utter,
)
from tests.conformance.kit.tones import sentence, speak, words_of


@rule("stt", why="Two finals make two turns: the agent answers twice. None leaves it waiting.")
async def one_final_each(bench: STTBench) -> None:
    """Each utterance gives exactly one final transcript, with its words."""
    said = [sentence(6), sentence(4, start=8), sentence(5, start=15)]
    hearing = await bench.hear(*said)
    demand(hearing.error is None, f"{hearing.error!r} came out")
    demand(hearing.texts() == said, f"{said} was heard as {hearing.texts()}")


@rule("stt", why="The caller's last words before the microphone closes are lost.")
async def end_of_input_gives_final(bench: STTBench) -> None:
    """The end of the input ends the utterance: its final transcript comes, then the stream ends."""
    said = sentence(6)
    async with bench.hearing() as hearing:
        utter(hearing.stream, said, flush=False)
        hearing.stream.end_input()
        await hearing.over()
    demand(hearing.error is None, f"{hearing.error!r} came out")
    demand(hearing.texts() == [said], f"{said!r} was heard as {hearing.texts()}")


@rule("stt", why="Who hesitates in mid-sentence loses the beginning of it.")
async def pauses_lose_nothing(bench: STTBench) -> None:
    """A pause within an utterance loses and doubles no word."""
    said = [sentence(3), sentence(3, start=3), sentence(3, start=6)]
    async with bench.hearing() as hearing:
        for text in said:
            utter(hearing.stream, text, pause=0.3, flush=False)
        hearing.stream.end_input()
        await hearing.over()
    demand(hearing.words == words_of(" ".join(said)), f"{said} was heard as {hearing.texts()}")


@rule("stt", why="The page shows nothing while the caller speaks, and barge-in by words fails.")
async def interims_come(bench: STTBench) -> None:
    """While somebody speaks, interim transcripts come without a flush."""
    only_if(bench.plugin.capabilities.interim_results, "interim transcripts")
    said = words_of(sentence(20))
    async with bench.hearing() as hearing:
        push(hearing.stream, speak(" ".join(said), 16_000))
        await hearing.until(lambda: bool(hearing.texts(INTERIM)), "an interim transcript", LATE)
        shown = words_of(hearing.texts(INTERIM)[0])
        # A word that is still being said may be heard as another.
        demand(shown[:-1] == said[: len(shown) - 1], f"{said} was shown as {shown}")


@rule("stt", why="A late interim shows the caller's last sentence again, and looks like speech.")
async def final_comes_last(bench: STTBench) -> None:
    """No interim or preflight transcript of an utterance comes after its final one."""
    said = [sentence(12), sentence(12, start=13)]
    async with bench.hearing() as hearing:
        for at, text in enumerate(said):
            utter(hearing.stream, text, flush=False)
            await bench.listened((at + 1) * 1.6)
            hearing.stream.flush()
            await hearing.finals(at + 1)
        hearing.stream.end_input()
        await hearing.over()
    late = _after_their_final(hearing, said)
    demand(not late, f"after the final of the utterance came {late}")


def _after_their_final(hearing: Hearing, said: list[str]) -> list[tuple[str, str]]:
    late, current = [], [*map(words_of, said), []]
    finals = 0
    for kind, data in hearing.transcripts:
        if kind is FINAL:
            finals += 1
        elif words_of(data.text)[0] not in current[finals]:
            late.append((kind.value, data.text))
    return late


@rule("stt", why="A reply is prepared for words that the caller did not say, and thrown away.")
async def preflight_stands(bench: STTBench) -> None:
    """What is announced before the flush is what the final transcript says."""
    said = sentence(7)
    async with bench.hearing() as hearing:
        utter(hearing.stream, said, flush=False)
        with suppress(Broken):
            # Nobody has to announce anything.
            await hearing.until(lambda: bool(hearing.texts(PREFLIGHT)), "a preflight", TIMEOUT)
        hearing.stream.flush()
        await hearing.finals(1)
    announced = hearing.texts(PREFLIGHT)[-1:]
    demand(announced in ([], hearing.texts()), f"{announced} became {hearing.texts()}")


@rule("stt", why="The framework reads the first alternative: an event without one ends the ear.")
async def events_are_whole(bench: STTBench) -> None:
    """Transcripts have text and a confidence in [0, 1]; usage events say how much was used."""
    hearing = await bench.hear(sentence(60), sentence(5))
    for _, event in hearing.events:
        if event.type in TRANSCRIPTS:
            demand(bool(event.alternatives), f"{event.type.value} without an alternative came")
            confidence = event.alternatives[0].confidence
            demand(0 <= confidence <= 1, f"a confidence of {confidence} came")
        elif event.type is stt.SpeechEventType.RECOGNITION_USAGE:
            demand(event.recognition_usage is not None, "a usage event without usage came")


@rule("stt", why="The voice and the turn detector follow the language: French is read as English.")
async def language_reported(bench: STTBench) -> None:
    """Each final transcript names the language that was spoken."""
    async with bench.hearing(language="fr") as hearing:
        utter(hearing.stream, sentence(5))
        await hearing.finals(1)
    (data,) = hearing.alternatives()
    demand(data.language.language == "fr", f"French was reported as {data.language!r}")
