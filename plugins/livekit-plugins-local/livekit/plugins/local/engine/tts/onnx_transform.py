"""A short-time Fourier transform as a convolution, which ONNX Runtime makes ten times as fast."""

import numpy as np
from livekit.plugins.local.engine.tts.onnx_graph import made, makers_of
from onnx import ModelProto, helper, numpy_helper

# What an imaginary part is more than it is: of a number below zero and of nothing, PyTorch's angle
# is half a turn forward, and that of an exported network half a turn back.
_SMALLEST = 1e-20


def as_convolution(network: ModelProto, tensor: str) -> None:
    """Replace a short-time Fourier transform of a network.

    Args:
        network: The network.
        tensor: What is made by the transform (`STFT`, one-sided, of one signal).

    Raises:
        ValueError: It is not made by such a transform.
    """
    node = makers_of(network).get(tensor)
    if node is None or node.op_type != "STFT":
        raise ValueError(f"no Fourier transform makes {tensor}")
    given = {each.name: numpy_helper.to_array(each) for each in network.graph.initializer}
    signal, step, window, length = node.input
    size, hop = int(given[length]), int(given[step])
    waves = np.fft.rfft(np.eye(size)).T[: size // 2 + 1] * given[window]
    # The mean and the fastest wave have no imaginary part; rounding would give them one.
    waves.imag[[0, -1]] = 0.0
    kernel = np.stack([waves.real, waves.imag], axis=1).reshape(-1, 1, size).astype(np.float32)
    never_zero = np.tile([0.0, _SMALLEST], len(waves)).astype(np.float32)
    node.output[0] = made(tensor)
    channel, weights, bias, widened, convolved, shape, parts = (
        f"{tensor} {what}"
        for what in ("channel", "kernel", "bias", "signal", "waves", "shape", "parts")
    )
    network.graph.initializer.extend(
        [
            numpy_helper.from_array(np.array([1]), channel),
            numpy_helper.from_array(kernel, weights),
            numpy_helper.from_array(never_zero, bias),
            numpy_helper.from_array(np.array([1, len(waves), 2, -1]), shape),
        ]
    )
    network.graph.node.extend(
        [
            helper.make_node("Unsqueeze", [signal, channel], [widened]),
            helper.make_node("Conv", [widened, weights, bias], [convolved], strides=[hop]),
            helper.make_node("Reshape", [convolved, shape], [parts]),
            helper.make_node("Transpose", [parts], [tensor], perm=[0, 3, 1, 2]),
        ]
    )
