"""Broken ears: our own plugin with one thing wrong in each."""

from tests.conformance.mutants import (
    stt_audio,
    stt_closing,
    stt_faults,
    stt_flush,
    stt_load,
    stt_reconnect,
    stt_recordings,
    stt_transcripts,
)
from tests.conformance.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *stt_transcripts.MUTANTS,
    *stt_flush.MUTANTS,
    *stt_audio.MUTANTS,
    *stt_faults.MUTANTS,
    *stt_reconnect.MUTANTS,
    *stt_closing.MUTANTS,
    *stt_load.MUTANTS,
    *stt_recordings.MUTANTS,
)
