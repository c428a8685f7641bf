"""Text on its way to a voice: where to cut it, and what of it can be spoken."""
