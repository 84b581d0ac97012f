"""How a job is placed, as a rule that any fabric can be asked: so many GPUs, of these hosts, in which order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from collectives.errors import InputError
from collectives.sizes import counted
from fabric.formats.opening import OpenedFabric
from fabric.formats.slurm.hostlist import named_again
from fabric.formats.slurm.topology_conf import read_slurm_topology
from fabric.jobs.hosts import choose_hosts
from fabric.jobs.occupancy import free_hosts
from fabric.jobs.placement import Placement, fragmented, packed, read_placement, scattered, unaligned
from fabric.jobs.segments import segmented
from fabric.jobs.trees import tree

PACKED, UNALIGNED, FRAGMENTED, SCATTERED, SEGMENTED, TREE = PLACEMENTS = (
    "packed",
    "unaligned",
    "fragmented",
    "scattered",
    "segmented",
    "tree",
)
# What a scheduler that does not look at groups does, from the mildest to the worst; the last two are drawn.
NAIVE = (UNALIGNED, FRAGMENTED, SCATTERED)
DRAWN = (FRAGMENTED, SCATTERED)


@dataclass(frozen=True)
class PlacementRule:
    """Where the ranks of a job go.

    Attributes
    ----------
    kind : str
        ``packed``; ``unaligned``, hosts in order with all GPUs of each domain, whatever the groups; ``fragmented``,
        the hosts that other jobs leave; ``scattered``, shuffled; ``segmented``, each segment of hosts inside one NVLink
        domain; ``tree``, as few leaves as hold it; or the name of a file with an endpoint per line.
    gpus : int or None
        Ranks of the job; None: what the fabric's description says, or all that there is room for.
    gpus_per_domain : int or None
        GPUs of each scale-up domain that the job takes; None: what the fabric's description says, or all.
    hosts : str or None
        Hosts of the job as a Slurm hostlist.
    topology_conf : path or None
        Slurm's ``topology.conf``, which orders the hosts by leaf.
    seed : int
        Of ``fragmented`` and ``scattered``, and of the hosts that are taken.
    segment : int or None
        Hosts of a segment of ``segmented``, Slurm's ``--segment``.
    taken : float, path or None
        What other jobs have: a share of the hosts, drawn, or a file of hosts; ``fragmented`` is then what they leave,
        in order.
    node_labels : path or None
        Labels of nodes as CSV, which order the hosts as `topology_conf` does.
    exclusive : bool
        Of ``segmented``: only blocks of which all hosts are free, or named; Slurm's ``--exclusive=topo``.

    Raises
    ------
    InputError
        If both `gpus_per_domain` and the hosts are given, both files that order hosts, a segment without ``segmented``
        or the other way round, or `exclusive` without it.
    """

    kind: str = PACKED
    gpus: int | None = None
    gpus_per_domain: int | None = None
    hosts: str | None = None
    topology_conf: Path | None = None
    seed: int = 0
    segment: int | None = None
    taken: float | Path | None = None
    node_labels: Path | None = None
    exclusive: bool = False

    def __post_init__(self) -> None:
        if (self.kind == SEGMENTED) != (self.segment is not None):
            raise InputError(
                "placement segmented: expected the hosts of a segment, and a segment for no other placement"
            )
        if self.exclusive and self.kind != SEGMENTED:
            raise InputError(f"placement {self.kind}: whole blocks go with segmented")
        if self.topology_conf is not None and self.node_labels is not None:
            raise InputError("placement: expected a topology.conf or labels of nodes, not both")
        if self.taken is not None and self.kind not in PLACEMENTS:
            raise InputError(f"placement {self.kind}: hosts that are taken go with {', '.join(PLACEMENTS)}")
        if self.gpus_per_domain is not None and self.names_hosts:
            raise InputError("gpus per domain: expected none where a hostlist or topology.conf names the hosts")
        if self.names_hosts and self.kind not in PLACEMENTS:
            raise InputError(
                f"placement {self.kind}: a hostlist, topology.conf and labels go with {', '.join(PLACEMENTS)}"
            )

    @property
    def names_hosts(self) -> bool:
        """Whether hosts are named, by a hostlist, a ``topology.conf`` or labels."""
        return self.hosts is not None or self.topology_conf is not None or self.node_labels is not None

    @property
    def drawn(self) -> bool:
        """Whether the seed decides something."""
        named_taken = self.taken is None or isinstance(self.taken, Path)
        return not named_taken or self.kind == SCATTERED or (self.kind == FRAGMENTED and self.taken is None)

    def as_kind(self, kind: str) -> "PlacementRule":
        """The same job placed in another way."""
        segmented = kind == SEGMENTED
        return replace(
            self, kind=kind, segment=self.segment if segmented else None, exclusive=self.exclusive and segmented
        )

    def chosen_hosts(self, fabric: OpenedFabric) -> list[int] | None:
        """Numbers of the hosts that are named or free, in the order in which the job fills them; None: all."""
        free = None if self.taken is None else free_hosts(fabric, self.taken, self.seed)
        if not self.names_hosts:
            return free
        return choose_hosts(fabric, self.hosts, self.topology_conf, self.gpus, self.node_labels, free)

    def per_domain(self, fabric: OpenedFabric) -> int | None:
        """GPUs that the job takes of each scale-up domain; None: all."""
        if self.names_hosts:
            return None
        return self.gpus_per_domain or (fabric.description.job.gpus_per_domain if fabric.description else None)

    def n_ranks(self, fabric: OpenedFabric) -> int:
        """Ranks of the job: as asked, as the fabric's description says, or all that there is room for.

        Raises
        ------
        InputError
            If a named host is not in the fabric.
        """
        if self.gpus is not None:
            return self.gpus
        usual = fabric.description.job.gpus if fabric.description else None
        limited = self.names_hosts or self.taken is not None
        if usual is not None and self.gpus_per_domain is None and not limited:
            return usual
        if self.kind == SEGMENTED:
            return self._segmented(fabric, None).n_ranks
        make = tree if self._by_own_leaves else packed
        return make(fabric.topology, None, self.gpus_per_domain, self.chosen_hosts(fabric)).n_ranks

    def place(self, fabric: OpenedFabric, n_ranks: int, free: Sequence[int] | None = None) -> Placement:
        """The endpoint of each of `n_ranks` ranks.

        Parameters
        ----------
        fabric : OpenedFabric
        n_ranks : int
        free : sequence of int, optional
            Numbers of the hosts that other jobs leave; hosts that are named stay what they are.

        Raises
        ------
        InputError
            If the job does not fit, or the file does not place it.
        """
        if self.kind not in PLACEMENTS:
            return read_placement(self.kind, fabric.topology).for_ranks(n_ranks, self.kind)
        if self.kind == SEGMENTED:
            return self._segmented(fabric, n_ranks, free)
        hosts = self.chosen_hosts(fabric)
        if free is not None and not self.names_hosts:
            hosts = [one for one in free if hosts is None or one in set(hosts)]
        where = (fabric.topology, n_ranks, self.per_domain(fabric))
        if self.kind == SCATTERED:
            return scattered(*where, self.seed, hosts)
        if self.kind == UNALIGNED or (self.kind == FRAGMENTED and self.taken is not None):
            return unaligned(fabric.topology, n_ranks, hosts)
        if self.kind == FRAGMENTED:
            return fragmented(fabric.topology, n_ranks, self.seed, hosts)
        return (tree if self._by_own_leaves else packed)(*where, hosts)

    @property
    def _by_own_leaves(self) -> bool:
        """Whether the fabric's leaves, and no scheduler's file, say which hosts are near each other."""
        return self.kind == TREE and self.topology_conf is None and self.node_labels is None

    def _segmented(self, fabric: OpenedFabric, n_ranks: int | None, free: Sequence[int] | None = None) -> Placement:
        """In segments, out of all hosts that the job may have; blocks are those of a ``topology.conf`` that has any."""
        assert self.segment is not None
        hosts = replace(self, gpus=None).chosen_hosts(fabric)
        if free is not None and not self.names_hosts:
            hosts = [one for one in free if hosts is None or one in set(hosts)]
        blocks = sizes = None
        if self.topology_conf is not None and (known := read_slurm_topology(self.topology_conf)).kind == "block":
            numbers = dict(zip(fabric.host_names(), fabric.topology.endpoint_host.tolist(), strict=True))
            blocks = [[numbers[name] for name in names if name in numbers] for _, names in known.leaves]
            sizes = known.block_sizes
        per_domain = self.per_domain(fabric)
        return segmented(fabric.topology, n_ranks, self.segment, sizes, per_domain, hosts, self.exclusive, blocks)

    def assumptions(self, fabric: OpenedFabric) -> tuple[str, ...]:
        """What the rule takes from the fabric's description, and from Slurm's, unasked."""
        return (*self._named_assumptions(), *self._described_assumptions(fabric))

    def _named_assumptions(self) -> Iterator[str]:
        if self.hosts is not None and (again := named_again(self.hosts)):
            yield f"hosts that are named again count once: {counted(len(again), 'host')}, such as {again[0]}"
        if self.topology_conf is not None and (topology := read_slurm_topology(self.topology_conf).topology):
            yield f"{self.topology_conf}: topology {topology}, the default of those in the file"
        if self.taken is not None and not isinstance(self.taken, Path):
            yield f"other jobs have {self.taken:.0%} of the hosts, each as likely (assumed; drawn, seed {self.seed})"

    def _described_assumptions(self, fabric: OpenedFabric) -> tuple[str, ...]:
        usual = fabric.description.job.gpus_per_domain if fabric.description else None
        if usual is None or usual != self.per_domain(fabric) or self.kind not in (PACKED, SCATTERED, SEGMENTED, TREE):
            return ()
        return (f"the job takes {usual} GPUs of each NVLink domain, as its description says",)
