"""Work that runs in parallel, and what the framework may see of its failures."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from livekit.agents import APIConnectionError, APIError, APITimeoutError


@asynccontextmanager
async def api_errors() -> AsyncIterator[None]:
    """Turn whatever goes wrong inside into an `APIError`.

    The framework retries, reports and falls back on these alone.
    """
    try:
        yield
    except APIError:
        raise
    except TimeoutError:
        raise APITimeoutError("the moshi-server did not answer in time") from None
    except (aiohttp.ClientError, OSError) as error:
        raise APIConnectionError(
            f"the connection to the moshi-server failed ({type(error).__name__})"
        ) from None
    except Exception as error:
        raise APIConnectionError(
            f"the speech plugin failed ({type(error).__name__}: {error})"
        ) from error


async def run_with(main: Coroutine[Any, Any, None], *helpers: Coroutine[Any, Any, None]) -> None:
    """Run ``main`` while ``helpers`` run beside it.

    Ends when ``main`` does, or with the exception of whichever fails first; the others are
    cancelled and waited for.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in (main, *helpers)]
    pending = set(tasks)
    try:
        while tasks[0] in pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task in done:
                    task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
