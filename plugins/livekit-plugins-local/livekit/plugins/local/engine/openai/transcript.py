"""What was heard in a file, in the formats that requests may ask for."""

import math
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from livekit.plugins.local.engine.openai.languages import language_name
from livekit.plugins.local.engine.text.segmenter import Segmenter

FORMATS = ("json", "text", "verbose_json", "srt", "vtt")


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard.

    Attributes:
        text: The words, possibly none.
        language: Two-letter code.
        confidence: Mean probability per token, in [0, 1].
        start: Where the speech begins, in seconds.
        end: Where it ends.
        seconds: Length of the audio.
    """

    text: str
    language: str
    confidence: float
    start: float
    end: float
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return OpenAI's ``Transcription``."""
        languages = [{"code": self.language}] if self.text else []
        return {"text": self.text, "languages": languages, "usage": self._usage()}

    def response(self, name: str) -> web.Response:
        """Return the answer in one of `FORMATS`."""
        if name == "json":
            return web.json_response(self.as_json())
        if name == "verbose_json":
            return web.json_response(self._verbose())
        if name == "text":
            return web.Response(text=f"{self.text}\n")
        return web.Response(text=_srt(self._cues()) if name == "srt" else _vtt(self._cues()))

    def _verbose(self) -> dict[str, Any]:
        """Return OpenAI's ``TranscriptionVerbose``: one segment, whose decoding is not told."""
        segment = {
            "id": 0,
            "seek": 0,
            "start": self.start,
            "end": self.end,
            "text": self.text,
            "tokens": [],
            "temperature": 0.0,
            "avg_logprob": math.log(max(self.confidence, 1e-6)),
            "compression_ratio": 1.0,
            "no_speech_prob": 0.0,
        }
        return {
            "task": "transcribe",
            "language": language_name(self.language),
            "duration": self.seconds,
            "text": self.text,
            "segments": [segment] if self.text else [],
            "usage": self._usage(),
        }

    def _usage(self) -> dict[str, Any]:
        return {"type": "duration", "seconds": math.ceil(self.seconds)}

    def _cues(self) -> list[tuple[float, float, str]]:
        """Cut the text into sentences; their times are estimated from their lengths."""
        segmenter = Segmenter(self.language)
        sentences = [*segmenter.push(self.text), *segmenter.flush()]
        per_character = (self.end - self.start) / (sum(map(len, sentences)) or 1)
        cues: list[tuple[float, float, str]] = []
        at = self.start
        for sentence in sentences:
            until = at + len(sentence) * per_character
            cues.append((at, until, sentence))
            at = until
        return cues


def _srt(cues: list[tuple[float, float, str]]) -> str:
    return "".join(
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{text}\n\n"
        for number, (start, end, text) in enumerate(cues, 1)
    )


def _vtt(cues: list[tuple[float, float, str]]) -> str:
    return "WEBVTT\n\n" + "".join(
        f"{_clock(start, '.')} --> {_clock(end, '.')}\n{text}\n\n" for start, end, text in cues
    )


def _clock(seconds: float, point: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}{point}{milliseconds:03}"
