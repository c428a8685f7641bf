"""Where people breathe within a sentence, if they must."""

import re

# Words before which there is a phrase's end.
_OPENING = {
    "en": "and or but because that which who with for from in on at by until when where than is "
    "are was were will would should could can to between after before during",
    "fr": "et ou mais que qui pour avec sans dans sur par en est sont car quand où comme chez sera "
    "doit devrait peut jusqu'à jusqu'au jusqu'en depuis pendant vers entre après avant",
}
_PHRASES = {
    language: re.compile(rf"\s(?=(?:{words.replace(' ', '|')})\s)", re.IGNORECASE)
    for language, words in _OPENING.items()
}
_WORDS = re.compile(r"(?<=\w)\s(?=\w)")


def phrase_ends(text: str, language: str) -> list[int]:
    """Return where phrases end; where nobody knows those of the language, where words end.

    Args:
        text: Some text.
        language: Two-letter code.
    """
    return [match.start() for match in _PHRASES.get(language, _WORDS).finditer(text)]
