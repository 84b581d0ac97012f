"""What the links of each tier and direction carry, in one pass over all links."""

from fabric._kernels.arrays import FloatVector, Int8Vector, Int64Vector
from fabric._kernels.compile import borrowing_kernel


@borrowing_kernel
def sum_by_tier(
    out_start: Int64Vector,
    number: Int8Vector,
    load: FloatVector,
    gbps: FloatVector,
    total: FloatVector,
    used: Int64Vector,
    busy_s: FloatVector,
    longest_s: FloatVector,
    longest: Int64Vector,
    own: FloatVector,
    own_s: FloatVector,
) -> None:
    """Sum up loads, and load over capacity, by the number of each link.  O(n_links + n_nodes x C).

    Sums are those of the nodes' own sums, so that they are as good as pairwise ones.

    Parameters
    ----------
    out_start : (n_nodes + 1,) int64
        Where the links of each node begin.
    number : (n_links,) int8
        From 0 to C - 1.
    load, gbps : (n_links,) float64
        Bytes, and capacity.
    total, busy_s : (C,) float64
        In: zero.  Out: bytes, and seconds of the links that carry anything.
    used : (C,) int64
        In: zero.  Out: how many they are.
    longest_s : (C,) float64
        In: zero.  Out: the longest seconds.
    longest : (C,) int64
        Out: the first link that has them; as it was where none carries anything.
    own, own_s : (C,) float64
        Scratch, zero.
    """
    n_numbers = total.shape[0]
    for node in range(out_start.shape[0] - 1):
        for link in range(out_start[node], out_start[node + 1]):
            carried = load[link]
            if carried == 0.0:
                continue
            which = number[link]
            seconds = carried * 8.0 / (gbps[link] * 1e9)
            own[which] += carried
            if seconds > 0.0:
                own_s[which] += seconds
                used[which] += 1
            if seconds > longest_s[which]:
                longest_s[which] = seconds
                longest[which] = link
        for which in range(n_numbers):
            total[which] += own[which]
            busy_s[which] += own_s[which]
            own[which] = 0.0
            own_s[which] = 0.0
