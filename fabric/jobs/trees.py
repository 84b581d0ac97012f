"""As few leaf switches as a job needs, as Slurm's topology/tree chooses them, on the fabric's own leaves.

Hosts with one set of leaf switches are a leaf of the tree: in a rail-aware fabric the rails' leaves of a pod.  How
leaves are chosen is said in `fabric.formats.slurm.topology_conf.SchedulerTopology.hosts`.
"""

from collections.abc import Sequence

import numpy as np

from collectives.errors import InputError
from fabric.formats.slurm.topology_conf import SchedulerTopology
from fabric.jobs.host_parts import host_parts, leaves_of_hosts
from fabric.jobs.placement import Placement
from fabric.topology import Topology


def tree(
    topology: Topology,
    n_ranks: int | None = None,
    gpus_per_domain: int | None = None,
    hosts: Sequence[int] | None = None,
) -> Placement:
    """A job on the fewest sets of leaves that hold it, the last of them the one with the least room left over.

    Parameters
    ----------
    topology, n_ranks, gpus_per_domain, hosts
        As for `fabric.jobs.placement.packed`; `hosts` are those that are free.  Of a host with fewer GPUs than others
        nothing is taken.

    Raises
    ------
    InputError
        If the job does not fit.
    """
    parts = host_parts(topology, gpus_per_domain, hosts)
    per_host = max((part.n_gpus for part in parts), default=1)
    whole = [part for part in parts if part.n_gpus == per_host]
    if n_ranks is not None and not 1 <= n_ranks <= per_host * len(whole):
        raise InputError(
            f"gpus: {n_ranks} asked, {topology.name} has {per_host * len(whole)} on {len(whole)} hosts that are free"
        )
    leaves: dict[tuple[int, ...], list[str]] = {}
    for part, leaf in zip(whole, leaves_of_hosts(topology, whole), strict=True):
        leaves.setdefault(leaf, []).append(str(part.host))
    named = tuple((str(number), tuple(members)) for number, members in enumerate(leaves.values()))
    above: dict[str, tuple[int, ...]] = {name: (number,) for number, (name, _) in enumerate(named)}
    scheduler = SchedulerTopology(topology.name, named, above, "tree")
    endpoint_of = {str(part.host): part.endpoint for part in whole}
    n_hosts = None if n_ranks is None else -(-n_ranks // per_host)
    endpoint = np.concatenate([endpoint_of[name] for name in scheduler.hosts(n_hosts)])
    return Placement(endpoint if n_ranks is None else endpoint[:n_ranks])
