"""Voice activity by loudness, for plugins that need the framework's `StreamAdapter`."""

import numpy as np
from livekit import rtc
from livekit.agents import vad

_LEVEL = 0.2
_SILENCE_SECONDS = 0.2


class LoudnessVAD(vad.VAD):
    """Calls loud audio speech; the speech ends after 0.2 s of silence, or with the input."""

    def __init__(self) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=0.05))

    @property
    def model(self) -> str:
        """Always ``loudness``."""
        return "loudness"

    @property
    def provider(self) -> str:
        """Always ``kit``."""
        return "kit"

    def stream(self) -> vad.VADStream:
        """Open a stream."""
        return _Stream(self)


class _Stream(vad.VADStream):
    async def _main_task(self) -> None:
        frames: list[rtc.AudioFrame] = []
        silence = 0.0
        async for item in self._input_ch:
            if not isinstance(item, rtc.AudioFrame):
                # The framework's detectors do not end a segment here; only the input's end does.
                continue
            loud = float(np.abs(np.frombuffer(item.data, np.int16)).max(initial=0)) / 32768 > _LEVEL
            if loud and not frames:
                self._send(vad.VADEventType.START_OF_SPEECH, [item])
            if loud or frames:
                frames.append(item)
            silence = 0.0 if loud else silence + item.duration
            # What a session interrupts the agent by.
            self._send(vad.VADEventType.INFERENCE_DONE, frames, silence=silence)
            if frames and silence >= _SILENCE_SECONDS:
                self._send(vad.VADEventType.END_OF_SPEECH, frames)
                frames = []
        if frames:
            self._send(vad.VADEventType.END_OF_SPEECH, frames)

    def _send(
        self, kind: vad.VADEventType, frames: list[rtc.AudioFrame], *, silence: float = 0.0
    ) -> None:
        inference = kind is vad.VADEventType.INFERENCE_DONE
        duration = sum(frame.duration for frame in frames)
        event = vad.VADEvent(
            type=kind,
            samples_index=0,
            timestamp=0.0,
            speech_duration=duration,
            silence_duration=0.0,
            frames=[] if inference else list(frames),
            speaking=bool(frames) and kind is not vad.VADEventType.END_OF_SPEECH,
            raw_accumulated_speech=duration if inference and not silence else 0.0,
            raw_accumulated_silence=silence,
        )
        self._event_ch.send_nowait(event)
