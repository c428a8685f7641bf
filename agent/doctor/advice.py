"""From what was measured to how many calls the machine should take, and with which settings."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlsplit

from agent.doctor.capacity import Estimate, Figures, Placement, estimate
from agent.doctor.finding import Finding
from agent.settings import Settings

_LOCAL = ("127.0.0.1", "::1", "localhost")
_GPU_MODEL = "whisper-large-v3-turbo"


@dataclass(frozen=True, slots=True)
class Advice:
    """The estimate and what follows from it.

    Attributes:
        estimate: What the model says.
        settings: Settings to use.
        hint: What would raise the number, as an imperative clause.
    """

    estimate: Estimate
    settings: Mapping[str, str]
    hint: str


def figures_of(findings: Mapping[str, Finding]) -> Figures | None:
    """Return what was measured; None unless all of it was."""
    measured: dict[str, float] = {}
    for finding in findings.values():
        measured |= finding.figures
    names = [field.name for field in fields(Figures)]
    if any(name not in measured for name in names):
        return None
    return Figures(**{name: measured[name] for name in names})


def advise(settings: Settings, findings: Mapping[str, Finding]) -> Advice | None:
    """Return the advice; None when what it is computed from could not be measured."""
    figures = figures_of(findings)
    if figures is None:
        return None
    gpu = has_gpu(findings)
    host = urlsplit(settings.llm_url).hostname or ""
    placement = Placement(
        ears_apart=gpu, llm_apart=not settings.embedded_llm and (gpu or host not in _LOCAL)
    )
    expected = estimate(figures, placement)
    use = {"MAX_CALLS": str(max(1, expected.calls)), "STT_MODEL": settings.stt_model}
    if gpu and settings.profile == "cpu" and settings.stt_model == "whisper-base":
        use |= {"PROFILE": "gpu", "STT_MODEL": _GPU_MODEL}
    return Advice(expected, use, _hint(expected, settings))


def has_gpu(findings: Mapping[str, Finding]) -> bool:
    """Tell whether the recogniser computes on a GPU."""
    return bool(findings["gpu"].figures.get("gpu_used")) if "gpu" in findings else False


def _hint(expected: Estimate, settings: Settings) -> str:
    if expected.slowest == "language model":
        return (
            "set LLM_BASE_URL to a server with a GPU: the language model takes the most of a turn"
        )
    if expected.slowest == "recogniser":
        return "use a GPU (PROFILE=gpu) or a smaller STT_MODEL: the recogniser takes the most"
    if expected.slowest == "voice":
        voice = settings.voices.get(settings.language, "")
        return f"choose a faster voice than {voice} in TTS_VOICES: it takes the most of a turn"
    return "add processor cores: no single part takes the most of a turn"
