"""The engine for any OpenAI client: speech, transcriptions and the list of models.

Only what OpenAI's audio endpoints have is here; voices, ears and queues are those of the calls.
"""
