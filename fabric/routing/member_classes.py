"""An all-to-all in terms of the network: members that look alike to it are put together in member classes."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from collectives.demand import AllToAll, FloatVector, Int32Vector, Int64Vector
from fabric._kernels.arrays import FloatMatrix, MemberClassArrays
from fabric.jobs.placement import Placement
from fabric.routing.layer import Layer, sums_of
from fabric.topology import Topology

# Sums of some thousand terms, each rounded to 2**-53 of the sum at most, differ by less; larger ones are assumed to,
# for their errors cancel.
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class MemberClasses:
    """Members of an all-to-all in member class order, with the member classes."""

    arrays: MemberClassArrays
    endpoint: Int32Vector
    send: FloatVector
    receive: FloatVector
    member_class: Int64Vector

    @property
    def most_in_a_run(self) -> int:
        """Largest number of members of one group in one attachment class."""
        start = self.arrays.class_member_start
        in_run = start[self.arrays.run_class_stop] - start[self.arrays.run_class_start]
        return int(in_run.max(initial=0))

    def to_slots(self, layer: Layer, weight: FloatVector, class_weight: FloatMatrix) -> FloatVector:
        """Each member's weight times its member class's (C, W) weights by slot, summed to (n_slots,) float64."""
        return self._summed(layer, weight[:, None] * class_weight[self.member_class])

    def own_bytes(self, layer: Layer, own_fraction: FloatVector, between_domains: bool) -> FloatVector:
        """What the sweep counted of members to themselves, (n_slots,) float64: where no label leaves it out."""
        start = layer.arrays.slot_start
        class_fraction = np.zeros((layer.n_classes, layer.width))
        for k in range(layer.width):
            has = np.flatnonzero(np.diff(start) > k)
            class_fraction[has, k] = own_fraction[start[has] + k]
        domain, block = self.arrays.label[0, self.member_class], self.arrays.label[1, self.member_class]
        counted = (block == 0) & ((domain == 0) == between_domains)
        amount = np.where(counted, self.send * self.receive, 0.0)
        return self._summed(layer, amount[:, None] * class_fraction[layer.endpoint_class[self.endpoint]])

    def own_slots(self, layer: Layer, own: FloatMatrix) -> FloatVector:
        """(M, W) bytes of the members to themselves by slot, (n_slots,) float64."""
        return self._summed(layer, own)

    def _summed(self, layer: Layer, by_slot: FloatMatrix) -> FloatVector:
        """(M, W) values of the members summed to (n_slots,): one endpoint may be a member of several groups."""
        first = layer.endpoint_slot[self.endpoint]
        n_own = layer.endpoint_slot[self.endpoint + 1] - first
        slots = np.zeros(layer.n_slots)
        for k in range(layer.width):
            has = n_own > k
            slots += sums_of(first[has] + k, by_slot[has, k], layer.n_slots)
        return slots


def member_classes_of(topology: Topology, layer: Layer, demand: AllToAll, placement: Placement) -> MemberClasses:
    """Put members of one group, class, domain and block together.  O(n_members log n_members)."""
    endpoint = placement.endpoint[demand.groups.rank]
    group = demand.groups.member_group()
    attached = layer.endpoint_class[endpoint]
    domain = _labels(topology.endpoint_domain[endpoint])
    block = np.zeros(endpoint.size, np.int64)
    if demand.block is not None:
        block = np.unique(demand.block, return_inverse=True)[1].ravel() + 1
    joint = _labels(np.where((domain > 0) & (block > 0), domain * (int(block.max(initial=0)) + 1) + block, -1))
    order = np.lexsort((endpoint, block, domain, attached, group))
    keys = np.stack([group, attached, domain, block])[:, order]
    first = np.flatnonzero(np.concatenate([[True], np.any(keys[:, 1:] != keys[:, :-1], axis=0)])[: order.size])
    member_class = np.searchsorted(first, np.arange(order.size), side="right").astype(np.int64) - 1
    send, receive = demand.send[order], demand.receive[order]
    class_group, attachment = keys[0, first], keys[1, first]
    run_first = np.flatnonzero(
        np.concatenate([[True], (class_group[1:] != class_group[:-1]) | (attachment[1:] != attachment[:-1])])[
            : first.size
        ]
    )
    run_stop = np.append(run_first[1:], first.size)[: run_first.size]
    by_class = np.argsort(attachment[run_first], kind="stable")
    label = np.stack([domain, block, joint])[:, order][:, first].astype(np.int32)
    arrays = MemberClassArrays(
        attachment_run_start=starts_of(attachment[run_first][by_class], layer.n_classes),
        run_group=class_group[run_first][by_class],
        run_class_start=run_first[by_class].astype(np.int64),
        run_class_stop=run_stop[by_class].astype(np.int64),
        group_class_start=starts_of(class_group, demand.groups.n_groups),
        attachment=attachment.astype(np.int32),
        label=np.ascontiguousarray(label),
        n_labels=int(label.max(initial=0)) + 1,
        class_send=sums_of(member_class, send, first.size),
        class_receive=sums_of(member_class, receive, first.size),
        class_member_start=np.append(first, order.size).astype(np.int64),
        member_endpoint=endpoint[order],
        member_send=send,
        member_receive=receive,
    )
    return MemberClasses(arrays, endpoint[order], send, receive, member_class)


def counted_members(
    topology: Topology, layer: Layer, demand: AllToAll, placement: Placement
) -> tuple[MemberClasses, float | None]:
    """Where all pairs send alike, members with weights of 1 and what a pair sends; else as they are, and None.

    Sums of ones are whole numbers: exact in any order.
    """
    send, receive = demand.send, demand.receive
    if send.size == 0 or send.min() != send.max() or receive.min() != receive.max():
        return member_classes_of(topology, layer, demand, placement), None
    unit = float(send[0] * receive[0])
    ones = np.ones(send.size) if unit > 0 else np.zeros(send.size)
    return member_classes_of(topology, layer, replace(demand, send=ones, receive=ones), placement), unit


def _labels(values: npt.NDArray[np.signedinteger]) -> Int64Vector:
    """Number the distinct values from 1; negative ones are label 0."""
    label = np.zeros(values.size, np.int64)
    known = values >= 0
    label[known] = np.unique(values[known], return_inverse=True)[1].ravel() + 1
    return label


def without_part(total: FloatVector, part: FloatVector) -> FloatVector:
    """`total` less `part`, which it holds: a rest that is rounding is nothing, so that an idle link stays idle."""
    rest = total - part
    return np.where(rest > ROUNDING * total, rest, 0.0)


def starts_of(sorted_values: npt.NDArray[np.signedinteger], n_values: int) -> Int64Vector:
    """Where each of ``0 .. n_values - 1`` begins in a sorted vector, (n_values + 1,) int64."""
    # Of one type, so that a long vector of int32 is not copied.
    return np.searchsorted(sorted_values, np.arange(n_values + 1, dtype=sorted_values.dtype)).astype(np.int64)
