"""``eloquence up``: starts every process, follows each, and stops them all."""
