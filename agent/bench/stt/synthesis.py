"""A corpus for machines that have none: sentences spoken by the engine's own voices."""

from pathlib import Path

from livekit.plugins import local

from agent.bench.corpus import INDEX, Clip, load_corpus
from agent.errors import UserError

_SENTENCES = {
    "en": [
        "What time is it?",
        "Please turn on the lights in the kitchen.",
        "The train to London leaves at seven in the morning.",
        "I would like to book a table for four people tonight.",
        "Stop.",
        "Could you tell me whether it will rain tomorrow afternoon?",
        "She walked along the river until the sun went down behind the hills.",
        "No, thank you, that will be all for today.",
        "How far is it from the station to the museum?",
        "Remind me to call my sister on Friday.",
    ],
    "fr": [
        "Quelle heure est-il ?",
        "Allume la lumière dans la cuisine, s'il te plaît.",
        "Le train pour Lyon part à sept heures du matin.",
        "Je voudrais réserver une table pour quatre personnes ce soir.",
        "Merci.",
        "Est-ce qu'il va pleuvoir demain après-midi ?",
        "Elle a marché le long de la rivière jusqu'au coucher du soleil.",
        "Non merci, ce sera tout pour aujourd'hui.",
        "À quelle distance de la gare se trouve le musée ?",
        "Rappelle-moi d'appeler ma sœur vendredi.",
    ],
}


async def speak_corpus(engine: str, folder: Path, languages: list[str]) -> list[Clip]:
    """Have the engine speak the sentences of these languages, and keep them in ``folder``.

    Args:
        engine: Address of the engine.
        folder: An empty directory.
        languages: Two-letter codes; those without sentences are left out.

    Raises:
        APIError: The engine failed.
        UserError: No sentence is in any of the languages.
    """
    lines = ["file\tlang\tkind\ttext"]
    voice = local.TTS(engine=engine, language="en")
    try:
        for language in languages:
            voice.update_options(language=language)
            for number, sentence in enumerate(_SENTENCES.get(language, [])):
                name = f"{language}_spoken_{number:02}.wav"
                frame = await voice.synthesize(sentence).collect()
                (folder / name).write_bytes(frame.to_wav_bytes())
                lines.append(f"{name}\t{language}\tspoken\t{sentence}")
    finally:
        await voice.aclose()
    if len(lines) == 1:
        raise UserError(
            f"There are no sentences in {', '.join(languages)}; name a corpus with --corpus, "
            f"or {', '.join(_SENTENCES)} with --languages."
        )
    (folder / INDEX).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return load_corpus(folder)
