"""Text to speech: the engines, their voices, and the threads on which they speak."""
