"""`eloquence bench stt`: recorded speech, beside the framework's own way of hearing."""
