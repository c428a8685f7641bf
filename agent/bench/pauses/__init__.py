"""`eloquence bench pauses`: pauses in mid-sentence, and what ends a turn."""
