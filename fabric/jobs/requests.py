"""Traffic as it is asked for, before the fabric and so the number of ranks is known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Protocol

from collectives.algorithm import AUTO
from collectives.errors import InputError
from collectives.gate import real_value
from collectives.layout import DEFAULT_ORDER, ParallelLayout
from collectives.sizes import parse_bytes
from fabric.formats.opening import OpenedFabric
from fabric.jobs.rule import PlacementRule
from fabric.jobs.step_traffic import sent_in_step
from fabric.jobs.traffic import Traffic, collective_traffic, demand_traffic, trace_traffic
from traces.workload.description import Workload, WorkloadDescription, read_workload
from traces.workload.step_operations import StepOperation, step_operations

# The expert-parallel size of DeepSeek-V3's training (technical report, arXiv 2412.19437: 64-way expert parallelism),
# by which `compare` groups where nothing is said.
USUAL_GROUP = 64
USUAL_SIZE = "1GiB"


class Request(Protocol):
    """What can be asked to run on a fabric."""

    def traffic(self, fabric: OpenedFabric, rule: PlacementRule) -> Traffic:
        """The traffic on this fabric, for a job placed by this rule."""
        ...

    @property
    def undecided(self) -> bool:
        """Whether the algorithm is still to be chosen."""
        ...


@dataclass(frozen=True)
class Collective:
    """A collective of every group at once.

    Attributes
    ----------
    name : str
        One of `collectives.COLLECTIVES`.
    size : str or float
        As nccl-tests counts it: bytes, or a text with a unit.
    group : int or None
        Ranks per group, consecutive; None: the whole job.
    algorithm : str or None
        One of the collective's, or ``auto``: the fastest by the model with latency; None: the first.
    parallel, axes, order : str
        Groups of a parallel layout instead: ``tp=4,ep=64``, the axes that they run over, and the order of the axes.
    n_channels, cross_nic : int or None
        Of algorithms that have channels: see `collectives.nccl_channels`.

    Raises
    ------
    InputError
        If both `group` and `parallel` are given, or one of `parallel` and `axes` alone.
    """

    name: str
    size: str | float = USUAL_SIZE
    group: int | None = None
    algorithm: str | None = None
    parallel: str | None = None
    axes: str | None = None
    order: str = DEFAULT_ORDER
    n_channels: int | None = None
    cross_nic: int | None = None

    def __post_init__(self) -> None:
        if self.group is not None and self.parallel is not None:
            raise InputError("groups: expected a group size or a parallel layout, not both")
        if self.group is not None and self.group < 1:
            raise InputError(f"groups: {self.group} ranks each; expected 1 or more")
        if (self.parallel is None) != (self.axes is None):
            raise InputError("groups of a parallel layout: expected the layout and the axes that the groups run over")

    @property
    def undecided(self) -> bool:
        """Whether the algorithm is still to be chosen."""
        return self.algorithm == AUTO

    def decided(self, algorithm: str | None) -> "Collective":
        """The same with this algorithm."""
        return replace(self, algorithm=algorithm)

    def usually_grouped(self, fabrics: Sequence[OpenedFabric], rule: PlacementRule) -> "Collective":
        """In groups of `USUAL_GROUP` ranks where nothing is said and the job divides so on every fabric."""
        said = self.group is not None or self.parallel is not None
        uneven = any(rule.n_ranks(fabric) % USUAL_GROUP for fabric in fabrics)
        return self if said or uneven else replace(self, group=USUAL_GROUP)

    def traffic(self, fabric: OpenedFabric, rule: PlacementRule) -> Traffic:
        """The collective on the job's ranks; errors as for `fabric.jobs.traffic.collective_traffic`."""
        n_ranks = rule.n_ranks(fabric)
        layout = ParallelLayout.parse(self.parallel, n_ranks, self.order) if self.parallel is not None else None
        size = parse_bytes(self.size) if isinstance(self.size, str) else real_value(self.size, "size")
        algorithm = None if self.undecided else self.algorithm
        return collective_traffic(
            self.name, n_ranks, size, self.group, algorithm, layout, self.axes, self.n_channels, self.cross_nic
        )


@dataclass(frozen=True)
class TraceFiles:
    """The collectives of a real trace.

    Attributes
    ----------
    paths : sequence of path
        A file per rank, any subset of the job's ranks.
    algorithm : str or None
        For the kinds that have it; None: rings.
    fill_ranks : bool
        Whether operations of ranks that were not traced are filled in by symmetry.
    trace_format : str or None
        Name of their format; None: told by what is in them.
    """

    paths: Sequence[str | Path]
    algorithm: str | None = None
    fill_ranks: bool = False
    trace_format: str | None = None
    undecided: ClassVar[bool] = False

    def traffic(self, fabric: OpenedFabric, rule: PlacementRule) -> Traffic:
        """The trace's operations; errors as for `fabric.jobs.traffic.trace_traffic`."""
        return trace_traffic(self.paths, rule.gpus, self.algorithm, self.fill_ranks, self.trace_format)


@dataclass(frozen=True)
class DemandFile:
    """Flows between endpoints from a CSV file.

    Attributes
    ----------
    path : path
        ``src,dst,bytes``.
    """

    path: str | Path
    undecided: ClassVar[bool] = False

    def traffic(self, fabric: OpenedFabric, rule: PlacementRule) -> Traffic:
        """The file's flows.

        Raises
        ------
        InputError
            If the rule would place what the file places itself, or the file is refused.
        """
        if rule != PlacementRule(seed=rule.seed):
            raise InputError(f"{self.path}: names the endpoints itself; expected no placement, hosts or number of GPUs")
        return demand_traffic(self.path, fabric.topology)


@dataclass(frozen=True)
class TrainingStep:
    """What one step of a training job sends: its operations one after the other, as often as a rank runs them.

    Attributes
    ----------
    name : str or path
        A workload's name, or a TOML file.
    """

    name: str | Path
    undecided: ClassVar[bool] = False

    @cached_property
    def description(self) -> WorkloadDescription:
        """What the file says, read once; errors as for `traces.workload.description.read_workload`."""
        return read_workload(self.name)

    def operations(self, n_ranks: int) -> tuple[StepOperation, ...]:
        """The operations of a job of so many ranks; errors as for `traces.workload.description.Workload.of`."""
        return step_operations(Workload.of(self.description, n_ranks))

    def traffic(self, fabric: OpenedFabric, rule: PlacementRule) -> Traffic:
        """The step of a job of as many ranks as the rule says, each operation by the first of its algorithms."""
        n_ranks = rule.n_ranks(fabric)
        return self.by((), self.operations(n_ranks), n_ranks)

    def by(self, algorithms: Sequence[str], operations: Sequence[StepOperation], n_ranks: int) -> Traffic:
        """These operations of it by these algorithms, one for each."""
        said = "a step: its operations one after the other, without compute beside them; railscope step has its time"
        made = sent_in_step(Workload.of(self.description, n_ranks), tuple(operations), algorithms)
        assumptions = (said, *self.description.model.assumptions)
        return replace(made, label=f"what {made.label} sends", assumptions=assumptions)
