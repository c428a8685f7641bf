"""What the machine has: processor, memory, disk, GPU."""

import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import psutil
from livekit.plugins.local.failures import explain
from livekit.plugins.local.models.space import existing, free_bytes, readable

from agent.cli.models import needed_models
from agent.doctor.finding import Finding, fail, ok, warn
from agent.llm.server import physical_cores
from agent.model_store import model_store
from agent.settings import Settings

_GB = 1_000_000_000
# What the default models and processes take, with a few calls.
NEEDED_MEMORY = 4 * _GB
SPARE_MEMORY = _GB // 4
SPARE_DISK = _GB // 2
# What is kept of calls, and written when one is placed.
LEAST_DISK = _GB // 500
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_CPUINFO = Path("/proc/cpuinfo")
_SMI = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")


def processor(settings: Settings, cpuinfo: Path = _CPUINFO) -> Finding:
    """Look for the instructions without which the models are slow."""
    cores = physical_cores()
    told = f"{cores} core{'s' if cores > 1 else ''}, {platform.machine()}"
    if platform.machine().lower() not in ("x86_64", "amd64") or not cpuinfo.exists():
        return ok(told)
    flags = set(
        cpuinfo.read_text(errors="replace").partition("flags")[2].partition("\n")[0].split()
    )
    if "avx2" not in flags:
        return warn(
            f"{told}, without AVX2: recognition and the language model are several times slower",
            "use another machine, or a virtual machine that passes the processor's features on",
        )
    more = [name.upper() for name in ("fma", "avx512f", "avx512_vnni", "amx_int8") if name in flags]
    return ok(", ".join([told, "AVX2", *more]))


def memory(settings: Settings) -> Finding:
    """Compare the memory with what the default models take."""
    machine = psutil.virtual_memory()
    total, available = min(machine.total, _container_limit()), machine.available
    told = f"{readable(total)} of memory, {readable(available)} available"
    if available < SPARE_MEMORY:
        return fail(
            told, "stop other programs: a call needs 0.1 GB, and a full machine kills parts"
        )
    if total < NEEDED_MEMORY:
        return warn(
            f"{told}; the default models and a few calls take {readable(NEEDED_MEMORY)}",
            "set LLM_BASE_URL to a server elsewhere, or STT_MODEL to a smaller one",
        )
    return ok(told, memory_gb=round(total / _GB, 1))


def _container_limit() -> int:
    try:
        return int(_CGROUP_LIMIT.read_text())
    except (OSError, ValueError):  # no container, or "max"
        return 2**63


def disk(settings: Settings) -> Finding:
    """Find room for what is not fetched yet, and a directory that can be written."""
    store = model_store(settings)
    missing = [name for name in needed_models(settings) if store.locate(name) is None]
    place = existing(settings.cache_dir)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        failure = explain("permission_denied", place=place, reason=error.strerror)
        return fail(failure.sentence, failure.remedy)
    store.require_space(missing)
    free = free_bytes(place)
    if free < LEAST_DISK:
        failure = explain("disk_full", place=settings.cache_dir)
        return fail(failure.sentence, failure.remedy)
    if free < SPARE_DISK:
        return warn(
            f"{readable(free)} free in {settings.cache_dir}",
            "free some space there, or set ELOQUENCE_CACHE_DIR to a directory on a larger disk",
        )
    return ok(f"{readable(free)} free in {settings.cache_dir}")


def gpu(settings: Settings) -> Finding:
    """Find the GPU that the settings ask for; without one wanted, none is needed."""
    told = _nvidia_smi()
    if told is None and not settings.device.startswith("cuda"):
        return ok(f"no GPU; DEVICE={settings.device} runs on the CPU")
    if settings.device == "cpu":
        return ok(f"not used, as DEVICE=cpu says ({told})")
    # Not at the head: it takes a second, and a machine without a GPU does not need it.
    from livekit.plugins.local.engine.device import choose_device

    device = choose_device(settings.device, settings.stt_compute_type)
    if device.kind == "cpu":
        return warn(
            f"there is a GPU ({told}), but recognition cannot use it",
            "update the NVIDIA driver (CUDA 12 or later); DEVICE=cuda says what is wrong",
        )
    return ok(f"{told or 'GPU'}, computing in {device.compute_type}", gpu_used=1.0)


def _nvidia_smi() -> str | None:
    """Return name, driver and memory of the first GPU; None without one."""
    if shutil.which(_SMI[0]) is None:
        return None
    try:
        done = subprocess.run(_SMI, capture_output=True, text=True, timeout=2, env=os.environ)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.partition("\n")[0].strip() or None if done.returncode == 0 else None
