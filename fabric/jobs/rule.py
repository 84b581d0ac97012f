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
from fabric.jobs.placement import Placement, fragmented, packed, read_placement, scattered, unaligned

PACKED, UNALIGNED, FRAGMENTED, SCATTERED = PLACEMENTS = ("packed", "unaligned", "fragmented", "scattered")
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
        the hosts that other jobs leave; ``scattered``, shuffled; or the name of a file with an endpoint per line.
    gpus : int or None
        Ranks of the job; None: what the fabric's description says, or all that there is room for.
    gpus_per_domain : int or None
        GPUs of each scale-up domain that the job takes; None: what the fabric's description says, or all.
    hosts : str or None
        Hosts of the job as a Slurm hostlist.
    topology_conf : path or None
        Slurm's ``topology.conf``, which orders the hosts by leaf.
    seed : int
        Of ``fragmented`` and ``scattered``.

    Raises
    ------
    InputError
        If both `gpus_per_domain` and the hosts are given.
    """

    kind: str = PACKED
    gpus: int | None = None
    gpus_per_domain: int | None = None
    hosts: str | None = None
    topology_conf: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.gpus_per_domain is not None and self.names_hosts:
            raise InputError("gpus per domain: expected none where a hostlist or topology.conf names the hosts")
        if self.names_hosts and self.kind not in PLACEMENTS:
            raise InputError(f"placement {self.kind}: a hostlist and topology.conf go with {', '.join(PLACEMENTS)}")

    @property
    def names_hosts(self) -> bool:
        """Whether hosts are named, by a hostlist or a ``topology.conf``."""
        return self.hosts is not None or self.topology_conf is not None

    def as_kind(self, kind: str) -> "PlacementRule":
        """The same job placed in another way."""
        return replace(self, kind=kind)

    def chosen_hosts(self, fabric: OpenedFabric) -> list[int] | None:
        """Numbers of the hosts that are named, in the order in which the job fills them; None where none are."""
        if not self.names_hosts:
            return None
        return choose_hosts(fabric, self.hosts, self.topology_conf, self.gpus)

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
        if usual is not None and self.gpus_per_domain is None and not self.names_hosts:
            return usual
        return packed(fabric.topology, None, self.gpus_per_domain, self.chosen_hosts(fabric)).n_ranks

    def place(self, fabric: OpenedFabric, n_ranks: int) -> Placement:
        """The endpoint of each of `n_ranks` ranks.

        Raises
        ------
        InputError
            If the job does not fit, or the file does not place it.
        """
        where = (fabric.topology, n_ranks, self.per_domain(fabric))
        if self.kind == PACKED:
            return packed(*where, self.chosen_hosts(fabric))
        if self.kind == SCATTERED:
            return scattered(*where, self.seed, self.chosen_hosts(fabric))
        if self.kind == UNALIGNED:
            return unaligned(fabric.topology, n_ranks, self.chosen_hosts(fabric))
        if self.kind == FRAGMENTED:
            return fragmented(fabric.topology, n_ranks, self.seed, self.chosen_hosts(fabric))
        return read_placement(self.kind, fabric.topology).for_ranks(n_ranks, self.kind)

    def placed_on(self, fabric: OpenedFabric, n_ranks: int, free: Sequence[int] | None) -> Placement:
        """The same on hosts that are free, by number; None: all are.

        Raises
        ------
        InputError
            As `place`.
        """
        if free is None or self.names_hosts or self.kind not in PLACEMENTS:
            return self.place(fabric, n_ranks)
        where = (fabric.topology, n_ranks, self.per_domain(fabric))
        if self.kind == UNALIGNED:
            return unaligned(fabric.topology, n_ranks, free)
        if self.kind == FRAGMENTED:
            return fragmented(fabric.topology, n_ranks, self.seed, free)
        return scattered(*where, self.seed, free) if self.kind == SCATTERED else packed(*where, free)

    def assumptions(self, fabric: OpenedFabric) -> tuple[str, ...]:
        """What the rule takes from the fabric's description, and from Slurm's, unasked."""
        return (*self._named_assumptions(), *self._described_assumptions(fabric))

    def _named_assumptions(self) -> Iterator[str]:
        if self.hosts is not None and (again := named_again(self.hosts)):
            yield f"hosts that are named again count once: {counted(len(again), 'host')}, such as {again[0]}"
        if self.topology_conf is not None and (topology := read_slurm_topology(self.topology_conf).topology):
            yield f"{self.topology_conf}: topology {topology}, the default of those in the file"

    def _described_assumptions(self, fabric: OpenedFabric) -> tuple[str, ...]:
        usual = fabric.description.job.gpus_per_domain if fabric.description else None
        if usual is None or usual != self.per_domain(fabric) or self.kind not in (PACKED, SCATTERED):
            return ()
        return (f"the job takes {usual} GPUs of each NVLink domain, as its description says",)
