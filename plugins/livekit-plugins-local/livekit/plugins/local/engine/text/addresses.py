"""Web and e-mail addresses, as people dictate them: ``jane dot doe at example dot org``."""

import re
from typing import NamedTuple


class _Signs(NamedTuple):
    """How the signs of an address are called."""

    dot: str
    at: str
    slash: str
    dash: str
    underscore: str


_SIGNS = {
    "en": _Signs("dot", "at", "slash", "dash", "underscore"),
    "fr": _Signs("point", "arobase", "slash", "tiret", "tiret bas"),
}
# Domains that are read as words; others are spelled.
_WORDS = frozenset("com org net info dev app name shop blog museum localhost".split())
_DOMAINS = (
    "com|org|net|info|dev|app|edu|gov|shop|blog|fr|be|ch|ca|de|es|it|pt|nl|eu|uk|us|io|ai|co|tv|me"
)
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_EMAIL = re.compile(
    rf"(?<![\w.+-])(?P<user>[\w.+-]{{1,64}})@(?P<host>{_LABEL}(?:\.{_LABEL}){{1,8}})"
)
_URL = re.compile(
    rf"(?:\b(?:https?|ftp)://(?:www\.)?|\bwww\.)(?P<host>{_LABEL}(?:\.{_LABEL}){{0,8}})"
    r"(?::\d{1,5})?(?P<path>/[^\s<>\"”»)\]]{0,2000})?",
    re.IGNORECASE,
)
_BARE = re.compile(
    rf"(?<![\w@./-])(?P<host>(?:{_LABEL}\.){{1,4}}(?:{_DOMAINS}))(?![\w-]|\.\w)"
    r"(?P<path>/[^\s<>\"”»)\]]{0,2000})?"
)
_QUERY = re.compile(r"[?#].*", re.DOTALL)
# More of a path than this nobody remembers.
_LONGEST_PATH = 40


def say_addresses(text: str, language: str) -> str:
    """Write out the addresses in a text.

    Args:
        text: Any text.
        language: ``en`` or ``fr``.
    """
    signs = _SIGNS[language]
    text = _EMAIL.sub(lambda found: _email(found, signs), text)
    text = _URL.sub(lambda found: _site(found, signs), text)
    return _BARE.sub(lambda found: _site(found, signs), text)


def _email(found: re.Match[str], signs: _Signs) -> str:
    return f"{_parts(found['user'], signs)} {signs.at} {_host(found['host'], signs)}"


def _site(found: re.Match[str], signs: _Signs) -> str:
    path = found["path"] or ""
    # The full stop or comma after an address is the sentence's.
    address = path.rstrip(".,;:!?…'’")
    ending = path[len(address) :]
    spoken = _host(found["host"], signs)
    steps = [step for step in _QUERY.sub("", address).split("/") if step]
    if steps and sum(map(len, steps)) <= _LONGEST_PATH:
        spoken += "".join(f" {signs.slash} {_parts(step, signs)}" for step in steps)
    return spoken + ending


def _host(host: str, signs: _Signs) -> str:
    *labels, domain = host.lower().split(".")
    last = (
        domain if domain in _WORDS or not labels or domain.isdigit() else " ".join(domain.upper())
    )
    return f" {signs.dot} ".join([*(_parts(label, signs) for label in labels), last])


def _parts(part: str, signs: _Signs) -> str:
    for sign, name in (
        (".", signs.dot),
        ("-", signs.dash),
        ("_", signs.underscore),
        ("+", "plus"),
        ("%20", " "),
    ):
        part = part.replace(sign, f" {name} ")
    return " ".join(part.split())
