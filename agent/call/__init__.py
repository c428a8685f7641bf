"""One call: what hears, thinks and speaks in it. All of it runs in a job process."""
