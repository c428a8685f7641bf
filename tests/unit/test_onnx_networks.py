"""Networks that are taken apart and put together anew, run by ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from livekit.plugins.local.engine.tts.onnx_graph import (
    added,
    blend,
    cut_open,
    made,
    made_by,
    part,
    with_output,
)
from livekit.plugins.local.engine.tts.onnx_products import as_products, multiplies_exactly
from livekit.plugins.local.engine.tts.onnx_transform import as_convolution
from numpy.typing import NDArray
from onnx import (
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    load,
    numpy_helper,
    save,
)
from onnxruntime.quantization import QuantType, quantize_dynamic

pytestmark = pytest.mark.unit

Floats = NDArray[np.float32]
CHANNELS = 4


def network(nodes: list[NodeProto], **weights: NDArray[Any]) -> ModelProto:
    """A network from ``x`` to ``y``."""
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [ValueInfoProto(name="y")],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 20)])


def run(model: ModelProto, **inputs: Floats) -> list[Floats]:
    """Return all outputs."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    outputs: list[Floats] = session.run(None, inputs)
    return outputs


@pytest.fixture
def doubled() -> ModelProto:
    """Makes twice ``x`` on the way to its negative."""
    return network(
        [
            helper.make_node("Add", ["x", "x"], ["/decoder/block.1/Add_2_output_0"]),
            helper.make_node("Neg", ["/decoder/block.1/Add_2_output_0"], ["y"]),
        ]
    )


INNER = "/decoder/block.1/Add_2_output_0"
ONE = np.ones(2, np.float32)


def test_an_inner_tensor_becomes_an_output(doubled: ModelProto) -> None:
    with_output(doubled, INNER)
    y, inner = run(doubled, x=ONE)
    assert (y.tolist(), inner.tolist()) == ([-2, -2], [2, 2])


def test_a_network_that_is_cut_open_is_two(doubled: ModelProto) -> None:
    cut_open(doubled, [INNER])
    [first] = run(part(doubled, [made(INNER)]), x=ONE)
    [second] = run(part(doubled, ["y"]), **{INNER: np.array([5.0], np.float32)})
    assert (first.tolist(), second.tolist()) == ([2, 2], [-5])
    with pytest.raises(ValueError, match="does not make something"):
        cut_open(doubled, ["something"])


def test_a_part_holds_what_it_needs_and_no_more() -> None:
    weights = {"a": ONE, "b": ONE}
    nodes = [helper.make_node("Add", ["x", "a"], ["s"]), helper.make_node("Add", ["s", "b"], ["y"])]
    found = part(network(nodes, **weights), ["s"]).graph
    assert [node.output[0] for node in found.node] == ["s"]
    assert [tensor.name for tensor in found.initializer] == ["a"]
    assert [each.name for each in found.output] == ["s"]


def test_something_is_added_to_a_share_of_a_tensor(doubled: ModelProto) -> None:
    blend(doubled, [INNER], "share")
    share, more = np.array([0.25], np.float32), np.array([3.0], np.float32)
    y, inner = run(doubled, x=ONE, share=share, **{added(INNER): more})
    assert (y.tolist(), inner.tolist()) == ([-3.5, -3.5], [2, 2])


def test_tensors_are_found_by_what_makes_them(doubled: ModelProto) -> None:
    assert made_by(doubled, "Add", "/decoder/") == [INNER]
    assert made_by(doubled, "Add", "/encoder/") == made_by(doubled, "Neg", "/decoder/") == []


def quantised(folder: Path, model: ModelProto) -> ModelProto:
    """What ONNX Runtime's own tool makes of a network."""
    save(model, folder / "floats.onnx")
    quantize_dynamic(
        folder / "floats.onnx",
        folder / "integers.onnx",
        weight_type=QuantType.QUInt8,
        op_types_to_quantize=["Conv"],
    )
    return load(folder / "integers.onnx")


def convolution(
    random: np.random.Generator, taps: int, name: str, takes: str, makes: str, **attributes: Any
) -> tuple[NodeProto, dict[str, Floats]]:
    weights = random.normal(size=(CHANNELS, CHANNELS, taps)).astype(np.float32)
    bias = random.normal(size=CHANNELS).astype(np.float32)
    given = {f"{name}.weight": weights, f"{name}.bias": bias}
    node = helper.make_node("Conv", [takes, *given], [makes], name=name, **attributes)
    return node, given


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("taps", "step", "before", "after"), [(1, 1, 0, 0), (3, 1, 1, 1), (5, 3, 6, 6), (2, 1, 1, 0)]
)
def test_a_convolution_is_a_product(
    tmp_path: Path, taps: int, step: int, before: int, after: int, bias: bool
) -> None:
    random = np.random.default_rng(taps)
    node, weights = convolution(
        random, taps, "conv", "x", "y", dilations=[step], pads=[before, after]
    )
    if not bias:
        weights.popitem()
        del node.input[-1]
    model = quantised(tmp_path, network([node], **weights))
    x = random.normal(size=(1, CHANNELS, 40)).astype(np.float32)
    [convolved] = run(model, x=x)
    as_products(model)
    model = part(model, ["y"])
    operators = [each.op_type for each in model.graph.node]
    assert "ConvInteger" not in operators
    assert operators.count("MatMulIntegerToFloat") == 1
    [multiplied] = run(model, x=x)
    assert multiplied.shape == convolved.shape
    # The tool rounds a bias to what a step of the numbers is.
    coarse = np.abs(x).max() * np.abs(weights["conv.weight"]).max() / 128**2
    assert np.abs(multiplied - convolved).max() < (4 * coarse if multiplies_exactly() else 1.0)


def test_convolutions_of_the_same_samples_lay_them_out_once(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    one, ones = convolution(random, 3, "one", "x", "a", pads=[1, 1])
    two, twos = convolution(random, 5, "two", "x", "b", pads=[2, 2])
    total = helper.make_node("Add", ["a", "b"], ["y"])
    model = quantised(tmp_path, network([one, two, total], **ones, **twos))
    [before] = run(model, x=(x := random.normal(size=(1, CHANNELS, 9)).astype(np.float32)))
    as_products(model)
    model = part(model, ["y"])
    # There and, for each, back.
    assert [node.op_type for node in model.graph.node].count("Transpose") == 3
    assert np.abs(run(model, x=x)[0] - before).max() < (0.02 if multiplies_exactly() else 1.0)


@pytest.mark.parametrize("attributes", [{"strides": [2]}, {"group": 2}, {"pads": [0, 0]}])
def test_other_convolutions_stay_as_they_are(tmp_path: Path, attributes: dict[str, Any]) -> None:
    random = np.random.default_rng(1)
    node, weights = convolution(random, 3, "conv", "x", "y", **{"pads": [1, 1], **attributes})
    if "group" in attributes:
        weights["conv.weight"] = weights["conv.weight"][:, : CHANNELS // 2]
    model = quantised(tmp_path, network([node], **weights))
    as_products(model)
    assert "ConvInteger" in [each.op_type for each in part(model, ["y"]).graph.node]


def test_a_fourier_transform_is_a_convolution() -> None:
    size, hop = 20, 5
    window = np.hanning(size + 1)[:size].astype(np.float32)
    node = helper.make_node("STFT", ["x", "hop", "window", "size"], ["y"], onesided=1)
    model = network([node], hop=np.array(hop), window=window, size=np.array(size))
    as_convolution(model, "y")
    with_output(model, made("y"))
    x = np.random.default_rng(1).normal(size=(1, 1005)).astype(np.float32)
    convolved, transformed = run(model, x=x)
    assert convolved.shape == transformed.shape
    assert np.abs(convolved - transformed).max() < 1e-4
    # As PyTorch has it: what is below zero is half a turn forward, never back.
    imaginary = convolved[..., [0, -1], 1]
    assert imaginary.min() > 0
    with pytest.raises(ValueError, match="no Fourier transform makes x"):
        as_convolution(model, "x")
