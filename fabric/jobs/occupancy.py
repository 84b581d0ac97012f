"""Which hosts other jobs have: drawn by a seed, or as a file says; and the shape of a real, busy cluster."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from collectives.errors import InputError
from collectives.gate import quoted
from collectives.suggestion import hint
from fabric.formats.opening import OpenedFabric
from fabric.formats.taken_hosts import read_taken_hosts

# One cluster of alibaba-lingjun-dataset-2023 (Apache-2.0, topo.csv): hosts below each of its 3 pod switches, its leaf
# switches, and the fewest and most hosts that one of those has.
LINGJUN_PODS = (179, 306, 362)
LINGJUN_LEAVES = 48
LINGJUN_SIZES = (3, 22)


def free_after(n_hosts: int, share: float, seed: int = 0) -> list[int]:
    """Hosts that are left, in order, when a share of them, rounded down, is taken.

    Parameters
    ----------
    n_hosts : int
    share : float
        From 0 to less than 1.
    seed : int
        Of NumPy's PCG64 generator, which draws the hosts that are taken, each as likely.

    Raises
    ------
    InputError
        If the share is none.
    """
    if not 0 <= share < 1:
        raise InputError(f"taken: {share:g} of the hosts; expected from 0 to less than 1")
    order = np.random.Generator(np.random.PCG64(seed)).permutation(n_hosts)
    return sorted(order[int(n_hosts * share) :].tolist())


def free_hosts(fabric: OpenedFabric, taken: float | Path, seed: int = 0) -> list[int]:
    """Numbers of the hosts that other jobs leave, in order.

    Parameters
    ----------
    fabric : OpenedFabric
    taken : float or path
        The share of hosts that is taken, or a file of hosts (`fabric.formats.taken_hosts`).
    seed : int
        As for `free_after`.

    Raises
    ------
    InputError
        If a host of the file is not in the fabric, an endpoint has no host, or no host is free.
    """
    topology = fabric.topology
    if (topology.endpoint_host < 0).any():
        raise InputError(f"{fabric.name}: says of no endpoint on which host it is; expected `host` of every endpoint")
    numbers = np.unique(topology.endpoint_host).tolist()
    if not isinstance(taken, Path):
        return [numbers[place] for place in free_after(len(numbers), taken, seed)]
    said = read_taken_hosts(taken)
    number_of = dict(zip(fabric.host_names(), topology.endpoint_host.tolist(), strict=True))
    for name in (*said.taken, *said.free):
        if name not in number_of:
            raise InputError(f"{taken}: {quoted(name)} is no host of {fabric.name}; {hint(name, number_of)}")
    gone = {number_of[name] for name in said.taken}
    left = numbers if said.taken else [number_of[name] for name in said.free]
    free = sorted(set(left) - gone)
    if not free:
        raise InputError(f"{taken}: all {len(numbers)} hosts of {fabric.name} are taken; expected a free one")
    return free


def busy_cluster(
    seed: int = 0,
    pods: Sequence[int] = LINGJUN_PODS,
    n_leaves: int = LINGJUN_LEAVES,
    sizes: tuple[int, int] = LINGJUN_SIZES,
) -> tuple[tuple[int, ...], ...]:
    """Hosts that a large job has on each leaf of a busy cluster, by pod.

    Drawn: every leaf has the fewest, and the other hosts of a pod go to its leaves one by one, each leaf that is not
    full as likely.  How uneven the real leaves are beyond their bounds is not known; this is assumed.

    Parameters
    ----------
    seed : int
        Of NumPy's PCG64 generator.
    pods : sequence of int
        Hosts of each pod.
    n_leaves : int
        Of all pods together; each pod has a part in proportion to its hosts.
    sizes : (int, int)
        Fewest and most hosts on a leaf.

    Raises
    ------
    InputError
        If so many hosts do not fit the leaves; the arithmetic is shown.

    Examples
    --------
    >>> [sum(leaves) for leaves in busy_cluster()]
    [179, 306, 362]
    """
    low, high = sizes
    ends = np.rint(np.cumsum(pods) / max(sum(pods), 1) * n_leaves).astype(int)
    counts = np.diff(np.concatenate([[0], ends])).tolist()
    draw = np.random.Generator(np.random.PCG64(seed))
    drawn = []
    for hosts, count in zip(pods, counts, strict=True):
        if not low * count <= hosts <= high * count:
            raise InputError(
                f"busy cluster: {hosts} hosts on {count} leaves of {low} to {high} hosts each; "
                f"expected {low * count} to {high * count}"
            )
        leaves = np.full(count, low)
        for _ in range(hosts - low * count):
            leaves[draw.choice(np.flatnonzero(leaves < high))] += 1
        drawn.append(tuple(leaves.tolist()))
    return tuple(drawn)
