"""Speech to text: models, voice activity, and the utterance in progress."""
