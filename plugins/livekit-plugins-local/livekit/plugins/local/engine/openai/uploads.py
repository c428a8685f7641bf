"""Reading a file that a client uploads, without letting it fill the memory."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from livekit.plugins.local.engine.openai.errors import ApiError, missing

MAX_FILE = 25 * 1024 * 1024
"""Largest file, in bytes; OpenAI's limit."""

# The fields around the file.
_MAX_FIELD = 64 * 1024
_MAX_PARTS = 64
_MAX_BODY = MAX_FILE + 1024 * 1024
# All uploads of this process that are being read or transcribed.
_MAX_HELD = 16 * MAX_FILE
_CHUNK = 64 * 1024
# A client that sends nothing for so long has stopped.
_IDLE_SECONDS = 30.0

Hold = Callable[[int], None]


class Uploads:
    """Counts the bytes that the uploads of one process hold in memory."""

    def __init__(self) -> None:
        self._held = 0

    @contextmanager
    def opened(self) -> Iterator[Hold]:
        """Yield a function that reserves memory, in bytes, until the block ends.

        The function raises `ApiError` when there are too many uploads.
        """
        mine = 0

        def hold(size: int) -> None:
            nonlocal mine
            if self._held + size > _MAX_HELD:
                raise ApiError(
                    503, "The speech engine is busy; try again in a moment.", code="overloaded"
                )
            mine += size
            self._held += size

        try:
            yield hold
        finally:
            self._held -= mine


@dataclass(slots=True)
class Form:
    """An upload with what came along.

    Attributes:
        file: Contents of the file.
        fields: Every other field to its values, without the brackets that mark a list.
    """

    file: bytearray
    fields: dict[str, list[str]] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """Return the last value of a field, None if there is none."""
        return self.fields[name][-1] if self.fields.get(name) else None


async def read_form(request: web.Request, hold: Hold) -> Form:
    """Read a ``multipart/form-data`` body.

    Raises:
        ApiError: It is something else, has no file, or is too large.
    """
    if request.content_type != "multipart/form-data":
        raise ApiError(
            415,
            f"The content type is {request.content_type}; send the file as multipart/form-data.",
            code="unsupported_media_type",
        )
    if (request.content_length or 0) > _MAX_BODY:
        raise _too_large()
    form = Form(bytearray())
    found = False
    try:
        reader = await request.multipart()
        for _ in range(_MAX_PARTS):
            part = await _next(reader)
            if part is None:
                break
            if part.name == "file":
                found = True
                await _read(part, form.file, MAX_FILE, hold)
            else:
                value = bytearray()
                await _read(part, value, _MAX_FIELD, hold)
                name = (part.name or "").removesuffix("[]")
                form.fields.setdefault(name, []).append(value.decode())
    except TimeoutError:
        raise ApiError(408, "The upload stopped; send it again.", code="timeout") from None
    except (ValueError, HttpProcessingError, web.RequestPayloadError):
        raise ApiError(400, "The form cannot be read.", code="invalid_form") from None
    if not found:
        raise missing("file")
    return form


async def _next(reader: MultipartReader) -> BodyPartReader | None:
    async with asyncio.timeout(_IDLE_SECONDS):
        part = await reader.next()
    if part is not None and not isinstance(part, BodyPartReader):
        raise ValueError("a form in a form")
    return part


async def _read(part: BodyPartReader, into: bytearray, limit: int, hold: Hold) -> None:
    while True:
        async with asyncio.timeout(_IDLE_SECONDS):
            chunk = await part.read_chunk(_CHUNK)
        if not chunk:
            return
        hold(len(chunk))
        into += chunk
        if len(into) > limit:
            raise _too_large() if limit == MAX_FILE else ValueError("a field is too long")


def _too_large() -> ApiError:
    return ApiError(
        413,
        f"The file is larger than {MAX_FILE} bytes; compress it, or cut it into parts.",
        param="file",
        code="file_too_large",
    )
