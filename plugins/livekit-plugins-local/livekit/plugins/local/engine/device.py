"""Choosing the processor on which models run, and saying clearly when it cannot be had."""

from dataclasses import dataclass, replace

import ctranslate2
from livekit.plugins.local.engine.config import AUTO
from livekit.plugins.local.errors import EngineError, engine_error


@dataclass(frozen=True, slots=True)
class Device:
    """Where a model runs.

    Attributes:
        kind: ``cpu`` or ``cuda``, as CTranslate2 spells it.
        index: Number of the GPU; 0 on the CPU.
        compute_type: CTranslate2 compute type of the weights.
    """

    kind: str
    index: int
    compute_type: str


def choose_device(wanted: str, compute_type: str = AUTO) -> Device:
    """Return the device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    ``auto`` takes the first usable GPU and otherwise the CPU, without complaint.

    Args:
        wanted: The device.
        compute_type: CTranslate2's name of a compute type; ``auto`` takes the fastest that the
            device supports. Whatever a model was saved in, it is converted as it is loaded.

    Raises:
        EngineError: A GPU was asked for and is missing or too old, or the device does not support
            the compute type.
    """
    kind, _, number = wanted.partition(":")
    if kind == "cpu":
        return _typed(Device("cpu", 0, "int8"), compute_type)
    try:
        device = _gpu(int(number or 0), wanted)
    except EngineError:
        if wanted != AUTO:
            raise
        device = Device("cpu", 0, "int8")
    return _typed(device, compute_type)


def _typed(device: Device, compute_type: str) -> Device:
    """Return the device with the compute type that was asked for."""
    if compute_type == AUTO:
        return device
    supported = ctranslate2.get_supported_compute_types(device.kind, device.index)
    typed = replace(device, compute_type=compute_type)
    if compute_type not in supported:
        raise _unsupported(typed)
    return typed


def _unsupported(device: Device) -> EngineError:
    supported = ctranslate2.get_supported_compute_types(device.kind, device.index)
    return engine_error(
        "compute_type",
        wanted=device.compute_type,
        device="GPU" if device.kind == "cuda" else "CPU",
        supported=", ".join(sorted(supported)),
    )


def _gpu(index: int, wanted: str) -> Device:
    count = ctranslate2.get_cuda_device_count()
    if index >= count:
        found = "none was found" if count == 0 else f"only {count} were found"
        raise engine_error("no_cuda", wanted=wanted, found=found)
    try:
        types = ctranslate2.get_supported_compute_types("cuda", index)
    except (RuntimeError, ValueError) as error:
        raise engine_error("gpu_unusable", wanted=wanted, reason=error) from None
    for compute_type in ("float16", "int8_float32", "float32"):
        if compute_type in types:
            return Device("cuda", index, compute_type)
    raise engine_error("gpu_too_old", wanted=wanted)


def explain_device_failure(error: Exception, device: Device) -> EngineError | None:
    """Translate what CTranslate2 raises when a device cannot; None if it is something else."""
    text = str(error)
    if isinstance(error, ValueError) and "compute type" in text:
        return _unsupported(device)
    if device.kind != "cuda" or "CUDA" not in text.upper():
        return None
    if "out of memory" in text.lower():
        return engine_error("gpu_memory", index=device.index)
    return engine_error("gpu_failed", index=device.index, reason=text)
