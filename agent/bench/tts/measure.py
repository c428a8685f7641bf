"""Measures one voice."""

import asyncio
from collections.abc import Callable

from agent.bench.engine import Engine
from agent.bench.tts.corpus import PHRASES, REPLIES, sentences, timed
from agent.bench.tts.figures import GAP_SECONDS, Crowd, Figures, Soak
from agent.bench.tts.speech import Speaker, Speech
from agent.bench.tts.wer import Listener
from agent.caller.report import Latency

# People do not ask at the same instant.
_STAGGER_SECONDS = 0.37
_REPLIES_PER_CALL = 2
_TENTHS = 10

Say = Callable[[str], None]


async def measure_speed(
    engine: Engine, speaker: Speaker, figures: Figures, *, rounds: int, pace: float
) -> None:
    """Fill in how fast the voice is.

    Args:
        engine: The engine; nobody else uses it.
        speaker: The voice.
        figures: Where the results go.
        rounds: How many sentences, phrases and replies are spoken.
        pace: Tokens per second in which replies are written.

    Raises:
        APIError: The engine failed.
    """
    language = speaker.language
    before = await engine.stand_ins()
    spoken = [await speaker.say(sentence.text) for sentence in sentences(language)[: rounds + 1]]
    figures.cold_ms = 1000 * spoken[0].first
    figures.warm_ms = _firsts(spoken[1:])
    figures.real_time = sum(speech.last for speech in spoken[1:]) / sum(
        speech.seconds for speech in spoken[1:]
    )
    phrase = PHRASES[language]
    await speaker.say(phrase, known=True)
    figures.cached_ms = _firsts([await speaker.say(phrase, known=True) for _ in range(2 * rounds)])
    ours, plain = [], []
    for number in range(max(1, rounds // 2)):
        reply = REPLIES[language][number % len(REPLIES[language])]
        # By turns, so that what else the machine does troubles both.
        ours.append(await speaker.say(reply, pace=pace))
        plain.append(await speaker.say_plainly(reply, pace))
    figures.reply_ms, figures.plain_reply_ms = _firsts(ours), _firsts(plain)
    figures.gaps_ms = [1000 * gap for speech in ours for gap in _audible(speech)]
    figures.megabytes = engine.usage.megabytes if engine.usage else None
    figures.stand_ins = round(await engine.stand_ins() - before)


async def measure_by_ear(
    engine: Engine, speaker: Speaker, listener: Listener, figures: Figures, limit: int | None
) -> None:
    """Have the fixed sentences spoken, written down, and their words found in the audio.

    A sentence of which another voice spoke a part does not count.

    Raises:
        APIError: The engine failed.
    """
    starts: list[float] = []
    ends: list[float] = []
    judged = sentences(speaker.language)[:limit]
    for sentence in timed(speaker.language)[:limit]:
        before = await engine.stand_ins()
        speech = await speaker.say(sentence.text)
        if stood_in := round(await engine.stand_ins() - before):
            figures.stand_ins += stood_in
            continue
        if sentence in judged:
            figures.understood.append(await asyncio.to_thread(listener.hear, sentence, speech))
        offsets = await asyncio.to_thread(listener.time, sentence, speech)
        starts += map(abs, offsets.starts)
        ends += map(abs, offsets.ends)
    figures.word_starts_ms, figures.word_ends_ms = Latency.of(starts), Latency.of(ends)


async def measure_crowd(engine: Engine, speakers: list[Speaker], *, pace: float) -> Crowd:
    """Let all of these speak at once, each for another call.

    Raises:
        APIError: The engine failed.
    """
    before = await engine.stand_ins()

    async def call(number: int, speaker: Speaker) -> list[Speech]:
        await asyncio.sleep(number * _STAGGER_SECONDS)
        replies = REPLIES[speaker.language]
        return [
            await speaker.say(replies[(number + turn) % len(replies)], pace=pace)
            for turn in range(_REPLIES_PER_CALL)
        ]

    calls = await asyncio.gather(*(call(*each) for each in enumerate(speakers)))
    waits = [[1000 * speech.first for speech in speeches] for speeches in calls]
    everything = [wait for call_waits in waits for wait in call_waits]
    return Crowd(
        voice=speakers[0].voice,
        waits_ms=[max(call_waits) for call_waits in waits],
        mean_ms=sum(everything) / len(everything),
        gaps=sum(len(_audible(speech)) for speeches in calls for speech in speeches),
        stand_ins=round(await engine.stand_ins() - before),
    )


async def measure_soak(engine: Engine, speaker: Speaker, utterances: int, say: Say) -> Soak | None:
    """Speak a great many short utterances, and watch the engine's memory.

    They are the first one to three words of the fixed sentences: a slow voice takes some ten
    minutes for a thousand of them.

    Returns:
        The outcome; None where the engine is somebody else's.

    Raises:
        APIError: The engine failed.
    """
    if engine.usage is None:
        return None
    words = [sentence.text.split() for sentence in sentences(speaker.language)]
    texts = [" ".join(each[:count]) for count in range(1, 4) for each in words]
    megabytes: list[float] = []
    for number in range(1, utterances + 1):
        await speaker.say(texts[number % len(texts)])
        if number * _TENTHS // utterances > len(megabytes):
            megabytes.append(engine.usage.megabytes)
            say(f"{speaker.voice}: {number} utterances, {megabytes[-1]:.0f} MB")
    return Soak(utterances=utterances, megabytes=megabytes)


def _firsts(spoken: list[Speech]) -> Latency:
    return Latency.of([1000 * speech.first for speech in spoken])


def _audible(speech: Speech) -> list[float]:
    return [gap for gap in speech.gaps if gap > GAP_SECONDS]
