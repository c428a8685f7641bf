"""What the agent says, in which languages, in how many calls."""

from pydantic import Field, field_validator

from .groups import CommaSeparated, Group


class Conversation(Group):
    """What the agent says, in which languages, in how many calls."""

    agent_name: str = Field(
        "eloquence",
        min_length=1,
        max_length=64,
        description="Name by which calls ask for the agent",
    )
    agent_instructions: str | None = Field(
        None, description="System prompt; empty uses the built-in one"
    )
    greeting: str | None = Field(
        None, description="First words of the agent; empty uses one in the caller's language"
    )
    languages: CommaSeparated[str] = Field(
        ("en", "fr"), description="Languages a caller may speak; the first is the default"
    )
    max_calls: int = Field(4, ge=1, description="Simultaneous calls that one worker takes")
    silence_seconds: float = Field(
        60.0,
        ge=5,
        description="Silence after which a caller is asked, and then again until we hang up",
    )
    drain_seconds: int = Field(
        600, ge=0, description="How long a stopping worker lets its calls finish"
    )

    @field_validator("languages")
    @classmethod
    def _check_languages(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or any(len(code) != 2 or not code.isalpha() for code in value):
            raise ValueError("must be two-letter language codes such as `en,fr`")
        return tuple(code.lower() for code in value)

    @property
    def language(self) -> str:
        """The language spoken before the caller has said anything."""
        return self.languages[0]
