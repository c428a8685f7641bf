"""The worker, and the processes that it keeps ready for calls."""
