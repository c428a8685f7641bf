"""When each word is said, for voices that do not tell."""
