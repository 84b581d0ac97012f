"""Which hosts a job runs on, as the user names them: a Slurm hostlist, a ``topology.conf``, or both."""

from pathlib import Path

from collectives.errors import InputError
from collectives.suggestion import hint
from fabric.formats.opening import OpenedFabric
from fabric.formats.slurm.hostlist import expand_hostlist
from fabric.formats.slurm.topology_conf import read_slurm_topology


def choose_hosts(
    given: OpenedFabric, hostlist: str | None, topology_conf: Path | None, n_gpus: int | None = None
) -> list[int]:
    """Numbers of hosts, in the order in which the job fills them.

    A hostlist's order is kept.  A ``topology.conf`` chooses as few leaves as the job needs, and with a hostlist orders
    the hosts that are named.

    Parameters
    ----------
    given : OpenedFabric
    hostlist : str, optional
    topology_conf : path, optional
    n_gpus : int, optional
        Size of the job; without it a ``topology.conf`` gives all of its hosts.

    Raises
    ------
    InputError
        If a host is not in the fabric, or there is no room.
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
    if topology_conf is None:
        return [numbers[name] for name in names or ()]
    scheduler = read_slurm_topology(topology_conf).restricted(set(numbers if names is None else names))
    if names is not None:
        missing = next((name for name in names if name not in set(scheduler.hosts())), None)
        if missing is not None:
            raise InputError(f"{topology_conf}: host {missing} is in no leaf or block")
    n_hosts = None
    if n_gpus is not None:
        per_host = max(1, min(sizes[name] for name in scheduler.hosts()))
        n_hosts = -(-n_gpus // per_host)
    return [numbers[name] for name in scheduler.hosts(n_hosts)]
