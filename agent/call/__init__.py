"""One call: what hears, thinks and speaks in it, in a job process; the engine reads `phrases`."""
