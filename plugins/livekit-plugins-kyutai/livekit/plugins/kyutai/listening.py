"""One connection's hearing: what is sent, what comes back, and which transcripts that makes."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from livekit.agents import APIConnectionError, APIError, stt
from livekit.plugins.kyutai import messages
from livekit.plugins.kyutai.backlog import Backlog
from livekit.plugins.kyutai.connection import Connection
from livekit.plugins.kyutai.flush import Flush, MarkerFlush, StepFlush
from livekit.plugins.kyutai.kept_audio import KeptAudio
from livekit.plugins.kyutai.messages import FRAME_SAMPLES, SAMPLE_RATE, EndWord, Marker, Step, Word
from livekit.plugins.kyutai.pauses import Pause, PauseDetector
from livekit.plugins.kyutai.speech_models import SpeechModel
from livekit.plugins.kyutai.timeline import Timeline
from livekit.plugins.kyutai.transcript import Transcript

_MARGIN = 2
"""Frames of silence beyond the model's delay: a word is written once the next frame is none."""
_LARGEST = 25 * FRAME_SAMPLES
"""Samples of one message; the server takes one in each step, so a few large ones are best."""
_HESITATION = 0.5
"""Seconds without audio after which silence brings out the last words."""
_KEEPALIVE = 5.0
"""Seconds between two frames of silence while there is no audio: the server drops who is silent."""
_FOREIGN = 3
"""Words before the first step that cannot be those of another user any more."""
_LONGEST = 50.0
"""Seconds of an utterance; whoever speaks without a pause for longer is transcribed in parts."""
_BEFORE = 5.0
"""Seconds that are kept before the first word: what the server may still be busy with."""
_BLIND = 30.0
"""The same, of a server that does not say how far it is."""
_RENEWAL = 1800 * SAMPLE_RATE
"""Samples after which the model begins anew; what it does after some 54 minutes nobody knows."""

Emit = Callable[[stt.SpeechEventType, stt.SpeechData | None], None]
_Kind = stt.SpeechEventType


@dataclass(frozen=True, slots=True)
class Hearing:
    """How to hear.

    Attributes:
        model: The server's model.
        language: What transcripts name as their language.
        preflight: Score of a pause from which what was said may be answered on speculation.
        end: Score of a pause that ends the utterance.
        longest_flush: Seconds that a flush may take on a server that is behind.
        timeout: Seconds of silence of the server while it owes something.
    """

    model: SpeechModel
    language: str
    preflight: float | None
    end: float | None
    longest_flush: float
    timeout: float


class Listener:
    """Sends what is kept, and turns the server's words into transcripts.

    One task sends, by `catch_up`, `pause` and `rest`; another runs `receive`. While a flush is
    under way nothing else is sent, so that every word that comes belongs to what was before it.
    """

    def __init__(
        self,
        connection: Connection,
        kept: KeptAudio,
        hearing: Hearing,
        offset: float,
        emit: Emit,
        on_pause: Callable[[], None],
        url: str,
    ) -> None:
        """Begin with a connection that is ready.

        Args:
            connection: The connection.
            kept: The audio; its beginning is the first that is sent.
            hearing: How to hear.
            offset: Where in the stream the kept audio begins, in seconds.
            emit: Takes what comes out.
            on_pause: Called when `pause` has something to do.
            url: The server's, for warnings.
        """
        self.backlog = Backlog(url)
        self._connection = connection
        self._kept = kept
        self._hearing = hearing
        self._emit = emit
        self._on_pause = on_pause
        self._origin, self._offset = kept.start, offset
        self._sent = kept.start
        self._timeline = Timeline(offset)
        self._transcript = Transcript(hearing.language)
        self._pauses = PauseDetector(likely=hearing.preflight, certain=hearing.end)
        self._flush: Flush | None = None
        self._frames = self._steps = self._markers = self._foreign = 0
        self._owed = False
        self._ready = asyncio.Event()
        self._rested = kept.start
        # How many words there were when the last flush for a pause was over, and where that was.
        self._complete, self._complete_at = 0, kept.start
        self._announced = 0

    @property
    def patience(self) -> float:
        """Seconds to wait for audio before `rest` is called."""
        return _HESITATION if self._restless else _KEEPALIVE

    @property
    def _restless(self) -> bool:
        """Whether there was audio since the last silence of ours: words may be under way."""
        return self._kept.end > self._rested

    async def begin(self) -> None:
        """Send what the model wants to hear first."""
        if self._hearing.model.lead:
            await self._send_silence(math.ceil(self._hearing.model.lead * SAMPLE_RATE))

    async def catch_up(self) -> None:
        """Send the whole frames that are kept and not sent yet, and the flushes among them."""
        while (position := self._kept.next_flush) is not None:
            complete = await self._work_off(position)
            self._kept.flushed()
            # What is not transcribed yet would be lost with the connection.
            self._conclude(position if complete else self._spoken_until)
            if complete:
                await self._renew()
        await self._send_frames(self._kept.end)
        self._limit()

    @property
    def pause_due(self) -> bool:
        """Whether the speaker has paused, and nothing has been made of that yet."""
        if not self._transcript:
            return False
        pause = self._pauses.pause
        return pause is Pause.CERTAIN or (
            pause is Pause.LIKELY and self._announced != len(self._transcript)
        )

    async def pause(self) -> None:
        """Announce what was said before a pause, or end the utterance, once all of it is known."""
        if self._complete != len(self._transcript):
            position = self._kept.end
            complete = await self._work_off(position)
            self._complete = len(self._transcript)
            self._complete_at = position if complete else self._spoken_until
        pause = self._pauses.pause
        if pause is Pause.CERTAIN:
            self._conclude(self._complete_at)
        elif pause is Pause.LIKELY and self._transcript:
            self._announced = len(self._transcript)
            self._emit(_Kind.PREFLIGHT_TRANSCRIPT, self._transcript.data(self._heard_until))

    async def rest(self) -> None:
        """Send silence in place of audio that does not come, as from a muted microphone."""
        if self._restless:
            await self._send_tail(self._kept.end)
        else:
            await self._send_silence(FRAME_SAMPLES)

    async def receive(self) -> None:
        """Take the server's messages until cancelled.

        Raises:
            APIError: See `Connection.receive`.
        """
        while (message := await self._connection.receive()) is not None:
            match message:
                case Word():
                    self._hear(message)
                case EndWord():
                    self._transcript.end_word(self._timeline.seconds(message.stop))
                case Step():
                    self._step(message)
                case Marker() if self._flush:
                    self._flush.marker(message.number)
                case messages.Ready():
                    self._ready.set()
        raise APIConnectionError("the moshi-server closed a stream that was still in use")

    @property
    def _tail(self) -> int:
        """Samples of silence that bring out the last words."""
        return FRAME_SAMPLES * (
            math.ceil(self._hearing.model.delay * SAMPLE_RATE / FRAME_SAMPLES) + _MARGIN
        )

    @property
    def _heard_until(self) -> float:
        return self._seconds(self._sent)

    def _seconds(self, position: int) -> float:
        return self._offset + (position - self._origin) / SAMPLE_RATE

    @property
    def _spoken_until(self) -> int:
        """Position where the last word ends."""
        if not self._transcript:
            return self._kept.start
        end = self._transcript.data(self._heard_until).end_time
        return self._origin + int((end - self._offset) * SAMPLE_RATE)

    def _hear(self, word: Word) -> None:
        if self._hearing.model.steps and not self._steps:
            # One kind of server gives the next user of a slot the last word of the one before.
            self._foreign += 1
            if self._foreign < _FOREIGN:
                return
            raise APIError(
                "the moshi-server reports no steps, so it does not run the model that this plugin "
                "was told; set model to the one that it runs, such as kyutai/stt-2.6b-en",
                retryable=False,
            )
        if not word.text.strip():
            return
        if not self._transcript:
            self._emit(_Kind.START_OF_SPEECH, None)
        self._transcript.word(word.text.strip(), self._timeline.seconds(word.start))
        # One comes with each word: together, the times in them would outweigh the audio.
        shown = self._transcript.data(self._heard_until, timed=False)
        self._emit(_Kind.INTERIM_TRANSCRIPT, shown)
        if self._flush:
            self._flush.word()
        self._look_for_pause()

    def _step(self, step: Step) -> None:
        self._steps += 1
        self.backlog.note(step.buffered)
        self._pauses.step(step.pauses)
        if self._flush:
            self._flush.step(self._steps, step.buffered)
        self._owe()
        self._look_for_pause()

    def _look_for_pause(self) -> None:
        if self.pause_due:
            self._on_pause()

    def _conclude(self, position: int) -> None:
        """End the utterance, if there is one, and forget its audio."""
        data = self._transcript.take(self._seconds(position))
        self._announced = self._complete = 0
        self._kept.forget(position)
        if data:
            self._emit(_Kind.FINAL_TRANSCRIPT, data)
            self._emit(_Kind.END_OF_SPEECH, None)

    def _limit(self) -> None:
        """End an utterance that has no end, and forget what no other connection would need."""
        spoken = self._heard_until - self._transcript.start
        if self._transcript and (spoken > _LONGEST or self._transcript.too_long):
            self._conclude(self._spoken_until)
        if self._transcript:
            seconds = spoken + _BEFORE
        elif self._hearing.model.steps:
            waiting = max(0, self._frames - self._steps) * FRAME_SAMPLES / SAMPLE_RATE
            seconds = _BEFORE + self._hearing.model.delay + self.backlog.seconds + waiting
        else:
            seconds = _BLIND
        self._kept.forget(self._sent - int(seconds * SAMPLE_RATE))

    async def _work_off(self, position: int) -> bool:
        """Return when all words before a position have come; False if the server is too far behind.

        Raises:
            APIError: The server has done nothing for too long.
        """
        await self._send_frames(position)
        self._flush = flush = await self._begin_flush(position)
        try:
            await self._send_tail(position)
            try:
                async with asyncio.timeout(self._hearing.longest_flush):
                    await flush.wait()
            except TimeoutError:
                if flush.moved:
                    return False
                # It may be behind in what comes before; messages that say nothing are no progress.
                async with asyncio.timeout(self._hearing.timeout):
                    await flush.wait()
            self._timeline.settle()
            return True
        finally:
            self._flush = None
            self._owe()

    async def _begin_flush(self, position: int) -> Flush:
        if not self._hearing.model.steps:
            self._markers += 1
            await self._connection.send(messages.marker(self._markers))
            return MarkerFlush(self._markers)
        # One kind of server closes the stream at a marker; that kind reports steps, too.
        left = -(-(position - self._sent) // FRAME_SAMPLES)
        until = self._frames + left + self._tail // FRAME_SAMPLES
        return StepFlush(until=until, silence=self._tail)

    async def _send_frames(self, end: int) -> None:
        while (ready := (end - self._sent) // FRAME_SAMPLES * FRAME_SAMPLES) > 0:
            size = min(ready, _LARGEST)
            samples = self._kept.read(self._sent, self._sent + size)
            self._sent += size
            self._timeline.audio(size)
            await self._send(samples)

    async def _send_tail(self, position: int) -> None:
        """Send what is left before a position, and silence after it, as one message."""
        left = self._kept.read(self._sent, position)
        self._sent = position
        self._timeline.audio(len(left))
        silence = self._tail + -len(left) % FRAME_SAMPLES
        self._timeline.silence(silence)
        self._rested = position
        await self._send(np.concatenate([left, np.zeros(silence, np.float32)]))

    async def _send_silence(self, samples: int) -> None:
        samples += -samples % FRAME_SAMPLES
        self._timeline.silence(samples)
        await self._send(np.zeros(samples, np.float32))

    async def _send(self, samples: messages.Samples) -> None:
        self._frames += len(samples) // FRAME_SAMPLES
        self._owe()
        await self._connection.send(messages.audio(samples))

    def _owe(self) -> None:
        """Set or lift the limit on the server's silence."""
        behind = self._hearing.model.steps and self._steps < self._frames
        owed = behind or self._flush is not None
        if owed != self._owed:
            self._owed = owed
            self._connection.expect(self._hearing.timeout if owed else None)

    async def _renew(self) -> None:
        """Let the model begin anew if it has run for long; nothing is under way now."""
        if self._timeline.sent < _RENEWAL:
            return
        self._ready.clear()
        self._connection.expect(self._hearing.timeout)
        await self._connection.send(messages.init())
        await self._ready.wait()
        self._owed = False
        self._connection.expect(None)
        self._timeline = Timeline(self._seconds(self._sent))
        await self.begin()
