"""Words heard where nobody spoke."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.bench.corpus import NON_SPEECH, Clip, read_recording
from agent.bench.stt.nonspeech import sounds
from agent.bench.stt.ours import Ours


@dataclass(frozen=True, slots=True)
class Phantoms:
    """The outcome.

    Attributes:
        clips: How many sounds were played, made ones and the corpus' own.
        heard: What was shown, interim or final, per sound on which anything was.
    """

    clips: int
    heard: dict[str, list[str]] = field(default_factory=dict)


async def listen_for_phantoms(ours: Ours, clips: Iterable[Clip], language: str) -> Phantoms:
    """Play sounds without speech, as fast as the engine takes them, and ask for a transcript each.

    That is harder than a call, which asks only when the session's VAD has heard speech.

    Args:
        ours: The engine's caller.
        clips: The corpus; its non-speech clips are played.
        language: Language in which words are expected.

    Raises:
        APIError: The engine failed.
        UserError: A clip cannot be read.
    """
    played = [(sound.name, sound.pcm) for sound in sounds()]
    own = [clip for clip in clips if clip.kind == NON_SPEECH]
    played += [(clip.name, read_recording(clip.path).pcm) for clip in own]
    heard: dict[str, list[str]] = {}
    for name, pcm in played:
        shown = await ours.hear_at_once([pcm], language, flush_each=True)
        if texts := [transcript.text for transcript in shown if transcript.text.strip()]:
            heard[name] = texts
    return Phantoms(len(played), heard)
