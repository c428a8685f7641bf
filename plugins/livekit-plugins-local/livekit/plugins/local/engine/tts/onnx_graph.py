"""ONNX networks that tell more than they were exported to tell, and can be run from the middle.

Protobuf messages that follow one another are one message, and what is repeated in them adds up: a
few bytes at the end change a network, without a parser.
"""

import re
from collections.abc import Iterable

# Numbers of fields: `graph` of ONNX's `ModelProto`; `node`, `input` and `output` of `GraphProto`;
# `name` and `type` of `ValueInfoProto`, `tensor_type` of `TypeProto`; `input`, `output`, `name` and
# `op_type` of `NodeProto`.
_GRAPH = 7
_NODE, _INPUT, _OUTPUT = 1, 11, 12
_NAME, _TYPE, _TENSOR = 1, 2, 1
_TAKES, _MAKES, _CALLED, _OPERATOR = 1, 2, 3, 4
# `elem_type` of a tensor: 32-bit floating point numbers.
_FLOATS = b"\x08\x01"


def with_output(network: bytes, tensor: str) -> bytes:
    """Return a network that has an inner tensor as its last output.

    Args:
        network: An ONNX file.
        tensor: Name of a tensor in it; ONNX Runtime finds out its shape.
    """
    return network + _graph(_OUTPUT, _field(_NAME, tensor.encode()))


def cut_open(network: bytes, tensors: Iterable[str]) -> bytes:
    """Return a network in two halves: what makes some tensors, and what is made of them.

    Each becomes an input, and what was made for it the output `made` of its name.

    Args:
        network: An ONNX file.
        tensors: Names of tensors of 32-bit floating point numbers in it.

    Raises:
        ValueError: The network makes no such tensor.
    """
    parts = bytearray(network)
    for tensor in tensors:
        _rename(parts, tensor)
        parts += _input(tensor) + _graph(_OUTPUT, _field(_NAME, made(tensor).encode()))
    return bytes(parts)


def blend(network: bytes, tensors: Iterable[str], share: str) -> bytes:
    """Return a network in which something is added to some tensors.

    Each is what was made, the output `made` of its name, times the input `share`, plus the input
    `added` of its name: 1 and zeros leave the network as it was.

    Args:
        network: An ONNX file.
        tensors: As for `cut_open`.
        share: Name of the new input, of shape ``(1,)``.

    Raises:
        ValueError: The network makes no such tensor.
    """
    parts = bytearray(network) + _input(share)
    for tensor in tensors:
        _rename(parts, tensor)
        kept = tensor[:-1] + "^"
        parts += _node("Mul", (made(tensor), share), kept)
        parts += _node("Add", (kept, added(tensor)), tensor)
        parts += _input(added(tensor)) + _graph(_OUTPUT, _field(_NAME, made(tensor).encode()))
    return bytes(parts)


def made(tensor: str) -> str:
    """Return another name of the same length, so that no length in the file changes."""
    return tensor[:-1] + "~"


def added(tensor: str) -> str:
    """Return the name of the input that is added to a tensor."""
    return tensor[:-1] + "+"


def made_by(network: bytes, operator: str, inside: str) -> list[str]:
    """Return the tensors that operators of a kind make, by the names that PyTorch gives them.

    Args:
        network: An ONNX file.
        operator: Its name, such as ``Add``.
        inside: The module, such as ``/decoder/``.
    """
    names = rf"{re.escape(inside)}[\w./]*/{operator}(?:_\d+)?_output_0"
    found = re.finditer(rb"\x12(.)(" + names.encode() + rb")", network, re.DOTALL)
    return [each[2].decode() for each in found if each[1][0] == len(each[2])]


def _rename(network: bytearray, tensor: str) -> None:
    """Give what makes a tensor another name for it; those that take it keep theirs."""
    old = _field(_MAKES, tensor.encode())
    at = network.find(old)
    if at < 0:
        raise ValueError(f"the network does not make {tensor}")
    network[at : at + len(old)] = _field(_MAKES, made(tensor).encode())


def _input(name: str) -> bytes:
    floats = _field(_TYPE, _field(_TENSOR, _FLOATS))
    return _graph(_INPUT, _field(_NAME, name.encode()) + floats)


def _node(operator: str, takes: Iterable[str], makes: str) -> bytes:
    content = b"".join(_field(_TAKES, name.encode()) for name in takes)
    content += _field(_MAKES, makes.encode()) + _field(_CALLED, makes.encode())
    return _graph(_NODE, content + _field(_OPERATOR, operator.encode()))


def _graph(kind: int, content: bytes) -> bytes:
    return _field(_GRAPH, _field(kind, content))


def _field(number: int, content: bytes) -> bytes:
    """Encode a field that has a length; its number is below 16."""
    length, rest = bytearray(), len(content)
    while rest > 127:
        length.append(rest & 127 | 128)
        rest >>= 7
    return bytes([number << 3 | 2, *length, rest]) + content
