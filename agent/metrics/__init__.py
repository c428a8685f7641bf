"""What the worker counts, for Prometheus."""
