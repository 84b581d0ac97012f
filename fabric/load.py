"""Bytes per link: routes demands over a fabric by the destination sweep."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from collectives.demand import AllToAll, Demand, Flows, FloatVector, Int32Vector, Int64Vector, Reduction, frozen_array
from collectives.errors import InputError
from collectives.schedule import Overlap, Schedule
from fabric._kernels.columns import CellColumns, FloatMatrix, FlowColumns, Int32Matrix
from fabric.network import Network, network_of
from fabric.placement import Placement
from fabric.routing import Adaptive, DModK, Ecmp, Routing
from fabric.topology import NVSWITCH, SWITCH, Topology

if TYPE_CHECKING:
    import networkx

# The destinations are cut into this many shares whatever the number of threads, and the shares' loads are summed in
# order: the result is the same to the last bit.
_SHARES = 16
# Each share has load arrays of its own; very large fabrics get fewer shares to bound them.
_SHARE_BYTES = 400e6


@dataclass(frozen=True, eq=False)
class LinkLoads:
    """Bytes that each link of a fabric carries.

    Attributes
    ----------
    topology : Topology
    bytes : (n_links,) float64
    """

    topology: Topology
    bytes: FloatVector

    def __post_init__(self) -> None:
        loads = frozen_array(self.bytes, np.float64, "loads.bytes")
        if loads.shape[0] != self.topology.n_links:
            raise InputError(f"loads.bytes: expected {self.topology.n_links} values, got {loads.shape[0]}")
        object.__setattr__(self, "bytes", loads)

    def __add__(self, other: "LinkLoads") -> "LinkLoads":
        if other.topology is not self.topology:
            raise InputError("loads: expected loads of the same topology to add")
        return LinkLoads(self.topology, self.bytes + other.bytes)

    def scaled(self, factor: float) -> "LinkLoads":
        """Every load times `factor`."""
        return LinkLoads(self.topology, self.bytes * factor)

    def ratio_to(self, other: "LinkLoads") -> FloatVector:
        """Load of each link over that in `other`, (n_links,) float64; NaN where both are zero."""
        if other.topology is not self.topology:
            raise InputError("loads: expected loads of the same topology to compare")
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.bytes / other.bytes

    @cached_property
    def seconds(self) -> FloatVector:
        """Load over capacity, (n_links,) float64: how long the link is busy."""
        return frozen_array(self.bytes * 8.0 / (self.topology.link_capacity_gbps * 1e9), np.float64, "seconds")

    @property
    def bottleneck_time_s(self) -> float:
        """Largest load over capacity, seconds: no schedule of these bytes can be faster."""
        return float(self.seconds.max(initial=0.0))

    @property
    def bottleneck_link(self) -> int:
        """The first link that sets `bottleneck_time_s`."""
        return int(self.seconds.argmax())

    def to_networkx(self) -> "networkx.MultiDiGraph":
        """The fabric with `bytes` on every edge."""
        from fabric.formats.node_link import to_networkx

        return to_networkx(self.topology, self.bytes)


@dataclass(frozen=True, eq=False)
class ScheduleLoads:
    """Loads of every phase of a schedule (one of its repeats), and how the phases overlap.

    Attributes
    ----------
    phases : tuple of LinkLoads
    repeats : tuple of int
    labels : tuple of str
    overlap : {"sequential", "pipelined"}
    """

    topology: Topology
    phases: tuple[LinkLoads, ...]
    repeats: tuple[int, ...]
    labels: tuple[str, ...]
    overlap: Overlap

    @cached_property
    def total(self) -> LinkLoads:
        """Bytes per link, all phases and repeats together."""
        total = np.zeros(self.topology.n_links)
        for loads, repeat in zip(self.phases, self.repeats, strict=True):
            total += repeat * loads.bytes
        return LinkLoads(self.topology, total)

    @cached_property
    def bottleneck_time_s(self) -> float:
        """Sequential: the phases' bottleneck times added up.  Pipelined: the bottleneck of all their loads."""
        if self.overlap == "pipelined":
            return self.total.bottleneck_time_s
        return sum(repeat * loads.bottleneck_time_s for loads, repeat in zip(self.phases, self.repeats, strict=True))


def schedule_loads(
    topology: Topology,
    schedule: Schedule,
    placement: Placement,
    routing: Routing | None = None,
    n_threads: int | None = None,
) -> ScheduleLoads:
    """Route every phase of a schedule.  Arguments and errors as for `link_loads`."""
    phases = []
    for phase in schedule.phases:
        loads = LinkLoads(topology, np.zeros(topology.n_links))
        for demand in phase.demands:
            loads = loads + link_loads(topology, demand, placement, routing, n_threads)
        phases.append(loads)
    return ScheduleLoads(
        topology,
        tuple(phases),
        tuple(phase.repeat for phase in schedule.phases),
        tuple(phase.label for phase in schedule.phases),
        schedule.overlap,
    )


def link_loads(
    topology: Topology,
    demand: Demand,
    placement: Placement,
    routing: Routing | None = None,
    n_threads: int | None = None,
) -> LinkLoads:
    """Route a demand: bytes on every link.

    Pairs of endpoints in one scale-up domain go through its NVLink switches, all others through their NICs, always by
    shortest paths and never through a third endpoint.

    Parameters
    ----------
    topology : Topology
    demand : Flows, AllToAll or Reduction
    placement : Placement
        Endpoint of every rank of the demand.
    routing : Adaptive, Ecmp or DModK, optional
        What switches do with equal-cost next hops; default `Adaptive`.  NVLink switches always split evenly.
    n_threads : int, optional
        Threads over the destinations; default all processors.  The result does not depend on it.

    Returns
    -------
    LinkLoads

    Raises
    ------
    InputError
        A rank without an endpoint, or two endpoints with bytes to exchange and no path between them.
    """
    if demand.max_rank >= placement.n_ranks:
        raise InputError(f"rank {demand.max_rank} out of range: the job has ranks 0 to {placement.n_ranks - 1}")
    placement.check(topology)
    routing = routing or Adaptive()
    if isinstance(demand, Reduction):
        from fabric.reduction import reduction_bytes

        return LinkLoads(topology, reduction_bytes(topology, demand, placement))
    load = np.zeros(topology.n_links)
    for kind, policy in ((SWITCH, routing), (NVSWITCH, Adaptive())):
        network = network_of(topology, kind)
        if isinstance(demand, Flows):
            _load_flows(topology, network, demand, placement, policy, kind == SWITCH, n_threads, load)
        elif kind == SWITCH or network.n_switches:
            _load_all_to_all(topology, network, demand, placement, policy, kind == SWITCH, n_threads, load)
    return LinkLoads(topology, load)


def _load_flows(
    topology: Topology,
    network: Network,
    demand: Flows,
    placement: Placement,
    routing: Routing,
    between_domains: bool,
    n_threads: int | None,
    load: FloatVector,
) -> None:
    """Add the flows of one layer to `load` ((n_links,) float64)."""
    src, dst = placement.endpoint[demand.src], placement.endpoint[demand.dst]
    domain = topology.endpoint_domain
    same = (domain[src] >= 0) & (domain[src] == domain[dst])
    chosen = np.flatnonzero((same != between_domains) & (src != dst) & (demand.bytes > 0))
    if chosen.size == 0:
        return
    flow_class = network.endpoint_class[dst[chosen]]
    chosen = chosen[np.lexsort((src[chosen], dst[chosen], flow_class))]
    columns = FlowColumns(
        class_flow_start=_starts(network.endpoint_class[dst[chosen]], network.n_classes),
        src=src[chosen],
        dst=dst[chosen],
        bytes=demand.bytes[chosen],
    )
    net, where = network.columns, (network.endpoint_class, network.endpoint_slot)
    unreachable = np.full((network.n_classes, 2), -1, np.int32)
    sweep: Callable[..., None]
    if isinstance(routing, Adaptive):
        from fabric._kernels.adaptive import sweep_flows as sweep

        fixed = (net, columns, *where)
    elif isinstance(routing, Ecmp):
        from fabric._kernels.single_path import ecmp_flows as sweep

        fixed = (net, columns, *where, routing.switch_seeds(network), routing.port_keys(network))
    else:
        from fabric._kernels.single_path import dmodk_flows as sweep

        fixed = (net, columns, *where, network.endpoint_index)

    def share(number: int, n_shares: int) -> tuple[FloatVector, ...]:
        sums = (np.zeros(network.n_trunks), np.zeros(network.n_slots), np.zeros(network.n_slots))
        sweep(*fixed, number, n_shares, *sums, unreachable)
        return sums

    trunk, up, down = _sum_of_shares(share, network, network.n_trunks + 2 * network.n_slots, n_threads)
    _refuse_unreachable(topology, unreachable)
    _spread(network, trunk, up, down, load)


def _load_all_to_all(
    topology: Topology,
    network: Network,
    demand: AllToAll,
    placement: Placement,
    routing: Routing,
    between_domains: bool,
    n_threads: int | None,
    load: FloatVector,
) -> None:
    """Add the pairs of one layer to `load` ((n_links,) float64)."""
    members = _cells(topology, network, demand, placement)
    cells, net, width = members.columns, network.columns, network.width
    n_cells = len(cells.cell_class)
    unreachable = np.full((network.n_classes, 2), -1, np.int32)
    own_share = np.zeros(len(net.slot_switch))
    cell_down = np.zeros((n_cells, width))
    share: Callable[[int, int], tuple[FloatVector, ...]]
    if isinstance(routing, Ecmp):
        from fabric._kernels.single_path import ecmp_all_to_all

        seeds, keys = routing.switch_seeds(network), routing.port_keys(network)

        def share(number: int, n_shares: int) -> tuple[FloatVector, ...]:
            sums = (np.zeros(network.n_trunks), np.zeros(network.n_slots), np.zeros(network.n_slots))
            ecmp_all_to_all(
                net, cells, between_domains, network.endpoint_slot, seeds, keys, number, n_shares, *sums, unreachable
            )
            return sums

        trunk, up, down = _sum_of_shares(share, network, network.n_trunks + 2 * network.n_slots, n_threads)
    elif isinstance(routing, DModK):
        from fabric._kernels.single_path import dmodk_all_to_all

        def share(number: int, n_shares: int) -> tuple[FloatVector, ...]:
            trunk, down = np.zeros(network.n_trunks), np.zeros(network.n_slots)
            cell_up = np.zeros((n_cells, width))
            dmodk_all_to_all(
                net, cells, between_domains, network.endpoint_slot, network.endpoint_index, number, n_shares,
                trunk, cell_up, down, own_share, unreachable,
            )  # fmt: skip
            return trunk, cell_up, down

        trunk, cell_up, down = _sum_of_shares(
            share, network, network.n_trunks + n_cells * width + network.n_slots, n_threads
        )
        up = members.to_slots(network, members.send, cell_up)
        own = members.own_bytes(network, own_share, between_domains)
        up, down = np.maximum(up - own, 0.0), np.maximum(down - own, 0.0)
    else:
        from fabric._kernels.adaptive import sweep_all_to_all

        def share(number: int, n_shares: int) -> tuple[FloatVector, ...]:
            trunk, cell_up = np.zeros(network.n_trunks), np.zeros((n_cells, width))
            sweep_all_to_all(
                net, cells, between_domains, number, n_shares, trunk, cell_up, cell_down, own_share, unreachable
            )
            return trunk, cell_up

        trunk, cell_up = _sum_of_shares(share, network, network.n_trunks + n_cells * width, n_threads)
        own = members.own_bytes(network, own_share, between_domains)
        up = np.maximum(members.to_slots(network, members.send, cell_up) - own, 0.0)
        down = np.maximum(members.to_slots(network, members.receive, cell_down) - own, 0.0)
    _refuse_unreachable(topology, unreachable)
    _spread(network, trunk, up, down, load)


@dataclass(frozen=True, eq=False)
class _Members:
    """Members of an all-to-all in cell order, with the cells."""

    columns: CellColumns
    endpoint: Int32Vector
    send: FloatVector
    receive: FloatVector
    cell: Int64Vector

    def to_slots(self, network: Network, weight: FloatVector, cell_weight: FloatMatrix) -> FloatVector:
        """Each member's weight times its cell's weights by slot, summed to (n_slots,) float64."""
        slots = np.zeros(network.n_slots)
        for k in range(network.width):
            has = network.endpoint_slot[self.endpoint + 1] - network.endpoint_slot[self.endpoint] > k
            where = network.endpoint_slot[self.endpoint[has]] + k
            slots += np.bincount(
                where, weights=weight[has] * cell_weight[self.cell[has], k], minlength=network.n_slots
            )
        return slots

    def own_bytes(self, network: Network, own_share: FloatVector, between_domains: bool) -> FloatVector:
        """What the sweep counted of members to themselves, (n_slots,) float64: where no label leaves it out."""
        labels = self.columns.label[:, self.cell]
        counted = (labels[1] == 0) & ((labels[0] == 0) == between_domains)
        amount = np.where(counted, self.send * self.receive, 0.0)
        by_class = np.zeros((network.n_classes, network.width))
        start = network.columns.slot_start
        sizes = np.diff(start)
        for k in range(network.width):
            has = np.flatnonzero(sizes > k)
            by_class[has, k] = own_share[start[has] + k]
        slots = np.zeros(network.n_slots)
        for k in range(network.width):
            has = network.endpoint_slot[self.endpoint + 1] - network.endpoint_slot[self.endpoint] > k
            part = by_class[network.endpoint_class[self.endpoint[has]], k]
            where = network.endpoint_slot[self.endpoint[has]] + k
            slots += np.bincount(where, weights=amount[has] * part, minlength=network.n_slots)
        return slots


def _cells(topology: Topology, network: Network, demand: AllToAll, placement: Placement) -> _Members:
    """Put members of one group, class, domain and block together.  O(n_members log n_members)."""
    endpoint = placement.endpoint[demand.groups.rank]
    group = demand.groups.member_group()
    member_class = network.endpoint_class[endpoint]
    domain = _labels(topology.endpoint_domain[endpoint])
    block = np.zeros(endpoint.size, np.int64)
    if demand.block is not None:
        block = np.unique(demand.block, return_inverse=True)[1].ravel() + 1
    joint = _labels(np.where((domain > 0) & (block > 0), domain * (int(block.max(initial=0)) + 1) + block, -1))
    order = np.lexsort((endpoint, block, domain, member_class, group))
    keys = np.stack([group, member_class, domain, block])[:, order]
    first = np.flatnonzero(np.concatenate([[True], np.any(keys[:, 1:] != keys[:, :-1], axis=0)])[: order.size])
    cell = np.zeros(order.size, np.int64)
    cell[first[1:]] = 1
    cell = np.cumsum(cell)
    send, receive = demand.send[order], demand.receive[order]
    cell_group, cell_class = keys[0, first], keys[1, first]
    run_first = np.flatnonzero(
        np.concatenate([[True], (cell_group[1:] != cell_group[:-1]) | (cell_class[1:] != cell_class[:-1])])[: first.size]
    )
    run_stop = np.append(run_first[1:], first.size)[: run_first.size]
    by_class = np.argsort(cell_class[run_first], kind="stable")
    label = np.stack([domain, block, joint])[:, order][:, first].astype(np.int32)
    columns = CellColumns(
        class_run_start=_starts(cell_class[run_first][by_class], network.n_classes),
        run_group=cell_group[run_first][by_class],
        run_cell_start=run_first[by_class].astype(np.int64),
        run_cell_stop=run_stop[by_class].astype(np.int64),
        group_cell_start=_starts(cell_group, demand.groups.n_groups),
        cell_class=cell_class.astype(np.int32),
        label=np.ascontiguousarray(label),
        n_labels=int(label.max(initial=0)) + 1,
        cell_send=np.bincount(cell, weights=send, minlength=first.size),
        cell_receive=np.bincount(cell, weights=receive, minlength=first.size),
        cell_member_start=np.append(first, order.size).astype(np.int64),
        member_endpoint=endpoint[order],
        member_send=send,
        member_receive=receive,
    )
    return _Members(columns, endpoint[order], send, receive, cell)


def _labels(values: npt.NDArray[np.signedinteger]) -> Int64Vector:
    """Number the distinct values from 1; negative ones are label 0."""
    label = np.zeros(values.size, np.int64)
    known = values >= 0
    label[known] = np.unique(values[known], return_inverse=True)[1].ravel() + 1
    return label


def _starts(sorted_values: npt.NDArray[np.signedinteger], n_values: int) -> Int64Vector:
    """Where each of ``0 .. n_values - 1`` begins in a sorted vector, (n_values + 1,) int64."""
    return np.searchsorted(sorted_values, np.arange(n_values + 1)).astype(np.int64)


def _sum_of_shares(
    share: Callable[[int, int], tuple[FloatVector, ...]], network: Network, share_floats: int, n_threads: int | None
) -> tuple[FloatVector, ...]:
    """Run the shares of the destinations on threads and sum their arrays in order."""
    n_shares = max(1, min(_SHARES, network.n_classes, int(_SHARE_BYTES / (8 * max(share_floats, 1)))))
    workers = min(n_shares, n_threads or os.cpu_count() or 1)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        results = pool.map(lambda number: share(number, n_shares), range(n_shares))
        total = next(results)
        for part in results:
            for into, values in zip(total, part, strict=True):
                into += values
    return total


def _refuse_unreachable(topology: Topology, unreachable: Int32Matrix) -> None:
    pairs = unreachable[unreachable[:, 0] >= 0]
    if pairs.size:
        src, dst = (topology.endpoint_names[endpoint] for endpoint in pairs[0])
        raise InputError(f"no path from {src} to {dst} in fabric {topology.name}: expected every pair with traffic joined")


def _spread(network: Network, trunk: FloatVector, up: FloatVector, down: FloatVector, load: FloatVector) -> None:
    """Add trunk loads and the endpoints' loads by slot to the links."""
    load[network.trunk_link] += trunk
    load[network.up_link] += up[network.attachment_slot] * network.up_part
    load[network.down_link] += down[network.attachment_slot] * network.down_part
