"""Broken voices: our own plugin with one thing wrong in each."""

from tests.conformance.mutants import (
    tts_attempts,
    tts_audio,
    tts_closing,
    tts_deadlines,
    tts_faults,
    tts_retries,
    tts_text,
    tts_transcripts,
)
from tests.conformance.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *tts_text.MUTANTS,
    *tts_audio.MUTANTS,
    *tts_attempts.MUTANTS,
    *tts_faults.MUTANTS,
    *tts_retries.MUTANTS,
    *tts_deadlines.MUTANTS,
    *tts_closing.MUTANTS,
    *tts_transcripts.MUTANTS,
)
