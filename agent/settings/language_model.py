"""Which language model answers."""

from pydantic import Field, HttpUrl, SecretStr

from .groups import Group


class LanguageModel(Group):
    """Which language model answers."""

    llm_base_url: HttpUrl | None = Field(
        None, description="OpenAI-compatible server (ends in `/v1`); empty runs one here"
    )
    llm_model: str = Field(
        "qwen2.5-coder-1.5b-instruct-q4_k_m",
        description="Model name sent to that server; for the embedded one a model of "
        "`eloquence models list`, a GGUF file of your own (its path), or `ORG/NAME/FILE.gguf` or "
        "`ORG/NAME/FILE.gguf@REVISION` of the hub",
    )
    llm_api_key: SecretStr = Field(
        SecretStr("local"), description="API key of that server, if it wants one"
    )
    llm_port: int = Field(8091, ge=1, le=65535, description="Port of the embedded model's server")
    llm_timeout: float = Field(30.0, gt=0, description="Seconds to wait for the model's first word")
    llm_max_tokens: int = Field(256, ge=1, description="Longest reply, in tokens")
    llm_context: int = Field(4096, ge=512, description="Context of the embedded model, in tokens")

    @property
    def embedded_llm(self) -> bool:
        """Whether the language model runs on this machine, under our control."""
        return self.llm_base_url is None

    @property
    def llm_url(self) -> str:
        """Base URL of the language model server, ending in ``/v1``."""
        return str(self.llm_base_url or f"http://127.0.0.1:{self.llm_port}/v1").rstrip("/")
