"""Which rank runs on which host, in the forms that launchers take.

A launcher starts the ranks of a host on its GPUs in order: a rank's GPU is its place among the ranks of its host.  Only
a rankfile and JSON name the GPU.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from collectives.errors import InputError
from collectives.gate import quoted
from collectives.suggestion import hint
from fabric.formats.opening import OpenedFabric
from fabric.jobs.placement import Placement
from fabric.topology import UNKNOWN

# What a launcher's file can hold as a host: RFC 1123's letters, and the underscore that clusters use.
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class RankPlaces:
    """Where each rank is.

    Attributes
    ----------
    fabric : str
        Name of the fabric.
    host : tuple of str
        Host of each rank.
    gpu : tuple of int
        Place of its endpoint among those of its host.
    endpoint : tuple of str
        Name of its endpoint.
    """

    fabric: str
    host: tuple[str, ...]
    gpu: tuple[int, ...]
    endpoint: tuple[str, ...]

    def hosts(self) -> dict[str, list[int]]:
        """Ranks of each host, hosts in the order of their first rank."""
        ranks: dict[str, list[int]] = {}
        for rank, host in enumerate(self.host):
            ranks.setdefault(host, []).append(rank)
        return ranks


@dataclass(frozen=True)
class LauncherForm:
    """A form of a rank's host.

    Attributes
    ----------
    name : str
    about : str
        What takes it, and how.
    write : callable
        ``RankPlaces -> str``.
    suffix : str
        Usual end of a file's name.
    """

    name: str
    about: str
    write: Callable[[RankPlaces], str]
    suffix: str = ".txt"


def launcher_text(form: str, fabric: OpenedFabric, placement: Placement) -> str:
    """A placement as a launcher takes it.

    Parameters
    ----------
    form : str
        One of `LAUNCHER_FORMS`.
    fabric : OpenedFabric
    placement : Placement

    Raises
    ------
    InputError
        If there is no such form, or it cannot say what the placement says: a host of ranks that are not consecutive,
        hosts of different numbers of ranks, GPUs that are not a host's first ones, a name that is no host's.
    """
    if form not in LAUNCHER_FORMS:
        raise InputError(f"launcher form {quoted(form)}: {hint(form, LAUNCHER_FORMS)}")
    return LAUNCHER_FORMS[form].write(rank_places(fabric, placement))


def rank_places(fabric: OpenedFabric, placement: Placement) -> RankPlaces:
    """Host, GPU and endpoint of each rank.

    Raises
    ------
    InputError
        If the fabric does not say on which host an endpoint is, or two hosts have one name.
    """
    topology = fabric.topology
    placement.check(topology)
    number = topology.endpoint_host.astype(np.int64)
    unknown = np.flatnonzero(number[placement.endpoint] == UNKNOWN)
    if unknown.size:
        name = topology.endpoint_names[placement.endpoint[unknown[0]]]
        raise InputError(f"{fabric.name}: endpoint {quoted(name)}: on which host it is, is not said; expected `host`")
    order = np.lexsort((np.arange(number.size), number))
    first = np.searchsorted(number[order], number[order], "left")
    gpu = np.empty(number.size, np.int64)
    gpu[order] = np.arange(number.size) - first
    names = fabric.host_names()
    owner: dict[str, int] = {}
    for endpoint in placement.endpoint.tolist():
        if owner.setdefault(names[endpoint], int(number[endpoint])) != number[endpoint]:
            raise InputError(f"{fabric.name}: two hosts are called {quoted(names[endpoint])}; expected unique names")
    return RankPlaces(
        fabric.name,
        tuple(names[endpoint] for endpoint in placement.endpoint.tolist()),
        tuple(gpu[placement.endpoint].tolist()),
        tuple(topology.endpoint_names[endpoint] for endpoint in placement.endpoint.tolist()),
    )


def _slurm_hostfile(places: RankPlaces) -> str:
    _check(places, "slurm-hostfile")
    return "".join(f"{host}\n" for host in places.host)


def _slurm_nodelist(places: RankPlaces) -> str:
    _check(places, "slurm-nodelist")
    n_hosts = len(places.hosts())
    return (
        f"--distribution=arbitrary --nodes={n_hosts} --ntasks={len(places.host)} --nodelist={','.join(places.host)}\n"
    )


def _mpi_rankfile(places: RankPlaces) -> str:
    _check_names(places, "mpi-rankfile")
    pairs = zip(places.host, places.gpu, strict=True)
    return "".join(f"rank {rank}={host} slot={gpu}\n" for rank, (host, gpu) in enumerate(pairs))


def _openmpi_hostfile(places: RankPlaces) -> str:
    _check(places, "openmpi-hostfile")
    _check_consecutive(places, "openmpi-hostfile")
    return "".join(f"{host} slots={len(ranks)}\n" for host, ranks in places.hosts().items())


def _torchrun_hosts(places: RankPlaces) -> str:
    _check(places, "torchrun-hosts")
    _check_consecutive(places, "torchrun-hosts")
    ranks = places.hosts()
    per_host = len(next(iter(ranks.values()), ()))
    for host, own in ranks.items():
        if len(own) != per_host:
            raise InputError(
                f"torchrun-hosts: host {host} has {len(own)} ranks, {next(iter(ranks))} {per_host}; expected as many "
                "on each host (--nproc-per-node); an mpi-rankfile can say others"
            )
    return "".join(f"{host}\n" for host in ranks)


def _json(places: RankPlaces) -> str:
    node_rank = {host: number for number, host in enumerate(places.hosts())}
    rows = zip(places.host, places.gpu, places.endpoint, strict=True)
    document = {
        "fabric": places.fabric,
        "hosts": list(node_rank),
        "ranks": [
            {"rank": rank, "host": host, "node_rank": node_rank[host], "gpu": gpu, "endpoint": endpoint}
            for rank, (host, gpu, endpoint) in enumerate(rows)
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def _check(places: RankPlaces, form: str) -> None:
    """Refuse what a form that names hosts only does not say: other GPUs than a host's first, or another order."""
    _check_names(places, form)
    for host, ranks in places.hosts().items():
        gpus = [places.gpu[rank] for rank in ranks]
        if gpus != list(range(len(ranks))):
            raise InputError(
                f"{form}: ranks {_few(ranks)} are on GPUs {_few(gpus)} of host {host}; the form names hosts only, "
                "expected its first GPUs in order; an mpi-rankfile or json can say others"
            )


def _check_names(places: RankPlaces, form: str) -> None:
    bad = next((host for host in places.host if not _HOST.fullmatch(host)), None)
    if bad is not None:
        raise InputError(f"{form}: host {quoted(bad)}: expected letters, digits, '.', '-' and '_'")


def _check_consecutive(places: RankPlaces, form: str) -> None:
    for host, ranks in places.hosts().items():
        if ranks[-1] - ranks[0] + 1 != len(ranks):
            raise InputError(
                f"{form}: host {host} has ranks {_few(ranks)}; the form can say consecutive ranks only; "
                "a slurm-hostfile, an mpi-rankfile or json can say others"
            )


def _few(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")


def _forms() -> Iterator[LauncherForm]:
    yield LauncherForm(
        "slurm-hostfile",
        "a host per task: SLURM_HOSTFILE=FILE srun --distribution=arbitrary (srun(1))",
        _slurm_hostfile,
    )
    yield LauncherForm("slurm-nodelist", "options of srun: the host of each task in order (srun(1))", _slurm_nodelist)
    yield LauncherForm(
        "mpi-rankfile", "Open MPI: mpirun --rankfile FILE, or --map-by rankfile:file=FILE (mpirun(1))", _mpi_rankfile
    )
    yield LauncherForm(
        "openmpi-hostfile", "Open MPI: mpirun --hostfile FILE --map-by slot (mpirun(1))", _openmpi_hostfile
    )
    yield LauncherForm(
        "torchrun-hosts", "hosts in the order of torchrun's --node-rank, NCCL's node order", _torchrun_hosts
    )
    yield LauncherForm("json", "rank, host, node_rank, gpu and endpoint of each rank", _json, ".json")


LAUNCHER_FORMS: dict[str, LauncherForm] = {form.name: form for form in _forms()}
"""Forms by name."""
