"""Whisper small for CTranslate2, made from the quantised ONNX files that a registry carries.

No registry has it in CTranslate2's format. The weights are read from the ONNX graphs, dequantised
and handed to CTranslate2's own converter as if they were the modules of the original network. Only
this needs the package `onnx`.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import UserError

_ENCODER = "encoder_model_quantized.onnx"
_DECODER = "decoder_model_merged_quantized.onnx"
_LAYERS = 12
_HEADS = 12
# Layer and head of the cross attention that follows the words: `generation_config.json`.
_ALIGNMENT_HEADS = [
    *([5, 3], [5, 9], [8, 0], [8, 4], [8, 7], [8, 8], [9, 0], [9, 7], [9, 9], [10, 5]),
]

Weights = dict[str, NDArray[np.float32]]


def convert(source: Path, vocabulary: Path, target: Path) -> None:
    """Convert the model; takes some ten seconds and a gigabyte of memory.

    Args:
        source: Directory with the ONNX files.
        vocabulary: Directory of another multilingual Whisper in CTranslate2's format: its tokens
            and languages are the same.
        target: Directory to make; it is there completely or not at all.

    Raises:
        UserError: The package `onnx` is missing.
    """
    from ctranslate2.converters.transformers import WhisperLoader
    from ctranslate2.specs import WhisperSpec

    class Loader(WhisperLoader):  # type: ignore[misc]
        def set_linear(self, spec: Any, module: Any) -> None:  # noqa: ANN401 - as the original
            # The original asks for PyTorch's classes.
            spec.weight = module.weight
            if module.bias is not None:
                spec.bias = module.bias

    encoder = _modules(_read(source / _ENCODER))
    decoder = _modules(_read(source / _DECODER)).model.decoder
    for part in (encoder, decoder):
        part.layers = [getattr(part.layers, str(number)) for number in range(_LAYERS)]
    spec = WhisperSpec(_LAYERS, _HEADS, _LAYERS, _HEADS)
    loader = Loader()
    loader.set_encoder(spec.encoder, encoder)
    loader.set_decoder(spec.decoder, decoder)
    # Whisper writes words with the same table with which it reads them.
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    spec.register_vocabulary((vocabulary / "vocabulary.txt").read_text("utf-8").split("\n")[:-1])
    _configure(spec.config, vocabulary)
    spec.validate()
    spec.optimize(quantization="int8")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        spec.save(folder)
        shutil.copy(vocabulary / "tokenizer.json", folder)
        Path(folder).rename(target)
        Path(folder).mkdir()


def _configure(config: object, vocabulary: Path) -> None:
    known = json.loads((vocabulary / "config.json").read_bytes())
    for name, value in {**known, "alignment_heads": _ALIGNMENT_HEADS}.items():
        setattr(config, name, value)


def _read(path: Path) -> Weights:
    """Return the weights of a network by the names that they had in PyTorch."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise UserError(
            "Converting Whisper needs the package onnx: `uv pip install onnx`."
        ) from None
    graph = onnx.load(path).graph
    found = {
        tensor.name.replace("_merged_0", ""): numpy_helper.to_array(tensor)
        for each in _graphs(graph)
        for tensor in each.initializer
    }
    names = {
        name.replace("_merged_0", ""): named
        for each in _graphs(graph)
        for node in each.node
        if node.op_type == "MatMulInteger" and (named := _named(node.name))
        for name in node.input[1:2]
    }
    weights: Weights = {}
    for name, values in found.items():
        plain = name.removesuffix("_quantized")
        if plain == name:
            weights[name] = values
            continue
        exact = (values.astype(np.float32) - found[f"{plain}_zero_point"]) * found[f"{plain}_scale"]
        # What a matrix product takes is transposed; what is looked up or convolved with is not.
        weights[names.get(name, plain)] = exact.T if name in names else exact
    return weights


def _named(node: str) -> str:
    """Return the weight behind a node: ``/layers.0/fc1/MatMul_quant`` → ``layers.0.fc1.weight``."""
    place, _, operator = node.rpartition("/")
    return f"{place.strip('/').replace('/', '.')}.weight" if operator == "MatMul_quant" else ""


def _graphs(graph: Any) -> Iterator[Any]:  # noqa: ANN401 - protobuf's classes are made at run time
    """Yield a graph and those inside it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _modules(weights: Weights) -> Any:  # noqa: ANN401 - attributes by name
    """Return the weights as attributes of nested objects, ``a.b.weight``, as modules have them."""
    root = SimpleNamespace()
    for name, values in weights.items():
        *path, last = name.split(".")
        place = root
        for step in path:
            if not hasattr(place, step):
                setattr(place, step, SimpleNamespace(bias=None))
            place = getattr(place, step)
        setattr(place, last, np.ascontiguousarray(values))
    return root
