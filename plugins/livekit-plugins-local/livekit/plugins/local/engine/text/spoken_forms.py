"""What is written one way and said another: addresses, dates, prices, measures, abbreviations.

Plain numbers stay digits: every voice engine reads them, and knows about liaison and inflection.
What is rewritten here is what the engines were heard to say wrongly or differently.
"""

from livekit.plugins.local.engine.text.abbreviations import expand
from livekit.plugins.local.engine.text.addresses import say_addresses
from livekit.plugins.local.engine.text.amounts import say_amounts
from livekit.plugins.local.engine.text.dates import say_dates
from livekit.plugins.local.engine.text.numerals import say_numerals

_STEPS = (say_addresses, say_dates, say_amounts, expand, say_numerals)
LANGUAGES = frozenset({"en", "fr"})
"""The languages whose written forms are known."""


def spell_out(text: str, language: str) -> str:
    """Rewrite a text the way it is said.

    Args:
        text: One line.
        language: Two-letter code; other languages than `LANGUAGES` are left to the engine.
    """
    if language not in LANGUAGES:
        return text
    for step in _STEPS:
        text = step(text, language)
    return text
