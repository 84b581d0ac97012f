"""Which hosts a job runs on: a Slurm hostlist, what a scheduler knows of what is near what, and what others leave."""

from collections.abc import Collection
from pathlib import Path

from collectives.errors import InputError
from collectives.suggestion import hint
from fabric.formats.node_labels import read_node_labels
from fabric.formats.opening import OpenedFabric
from fabric.formats.slurm.hostlist import expand_hostlist
from fabric.formats.slurm.topology_conf import read_slurm_topology


def choose_hosts(
    given: OpenedFabric,
    hostlist: str | None,
    topology_conf: Path | None,
    n_gpus: int | None = None,
    node_labels: Path | None = None,
    free: Collection[int] | None = None,
) -> list[int]:
    """Numbers of hosts, in the order in which the job fills them.

    A hostlist's order is kept.  A ``topology.conf``, or labels of nodes, choose as few leaves as the job needs, and
    with a hostlist order the hosts that are named.  Hosts that are not free are left out.

    Parameters
    ----------
    given : OpenedFabric
    hostlist : str, optional
    topology_conf : path, optional
    n_gpus : int, optional
        Size of the job; without it a ``topology.conf`` gives all of its hosts.
    node_labels : path, optional
        Labels of nodes as CSV (`fabric.formats.node_labels`), instead of a ``topology.conf``.
    free : collection of int, optional
        Numbers of the hosts that the job may have; default all.

    Raises
    ------
    InputError
        If both files are given, a host is not in the fabric, or there is no room.
    """
    numbers: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for name, number in zip(given.host_names(), given.topology.endpoint_host.tolist(), strict=True):
        numbers[name] = number
        sizes[name] = sizes.get(name, 0) + 1
    if any(number < 0 for number in numbers.values()):
        raise InputError(f"{given.name}: says of no endpoint on which host it is; expected `host` of every endpoint")
    names = None if hostlist is None else expand_hostlist(hostlist)
    for name in names or ():
        if name not in numbers:
            raise InputError(f"hosts {hostlist!r}: {name} is no host of {given.name}; {hint(name, numbers)}")
    allowed = set(numbers.values()) if free is None else set(free)
    path = topology_conf or node_labels
    if path is None:
        wanted = [numbers[name] for name in names] if names is not None else sorted(allowed)
        chosen = [number for number in wanted if number in allowed]
        if not chosen:
            raise InputError(f"hosts {hostlist!r}: none of them is free")
        return chosen
    if topology_conf is not None and node_labels is not None:
        raise InputError(f"{node_labels}: expected labels of nodes or a topology.conf ({topology_conf}), not both")
    known = read_slurm_topology(path) if topology_conf is not None else read_node_labels(path)
    if names is not None:
        described = {name for _, members in known.leaves for name in members}
        missing = next((name for name in names if name not in described), None)
        if missing is not None:
            raise InputError(f"{path}: host {missing} is in no leaf or block")
    scheduler = known.restricted({name for name in names or numbers if numbers[name] in allowed})
    n_hosts = None
    if n_gpus is not None:
        per_host = max(1, min(sizes[name] for name in scheduler.hosts()))
        n_hosts = -(-n_gpus // per_host)
    return [numbers[name] for name in scheduler.hosts(n_hosts)]
