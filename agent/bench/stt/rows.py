"""What one system made of one clip, in figures."""

from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any

from agent.bench.corpus import Clip
from agent.bench.stt.play import Hearing
from agent.bench.stt.scene import Scene
from agent.bench.wer import align, looping, words

OURS, BASELINE, NATIVE, REFERENCE = "ours", "silero", "native", "reference"
SYSTEMS = (OURS, BASELINE, NATIVE, REFERENCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One clip heard by one system; what did not happen is None.

    Attributes:
        clip: Name of the clip.
        language: Its language.
        system: ``ours``; ``silero`` or ``native``, the baseline with that VAD; ``reference``.
        text: The final transcript.
        words: How many words were said.
        errors: How many of them are wrong, missing or too many.
        looping: Whether words were repeated that were said once.
        vad_ends: How often the VAD heard speech end.
        delay_ms: From the true end of speech to the final transcript.
        final_ms: From the flush to the final transcript.
        interim_ms: From the true start of speech to the first interim transcript.
        interim_words: Words in interim transcripts,
        interim_kept: and how many of them stand in the transcript that came next.
        played: Seconds of audio played.
        cpu_seconds: Processor time of the whole system meanwhile, VAD and framework included.
        engine_seconds: What of it the engine took, None for other systems.
        late_ms: By how much the worst frame was played too late.
        bystanders: Share of the machine that other programs took meanwhile, in [0, 1].
    """

    clip: str
    language: str
    system: str
    text: str
    words: int
    errors: int
    looping: bool
    vad_ends: int
    delay_ms: float | None
    final_ms: float | None
    interim_ms: float | None
    interim_words: int
    interim_kept: int
    played: float
    cpu_seconds: float | None
    engine_seconds: float | None
    late_ms: float
    bystanders: float

    def to_json(self) -> dict[str, Any]:
        """Return the row, figures rounded."""
        return {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "Row":
        """Return the row that `to_json` wrote.

        Raises:
            KeyError: A field is missing.
        """
        return cls(**{item.name: body[item.name] for item in fields(cls)})


def judge(clip: Clip, scene: Scene, system: str, heard: Hearing, bystanders: float) -> Row:
    """Hold what a system heard against what was said and when."""
    said, text = words(clip.text, clip.language), words(heard.text, clip.language)
    finals = heard.finals if system != REFERENCE else []
    interim = next((shown.at for shown in heard.shown if shown.kind == "interim"), None)
    shown_words, kept_words = _stability(heard, clip.language)
    return Row(
        clip=clip.name,
        language=clip.language,
        system=system,
        text=heard.text,
        words=len(said),
        errors=align(said, text).errors,
        looping=looping(text, said),
        vad_ends=heard.vad_ends,
        delay_ms=1000 * (finals[-1].at - scene.speech_end) if finals else None,
        final_ms=1000 * (finals[-1].at - heard.asked[-1]) if finals and heard.asked else None,
        interim_ms=None if interim is None else 1000 * (interim - scene.speech_start),
        interim_words=shown_words,
        interim_kept=kept_words,
        played=heard.played,
        cpu_seconds=heard.cpu_seconds,
        engine_seconds=heard.engine_seconds,
        late_ms=1000 * heard.late,
        bystanders=bystanders,
    )


def _stability(heard: Hearing, language: str) -> tuple[int, int]:
    """Return how many words interims showed, and how many of them the next transcript kept."""
    shown_words = kept_words = 0
    transcripts = [shown for shown in heard.shown if shown.kind != "preflight"]
    for shown, following in pairwise(transcripts):
        if shown.kind == "interim":
            before = words(shown.text, language)
            shown_words += len(before)
            kept_words += align(before, words(following.text, language)).kept
    return shown_words, kept_words
