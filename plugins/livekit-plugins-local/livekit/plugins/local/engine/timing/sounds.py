"""Symbols of IPA, as voices and `espeak-ng` write them."""

_VOWELS = frozenset("aeiouyɐɑɒæɔəɚɛɜɪʊʌᵻøœɨɵ")
_STRESS = "ˈˌ"
_MODIFIERS = "ːˑʲʰᵝ\u0303"
# What a sound costs compared with a vowel.
_GLIDE = 0.5
_CONSONANT = 0.6
_SIGNS = {"ː": 0.6, "ˈ": 0.3}
# Signs for two sounds, and other signs for the same; capitals, ᵊ and T are Kokoro's and Hibari's.
_SPELLED = {
    "A": "eɪ",
    "I": "aɪ",
    "O": "oʊ",
    "Q": "əʊ",
    "W": "aʊ",
    "Y": "ɔɪ",
    "S": "ʃ",
    "T": "ɾ",
    "g": "ɡ",
    "ʣ": "dz",
    "ʤ": "dʒ",
    "ʥ": "dʑ",
    "ʦ": "ts",
    "ʧ": "tʃ",
    "ʨ": "tɕ",
    "ᵊ": "ə",
}


def is_stress(symbol: str) -> bool:
    """Tell whether it belongs to the sound that follows."""
    return symbol in _STRESS


def is_modifier(symbol: str) -> bool:
    """Tell whether it belongs to the sound before it."""
    return symbol in _MODIFIERS


def is_sound(symbol: str) -> bool:
    """Tell whether it stands for a sound of its own: no pause, stress or length."""
    return symbol.isalpha() and symbol not in _STRESS and symbol not in _MODIFIERS


def is_vowel(symbol: str) -> bool:
    """Tell whether a sound is a vowel."""
    return symbol in _VOWELS


def spelled(symbol: str) -> str:
    """Return the sounds for which a symbol stands, in plain IPA."""
    return _SPELLED.get(symbol, symbol)


def effort(ipa: str) -> float:
    """Return how long a word takes, compared with others: a vowel counts one."""
    total, before = 0.0, ""
    for symbol in ipa:
        if is_vowel(symbol):
            total += _GLIDE if is_vowel(before) else 1.0
        else:
            total += _SIGNS.get(symbol, _CONSONANT if symbol.isalpha() else 0.0)
        before = symbol
    return total
