"""ONNX networks that tell more than they were exported to tell, and can be run from the middle.

Nodes are added at the end, and what is not needed any more stays: ONNX Runtime puts them in order,
and `part` leaves out the rest.
"""

import re
from collections.abc import Iterable, Sequence

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper


def with_output(network: ModelProto, tensor: str) -> None:
    """Make an inner tensor the last output of a network.

    Args:
        network: The network.
        tensor: Name of a tensor in it; ONNX Runtime finds out its shape.
    """
    network.graph.output.append(ValueInfoProto(name=tensor))


def cut_open(network: ModelProto, tensors: Iterable[str]) -> None:
    """Cut a network in two halves: what makes some tensors, and what is made of them.

    Each becomes an input, and what was made for it the output `made` of its name.

    Args:
        network: The network.
        tensors: Names of tensors of 32-bit floating point numbers in it.

    Raises:
        ValueError: The network makes no such tensor.
    """
    makers = makers_of(network)
    for tensor in tensors:
        _rename(makers, tensor)
        _add_input(network, tensor)
        with_output(network, made(tensor))


def blend(network: ModelProto, tensors: Iterable[str], share: str) -> None:
    """Let something be added to some tensors of a network.

    Each is what was made, the output `made` of its name, times the input `share`, plus the input
    `added` of its name: 1 and zeros leave the network as it was.

    Args:
        network: The network.
        tensors: As for `cut_open`.
        share: Name of the new input, of shape ``(1,)``.

    Raises:
        ValueError: The network makes no such tensor.
    """
    makers = makers_of(network)
    _add_input(network, share)
    for tensor in tensors:
        _rename(makers, tensor)
        kept = f"{tensor} kept"
        network.graph.node.extend(
            [
                helper.make_node("Mul", [made(tensor), share], [kept]),
                helper.make_node("Add", [kept, added(tensor)], [tensor]),
            ]
        )
        _add_input(network, added(tensor))
        with_output(network, made(tensor))


def part(network: ModelProto, outputs: Sequence[str]) -> ModelProto:
    """Return what of a network is needed for some of its tensors, as a network of its own.

    Args:
        network: The network.
        outputs: Names of the tensors; ONNX Runtime finds out their shapes.
    """
    graph, makers = network.graph, makers_of(network)
    wanted, needed = list(outputs), set[str]()
    while wanted:
        tensor = wanted.pop()
        if tensor not in needed:
            needed.add(tensor)
            wanted += makers[tensor].input if tensor in makers else ()
    found = ModelProto(ir_version=network.ir_version, opset_import=network.opset_import)
    found.graph.name = graph.name
    found.graph.node.extend(node for node in graph.node if needed.intersection(node.output))
    found.graph.initializer.extend(each for each in graph.initializer if each.name in needed)
    found.graph.input.extend(each for each in graph.input if each.name in needed)
    found.graph.output.extend(ValueInfoProto(name=name) for name in outputs)
    return found


def made(tensor: str) -> str:
    """Return the name of what the network has made for a tensor."""
    return f"{tensor} made"


def added(tensor: str) -> str:
    """Return the name of the input that is added to a tensor."""
    return f"{tensor} added"


def made_by(network: ModelProto, operator: str, inside: str) -> list[str]:
    """Return the tensors that operators of a kind make, by the names that PyTorch gives them.

    Args:
        network: The network.
        operator: Its name, such as ``Add``.
        inside: The module, such as ``/decoder/``.
    """
    name = re.compile(rf"{re.escape(inside)}.*/{operator}(?:_\d+)?_output_0")
    return [output for output in makers_of(network) if name.fullmatch(output)]


def makers_of(network: ModelProto) -> dict[str, NodeProto]:
    """Return the node that makes each tensor."""
    return {output: node for node in network.graph.node for output in node.output}


def _rename(makers: dict[str, NodeProto], tensor: str) -> None:
    """Give what makes a tensor another name for it; those that take it keep theirs."""
    if tensor not in makers:
        raise ValueError(f"the network does not make {tensor}")
    outputs = makers[tensor].output
    outputs[list(outputs).index(tensor)] = made(tensor)


def _add_input(network: ModelProto, name: str) -> None:
    shape_unknown = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    network.graph.input.append(shape_unknown)
