"""How far something is, in words."""

from agent.readiness import Component

_MEGABYTE = 1_000_000
_MINUTE = 60


def amount(component: Component) -> str:
    """Return bytes, rate and time left of a download: ``120 of 400 MB (30 %), 4.2 MB/s, 66 s``.

    Returns:
        An empty string for what is no download.
    """
    if component.done is None or not component.total:
        return ""
    done, total = component.done / _MEGABYTE, component.total / _MEGABYTE
    texts = [f"{done:.0f} of {total:.0f} MB ({100 * done / total:.0f} %)"]
    if component.rate:
        texts.append(f"{component.rate / _MEGABYTE:.1f} MB/s")
    if component.eta is not None:
        texts.append(f"{duration(component.eta)} left")
    return ", ".join(texts)


def duration(seconds: float) -> str:
    """Return a time in the unit in which people would say it."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 120 * _MINUTE:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / 60 / _MINUTE:.0f} h"
