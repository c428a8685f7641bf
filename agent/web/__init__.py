"""The web process: the page, and the endpoint that lets it place a call."""
