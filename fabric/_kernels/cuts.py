"""What joins the parts of a partition: connected components, and the capacity of the links that leave each part."""

from fabric._kernels.arrays import BoolVector, FloatVector, Int32Vector, Int64Vector
from fabric._kernels.compile import borrowing_kernel


@borrowing_kernel
def join(tail: Int32Vector, head: Int32Vector, kept: BoolVector, least: Int32Vector) -> None:
    """The smallest node that a chain of links joins each node with.  O(n_links), nearly.

    Parameters
    ----------
    tail, head : (n_links,) int32
        Nodes at the ends of each link.
    kept : (n_links,) bool
        Links that count.
    least : (n_nodes,) int32
        In: each node's own number.  Out: the smallest one that it is joined with.
    """
    for link in range(tail.shape[0]):
        if not kept[link]:
            continue
        one, other = tail[link], head[link]
        # Each step halves the way to the root (path halving), which is the smallest node so far.
        while least[one] != one:
            least[one] = least[least[one]]
            one = least[one]
        while least[other] != other:
            least[other] = least[least[other]]
            other = least[other]
        if one < other:
            least[other] = one
        elif other < one:
            least[one] = other
    for node in range(least.shape[0]):
        # Smaller nodes are done.
        least[node] = least[least[node]]


@borrowing_kernel
def cut_capacities(
    out_start: Int64Vector,
    head: Int32Vector,
    gbps: FloatVector,
    kept: BoolVector,
    level: Int32Vector,
    top: int,
    nobody: int,
    several: int,
    owner: Int32Vector,
    found: Int32Vector,
    out: FloatVector,
    into: FloatVector,
    leaving: FloatVector,
    entering: FloatVector,
) -> None:
    """Capacity of the links that leave, and enter, each part: the least of all levels.  O(n_links) for each level.

    From the bottom up, a node goes with a part if all that is below it does or belongs to nobody, and one that nobody
    is below if all that is around it, up to its level, does.

    Parameters
    ----------
    out_start : (n_nodes + 1,) int64
        Where the links of each node begin.
    head, gbps : (n_links,)
        Node that each link reaches, and its capacity.
    kept : (n_links,) bool
        Links that count: both directions of a cable, or none.
    level : (n_nodes,) int32
        From 0, where nodes have an owner or stay without one, to `top`.
    nobody, several : int
        Owners that are no part, < 0.
    owner : (n_nodes,) int32
        In: part of each node of level 0, or `nobody`; `nobody` above.  Out: with that of the others.
    found : (n_nodes,) int32
        Scratch.
    out, into : (n_parts,) float64
        In: infinite.  Out: the least capacity.
    leaving, entering : (n_parts,) float64
        Scratch.
    """
    changed = True
    for here in range(1, top + 1):
        rising = True
        again = True
        while again:
            again = False
            for node in range(level.shape[0]):
                found[node] = nobody
                if owner[node] != nobody or level[node] == 0 or level[node] > here:
                    continue
                if rising and level[node] != here:
                    continue
                common = nobody
                for link in range(out_start[node], out_start[node + 1]):
                    other = head[link]
                    if not kept[link] or owner[other] == nobody:
                        continue
                    if level[other] > here or (rising and level[other] == here):
                        continue
                    if common == nobody:
                        common = owner[other]
                    elif common != owner[other]:
                        common = several
                        break
                found[node] = common
            for node in range(level.shape[0]):
                if found[node] != nobody:
                    owner[node] = found[node]
                    changed |= found[node] >= 0
                    again |= not rising
            if rising:
                rising = False
                again = True
        if not changed:
            continue
        changed = False
        leaving[:] = 0.0
        entering[:] = 0.0
        for node in range(level.shape[0]):
            own = owner[node]
            for link in range(out_start[node], out_start[node + 1]):
                other = owner[head[link]]
                if own != other and kept[link]:
                    if own >= 0:
                        leaving[own] += gbps[link]
                    if other >= 0:
                        entering[other] += gbps[link]
        for part in range(out.shape[0]):
            out[part] = min(out[part], leaving[part])
            into[part] = min(into[part], entering[part])
