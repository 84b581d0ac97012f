"""What all sweeps need at the endpoints' end: over which slots they send, and who exchanges bytes with whom."""

from fabric._kernels.arrays import (
    FloatMatrix,
    FloatVector,
    FlowArrays,
    Int32Vector,
    Int64Vector,
    LayerArrays,
    MemberClassArrays,
)
from fabric._kernels.compile import borrowing_kernel, inlined, kernel


@kernel
def most_slots(layer: LayerArrays) -> int:
    """The largest number of slots of an attachment class, at least 1.  O(K)."""
    most = 1
    for attachment in range(layer.slot_start.shape[0] - 1):
        most = max(most, layer.slot_start[attachment + 1] - layer.slot_start[attachment])
    return most


@borrowing_kernel
def split_over_nearest(layer: LayerArrays, distance: Int32Vector, fraction: FloatVector) -> None:
    """Split the bytes of each attachment class over those of its slots that are nearest to a destination.  O(A).

    An endpoint is no switch: its NIC balances its ports under every policy, by the weights that the policy gives.

    Parameters
    ----------
    distance : (S,) int32
        Hops from each switch to the destination; -1 where there is no way.
    fraction : (A,) float64
        In: weight of each slot.  Out: part of its class's bytes that goes by it, in proportion to the weights; 0 for
        slots farther away, and for all of a class that cannot reach the destination.
    """
    for attachment in range(layer.slot_start.shape[0] - 1):
        first, stop = layer.slot_start[attachment], layer.slot_start[attachment + 1]
        nearest = -1
        for slot in range(first, stop):
            reach = distance[layer.slot_switch[slot]]
            if reach >= 0 and (nearest < 0 or reach < nearest):
                nearest = reach
        total = 0.0
        for slot in range(first, stop):
            if nearest < 0 or distance[layer.slot_switch[slot]] != nearest:
                fraction[slot] = 0.0
            total += fraction[slot]
        if total > 0.0:
            for slot in range(first, stop):
                fraction[slot] /= total


@inlined
def exchange(classes: MemberClassArrays, a: int, b: int, between_domains: bool) -> bool:
    """Whether members of the member classes `a` and `b` exchange bytes in this layer (a member with itself apart).

    Parameters
    ----------
    a, b : int
        Member classes of one group.
    between_domains : bool
        True: pairs in different domains do (scale-out); False: pairs in one domain (scale-up).  Never pairs in one
        block.
    """
    same_domain = classes.label[0, a] > 0 and classes.label[0, a] == classes.label[0, b]
    same_block = classes.label[1, a] > 0 and classes.label[1, a] == classes.label[1, b]
    return same_domain != between_domains and not same_block


@borrowing_kernel
def note_pair(classes: MemberClassArrays, run: int, source: int, between_domains: bool, pair: Int32Vector) -> None:
    """Note endpoints of member class `source` and of a run (``pair``, (2,) int32) that have bytes to exchange."""
    for member_class in range(classes.run_class_start[run], classes.run_class_stop[run]):
        if not exchange(classes, source, member_class, between_domains):
            continue
        for i in range(classes.class_member_start[source], classes.class_member_start[source + 1]):
            for j in range(classes.class_member_start[member_class], classes.class_member_start[member_class + 1]):
                if i != j and classes.member_send[i] * classes.member_receive[j] > 0.0:
                    pair[0] = classes.member_endpoint[i]
                    pair[1] = classes.member_endpoint[j]
                    return


@inlined
def depart(
    layer: LayerArrays,
    source: int,
    first_slot: int,
    amount: float,
    fraction: FloatVector,
    waiting: FloatVector,
    slot_up: FloatVector,
) -> bool:
    """Put bytes of one endpoint on its cables, and let them wait at the switches behind; whether they have a way.

    Parameters
    ----------
    source, first_slot : int
        Class of the endpoint, and where its own slots begin in `slot_up`.
    amount : float
        Bytes.
    fraction : (A,) float64
        How each class splits its bytes over its slots; all zero for one that cannot reach the destination.
    waiting : (S,) float64
        Accumulated: bytes by switch.
    slot_up : (n_endpoint_slots,) float64
        Accumulated: bytes by slot of the endpoints.
    """
    reached = False
    first = layer.slot_start[source]
    for slot in range(first, layer.slot_start[source + 1]):
        if fraction[slot] > 0.0:
            reached = True
            part = amount * fraction[slot]
            waiting[layer.slot_switch[slot]] += part
            slot_up[first_slot + slot - first] += part
    return reached


@kernel
def send_flows(
    layer: LayerArrays,
    flows: FlowArrays,
    destination: int,
    endpoint_class: Int32Vector,
    endpoint_slot: Int64Vector,
    fraction: FloatVector,
    at_class: FloatMatrix,
    waiting: FloatVector,
    slot_up: FloatVector,
    slot_down: FloatVector,
    unreachable: Int32Vector,
) -> None:
    """Put the flows to one class on the cables of their endpoints, and let them wait at the switches behind.

    Parameters
    ----------
    endpoint_class : (N,) int32
    endpoint_slot : (N + 1,) int64
        Where each endpoint's slots begin in `slot_up` and `slot_down`.
    fraction : (A,) float64
        How each class splits its bytes over its slots; all zero for one that cannot reach the destination.
    at_class : (K + 1, W) float64
        Which part of each class's bytes comes in by each of the destination's slots.
    waiting : (S,) float64
        Accumulated: bytes by switch.
    slot_up, slot_down : (n_endpoint_slots,) float64
        Accumulated: bytes by slot of the endpoints, leaving and arriving.
    unreachable : (2,) int32
        A source and a destination endpoint with bytes and no way between them; written if there are any.
    """
    n_slots = layer.slot_start[destination + 1] - layer.slot_start[destination]
    for flow in range(flows.class_flow_start[destination], flows.class_flow_start[destination + 1]):
        src, dst = flows.src[flow], flows.dst[flow]
        source = endpoint_class[src]
        reached = depart(layer, source, endpoint_slot[src], flows.bytes[flow], fraction, waiting, slot_up)
        for k in range(n_slots):
            slot_down[endpoint_slot[dst] + k] += flows.bytes[flow] * at_class[source, k]
        if not reached and flows.bytes[flow] > 0.0:
            unreachable[0] = src
            unreachable[1] = dst
