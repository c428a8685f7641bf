"""Whether the models that are missing can come: known before anything is started."""

import asyncio

from livekit.plugins.local.models import ModelError, ModelStore, Progress

from agent.cli.models import needed_models
from agent.model_store import model_store
from agent.settings import Settings

# A source that has a model answers sooner; what is fetched meanwhile need not be fetched again.
_SECONDS = 2.0


async def missing_for_ever(settings: Settings) -> list[str]:
    """Begin to fetch what is missing, and stop as soon as it comes.

    Returns:
        For each model that does not come a sentence that says why, and what to do.
    """
    store = model_store(settings)
    missing = [name for name in needed_models(settings) if store.locate(name) is None]
    said = await asyncio.gather(*(_begin(store, name) for name in missing))
    return [sentence for sentence in said if sentence]


async def _begin(store: ModelStore, name: str) -> str:
    arrives = asyncio.Event()

    def look(progress: Progress) -> None:
        if progress.done:
            arrives.set()

    fetching = asyncio.create_task(store.ensure(name, look))
    arriving = asyncio.create_task(arrives.wait())
    tasks: set[asyncio.Task[object]] = {fetching, arriving}
    try:
        await asyncio.wait(tasks, timeout=_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if fetching.done():
            await fetching
        elif not arriving.done():
            return (
                f"Nothing that has the model {name} has answered within {_SECONDS:g} s; it is "
                "asked further (`eloquence models import` brings a model without any network)."
            )
    except ModelError as error:
        return error.message
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return ""
