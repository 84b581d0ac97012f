"""Numbers of ports that have names, and their names by number."""

import re
from collections.abc import Collection, Iterable, Sequence

from fabric.formats.infiniband.host_names import natural
from fabric.topology import UNKNOWN

# Devices that name their ports alike have fewer names in all than this times those of the one with most ports.
# Assumed: some have no cable in a few.
_SCATTERED = 3
_DIGITS = re.compile(r"[0-9]+")


def port_numbers(
    labels: Sequence[str],
    ends: Iterable[tuple[tuple[int, str], tuple[int, str]]],
    alike: Collection[int] = (),
) -> tuple[dict[tuple[int, str], int], dict[tuple[str, int], str]]:
    """A number for each port of a node, and its name by node and number.

    The number is the one that stands in the name (``swp31``), where all ports have one of their own; else ports are
    counted in the order of their names (``swp1s0``, ``swp1s1``).  Nodes of one kind are numbered alike, so that a port
    without a cable shifts no other: it has a name too.

    Parameters
    ----------
    labels : sequence of str
        By node.
    ends : iterable of pairs of (int, str)
        Node and port of both ends of the cables; a port that nobody names is empty.
    alike : collection of int
        Nodes that are of one kind where their labels differ by digits only: switches.
    """
    of_node: dict[int, set[str]] = {}
    for pair in ends:
        for node, port in pair:
            of_node.setdefault(node, set()).add(port)
    kinds: dict[str, list[int]] = {}
    for node in of_node:
        kinds.setdefault(_DIGITS.sub("#", labels[node]) if node in alike else f"node {node}", []).append(node)
    numbers: dict[tuple[int, str], int] = {}
    names: dict[tuple[str, int], str] = {}
    for nodes in kinds.values():
        together = set().union(*(of_node[node] for node in nodes)) - {""}
        if len(together) < _SCATTERED * max(len(of_node[node]) for node in nodes):
            groups = [(nodes, together)]
        else:
            groups = [([node], of_node[node] - {""}) for node in nodes]
        for own, ports in groups:
            number_of = _numbered(ports)
            for node in own:
                numbers[node, ""] = UNKNOWN
                numbers |= {(node, port): number for port, number in number_of.items()}
                names |= {(labels[node], number): port for port, number in number_of.items()}
    return numbers, names


def _numbered(ports: Collection[str]) -> dict[str, int]:
    known = sorted(ports, key=natural)
    own = [number for port in known if (number := _only_number(port)) is not None]
    if len(set(own)) == len(known):
        return dict(zip(known, own, strict=True))
    return {port: number for number, port in enumerate(known, 1)}


def _only_number(port: str) -> int | None:
    letters = port.rstrip("0123456789")
    digits = port[len(letters) :]
    return (
        int(digits) if digits and len(digits) <= 6 and digits.isascii() and not any(map(str.isdigit, letters)) else None
    )
