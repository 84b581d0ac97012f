"""Matches forwarding tables to a fabric: which LIDs an endpoint has, and which link each switch sends them by."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collectives.demand import Int32Vector, Int64Vector
from collectives.errors import InputError
from fabric._kernels.arrays import Int32Matrix, WayEnd
from fabric.formats.dump import Oddity
from fabric.formats.infiniband.host_names import clean_name
from fabric.formats.infiniband.lfts import NO_ENTRY, LftDump
from fabric.formats.infiniband.subnet import OUTSIDE, SubnetFabric
from fabric.routing.policies import Lft
from fabric.topology import ENDPOINT, SWITCH, Topology

# Of switches, adapters and last hops at least this part must match.  Assumed: where half was rebuilt, tables are of
# what was there before.
_SAME_FABRIC = 0.5


@dataclass(frozen=True, eq=False)
class MatchedLfts:
    """Forwarding tables with the links that they mean in a fabric.

    Attributes
    ----------
    routing : Lft
        The policy: give it to `link_loads`.
    without_lft : tuple of str
        Switches of the fabric that the tables do not have.
    unknown_switches : tuple of str
        Switches of the tables that the fabric does not have.
    unowned_lids : tuple of int
        LIDs with entries that no node of the fabric owns.
    without_lid : tuple of str
        Endpoints that no LID of the tables leads to.
    oddities : tuple of Oddity
        What their reader passed over.
    """

    routing: Lft
    without_lft: tuple[str, ...]
    unknown_switches: tuple[str, ...]
    unowned_lids: tuple[int, ...]
    without_lid: tuple[str, ...]
    oddities: tuple[Oddity, ...] = ()


def match_lfts(
    dump: LftDump, topology: Topology, origin: SubnetFabric | None = None, skip_unrouted: bool = False
) -> MatchedLfts:
    """Find the switches and LIDs of forwarding tables in a fabric: by GUID, by LID, by name where a dump has neither.

    Where the tables say which port owns a LID, that counts, and not the LID in the fabric's dump: tables made by a
    subnet manager elsewhere (a simulation of the same fabric) number LIDs anew.

    Parameters
    ----------
    dump : LftDump
        As `read_lfts` reads it.
    topology : Topology
    origin : SubnetFabric, optional
        The dump that the topology was made of (``OpenedFabric.origin``); without it nodes are found by name.
    skip_unrouted : bool
        As for `Lft`.

    Raises
    ------
    InputError
        If the tables are of another fabric: with the parts that match.
    """
    node_of_name = {name: node for node, name in enumerate(topology.nodes.name)}
    switch_nodes = np.flatnonzero(topology.nodes.kind == SWITCH)
    row_of_node: dict[int, int] = {}
    unknown = []
    for row, (guid, name) in enumerate(zip(dump.switch_guid, dump.switch_name, strict=True)):
        node = origin.node_of_guid.get(guid) if origin else None
        node = node_of_name.get(clean_name(name)) if node is None else node
        if node in (None, OUTSIDE) or topology.nodes.kind[node] != SWITCH or node in row_of_node:
            unknown.append(f"0x{guid:016x} {name}".rstrip())
        else:
            row_of_node[node] = row
    owner = _owners(dump, topology, origin, node_of_name)
    endpoint_of_node = {int(node): number for number, node in enumerate(topology.endpoints)}
    lids = sorted((endpoint_of_node[node], lid) for lid, node in owner.items() if topology.nodes.kind[node] == ENDPOINT)
    endpoint = np.array([number for number, _ in lids], np.int64)
    lid = np.array([lid for _, lid in lids], np.int32)
    row_start = np.searchsorted(endpoint, np.arange(topology.n_endpoints + 1)).astype(np.int64)
    used = np.flatnonzero((dump.port != NO_ENTRY).any(axis=0))
    names, cables = topology.nodes.name, np.diff(topology.out_start)
    next_link = _next_links(dump, topology, switch_nodes, row_of_node, lid)
    _refuse_another_fabric(dump, topology, row_of_node, row_start, next_link)
    return MatchedLfts(
        routing=Lft(
            dump.source,
            row_start,
            lid,
            next_link,
            skip_unrouted,
            dump,
        ),
        without_lft=tuple(names[node] for node in switch_nodes if cables[node] and node not in row_of_node),
        unknown_switches=tuple(unknown),
        unowned_lids=tuple(int(number) for number in used if int(number) not in owner and number > 0),
        without_lid=tuple(topology.endpoint_names[number] for number in np.flatnonzero(np.diff(row_start) == 0)),
        oddities=dump.oddities,
    )


def _refuse_another_fabric(
    dump: LftDump,
    topology: Topology,
    row_of_node: dict[int, int],
    row_start: Int64Vector,
    next_link: Int32Matrix,
) -> None:
    """Refuse tables whose switches, adapters or last hops are mostly not those of the fabric."""
    switch_nodes = np.flatnonzero(topology.nodes.kind == SWITCH)
    in_tables = np.isin(switch_nodes, list(row_of_node))
    with_lid = int(np.count_nonzero(np.diff(row_start)))
    # Tables of some switches, or of a fabric of which the dump is a part, match whole on their side.
    switches = max(len(row_of_node) / len(dump.switch_guid), len(row_of_node) / max(switch_nodes.size, 1))
    right, hops = _last_hops(topology, switch_nodes, in_tables, row_start, next_link)
    parts = (switches, with_lid / max(topology.n_endpoints, 1), right / hops if hops else 1.0)
    if min(parts) >= _SAME_FABRIC:
        return
    switches_known = f"{len(row_of_node):,} of {switch_nodes.size:,} switches"
    raise InputError(
        f"{dump.source}: these tables are of another fabric: of {topology.name} they know {switches_known} and "
        f"{with_lid:,} of {topology.n_endpoints:,} adapters, and lead {right:,} of {hops:,} adapters out of the port "
        "that they are on; expected tables and dump of one fabric"
    )


def _last_hops(
    topology: Topology,
    switch_nodes: Int64Vector,
    in_tables: npt.NDArray[np.bool_],
    row_start: Int64Vector,
    next_link: Int32Matrix,
) -> tuple[int, int]:
    """Cables from a switch with a table to an endpoint with a LID by which the table leads, and all such cables."""
    place = np.full(topology.n_nodes, -1)
    place[switch_nodes[in_tables]] = np.flatnonzero(in_tables)
    number = np.full(topology.n_nodes, -1)
    number[topology.endpoints] = np.arange(topology.n_endpoints)
    right = hops = 0
    down = (place[topology.link_tail] >= 0) & (number[topology.link_head] >= 0)
    for tail, head in np.unique(np.stack([topology.link_tail[down], topology.link_head[down]]), axis=1).T.tolist():
        rows = next_link[row_start[number[head]] : row_start[number[head] + 1], place[tail]]
        if rows.size:
            hops += 1
            known = rows[rows >= 0]
            right += bool((topology.link_head[known] == head).any())
    return right, hops


def _owners(
    dump: LftDump, topology: Topology, origin: SubnetFabric | None, node_of_name: dict[str, int]
) -> dict[int, int]:
    """Node of each LID of the tables that is known; `OUTSIDE` for what is known but no node of the topology."""
    if origin is None:
        return {
            lid: node_of_name[clean_name(name)]
            for lid, name in dump.lid_name.items()
            if clean_name(name) in node_of_name
        }
    has_guid = set(origin.node_of_guid.values())
    owner: dict[int, int] = {}
    for lid in range(dump.port.shape[1]):
        guid = dump.port_guid.get(lid)
        if not dump.port_guid:
            node = origin.node_of_lid.get(lid)
        elif guid is None:
            node = None
        else:
            node = origin.node_of_guid.get(guid)
            named = node_of_name.get(clean_name(dump.lid_name[lid]))
            # A dump of the switches alone has no GUIDs of adapters.
            if node is None and named is not None and named not in has_guid:
                node = named
        if node is not None:
            owner[lid] = node
    return owner


def _next_links(
    dump: LftDump,
    topology: Topology,
    switch_nodes: Int64Vector,
    row_of_node: dict[int, int],
    lid: Int32Vector,
) -> Int32Matrix:
    """(n_rows, n_switches) int32: the link behind the port that a switch's table names."""
    n_ports = int(max(topology.link_tail_port.max(initial=0), dump.port.max(initial=0))) + 1
    link_at = np.full((topology.n_nodes, n_ports), WayEnd.DEAD_PORT, np.int32)
    known = np.flatnonzero(topology.link_tail_port > 0)
    link_at[topology.link_tail[known], topology.link_tail_port[known]] = known
    link_at[:, 0] = WayEnd.WRONG_END  # the switch's own port
    result = np.full((lid.size, switch_nodes.size), WayEnd.NO_ENTRY, np.int32)
    for switch, node in enumerate(switch_nodes.tolist()):
        if node in row_of_node:
            ports = dump.port[row_of_node[node], lid]
            result[:, switch] = np.where(ports == NO_ENTRY, WayEnd.NO_ENTRY, link_at[node, ports])
    return result
