"""A job on a fabric with other cables: some gone, some faster, some new; forwarding tables follow the cables."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from collectives.demand import FloatVector, Int64Vector
from collectives.errors import InputError
from fabric.routing.policies import Lft
from fabric.routing.registry import ready_policy_names
from fabric.scenario import Scenario
from fabric.topology import UNKNOWN, BoolVector, Cables, Topology


@dataclass(frozen=True)
class NewCable:
    """A cable between two nodes.

    Attributes
    ----------
    tail, head : int
        Nodes, either first.
    gbps : float
        Each way.
    tail_port, head_port : int
        Their ports, or `UNKNOWN`.
    """

    tail: int
    head: int
    gbps: float
    tail_port: int = UNKNOWN
    head_port: int = UNKNOWN


def recabled(
    scenario: Scenario,
    note: str,
    keep: BoolVector | None = None,
    gbps: FloatVector | None = None,
    new: Sequence[NewCable] = (),
) -> Scenario:
    """The job on the fabric with other cables; forwarding tables follow them.

    Parameters
    ----------
    scenario : Scenario
    note : str
        What an assumption says of it.
    keep : (n_links,) bool, optional
        The links that stay, the same for both directions of a cable; default all.
    gbps : (n_links,) float64, optional
        Their capacity; default what it is.
    new : sequence of NewCable

    Raises
    ------
    InputError
        If the routing is made for the links as they are, or a table knows no other cable.
    """
    topology, routing = scenario.topology, scenario.routing
    if not isinstance(routing, Lft) and routing.name not in ready_policy_names():
        raise InputError(f"routing {routing.name} is made for the cables as they are")
    keep = np.ones(topology.n_links, bool) if keep is None else keep
    changed = with_cables(topology, keep, topology.link_capacity_gbps if gbps is None else gbps, new)
    fabric = replace(
        scenario.fabric, topology=changed, description=None, notes=(*scenario.fabric.notes, f"changed: {note}")
    )
    if isinstance(routing, Lft):
        routing = _followed(routing, topology, changed)
    return replace(scenario, fabric=fabric, routing=routing)


def with_cables(topology: Topology, keep: BoolVector, gbps: FloatVector, new: Sequence[NewCable]) -> Topology:
    """The same nodes with some of the cables and new ones; arguments as of `recabled`."""
    one_way = np.flatnonzero((np.arange(topology.n_links) < topology.link_reverse) & keep)
    back = topology.link_reverse[one_way]
    more = np.array([(one.tail, one.head, one.tail_port, one.head_port) for one in new], np.int32).reshape(-1, 4)
    more_gbps = np.array([one.gbps for one in new], np.float64)
    cables = Cables(
        np.concatenate([topology.link_tail[one_way], more[:, 0]]),
        np.concatenate([topology.link_head[one_way], more[:, 1]]),
        np.concatenate([topology.link_tail_port[one_way], more[:, 2]]),
        np.concatenate([topology.link_head_port[one_way], more[:, 3]]),
        np.concatenate([gbps[one_way], more_gbps]),
        np.concatenate([gbps[back], more_gbps]),
    )
    return Topology.from_cables(topology.name, topology.nodes, cables, topology.port_names)


def _followed(routing: Lft, before: Topology, after: Topology) -> Lft:
    """The tables on the changed cables: what a switch sent to another one over them is dealt to all that join the two.

    So a subnet manager balances routes over parallel cables, destination by destination.
    """
    pairs = [
        topology.link_tail.astype(np.int64) * topology.n_nodes + topology.link_head for topology in (before, after)
    ]
    # Links of a pair stand together, in the same order of ports; the next link of a row is found by its pair.
    starts = np.searchsorted(pairs[1], pairs[0], "left")
    counts = np.searchsorted(pairs[1], pairs[0], "right") - starts
    counts_before = np.searchsorted(pairs[0], pairs[0], "right") - np.searchsorted(pairs[0], pairs[0], "left")
    place = np.arange(before.n_links) - np.searchsorted(pairs[0], pairs[0], "left")
    changed = counts != counts_before
    table = routing.next_link.copy()
    for column in range(table.shape[1]):
        own = table[:, column]
        known = np.flatnonzero(own >= 0)
        links = own[known].astype(np.int64)
        touched = changed[links]
        own[known[~touched]] = (starts + place)[links[~touched]]
        for pair in np.unique(pairs[0][links[touched]]).tolist():
            rows = known[touched][pairs[0][links[touched]] == pair]
            own[rows] = _dealt(links[touched][pairs[0][links[touched]] == pair], starts, counts, before)
    return replace(routing, next_link=table)


def _dealt(links: Int64Vector, starts: Int64Vector, counts: Int64Vector, before: Topology) -> Int64Vector:
    first, number = int(starts[links[0]]), int(counts[links[0]])
    if number == 0:
        raise InputError(f"the tables know no other cable than {before.link_name(int(links[0]))}")
    dealt: Int64Vector = first + np.arange(links.size) % number
    return dealt
