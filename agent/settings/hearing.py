"""What hears in a call, and what stands in for it."""

from typing import Literal

from pydantic import Field, HttpUrl, SecretStr

from .groups import CommaSeparated, Group

Ear = Literal["local", "kyutai", "deepgram", "openai"]


class Hearing(Group):
    """What hears in a call, and what stands in for it."""

    stt: Ear = Field(
        "local",
        description="What hears: `local`, the speech engine; `kyutai`, a moshi-server; `deepgram`, "
        "its hosted service; `openai`, any server with OpenAI's `/v1/audio/transcriptions`",
    )
    stt_fallback: CommaSeparated[Ear] = Field(
        ("local",), description="What hears while `STT` fails, in this order"
    )
    deepgram_api_key: SecretStr | None = Field(None, description="API key for `deepgram`")
    stt_base_url: HttpUrl | None = Field(None, description="Server for `openai` (ends in `/v1`)")
    stt_api_key: SecretStr = Field(
        SecretStr("none"), description="API key of that server, if it wants one"
    )
    stt_server_model: str = Field("whisper-1", description="Model name sent to that server")
    vad: Literal["livekit", "silero"] = Field(
        "livekit",
        description="What tells the session that somebody speaks: the detector that comes with "
        "LiveKit, or that of `livekit-plugins-silero`",
    )

    @property
    def ears(self) -> tuple[Ear, ...]:
        """What hears, and what hears while that fails, in order."""
        return tuple(dict.fromkeys((self.stt, *self.stt_fallback)))
