"""Plugins that were broken on purpose, one way each: every rule must notice its own."""

from tests.conformance.mutants import stt, tts
from tests.conformance.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (*tts.MUTANTS, *stt.MUTANTS)

__all__ = ["MUTANTS", "Mutant"]
