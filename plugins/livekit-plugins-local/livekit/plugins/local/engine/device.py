"""Choosing the processor on which models run, and saying clearly when it cannot be had."""

from dataclasses import dataclass

import ctranslate2
from livekit.plugins.local.errors import EngineError


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


def choose_device(wanted: str) -> Device:
    """Return the device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    ``auto`` takes the first usable GPU and otherwise the CPU, without complaint.

    Raises:
        EngineError: A GPU was asked for and is missing or too old.
    """
    kind, _, number = wanted.partition(":")
    if kind == "cpu":
        return Device("cpu", 0, "int8")
    try:
        return _gpu(int(number or 0), wanted)
    except EngineError:
        if wanted == "auto":
            return Device("cpu", 0, "int8")
        raise


def _gpu(index: int, wanted: str) -> Device:
    count = ctranslate2.get_cuda_device_count()
    if index >= count:
        found = "none was found" if count == 0 else f"only {count} were found"
        raise EngineError(
            "device",
            f"DEVICE={wanted} asks for a GPU, but {found}; check the NVIDIA driver, "
            "or set DEVICE=cpu.",
        )
    try:
        types = ctranslate2.get_supported_compute_types("cuda", index)
    except (RuntimeError, ValueError) as error:
        raise EngineError(
            "device",
            f"DEVICE={wanted} cannot be used ({error}); update the NVIDIA driver, "
            "or set DEVICE=cpu.",
        ) from None
    for compute_type in ("float16", "int8_float32", "float32"):
        if compute_type in types:
            return Device("cuda", index, compute_type)
    raise EngineError(
        "device", f"DEVICE={wanted} is a GPU too old for these models; set DEVICE=cpu."
    )


def explain_device_failure(error: RuntimeError, device: Device) -> EngineError | None:
    """Translate what CTranslate2 raises when a GPU fails; None if it is something else."""
    text = str(error)
    if device.kind != "cuda" or "CUDA" not in text.upper():
        return None
    if "out of memory" in text.lower():
        return EngineError(
            "device",
            f"The GPU {device.index} is out of memory; stop what else uses it, choose a smaller "
            "STT_MODEL, or set DEVICE=cpu.",
            # Others may let go of theirs, and a batch is tried again one by one.
            retryable=True,
        )
    return EngineError(
        "device", f"The GPU {device.index} failed ({text}); check the driver, or set DEVICE=cpu."
    )
