"""Small Chakra traces, written here: a writer of just the messages that the tests need."""

import json
import struct

SEND, RECEIVE, COLLECTIVE = 5, 6, 7
KINDS = {"all-reduce": 0, "all-gather": 2, "broadcast": 5, "all-to-all": 6, "reduce-scatter": 7, "barrier": 9}
_JSON_TYPES = {4: "COMP_NODE", 5: "COMM_SEND_NODE", 6: "COMM_RECV_NODE", 7: "COMM_COLL_NODE", 1: "METADATA_NODE"}


def varint(value):
    value %= 2**64
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field, value):
    return varint(field << 3) + varint(value)


def content(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def attribute(name, value, field=None):
    """int64, bool, string, double, or list of bool, as Chakra's own converters choose."""
    body = content(1, name)
    match value:
        case bool():
            body += number(27, value)
        case int():
            body += number(field or 9, value)
        case str():
            body += content(29, value)
        case float():
            body += varint(3 << 3 | 1) + struct.pack("<d", value)
        case [*flags]:
            body += content(28, content(1, bytes(flags)))
    return body


def node(place, kind, name="op", duration=0, start=0, values="", **attributes):
    """A node; id 0 and type 0 are left out, as proto3 does."""
    body = (number(1, place) if place else b"") + content(2, name) + number(3, kind)
    body += number(6, start) if start else b""
    body += number(7, duration) if duration else b""
    body += content(8, content(1, values)) if values else b""
    return body + b"".join(content(10, attribute(key, value)) for key, value in attributes.items())


VERSION = content(1, "0.0.4")


def stream(*nodes, metadata=VERSION):
    return b"".join(varint(len(one)) + one for one in (metadata, *nodes))


def collective(place, kind, size, **more):
    attributes = {"is_cpu_op": False, "comm_type": KINDS[kind], "comm_size": size}
    return node(place, COLLECTIVE, f"{kind}_{place}", **attributes | more)


def send(place, to, size, tag=0, **more):
    return node(place, SEND, "send", comm_type=5, comm_size=size, comm_dst=to, comm_tag=tag, **more)


def receive(place, source, size, tag=0, **more):
    return node(place, RECEIVE, "recv", comm_type=6, comm_size=size, comm_src=source, comm_tag=tag, **more)


def ring(rank, n, steps, size):
    """A rank of a ring: each step sends to the next, then takes from the one before."""
    nodes = []
    for step in range(steps):
        nodes += [send(2 * step, (rank + 1) % n, size), receive(2 * step + 1, (rank - 1) % n, size)]
    return stream(*nodes)


def written(folder, job, ending="et"):
    """The files of a job, one per rank: rank -> bytes or text."""
    paths = []
    for rank, data in job.items():
        path = folder / f"job.{rank}.{ending}"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        paths.append(path)
    return paths


def json_node(place, kind, name="op", duration=None, **attributes):
    """A node as protobuf's JSON has it."""
    values = {bool: "boolVal", int: "uint64Val", str: "stringVal", list: "boolList"}
    attr = []
    for key, value in attributes.items():
        shown = {"values": value} if isinstance(value, list) else value
        shown = str(value) if type(value) is int else shown
        attr.append({"name": key, values[type(value)]: shown})
    head = {"id": str(place)} if place else {}
    tail = {"durationMicros": str(duration)} if duration else {}
    return {**head, "name": name, "type": _JSON_TYPES[kind], **tail, "attr": attr}


def json_list(*nodes):
    return json.dumps(list(nodes), indent=1)
