"""Voices that were made from samples: where they lie, and what is known of them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SAMPLE = "sample.wav"
_RECORD = "voice.json"


@dataclass(frozen=True, slots=True)
class ClonedVoice:
    """A voice of somebody who agreed to it.

    Attributes:
        name: Name of the voice, without that of the engine.
        engine: The engine that speaks with it.
        sha256: Hash of the file that was given as the sample.
        added: When, ISO 8601 in UTC.
        consent: The statement by which the speaker agreed.
        seconds: Length of the sample.
    """

    name: str
    engine: str
    sha256: str
    added: str
    consent: str
    seconds: float


def voices_folder(data_dir: Path) -> Path:
    """Return where cloned voices lie in a data directory."""
    return data_dir / "voices"


def write_record(folder: Path, voice: ClonedVoice) -> None:
    """Write down what is known of a voice, beside its sample."""
    text = json.dumps(asdict(voice), indent=2, ensure_ascii=False)
    (folder / _RECORD).write_text(text + "\n", encoding="utf-8")


def cloned_voices(data_dir: Path | None, engine: str) -> dict[str, Path]:
    """Return the samples of the voices of an engine, by name.

    A folder without a record of consent is no voice.
    """
    if data_dir is None:
        return {}
    found: dict[str, Path] = {}
    for record in sorted(voices_folder(data_dir).glob(f"*/{_RECORD}")):
        sample = record.with_name(SAMPLE)
        content = _read(record)
        if content.get("engine") == engine and content.get("consent") and sample.is_file():
            found[record.parent.name] = sample
    return found


def _read(record: Path) -> dict[str, Any]:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
