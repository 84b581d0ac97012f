"""Explicit flows that stay in a scale-up domain with one switch: nothing to route, what each end sends says all."""

from fabric._kernels.arrays import FloatVector, Int32Vector
from fabric._kernels.compile import borrowing_kernel


@borrowing_kernel
def part_flows(
    src: Int32Vector,
    dst: Int32Vector,
    amount: FloatVector,
    domain: Int32Vector,
    sent: FloatVector,
    received: FloatVector,
    between: Int32Vector,
) -> int:
    """Sum up the flows inside domains by rank, and list the others.  O(F).

    Flows without bytes, and from a rank to itself, are neither.

    Parameters
    ----------
    src, dst : (F,) int32
        Ranks.
    amount : (F,) float64
        Bytes.
    domain : (n_ranks,) int32
        Domain of each rank; negative ones are none.
    sent, received : (n_ranks,) float64
        Accumulated: bytes of flows inside domains.
    between : (F,) int32
        Out: flows between domains, in order.

    Returns
    -------
    int
        How many flows are between domains.
    """
    n_between = 0
    for flow in range(src.shape[0]):
        one, other = src[flow], dst[flow]
        if one == other or amount[flow] <= 0.0:
            continue
        if domain[one] >= 0 and domain[one] == domain[other]:
            sent[one] += amount[flow]
            received[other] += amount[flow]
        else:
            between[n_between] = flow
            n_between += 1
    return n_between
