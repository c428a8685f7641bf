"""What voices are asked to say while they are measured."""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from agent.errors import UserError

PHRASES = {
    "en": "One moment, please.",
    "fr": "Un instant, s'il vous plaît.",
}
"""A fixed phrase, as agents repeat it."""

REPLIES = {
    "en": [
        "Sure, I can help you with that. The shop on the corner is open until eight tonight, and "
        "it sells what you are looking for. Would you like me to call them first?",
        "The museum is closed on Mondays. You could visit the old harbour instead, where boats "
        "leave every hour for the islands. Shall I look for a ticket?",
        "Yes, that works. Your table for four people is booked under your name for this evening. "
        "If your plans change, please tell me before noon.",
        "It will probably rain tomorrow. Take an umbrella with you, because the afternoon should "
        "be wetter than the morning. The day after looks much better.",
    ],
    "fr": [
        "Bien sûr, je peux vous aider. Le magasin du coin est ouvert jusqu'à huit heures ce soir, "
        "et il vend ce que vous cherchez. Voulez-vous que je l'appelle d'abord ?",
        "Le musée est fermé le lundi. Vous pourriez plutôt visiter le vieux port, où des bateaux "
        "partent toutes les heures vers les îles. Dois-je chercher un billet ?",
        "Oui, c'est possible. Votre table pour quatre personnes est réservée à votre nom pour ce "
        "soir. Si vos projets changent, dites-le-moi avant midi.",
        "Il va sans doute pleuvoir demain. Prenez un parapluie, car l'après-midi devrait être plus "
        "humide que la matinée. Le jour suivant s'annonce bien meilleur.",
    ],
}
"""Replies of three sentences each."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence whose words are counted when it is heard.

    Attributes:
        language: Two-letter code.
        text: What the voice gets.
        heard: What a listener should hear.
        said: The ways in which voices say it: as many words as in the text, joined by ``_`` where
            the text has one word for several.
        names: Words of it whose spelling cannot be heard.
    """

    language: str
    text: str
    heard: str
    said: list[str]
    names: list[str] = field(default_factory=list)


@cache
def sentences(language: str) -> list[Sentence]:
    """Return the fixed sentences of a language."""
    document = (resources.files("agent.bench.tts") / "sentences.toml").read_text(encoding="utf-8")
    return [
        Sentence(
            language,
            entry["text"],
            entry.get("heard", entry["text"]),
            entry["said"],
            entry.get("names", []),
        )
        for entry in tomllib.loads(document)["sentences"]
        if entry["language"] == language
    ]


def timed(language: str) -> list[Sentence]:
    """Return the sentences whose words are timed: those of the replies, too."""
    parts = [
        part
        for reply in REPLIES[language]
        for part in reply.replace("? ", "?\n").replace(". ", ".\n").split("\n")
    ]
    return [*sentences(language), *(Sentence(language, part, part, [part]) for part in parts)]


def check(language: str) -> None:
    """Make sure that there is something to say.

    Raises:
        UserError: There are no sentences in this language.
    """
    if language not in REPLIES:
        raise UserError(
            f"--voices: there are no sentences in {language}; choose {' or '.join(REPLIES)}."
        )
