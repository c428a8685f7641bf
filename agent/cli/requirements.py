"""What each command cannot do without: known in an instant, before anything slow is imported."""

from collections.abc import Sequence

from livekit.plugins.local.packages import Requirement

from agent.errors import UserError

_INSTALL = "pip install eloquence-agent"


def _package(what: str, package: str, module: str) -> Requirement:
    return Requirement(what, f"the package {package}", _INSTALL, (module,))


LLM = (_package("The embedded language model", "xllamacpp", "xllamacpp"),)
CALLS = tuple(
    _package("The worker", package, module)
    for package, module in {
        "livekit-agents": "livekit.agents",
        "livekit": "livekit.rtc",
        "livekit-plugins-openai": "livekit.plugins.openai",
        "livekit-plugins-deepgram": "livekit.plugins.deepgram",
        "livekit-plugins-kyutai": "livekit.plugins.kyutai",
        "livekit-plugins-silero": "livekit.plugins.silero",
    }.items()
)
MEASURING = (_package("Measuring", "whisper-normalizer", "whisper_normalizer"),)


def require(requirements: Sequence[Requirement]) -> None:
    """Check that all of it is installed; nothing is imported.

    Raises:
        UserError: Something is not; the sentence says what, and how to get it.
    """
    for requirement in requirements:
        if not requirement.met:
            raise UserError(requirement.missing.message)
