"""A moshi-server for tests: a fake that keeps its protocol, and the real one with toy models."""
