"""The language model: the embedded server, and what a call asks of whichever server there is."""
