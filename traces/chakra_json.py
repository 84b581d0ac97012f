"""Chakra execution traces as JSON: the protocol buffers' messages as protobuf's own JSON writes them.

Either a list of them, or one behind the other, as Chakra's jsonizer prints them; the first may be the metadata.
Source: mlcommons/chakra, schema/protobuf/et_def.proto; protobuf.dev, "ProtoJSON Format" (names in camel case, 64-bit
numbers as text, what has its default value left out).
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from collectives.errors import InputError
from collectives.gate import quoted, shown, whole, whole_value
from traces.chakra_nodes import NODE_TYPES, Node, RankTrace, chakra_trace, says_something
from traces.files import read_text
from traces.json_text import parse_json
from traces.operation import Trace

_TYPES = {name: number for number, name in enumerate(NODE_TYPES)}
# 64-bit numbers are text in JSON.
_TEXT_NUMBERS = ("int64Val", "uint64Val", "sint64Val", "fixed64Val", "sfixed64Val")


def read_chakra_json(paths: Sequence[str | Path] | str | Path) -> Trace:
    """Read the traces of one job.

    Parameters
    ----------
    paths : path or sequence of paths
        ``NAME.RANK.json``, plain, gzip or xz, one file per rank.

    Returns
    -------
    Trace
        Sizes as ASTRA-sim reads them: see `traces.chakra_nodes`.

    Raises
    ------
    InputError
        If a file is no JSON or no Chakra trace, or as for `chakra_trace`.
    """
    listed = [paths] if isinstance(paths, (str, Path)) else list(paths)
    return chakra_trace([_read_file(str(path)) for path in listed])


def _read_file(path: str) -> RankTrace:
    text = read_text(path)
    nodes: list[Node] = []
    others: Counter[int] = Counter()
    number = 0
    for message in _messages(text, path):
        source = f"{path}: node {number}"
        if not isinstance(message, dict):
            raise InputError(f"{source}: expected an object, got {shown(message)}")
        if not message and number == 0:
            raise InputError(f"{path}: the first message is empty; expected Chakra's metadata, or a node")
        if number == 0 and not others and "type" not in message and ("version" in message or "name" not in message):
            continue
        node = _node(message, number, source)
        if isinstance(node, int):
            others[node] += 1
        else:
            nodes.append(node)
        number += 1
    return RankTrace(path, tuple(nodes), others)


def _messages(text: str, path: str) -> Iterator[Any]:
    """The elements of a list, or values one behind the other."""
    beginning = text.lstrip()
    if beginning.startswith("["):
        yield from parse_json(text, path)
        return
    decoder = json.JSONDecoder()
    at = len(text) - len(beginning)
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            line = text.count("\n", 0, at) + 1
            reason = getattr(error, "msg", "nested too deeply, or a number of too many digits")
            raise InputError(f"{path}:{line}: not JSON ({reason}) in the object that begins here") from None
        yield value
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1


def _node(message: dict[str, Any], number: int, source: str) -> Node | int:
    name, kind = message.get("name", ""), message.get("type", NODE_TYPES[0])
    if isinstance(kind, str) and kind in _TYPES:
        kind = _TYPES[kind]
    elif isinstance(kind, bool) or not isinstance(kind, int) or not 0 <= kind < len(NODE_TYPES):
        raise InputError(f"{source}: type {shown(kind)}; expected one such as COMM_COLL_NODE")
    if not isinstance(name, str):
        raise InputError(f"{source}: name {shown(name)}; expected text")
    if not says_something(kind, name):
        return int(kind)
    attributes = message.get("attr", [])
    if not isinstance(attributes, list):
        raise InputError(f"{source}: attr {shown(attributes)}; expected a list")
    inputs = message.get("inputs")
    values = inputs.get("values") if isinstance(inputs, dict) else None
    return Node(
        number=number,
        name=name,
        type=kind,
        attributes=dict(_attribute(one, source) for one in attributes),
        start_us=_microseconds(message, "startTimeMicros", source),
        duration_us=_microseconds(message, "durationMicros", source),
        values=values if isinstance(values, str) else "",
    )


def _microseconds(message: dict[str, Any], key: str, source: str) -> int:
    value = message.get(key, 0)
    return whole(value, f"{source}: {key}") if isinstance(value, str) else whole_value(value, f"{source}: {key}")


def _attribute(attribute: Any, source: str) -> tuple[str, object]:
    name = attribute.get("name") if isinstance(attribute, dict) else None
    if not isinstance(name, str):
        raise InputError(f"{source}: attribute {shown(attribute)}; expected an object with a name")
    for key, value in attribute.items():
        if key in _TEXT_NUMBERS and isinstance(value, str):
            return name, whole(value, f"{source}: attribute {quoted(name)}", -(2**63), 2**64)
        if key.endswith("Val"):
            return name, value
        if key.endswith("List"):
            values = value.get("values", []) if isinstance(value, dict) else value
            return name, values
    return name, None
