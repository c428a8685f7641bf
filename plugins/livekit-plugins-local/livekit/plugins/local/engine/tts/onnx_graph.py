"""ONNX networks that tell more than they were exported to tell."""

# Numbers of fields: `graph` in ONNX's `ModelProto`, `output` in `GraphProto`, `name` in that.
_GRAPH, _OUTPUT, _NAME = 7, 12, 1


def with_output(network: bytes, tensor: str) -> bytes:
    """Return a network that has an inner tensor as its last output.

    Protobuf messages that follow one another are one message, and what is repeated in them adds up:
    a few bytes at the end do it, without a parser.

    Args:
        network: An ONNX file.
        tensor: Name of a tensor in it; ONNX Runtime finds out its shape.
    """
    return network + _field(_GRAPH, _field(_OUTPUT, _field(_NAME, tensor.encode())))


def _field(number: int, content: bytes) -> bytes:
    """Encode a field that has a length; both it and the number are below 128."""
    assert number < 16 and len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content
