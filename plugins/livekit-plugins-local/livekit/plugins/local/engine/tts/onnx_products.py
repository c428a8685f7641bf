"""Convolutions of 8-bit numbers as products of matrices, which ONNX Runtime makes much faster.

It multiplies unsigned by signed numbers with the instructions that processors have for that (VNNI
of x86, the dot product of Arm), three times as fast as unsigned ones by each other, and does a
convolution (`ConvInteger`) with neither. So the samples around each one are laid side by side, and
the weights, moved by 128 to be signed, become a matrix. The sums are the same.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import onnxruntime as ort
from livekit.plugins.local.engine.tts.onnx_graph import makers_of
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

_MICROSOFT = "com.microsoft"


@cache
def multiplies_exactly() -> bool:
    """Return whether this machine multiplies unsigned by signed numbers without loss.

    On x86 without VNNI a sum of two products is kept in 16 bits, and cut off if it is too large:
    https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
    """
    size, most, highest = 8, 255, 127
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["samples", "weights"], ["sums"])],
        "products",
        [helper.make_tensor_value_info("samples", TensorProto.UINT8, [size, size])],
        [helper.make_tensor_value_info("sums", TensorProto.INT32, [size, size])],
        [numpy_helper.from_array(np.full((size, size), highest, np.int8), "weights")],
    )
    network = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 20)])
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        network.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (sums,) = session.run(None, {"samples": np.full((size, size), most, np.uint8)})
    return bool((sums == size * most * highest).all())


def as_products(network: ModelProto) -> None:
    """Replace a network's convolutions in one dimension by products of matrices.

    Those that do not make as many samples as they take, or are in groups, stay as they are. So do
    all weights: `part` leaves out what is not needed any more.

    Args:
        network: One whose weights ONNX Runtime has quantised, to unsigned numbers.
    """
    graph = network.graph
    given = {tensor.name: tensor for tensor in graph.initializer}
    parts = _Parts(given, makers_of(network), _takers_of(network))
    for node in list(graph.node):
        if node.op_type == "ConvInteger" and (found := parts.convolution(node)):
            graph.node.extend(parts.product(found))
    graph.initializer.extend(parts.made.values())


@dataclass(frozen=True, slots=True)
class _Convolution:
    """One, with all that belongs to it.

    Attributes:
        samples: Name of its samples: unsigned numbers of shape ``(1, channels, samples)``.
        samples_scale, samples_zero: Names of what makes floating point numbers of them.
        weights, weights_scale, weights_zero: Names of the same for its weights.
        bias: Name of what is added to each channel; empty for nothing.
        step: Distance of the samples that are summed up.
        before, after: How many samples are taken for zero at both ends.
        scaled: The node that makes its result, of floating point numbers.
    """

    samples: str
    samples_scale: str
    samples_zero: str
    weights: str
    weights_scale: str
    weights_zero: str
    bias: str
    step: int
    before: int
    after: int
    scaled: NodeProto


class _Parts:
    """Finds what convolutions consist of, and makes what does the same."""

    def __init__(
        self,
        given: dict[str, TensorProto],
        makers: dict[str, NodeProto],
        takers: dict[str, list[NodeProto]],
    ) -> None:
        self._given = given
        self._makers = makers
        self._takers = takers
        self._turned: set[str] = set()
        self.made: dict[str, TensorProto] = {}

    def convolution(self, node: NodeProto) -> _Convolution | None:
        """Return the convolution of which a node is the heart; None for another kind of it."""
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        samples, weights, samples_zero, weights_zero = node.input
        shape = self._given[weights].dims
        before, after, *more = attributes.get("pads", [0, 0])
        step = attributes.get("dilations", [1])[0]
        plain = attributes.get("strides", [1]) == [1] and attributes.get("group", 1) == 1
        if more or not plain or (shape[2] - 1) * step != before + after:
            return None
        (following,) = self._takers[node.output[0]]
        bias = ""
        if following.op_type == "Add":  # of a bias that is quantised anew each time
            (bias,) = set(following.input) - set(node.output)
            while bias not in self._given:
                bias = self._makers[bias].input[0]
            (following,) = self._takers[following.output[0]]
        (scaled,) = self._takers[following.output[0]]
        (both_scales,) = set(scaled.input) - set(following.output)
        scales = self._makers[both_scales].input
        (weights_scale,) = (scale for scale in scales if scale in self._given)
        (samples_scale,) = (scale for scale in scales if scale not in self._given)
        return _Convolution(
            samples=samples,
            samples_scale=samples_scale,
            samples_zero=samples_zero,
            weights=weights,
            weights_scale=weights_scale,
            weights_zero=weights_zero,
            bias=bias,
            step=step,
            before=before,
            after=after,
            scaled=scaled,
        )

    def product(self, found: _Convolution) -> list[NodeProto]:
        """Return what makes the result of a convolution, which nothing needs any more then."""
        (result,) = found.scaled.output
        found.scaled.output[0] = f"{result} convolved"
        weights = self._array(found.weights)
        channels_out, channels_in, taps = weights.shape
        nodes: list[NodeProto] = []
        rows = f"{found.samples} turned"
        if rows not in self._turned:
            self._turned.add(rows)
            nodes.append(helper.make_node("Transpose", [found.samples], [rows], perm=[0, 2, 1]))
        if taps > 1:
            nodes += self._side_by_side(found, rows, taps, taps * channels_in, result)
            rows = f"{result} rows"
        matrix = weights.transpose(2, 1, 0).reshape(taps * channels_in, channels_out)
        takes = [
            rows,
            self._add(f"{found.weights} matrix", _signed(matrix)),
            found.samples_scale,
            found.weights_scale,
            found.samples_zero,
            self._add(f"{found.weights_zero} signed", _signed(self._array(found.weights_zero))),
            found.bias,
        ]
        sums = f"{result} turned"
        return [
            *nodes,
            helper.make_node("MatMulIntegerToFloat", takes, [sums], domain=_MICROSOFT),
            helper.make_node("Transpose", [sums], [result], perm=[0, 2, 1]),
        ]

    def _side_by_side(
        self, found: _Convolution, rows: str, taps: int, width: int, result: str
    ) -> list[NodeProto]:
        """Return what makes rows of all samples that each sum is made of."""
        padding = np.array([0, found.before, 0, 0, found.after, 0])
        offsets = (np.arange(taps) * found.step)[None]
        one = self._add("one", np.array([1]))
        first, by = self._add("from", np.array(0)), self._add("by", np.array(1))
        padded, length, places, column, taken, gathered = (
            f"{result} {what}" for what in ("padded", "long", "at", "down", "taken", "gathered")
        )
        return [
            helper.make_node(
                "Pad",
                [rows, self._add(f"padding {padding}", padding), found.samples_zero],
                [padded],
            ),
            helper.make_node("Shape", [found.samples], [f"{length} shape"], start=2, end=3),
            helper.make_node("Squeeze", [f"{length} shape"], [length]),
            helper.make_node("Range", [first, length, by], [places]),
            helper.make_node("Unsqueeze", [places, one], [column]),
            helper.make_node("Add", [column, self._add(f"offsets {offsets}", offsets)], [taken]),
            helper.make_node("Gather", [padded, taken], [gathered], axis=1),
            helper.make_node(
                "Reshape",
                [gathered, self._add(f"width {width}", np.array([0, -1, width]))],
                [f"{result} rows"],
            ),
        ]

    def _array(self, name: str) -> NDArray[np.generic]:
        return numpy_helper.to_array(self._given[name])

    def _add(self, name: str, array: NDArray[np.generic]) -> str:
        if name not in self.made:
            self.made[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name


def _signed(unsigned: NDArray[np.generic]) -> NDArray[np.int8]:
    return (unsigned.astype(np.int16) - 128).astype(np.int8)


def _takers_of(network: ModelProto) -> dict[str, list[NodeProto]]:
    takers: dict[str, list[NodeProto]] = {}
    for node in network.graph.node:
        for tensor in node.input:
            takers.setdefault(tensor, []).append(node)
    return takers
