"""Chakra execution traces, binary: a stream of protocol buffers, the first GlobalMetadata, then one per node.

Source: mlcommons/chakra, schema/protobuf/et_def.proto (version 0.0.4).  Before October 2023 the fields had other
numbers, and files did not begin with a version (mlcommons/chakra-old, pull request 46): those are refused.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted
from traces.chakra_nodes import NODE_TYPES, Node, RankTrace, chakra_trace, says_something
from traces.files import read_bytes
from traces.operation import Trace
from traces.protobuf_wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    fields,
    messages,
    signed,
    text,
    unpacked,
    varint,
    zigzag,
)

_NODE = {1: VARINT, 2: BYTES, 3: VARINT, 6: VARINT, 7: VARINT, 8: BYTES, 10: BYTES}
# Kind of the value of an attribute by the number of its field; the list of such values has the next number.
_VARINTS: dict[int, Callable[[int], object]] = {
    7: signed,
    9: signed,
    11: int,
    13: int,
    15: zigzag,
    17: zigzag,
    27: bool,
}
_FIXED = {3: (FIXED64, "d"), 5: (FIXED32, "f"), 19: (FIXED32, "I"), 21: (FIXED64, "Q"), 23: (FIXED32, "i")}
_FIXED |= {25: (FIXED64, "q")}
_STRING, _RAW = 29, 31
_LAST = 34


def read_chakra_et(paths: Sequence[str | Path] | str | Path) -> Trace:
    """Read the traces of one job.

    Parameters
    ----------
    paths : path or sequence of paths
        ``NAME.RANK.et``, plain, gzip or xz, one file per rank.

    Returns
    -------
    Trace
        Sizes as ASTRA-sim reads them: see `traces.chakra_nodes`.

    Raises
    ------
    InputError
        If a file is cut off, no Chakra trace or one of before October 2023, or as for `chakra_trace`.
    """
    listed = [paths] if isinstance(paths, (str, Path)) else list(paths)
    return chakra_trace([_read_file(str(path)) for path in listed])


def _read_file(path: str) -> RankTrace:
    stream = messages(read_bytes(path), path)
    head = next(stream, None)
    if head is None:
        raise InputError(f"{path}: empty; expected a Chakra trace")
    _check_metadata(head[1], path)
    nodes: list[Node] = []
    others: Counter[int] = Counter()
    for number, (begin, message) in enumerate(stream):
        node = _node(message, number, f"{path}: node {number} (byte {begin} of the file)")
        if isinstance(node, int):
            others[node] += 1
        else:
            nodes.append(node)
    return RankTrace(path, tuple(nodes), others)


def _check_metadata(message: bytes, path: str) -> None:
    """Refuse a file that begins with nothing, with a node, or with attributes of before October 2023."""
    if not message:
        raise InputError(f"{path}: the first message is empty; expected Chakra's metadata: a version, such as 0.0.4")
    new = all(
        number in (1, 2) and isinstance(value, bytes) and (number == 1 or _is_attribute(value))
        for number, _, value in fields(message, path)
    )
    if not new:
        raise InputError(
            f"{path}: a Chakra trace without a version, as before October 2023, when its fields had other numbers; "
            "expected one written since (schema 0.0.4)"
        )


def _is_attribute(message: bytes) -> bool:
    """Whether this may be an attribute: its second field was its type, a number, and is a text since October 2023."""
    try:
        return all(number != 2 or kind == BYTES for number, kind, _ in fields(message, ""))
    except InputError:
        return False


def _node(message: bytes, number: int, source: str) -> Node | int:
    """A node, or the type of one that says nothing here."""
    found: dict[int, int | bytes] = {}
    attributes: list[bytes] = []
    for field, kind, value in fields(message, source):
        expected = _NODE.get(field)
        if expected is not None and kind != expected:
            raise InputError(f"{source}: field {field} is of another kind; expected a node of Chakra's schema 0.0.4")
        if field == 10 and isinstance(value, bytes):
            attributes.append(value)
        elif expected is not None:
            found[field] = value
    kind = _whole(found.get(3, 0))
    if kind >= len(NODE_TYPES):
        raise InputError(f"{source}: type {kind}; expected 0 to {len(NODE_TYPES) - 1}")
    name = text(found.get(2, b""), source)
    if not says_something(kind, name):
        return kind
    inputs = found.get(8, b"")
    values = [one for field, _, one in fields(inputs if isinstance(inputs, bytes) else b"", source) if field == 1]
    return Node(
        number=number,
        name=name,
        type=kind,
        attributes=dict(_attribute(one, source) for one in attributes),
        start_us=_whole(found.get(6, 0)),
        duration_us=_whole(found.get(7, 0)),
        values=text(values[-1], source) if values else "",
    )


def _whole(value: int | bytes) -> int:
    assert isinstance(value, int)
    return value


def _attribute(message: bytes, source: str) -> tuple[str, object]:
    """Name and value; None where it has no value of a kind that is known."""
    name, value = "", None
    for field, kind, content in fields(message, source):
        if field == 1:
            name = text(content, source)
        elif 3 <= field < _LAST:
            try:
                value = _value(field, kind, content, source)
            except InputError as error:
                raise InputError(f"{source}: attribute {quoted(name)}: {error}") from None
    return name, value


def _value(field: int, kind: int, content: int | bytes, source: str) -> object:
    single = field if field % 2 else field - 1
    if field == single:
        return _single(single, kind, content, source)
    if isinstance(content, int):
        raise InputError("a number; expected a list")
    values: list[object] = []
    for number, form, part in fields(content, source):
        if number == 1 and form == BYTES and isinstance(part, bytes) and single not in (_STRING, _RAW):
            values += _packed(single, part, source)
        elif number == 1:
            values.append(_single(single, form, part, source))
    return values


def _single(field: int, kind: int, content: int | bytes, source: str) -> object:
    if field in _VARINTS and kind == VARINT and isinstance(content, int):
        return _VARINTS[field](content)
    if isinstance(content, bytes):
        if field in _FIXED and kind == _FIXED[field][0]:
            return unpacked(_FIXED[field][1], content)
        if kind == BYTES and field == _STRING:
            return text(content, source)
        if kind == BYTES and field not in _VARINTS and field not in _FIXED:
            return content
    raise InputError(f"field {field} is of wire type {kind}; expected a value of Chakra's schema 0.0.4")


def _packed(field: int, content: bytes, source: str) -> list[object]:
    """Numbers one after the other without tags, as lists of them are written."""
    values: list[object] = []
    at = 0
    if field in _FIXED:
        kind, form = _FIXED[field]
        width = 8 if kind == FIXED64 else 4
        return [unpacked(form, content[at : at + width]) for at in range(0, len(content), width)]
    while at < len(content):
        value, at = varint(content, at, source, "list")
        values.append(_VARINTS[field](value))
    return values
