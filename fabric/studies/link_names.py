"""A link by the name that a person types."""

from difflib import get_close_matches

import numpy as np

from collectives.errors import InputError
from collectives.gate import quoted
from collectives.suggestion import hint
from fabric.builders.faults import end_and_port, link_cuts
from fabric.topology import Topology


def find_link(topology: Topology, text: str) -> int:
    """The link that a text such as ``leaf1 port 33 -> spine2 port 1`` names; ports may be left out where one is meant.

    Parameters
    ----------
    topology : Topology
    text : str
        As tables show links, or a link's number.

    Raises
    ------
    InputError
        A node that does not exist (names the nearest), nodes that no cable joins (names what does), several cables
        where no port says which.
    """
    whole = text.strip()
    if whole.isascii() and whole.isdigit():
        number = int(whole[:12])
        if number >= topology.n_links:
            raise InputError(f"link {number}: expected 0 to {topology.n_links - 1}")
        return number
    cuts = [cut for cut in link_cuts(whole) if all(cut)]
    # Where a name holds an arrow, the reading whose ends are nodes is meant.
    known = [cut for cut in cuts if all(_known(topology, end) is not None for end in cut)]
    if not known and len(cuts) != 1:
        raise InputError(f"link {quoted(text)}: expected two ends, such as 'leaf1 port 33 -> spine2 port 1'")
    (tail, tail_port), (head, head_port) = (_end(topology, end) for end in (known or cuts)[0])
    between = np.flatnonzero((topology.link_tail == tail) & (topology.link_head == head))
    if not between.size:
        reached = topology.link_head[topology.link_tail == tail]
        near = hint(topology.nodes.name[head], sorted({topology.nodes.name[int(one)] for one in reached}))
        raise InputError(f"link {quoted(text)}: no cable joins its ends; from {topology.nodes.name[tail]}: {near}")
    chosen = between
    for port, nodes, ports in (
        (tail_port, topology.link_tail, topology.link_tail_port),
        (head_port, topology.link_head, topology.link_head_port),
    ):
        if port is not None:
            chosen = chosen[topology.is_port(nodes[chosen], ports[chosen], port)]
    if chosen.size == 1:
        return int(chosen[0])
    names = [topology.link_name(int(one)) for one in (chosen if chosen.size else between)]
    listed = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    what = f"{chosen.size} cables are meant" if chosen.size else "no cable has these ports"
    raise InputError(f"link {quoted(text)}: {what}; expected one of {listed}")


def _known(topology: Topology, text: str) -> tuple[int, str | None] | None:
    """The node, and the port where the text names one; None where there is no such node."""
    number = {name: node for node, name in enumerate(topology.nodes.name)}
    if text in number:
        return number[text], None
    name, port = end_and_port(text)
    return (number[name], port) if name in number else None


def _end(topology: Topology, text: str) -> tuple[int, str | None]:
    found = _known(topology, text)
    if found is not None:
        return found
    names, (name, _) = topology.nodes.name, end_and_port(text)
    near = get_close_matches(name, names, 3)
    said = f"did you mean {' or '.join(near)}?" if near else "fabric show lists what there is"
    raise InputError(f"link end {quoted(name)}: no such node; {said}")
