"""How long each stage of an answer may take."""

from pydantic import Field

from .groups import Group


class Receipts(Group):
    """How long each stage of an answer may take."""

    budget_total_ms: int = Field(
        1200,
        ge=1,
        description="Milliseconds from the end of the caller's speech to the answer; turns that "
        "take longer are counted, with the stage that took too long",
    )
    budget_stt_ms: int = Field(
        400,
        ge=1,
        description="Of these, until the transcript is there and the turn is known to be over",
    )
    budget_llm_ms: int = Field(
        500, ge=1, description="Of these, until the model has written what can be spoken first"
    )
    budget_tts_ms: int = Field(200, ge=1, description="Of these, until its first sound is made")
    budget_output_ms: int = Field(100, ge=1, description="Of these, until the caller hears it")
