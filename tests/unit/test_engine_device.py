"""Which processor the models run on, and what is said when it cannot be had."""

from collections.abc import Callable
from pathlib import Path

import ctranslate2
import numpy as np
import pytest
from livekit.plugins.local.engine.device import Device, choose_device, explain_device_failure
from livekit.plugins.local.engine.stt import whisper
from livekit.plugins.local.engine.stt.registry import LoadedModel, ModelContext
from livekit.plugins.local.errors import EngineError

pytestmark = pytest.mark.unit

GPU = Device("cuda", 0, "float16")


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> dict[int, set[str]]:
    """The GPUs of this machine: number to the compute types that it supports."""
    found: dict[int, set[str]] = {}
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: len(found))
    monkeypatch.setattr(ctranslate2, "get_supported_compute_types", lambda _, at: found[at])
    return found


@pytest.mark.parametrize("wanted", ["auto", "cpu"])
def test_without_a_gpu_the_cpu_is_used(gpus: dict[int, set[str]], wanted: str) -> None:
    assert choose_device(wanted) == Device("cpu", 0, "int8")


def test_auto_takes_a_gpu_that_is_there(gpus: dict[int, set[str]]) -> None:
    gpus[0] = {"float16", "float32"}
    assert choose_device("auto") == GPU


def test_the_cpu_can_be_insisted_on(gpus: dict[int, set[str]]) -> None:
    gpus[0] = {"float16"}
    assert choose_device("cpu").kind == "cpu"


@pytest.mark.parametrize("wanted", ["cuda", "cuda:0", "cuda:3"])
def test_a_missing_gpu_is_one_sentence(gpus: dict[int, set[str]], wanted: str) -> None:
    with pytest.raises(EngineError) as failure:
        choose_device(wanted)
    assert failure.value.code == "no_cuda"
    assert f"DEVICE={wanted} asks for a GPU" in failure.value.message
    assert "DEVICE=cpu" in failure.value.message


def test_a_gpu_that_is_too_old_is_one_sentence(gpus: dict[int, set[str]]) -> None:
    gpus[0] = {"int16"}
    with pytest.raises(EngineError, match="too old"):
        choose_device("cuda:0")
    assert choose_device("auto").kind == "cpu"


def test_running_out_of_gpu_memory_says_what_to_do() -> None:
    failure = explain_device_failure(RuntimeError("CUDA failed with error out of memory"), GPU)
    assert failure
    assert "out of memory" in failure.message
    assert failure.retryable
    assert "DEVICE=cpu" in failure.message


def test_what_is_not_the_gpus_fault_is_not_blamed_on_it() -> None:
    assert explain_device_failure(RuntimeError("Unable to open file 'model.bin'"), GPU) is None
    assert explain_device_failure(RuntimeError("CUDA failed"), Device("cpu", 0, "int8")) is None


def test_a_compute_type_that_the_device_lacks_is_refused_with_those_it_has() -> None:
    # No GPU is pretended here: this is what CTranslate2 says of this machine's processor.
    supported = ctranslate2.get_supported_compute_types("cpu")
    assert choose_device("cpu", "float32") == Device("cpu", 0, "float32")
    with pytest.raises(EngineError) as failure:
        choose_device("cpu", "float17")
    assert failure.value.code == "compute_type"
    assert "STT_COMPUTE_TYPE is float17, which the CPU of this machine does not support" in str(
        failure.value
    )
    assert failure.value.remedy == f"set it to auto, or to one of {', '.join(sorted(supported))}"


def test_without_a_driver_a_gpu_is_refused_by_what_ctranslate2_really_says() -> None:
    if ctranslate2.get_cuda_device_count():
        assert choose_device("cuda").kind == "cuda"
        return
    with pytest.raises(EngineError, match="but none was found; check the NVIDIA driver"):
        choose_device("cuda")


def test_auto_keeps_the_compute_type_when_it_falls_back(gpus: dict[int, set[str]]) -> None:
    gpus[0] = {"float16", "float32"}
    assert choose_device("auto", "float32") == Device("cuda", 0, "float32")


def load(path: Path, device: Device) -> LoadedModel:
    return whisper.load(ModelContext("whisper-base", path, device, 1, "auto"))


def test_a_gpu_that_is_counted_but_cannot_be_used_is_named_with_the_drivers_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Only the count is pretended, of a number that no machine reaches; CTranslate2 then really
    # asks the driver for the last of them.
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 100)
    with pytest.raises(EngineError) as failure:
        choose_device("cuda:99")
    assert failure.value.code == "gpu_unusable"
    assert "DEVICE=cuda:99 cannot be used (CUDA failed with error" in failure.value.message
    assert "update the NVIDIA driver, or set DEVICE=cpu" in failure.value.message


def test_a_model_that_a_gpu_does_not_take_is_not_called_damaged(
    models: Callable[[str], Path],
) -> None:
    with pytest.raises(EngineError) as failure:
        load(models("whisper-base"), Device("cuda", 99, "float16"))
    assert failure.value.code == "gpu_failed"
    assert "The GPU 99 failed (CUDA failed with error" in failure.value.message


def test_a_compute_type_that_the_processor_lacks_is_refused_by_what_it_really_supports(
    models: Callable[[str], Path],
) -> None:
    supported = ctranslate2.get_supported_compute_types("cpu")
    lacking = next(name for name in ("float16", "bfloat16") if name not in supported)
    with pytest.raises(EngineError) as chosen:
        choose_device("cpu", lacking)
    with pytest.raises(EngineError) as loaded:
        load(models("whisper-base"), Device("cpu", 0, lacking))
    assert chosen.value.code == loaded.value.code == "compute_type"
    assert f"STT_COMPUTE_TYPE is {lacking}" in chosen.value.message
    assert loaded.value.message == chosen.value.message


def test_a_gpu_that_runs_out_of_memory_in_a_call_says_what_to_do(
    models: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a GPU there is no memory to run out of: CTranslate2's words are pretended."""
    model = load(models("whisper-base"), Device("cpu", 0, "int8"))
    monkeypatch.setattr(model, "_device", GPU)

    class Full:
        def encode(self, *_: object) -> None:
            raise RuntimeError("CUDA failed with error out of memory")

    monkeypatch.setattr(model, "_model", Full())
    with pytest.raises(EngineError) as failure:
        model.transcribe(np.zeros(16_000, np.float32), current="en", candidates=["en"], beam_size=1)
    assert failure.value.code == "gpu_memory"
    assert failure.value.retryable
    assert "choose a smaller STT_MODEL" in failure.value.message
