"""What the framework does with speech that a plugin must know; these fail when it changes.

Each says which code of ours, or which rule of the kit, relies on what it pins.
"""

import asyncio
import logging
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    APIConnectionError,
    APIConnectOptions,
    APIError,
    APIStatusError,
    APITimeoutError,
    tts,
)
from livekit.agents.metrics import TTSMetrics

from tests.conformance.kit.scripted import (
    RATE,
    ScriptedChunks,
    ScriptedStream,
    ScriptedTTS,
    begin,
    silence,
)

pytestmark = pytest.mark.conformance

ONCE = APIConnectOptions(max_retry=0)
TWICE = APIConnectOptions(max_retry=1)


async def speak(plugin: ScriptedTTS, text: str, options: APIConnectOptions = ONCE) -> float:
    """Return the seconds of audio that came."""
    async with plugin.stream(conn_options=options) as stream:
        if text:
            stream.push_text(text)
        stream.end_input()
        return sum([event.frame.duration async for event in stream])


async def say(plugin: ScriptedTTS, options: APIConnectOptions = ONCE) -> float:
    """Return the seconds of audio that came from `synthesize`."""
    async with plugin.synthesize("hello", conn_options=options) as stream:
        return sum([event.frame.duration async for event in stream])


async def one_second(_: ScriptedStream, emitter: tts.AudioEmitter) -> None:
    begin(emitter)
    emitter.push(silence(1))
    emitter.end_segment()


async def one_second_whole(_: ScriptedChunks, emitter: tts.AudioEmitter) -> None:
    begin(emitter, stream=False)
    emitter.push(silence(1))


async def nothing(_: ScriptedStream, emitter: tts.AudioEmitter) -> None:
    begin(emitter)


async def test_a_stream_that_gets_no_text_needs_an_emitter_all_the_same() -> None:
    """`tts.SynthesizeStream._run` initializes first of all; rule ``tts_no_text``."""

    async def does_nothing(_: ScriptedStream, __: tts.AudioEmitter) -> None:
        pass

    with pytest.raises(RuntimeError, match="AudioEmitter isn't started"):
        await speak(ScriptedTTS(does_nothing), "")
    assert await speak(ScriptedTTS(nothing), "") == 0


@pytest.mark.parametrize("kind", [bytearray, memoryview])
async def test_only_bytes_are_audio(kind: type, caplog: pytest.LogCaptureFixture) -> None:
    """`client.EngineStream.receive` copies what came into `bytes`."""

    async def pushes(_: ScriptedStream, emitter: tts.AudioEmitter) -> None:
        begin(emitter)
        emitter.push(kind(silence(1)))
        emitter.push(silence(0.5))
        emitter.end_segment()

    assert await speak(ScriptedTTS(pushes), "hello") == pytest.approx(0.5)
    assert "unknown data type" in caplog.text


async def test_a_whole_text_is_retried_after_audio() -> None:
    """Errors after audio are not ``retryable`` in `client.to_api_error`."""

    async def fails_late(_: ScriptedChunks, emitter: tts.AudioEmitter) -> None:
        begin(emitter, stream=False)
        emitter.push(silence(1))
        emitter.flush()
        await asyncio.sleep(0.01)
        raise APIConnectionError("lost")

    heard = await say(ScriptedTTS(fails_late, one_second_whole), TWICE)
    assert heard == pytest.approx(2.0, abs=0.05)


async def test_a_stream_is_not_retried_after_audio() -> None:
    """The same, of the path that calls take: there the framework sees to it."""

    async def fails_late(_: ScriptedStream, emitter: tts.AudioEmitter) -> None:
        begin(emitter)
        emitter.push(silence(1))
        await asyncio.sleep(0.01)
        raise APIConnectionError("lost")

    plugin = ScriptedTTS(fails_late, one_second)
    with pytest.raises(APIConnectionError):
        await speak(plugin, "hello", TWICE)
    assert plugin.attempts == 1


async def test_a_push_right_before_the_error_does_not_count_as_audio() -> None:
    """`tts.SynthesizeStream._receive` lets the loop run after each push."""

    async def fails_at_once(_: ScriptedStream, emitter: tts.AudioEmitter) -> None:
        begin(emitter)
        emitter.push(silence(1))
        raise APIConnectionError("lost")

    plugin = ScriptedTTS(fails_at_once, one_second)
    # The first attempt is cut a little short, and not by the framework's will.
    assert await speak(plugin, "hello", TWICE) > 1.5
    assert plugin.attempts == 2


async def test_the_text_of_a_retry_comes_in_another_channel() -> None:
    """`tts.SynthesizeStream` reads ``_input_ch`` in `_run` and never keeps it."""
    texts: list[str] = []
    channels: list[object] = []

    async def fails(stream: ScriptedStream, emitter: tts.AudioEmitter) -> None:
        channels.append(stream._input_ch)
        begin(emitter)
        texts.append(await stream.text())
        raise APIConnectionError("lost")

    with pytest.raises(APIConnectionError):
        await speak(ScriptedTTS(fails), "hello", TWICE)
    assert texts == ["hello", "hello"]
    assert channels[0] is not channels[1]


async def test_text_without_audio_is_an_error_that_is_retried() -> None:
    """``_BLANK`` of `tts` answers what cannot be spoken; rule ``tts_unspeakable_text``."""
    plugin = ScriptedTTS(nothing)
    with pytest.raises(APIError, match="no audio frames were pushed"):
        await speak(plugin, "🙂", TWICE)
    assert plugin.attempts == 2
    assert await speak(plugin, " \n") == 0


async def test_metrics_need_the_start_to_be_marked() -> None:
    """`tts.SynthesizeStream._speak` marks it with the first text."""

    async def marked(stream: ScriptedStream, emitter: tts.AudioEmitter) -> None:
        stream.mark_started()
        await one_second(stream, emitter)

    for attempt, count in ((one_second, 0), (marked, 1)):
        plugin, metrics = ScriptedTTS(attempt), list[TTSMetrics]()
        plugin.on("metrics_collected", metrics.append)
        await speak(plugin, "hello")
        assert len(metrics) == count


async def test_a_flush_at_the_end_adds_ten_milliseconds() -> None:
    """`tts.SynthesizeStream` never flushes its emitter."""

    async def flushes(_: ScriptedChunks, emitter: tts.AudioEmitter) -> None:
        await one_second_whole(_, emitter)
        emitter.flush()

    assert await say(ScriptedTTS(one_second_whole)) == pytest.approx(1.0)
    assert await say(ScriptedTTS(flushes)) == pytest.approx(1.01)


async def test_an_error_that_is_no_api_error_is_not_announced() -> None:
    """`client.api_errors` lets nothing else out: nobody would hear of it."""

    async def breaks(_: ScriptedStream, emitter: tts.AudioEmitter) -> None:
        begin(emitter)
        raise RuntimeError("out of memory")

    plugin, errors = ScriptedTTS(breaks), list[Any]()
    plugin.on("error", errors.append)
    with pytest.raises(RuntimeError):
        await speak(plugin, "hello", TWICE)
    assert (plugin.attempts, errors) == (1, [])


async def test_audio_outside_a_segment_is_an_error_only_at_the_end() -> None:
    """`tts.SynthesizeStream` starts its one segment before any audio can come."""
    seen: list[str] = []

    async def pushes(_: ScriptedStream, emitter: tts.AudioEmitter) -> None:
        emitter.initialize(
            request_id="request",
            sample_rate=RATE,
            num_channels=1,
            mime_type="audio/pcm",
            stream=True,
        )
        emitter.push(silence(1))
        seen.append("pushed")

    with pytest.raises(RuntimeError, match="start_segment"):
        await speak(ScriptedTTS(pushes), "hello")
    assert seen == ["pushed"]


async def test_audio_after_the_end_of_the_input_is_dropped_silently() -> None:
    """Rule ``tts_silent_after_end`` therefore looks at the pushes themselves."""

    async def pushes(_: ScriptedStream, emitter: tts.AudioEmitter) -> None:
        await one_second(_, emitter)
        emitter.end_input()
        emitter.push(silence(1))

    assert await speak(ScriptedTTS(pushes), "hello") == pytest.approx(1.0)


async def test_two_segments_are_one_too_many() -> None:
    """`tts.SynthesizeStream` makes one segment of all clauses."""

    async def twice(_: ScriptedStream, emitter: tts.AudioEmitter) -> None:
        await one_second(_, emitter)
        emitter.start_segment(segment_id="another")
        emitter.push(silence(1))
        emitter.end_segment()

    with pytest.raises(APIError, match="number of segments mismatch"):
        await speak(ScriptedTTS(twice), "hello")


async def test_nobody_but_the_plugin_keeps_the_timeout() -> None:
    """`watchdog.Watchdog` does; the rules ``tts_stall_…`` demand it."""

    async def stalls(_: ScriptedStream, emitter: tts.AudioEmitter) -> None:
        begin(emitter)
        await asyncio.Event().wait()

    plugin = ScriptedTTS(stalls)
    stream = plugin.stream(conn_options=APIConnectOptions(max_retry=0, timeout=0.01))
    stream.push_text("hello")
    stream.end_input()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(aiter(stream)), 0.2)
    await stream.aclose()


async def test_the_first_frame_is_ten_milliseconds_and_only_the_last_is_final() -> None:
    """Rules ``tts_final_is_last`` and ``tts_declared_format`` hold for frames of any length."""
    async with ScriptedTTS(one_second).stream(conn_options=ONCE) as stream:
        stream.push_text("hello")
        stream.end_input()
        events = [event async for event in stream]
    assert events[0].frame.duration == pytest.approx(0.01)
    assert [event.is_final for event in events] == [False] * (len(events) - 1) + [True]


async def test_pcm_is_never_resampled() -> None:
    """``protocol.TTS_SAMPLE_RATE`` is what the plugin declares and what the engine sends."""

    async def fast(_: ScriptedStream, emitter: tts.AudioEmitter) -> None:
        begin(emitter)
        emitter.push_frame(rtc.AudioFrame(silence(1), RATE // 2, 1, RATE))
        emitter.end_segment()

    assert await speak(ScriptedTTS(fast), "hello") == pytest.approx(2.0)


async def test_a_whole_text_by_a_stream_has_ten_milliseconds_more() -> None:
    """`tts.TTS.synthesize` uses this path; it is why durations there are approximate."""

    class ByStream(ScriptedTTS):
        def synthesize(self, text: str, **options: Any) -> Any:
            return self._synthesize_with_stream(text, **options)

    assert await say(ByStream(one_second)) == pytest.approx(1.01)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (APIError("x"), True),
        (APIConnectionError("x"), True),
        (APITimeoutError("x"), True),
        (APIStatusError("x", status_code=400, retryable=True), False),
        (APIStatusError("x", status_code=404, retryable=True), False),
        (APIStatusError("x", status_code=408), True),
        (APIStatusError("x", status_code=429), True),
        (APIStatusError("x", status_code=499), True),
        (APIStatusError("x", status_code=503), True),
        (APIStatusError("x", status_code=503, retryable=False), False),
        (APIStatusError("x"), True),
    ],
)
def test_which_errors_are_retried(error: APIError, retryable: bool) -> None:
    """`client.to_api_error` chooses the class and the status by this."""
    assert error.retryable is retryable


async def test_status_499_is_a_quiet_end() -> None:
    """``client._HTTP_STATUS`` must not contain it: a failure would pass for success."""

    async def closed(_: ScriptedStream, emitter: tts.AudioEmitter) -> None:
        begin(emitter)
        raise APIStatusError("closed", status_code=499)

    assert await speak(ScriptedTTS(closed), "hello") == 0


def test_the_default_connection_options() -> None:
    """`session._TTS_OPTIONS` and ``_STT_OPTIONS`` set each of them on purpose."""
    options = DEFAULT_API_CONNECT_OPTIONS
    assert (options.max_retry, options.retry_interval, options.timeout) == (3, 2.0, 10.0)
    assert [options._interval_for_retry(at) for at in range(3)] == [0.1, 2.0, 2.0]


async def test_the_framework_logs_the_text_that_it_could_not_speak(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One more reason for ``_BLANK`` of `tts`: this warning quotes the reply."""
    with caplog.at_level(logging.WARNING), pytest.raises(APIError):
        await speak(ScriptedTTS(nothing), "a secret", TWICE)
    assert "a secret" in caplog.text
