"""`eloquence bench tts`: first audio, gaps, intelligibility, times of words."""
