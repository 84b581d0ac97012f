"""An all-to-all in terms of the network: members that look alike to it are put together in cells."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collectives.demand import AllToAll, FloatVector, Int32Vector, Int64Vector
from fabric._kernels.columns import CellColumns, FloatMatrix
from fabric.network import Network, sums_of
from fabric.placement import Placement
from fabric.topology import Topology

# Sums of some thousand terms, each rounded to 2e-16 of the sum at most, differ by less.
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Members:
    """Members of an all-to-all in cell order, with the cells."""

    columns: CellColumns
    endpoint: Int32Vector
    send: FloatVector
    receive: FloatVector
    cell: Int64Vector

    def to_slots(self, network: Network, weight: FloatVector, cell_weight: FloatMatrix) -> FloatVector:
        """Each member's weight times its cell's (C, W) weights by slot, summed to (n_slots,) float64."""
        return self._summed(network, weight[:, None] * cell_weight[self.cell])

    def own_bytes(self, network: Network, own_share: FloatVector, between_domains: bool) -> FloatVector:
        """What the sweep counted of members to themselves, (n_slots,) float64: where no label leaves it out."""
        start = network.columns.slot_start
        class_share = np.zeros((network.n_classes, network.width))
        for k in range(network.width):
            has = np.flatnonzero(np.diff(start) > k)
            class_share[has, k] = own_share[start[has] + k]
        domain, block = self.columns.label[0, self.cell], self.columns.label[1, self.cell]
        counted = (block == 0) & ((domain == 0) == between_domains)
        amount = np.where(counted, self.send * self.receive, 0.0)
        return self._summed(network, amount[:, None] * class_share[network.endpoint_class[self.endpoint]])

    def own_slots(self, network: Network, own: FloatMatrix) -> FloatVector:
        """(M, W) bytes of the members to themselves by slot, (n_slots,) float64."""
        return self._summed(network, own)

    def _summed(self, network: Network, by_slot: FloatMatrix) -> FloatVector:
        """(M, W) values of the members summed to (n_slots,): one endpoint may be a member of several groups."""
        first = network.endpoint_slot[self.endpoint]
        n_own = network.endpoint_slot[self.endpoint + 1] - first
        slots = np.zeros(network.n_slots)
        for k in range(network.width):
            has = n_own > k
            slots += sums_of(first[has] + k, by_slot[has, k], network.n_slots)
        return slots


def cells_of(topology: Topology, network: Network, demand: AllToAll, placement: Placement) -> Members:
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
    cell = np.searchsorted(first, np.arange(order.size), side="right").astype(np.int64) - 1
    send, receive = demand.send[order], demand.receive[order]
    cell_group, cell_class = keys[0, first], keys[1, first]
    run_first = np.flatnonzero(
        np.concatenate([[True], (cell_group[1:] != cell_group[:-1]) | (cell_class[1:] != cell_class[:-1])])[
            : first.size
        ]
    )
    run_stop = np.append(run_first[1:], first.size)[: run_first.size]
    by_class = np.argsort(cell_class[run_first], kind="stable")
    label = np.stack([domain, block, joint])[:, order][:, first].astype(np.int32)
    columns = CellColumns(
        class_run_start=starts_of(cell_class[run_first][by_class], network.n_classes),
        run_group=cell_group[run_first][by_class],
        run_cell_start=run_first[by_class].astype(np.int64),
        run_cell_stop=run_stop[by_class].astype(np.int64),
        group_cell_start=starts_of(cell_group, demand.groups.n_groups),
        cell_class=cell_class.astype(np.int32),
        label=np.ascontiguousarray(label),
        n_labels=int(label.max(initial=0)) + 1,
        cell_send=sums_of(cell, send, first.size),
        cell_receive=sums_of(cell, receive, first.size),
        cell_member_start=np.append(first, order.size).astype(np.int64),
        member_endpoint=endpoint[order],
        member_send=send,
        member_receive=receive,
    )
    return Members(columns, endpoint[order], send, receive, cell)


def _labels(values: npt.NDArray[np.signedinteger]) -> Int64Vector:
    """Number the distinct values from 1; negative ones are label 0."""
    label = np.zeros(values.size, np.int64)
    known = values >= 0
    label[known] = np.unique(values[known], return_inverse=True)[1].ravel() + 1
    return label


def without_part(total: FloatVector, part: FloatVector) -> FloatVector:
    """`total` less `part`, which it holds: a rest that is rounding is nothing, so that an idle link stays idle."""
    rest = total - part
    return np.where(rest > _ROUNDING * total, rest, 0.0)


def starts_of(sorted_values: npt.NDArray[np.signedinteger], n_values: int) -> Int64Vector:
    """Where each of ``0 .. n_values - 1`` begins in a sorted vector, (n_values + 1,) int64."""
    # Of one type, so that a long vector of int32 is not copied.
    return np.searchsorted(sorted_values, np.arange(n_values + 1, dtype=sorted_values.dtype)).astype(np.int64)
