"""What the speech engine loads, and on what it computes."""

from typing import Any, Literal

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator

from .groups import CommaSeparated, Group

# Defaults that go together; whatever is set by itself wins.
PROFILES: dict[str, dict[str, str]] = {
    "cpu": {},
    "gpu": {
        "device": "cuda",
        "stt_model": "whisper-large-v3-turbo",
        # A GPU does not notice the difference, and this model tends to repeat itself with less.
        "stt_encoder_context": "full",
    },
}

ComputeType = Literal[
    "auto",
    "int8",
    "int8_float32",
    "int8_float16",
    "int8_bfloat16",
    "int16",
    "float16",
    "bfloat16",
    "float32",
]


class Engine(Group):
    """What the speech engine loads, and on what it computes."""

    profile: Literal["cpu", "gpu"] = Field(
        "cpu",
        description="Defaults that go together: `gpu` stands for `DEVICE=cuda`, "
        "`STT_MODEL=whisper-large-v3-turbo` and `STT_ENCODER_CONTEXT=full`",
    )
    engine_url: str | None = Field(
        None, description="Engine address, `unix:PATH` or `http://HOST:PORT`; empty: a socket here"
    )
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="`auto`, `cpu` or `cuda:N`"
    )
    stt_model: str = Field(
        "whisper-base",
        description="Speech recognition model: `whisper-base`, `whisper-tiny.en`, "
        "`whisper-large-v3-turbo`, `moonshine-tiny-en` (English, fast), or a Whisper of your own "
        "for CTranslate2: a directory, or `ORG/NAME` or `ORG/NAME@REVISION` of the hub",
    )
    stt_compute_type: ComputeType = Field(
        "auto",
        description="Number format in which Whisper computes, one of CTranslate2's; `auto` takes "
        "`int8` on a CPU and `float16` on a GPU that has it, whatever the model was saved in",
    )
    stt_beam_size: int = Field(2, ge=1, le=10, description="Beam width of final transcripts")
    stt_encoder_context: Literal["auto", "full"] = Field(
        "auto",
        description="What the recogniser encodes: `auto` little more than the utterance where that "
        "is faster (on a CPU), `full` always 30 s",
    )
    stt_keyterms: CommaSeparated[str] = Field(
        (), description="Names and words that callers say and the recogniser should know"
    )
    tts_voices: CommaSeparated[str] = Field(
        ("en=hibari/heart", "fr=kokoro/ff_siwis"),
        description="Voice per language, as `language=engine/voice`",
    )
    tts_openai_url: HttpUrl | None = Field(
        None,
        description="OpenAI-compatible speech server (ends in `/v1`) behind voices `openai/NAME`",
    )
    tts_openai_model: str = Field("tts-1", description="Model name sent to that server")
    tts_openai_api_key: SecretStr | None = Field(
        None, description="API key of that server, if it wants one"
    )
    tts_openai_sample_rate: int = Field(
        24_000, ge=8000, le=48_000, description="Sample rate of its PCM, if its answers do not tell"
    )
    tts_speed: float = Field(1.0, ge=0.5, le=2.0, description="Speaking rate; 1 is the voice's own")
    tts_cache_mb: int = Field(
        64, ge=0, description="Megabytes of speech kept in memory to be said again; 0 keeps none"
    )

    @model_validator(mode="before")
    @classmethod
    def _apply_profile(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**PROFILES.get(str(values.get("profile")), {}), **values}

    @field_validator("tts_voices")
    @classmethod
    def _check_voices(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            language, _, voice = entry.partition("=")
            if not language or voice.count("/") != 1:
                raise ValueError(f"must look like `en=hibari/heart`; {entry!r} does not")
        return value

    @property
    def voices(self) -> dict[str, str]:
        """Voice (``engine/name``) per language."""
        return dict(entry.split("=", 1) for entry in self.tts_voices)
