"""What a user has without this project: a bare LiveKit agent, as a worker of its own.

The framework's defaults; plain faster-whisper behind its `StreamAdapter`, in each call's process;
replies spoken in whole sentences. Weights, voices, instructions and language model server are ours.
The detector of turns is named, since the framework's own choice may be a hosted service.
"""

from typing import Any

from faster_whisper import WhisperModel
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    Agent,
    AgentSession,
    APIConnectOptions,
    JobContext,
    JobProcess,
    inference,
    stt,
    tts,
    utils,
)
from livekit.plugins import local, openai

from agent.bench.stt.baseline import PlainWhisper
from agent.call.instructions import instructions
from agent.call.phrases import greeting
from agent.call.session import caller_language
from agent.model_store import model_store
from agent.settings import load
from agent.worker.server import JobSteps, run

AGENT_NAME = "bench-bare"
_MODEL = "whisper"


class WholeSentences(tts.TTS[Any]):
    """A voice that is given whole sentences, and says them once they are complete."""

    def __init__(self, voice: local.TTS) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False),
            sample_rate=voice.sample_rate,
            num_channels=voice.num_channels,
        )
        self.voice = voice

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Speak a text."""
        return _Sentence(tts=self, input_text=text, conn_options=conn_options)


class _Sentence(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=self._tts.sample_rate,
            num_channels=self._tts.num_channels,
            mime_type="audio/pcm",
        )
        assert isinstance(self._tts, WholeSentences)
        speech = self._tts.voice.synthesize(self._input_text, conn_options=self._conn_options)
        frame = await speech.collect()
        output_emitter.push(frame.data.tobytes())


def load_model(process: JobProcess) -> None:
    """Load Whisper, before the process has a call."""
    settings = load()
    path = model_store(settings).locate(settings.stt_model)
    process.userdata[_MODEL] = WhisperModel(
        str(path), device="cpu", compute_type="int8", local_files_only=True
    )


async def take_call(ctx: JobContext) -> None:
    """Entry point of a job process."""
    settings = load()
    language = caller_language(ctx.job.metadata, settings)
    ears = PlainWhisper(ctx.proc.userdata[_MODEL], language)
    activity = inference.VAD()
    session: AgentSession[None] = AgentSession(
        stt=stt.StreamAdapter(stt=ears, vad=activity),
        llm=openai.LLM(
            model=settings.llm_model,
            base_url=settings.llm_url,
            api_key=settings.llm_api_key.get_secret_value(),
        ),
        tts=WholeSentences(local.TTS(engine=settings.engine_address, language=language)),
        vad=activity,
        turn_handling={
            "turn_detection": inference.TurnDetector(version="v1-mini"),
            "interruption": {"mode": "vad"},
        },
        aec_warmup_duration=None,
    )
    session.on("close", lambda _: ctx.shutdown("the call is over"))
    await session.start(
        Agent(instructions=instructions(settings)),
        room=ctx.room,
        record=False,
        session_host=False,
    )
    session.say(greeting(settings, language))


if __name__ == "__main__":
    # By their real names: a job process imports this module as such.
    from agent.bench.voice import bare

    run(load(), JobSteps(bare.take_call, bare.load_model))
