"""Numbers of ports that have names, and their names by number."""

from collections.abc import Sequence

from fabric.formats.infiniband.host_names import natural
from fabric.topology import UNKNOWN


def port_numbers(
    labels: Sequence[str], ends: Sequence[tuple[tuple[int, str], tuple[int, str]]]
) -> tuple[dict[tuple[int, str], int], dict[tuple[str, int], str]]:
    """A number for each port of a node, and its name by node and number.

    The number is the one that stands in the name (``swp31``), where all of the node's ports have one of their own; else
    ports are counted in the order of their names (``swp1s0``, ``swp1s1``).
    """
    of_node: dict[int, set[str]] = {}
    for pair in ends:
        for node, port in pair:
            of_node.setdefault(node, set()).add(port)
    numbers: dict[tuple[int, str], int] = {}
    names: dict[tuple[str, int], str] = {}
    for node, ports in of_node.items():
        known = sorted(ports - {""}, key=natural)
        own = [_only_number(port) for port in known]
        counts = own if None not in own and len(set(own)) == len(own) else range(1, len(known) + 1)
        numbers[node, ""] = UNKNOWN
        for port, number in zip(known, counts, strict=True):
            assert number is not None
            numbers[node, port] = number
            names[labels[node], number] = port
    return numbers, names


def _only_number(port: str) -> int | None:
    letters = port.rstrip("0123456789")
    digits = port[len(letters) :]
    return (
        int(digits) if digits and len(digits) <= 6 and digits.isascii() and not any(map(str.isdigit, letters)) else None
    )
