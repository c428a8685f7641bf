"""Client of a cloning service: a module of type ``PyPost`` that turns a recording into a voice."""

import asyncio

import aiohttp
from livekit.agents import APIConnectionError, APIStatusError, APITimeoutError
from livekit.plugins.kyutai.messages import MAX_MESSAGE
from livekit.plugins.kyutai.server import MoshiServer
from livekit.plugins.kyutai.voices import VoiceEmbedding, VoiceError

_LARGEST_RECORDING = 16 * 1024 * 1024


async def clone_voice(
    recording: bytes,
    *,
    base_url: str = "http://127.0.0.1:8092",
    path: str = "/api/voice",
    name: str = "cloned",
    timeout: float = 60.0,
) -> VoiceEmbedding:
    """Have a cloning service make a voice of a recording.

    Kyutai does not publish the model that such a service needs.

    Args:
        recording: An audio file of at most 16 MiB; the service takes its first 10 s.
        base_url: Address of the service.
        path: Path of its module.
        name: What logs and metrics call the voice.
        timeout: Seconds that the service has.

    Raises:
        VoiceError: The recording is too long, or the answer is no embedding.
        APIError: The service cannot be reached, failed, or was too slow.
    """
    if len(recording) > _LARGEST_RECORDING:
        raise VoiceError("the recording is longer than the 16 MiB that the service takes; cut it")
    # The service asks for no key.
    server = MoshiServer(base_url, api_key="")
    try:
        async with (
            asyncio.timeout(timeout),
            server.post(
                path, body=recording, content_type="application/octet-stream", timeout=timeout
            ) as response,
        ):
            answer = await response.content.read(MAX_MESSAGE + 1)
            while len(answer) <= MAX_MESSAGE and (more := await response.content.readany()):
                answer += more
    except TimeoutError:
        raise APITimeoutError(f"the cloning service at {base_url} took too long") from None
    except (aiohttp.ClientError, OSError) as error:
        raise server.lost(error) from None
    except APIStatusError as error:
        if error.status_code != 500:
            raise
        raise APIConnectionError(
            f"the cloning service at {base_url} could not use the recording; see its log",
            retryable=False,
        ) from None
    finally:
        await server.aclose()
    return VoiceEmbedding.from_bytes(answer, name=name)
