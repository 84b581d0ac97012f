"""A workload over numbers of GPUs, beside published runs; what a step is sensitive to; runs that judge the model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collectives.errors import InputError
from collectives.gate import quoted
from fabric.builders.faults import Fault, UnmatchedFault
from fabric.builders.presets import preset_names
from fabric.formats.opening import OpenedFabric, open_fabric
from fabric.jobs.rule import PlacementRule
from fabric.studies.step import ComputeSource, StepResult, calibrated, compute_source, measured_step_s, study_step
from traces.workload.description import Measured, Workload, WorkloadDescription, changed_layout

# What the layouts of submissions, which are not public, may have been: tried, and said where they cannot be.
_EXPERT_SIZES = (32, 64, 72)
_STAGES = (2, 4, 8)
_BATCHES = (15360, 16384, 18432)


@dataclass(frozen=True, eq=False)
class ScaleRow:
    """A workload on so many GPUs.

    Attributes
    ----------
    gpus : int
    result : StepResult
    published : Measured or None
        A published time to train on as many GPUs.
    efficiency, published_efficiency : float or None
        Per GPU against the row before: of the model's step, of the published time.
    evaluation_s : float
        Forward passes of the evaluation after each step.
    train_s : tuple of float
        Fewest and most seconds of all steps to the target with their evaluations; empty where steps are not known.
    """

    gpus: int
    result: StepResult
    published: Measured | None
    efficiency: float | None
    published_efficiency: float | None
    evaluation_s: float
    train_s: tuple[float, ...]

    @property
    def step_s(self) -> float:
        """The step, seconds."""
        return self.result.best.time.step_s

    @property
    def unexplained_s(self) -> float | None:
        """Published seconds that the middle number of steps does not explain; None where either is not known."""
        if self.published is None or self.published.minutes is None or not self.train_s:
            return None
        return self.published.minutes * 60 - sum(self.train_s) / 2


@dataclass(frozen=True)
class Sensitivity:
    """A step with one key of the workload changed; `why_not` where that cannot be."""

    key: str
    value: int
    step_s: float | None
    exposed_s: float | None
    tier: str
    why_not: str = ""


@dataclass(frozen=True)
class Judged:
    """A measured step beside the model's, whose compute is of another run.

    Attributes
    ----------
    run : Measured
    fitted_on : str
        The run that compute is taken from.
    measured_s, predicted_s : float
    """

    run: Measured
    fitted_on: str
    measured_s: float
    predicted_s: float

    @property
    def error(self) -> float:
        """Predicted over measured, less 1."""
        return self.predicted_s / self.measured_s - 1


@dataclass(frozen=True, eq=False)
class Scale:
    """A workload over GPUs.

    Attributes
    ----------
    description : WorkloadDescription
    rows : tuple of ScaleRow
    sensitivity : tuple of Sensitivity
        At the most GPUs.
    judged : tuple of Judged
        On fabrics without faults, as what was measured.
    notes : tuple of str
        Faults that some of the fabrics have nothing for.
    """

    description: WorkloadDescription
    rows: tuple[ScaleRow, ...]
    sensitivity: tuple[Sensitivity, ...]
    judged: tuple[Judged, ...]
    notes: tuple[str, ...] = ()


def fabric_for(family: str, gpus: int) -> OpenedFabric:
    """The fabric of a family for so many GPUs: ``FAMILY-GPUS``, else the smallest preset ``FAMILY-N`` that is larger.

    A name of a preset or a file is taken as it is.

    Raises
    ------
    InputError
        If there is none.
    """
    sizes = {}
    for name in preset_names():
        head, _, size = name.rpartition("-")
        if head == family and size.isdecimal():
            sizes[int(size)] = name
    if not sizes:
        return open_fabric(family)
    fitting = [size for size in sorted(sizes) if size >= gpus]
    if not fitting:
        raise InputError(f"{family}: no preset for {gpus:,} GPUs; the largest is {sizes[max(sizes)]}")
    return open_fabric(sizes[fitting[0]])


def study_scale(
    description: WorkloadDescription,
    family: str,
    sizes: Sequence[int],
    *,
    levers: bool = True,
    sensitive: bool = True,
    compute: str | None = None,
    faults: Sequence[Fault] = (),
    n_threads: int | None = None,
) -> Scale:
    """A workload on each number of GPUs.

    Parameters
    ----------
    description : WorkloadDescription
    family : str
        See `fabric_for`.
    sizes : sequence of int
    levers, sensitive : bool
        Whether levers are studied on each, and the sensitivity on the largest.
    compute : str, optional
        Name of the run that compute is taken from.
    faults : sequence of Fault
        What is down or slow in every fabric that has it; of the others it is said in the notes.

    Raises
    ------
    InputError
        As `study_step`, and if there is no such run, or a fault matches nothing at any size.
    """
    if not sizes:
        raise InputError("gpus: expected one number or more")
    fabrics, notes = _damaged([fabric_for(family, gpus) for gpus in sizes], faults)
    rows: list[ScaleRow] = []
    source: ComputeSource | None = None
    for gpus, fabric in zip(sizes, fabrics, strict=True):
        if source is None or compute is None:
            source = _source(fabric, description, compute, n_threads)
        result = study_step(fabric, description, gpus, compute=source, levers=levers, n_threads=n_threads)
        published = next((one for one in description.measured if one.gpus == gpus and one.minutes is not None), None)
        rows.append(_row(rows[-1] if rows else None, gpus, result, published))
    largest = fabrics[sizes.index(max(sizes))]
    assert source is not None
    tried = tuple(_sensitivity(largest, description, max(sizes), source, n_threads)) if sensitive else ()
    return Scale(description, tuple(rows), tried, tuple(judged(description, family, n_threads)), notes)


def _damaged(fabrics: Sequence[OpenedFabric], faults: Sequence[Fault]) -> tuple[list[OpenedFabric], tuple[str, ...]]:
    """Each fabric with those faults that it has something for, and what is said of the others."""
    left, notes = list(fabrics), []
    for fault in faults:
        without: dict[str, UnmatchedFault] = {}
        for place, fabric in enumerate(left):
            try:
                left[place] = fabric.with_faults([fault])
            except UnmatchedFault as error:
                without[fabric.name] = error
        if len(without) == len({fabric.name for fabric in fabrics}):
            raise next(iter(without.values()))
        if without:
            notes.append(f"fault {quoted(str(fault))}: {', '.join(without)} has no such part and runs without it")
    return left, tuple(notes)


def _source(
    fabric: OpenedFabric, description: WorkloadDescription, name: str | None, n_threads: int | None
) -> ComputeSource:
    if name is None:
        return compute_source(fabric, description, PlacementRule(), n_threads)
    return calibrated(fabric, description, named_run(description, name), PlacementRule(), n_threads)


def named_run(description: WorkloadDescription, name: str) -> Measured:
    """A measured run by its name.

    Raises
    ------
    InputError
        If there is none: names those that there are.
    """
    for one in description.measured:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in description.measured) or "none"
    raise InputError(f"run {name!r}: {description.model.name} has none of that name; expected one of {known}")


def _row(before: ScaleRow | None, gpus: int, result: StepResult, published: Measured | None) -> ScaleRow:
    time = result.best.time
    evaluation = 0.0
    train: tuple[float, ...] = ()
    given = result.workload.description.convergence
    if given is not None:
        evaluation = time.compute_s / 3 * given.evaluated / result.workload.sequences
        train = tuple(steps * (time.step_s + evaluation) for steps in (given.steps, given.steps_high))
    own = published_own = None
    if before is not None:
        rate, rate_before = (each.tokens / each.layout.n_ranks for each in (result.workload, before.result.workload))
        own = (rate / time.step_s) / (rate_before / before.step_s)
        if published is not None and before.published is not None and published.minutes and before.published.minutes:
            published_own = before.published.minutes * before.gpus / (published.minutes * gpus)
    return ScaleRow(gpus, result, published, own, published_own, evaluation, train)


def _sensitivity(
    fabric: OpenedFabric, description: WorkloadDescription, gpus: int, source: ComputeSource, n_threads: int | None
) -> Iterator[Sensitivity]:
    layout = description.layout
    tried = [("layout.pp", value) for value in _STAGES] if layout.pp > 1 else []
    if description.experts is not None and layout.ep > 8:
        tried = [("layout.ep", value) for value in _EXPERT_SIZES] + tried
    if description.batch.sequences in _BATCHES:
        tried += [("batch.sequences", value) for value in _BATCHES]
    for key, value in tried:
        try:
            changed = changed_layout(description, {key: value}, description.model.name)
            result = study_step(fabric, changed, gpus, compute=source, levers=False, n_threads=n_threads)
        except InputError as error:
            yield Sensitivity(key, value, None, None, "", str(error).removeprefix(f"{description.model.name}: "))
            continue
        slowest = max((cost.tier for cost in result.best.costs if cost.operation.axis == "ep"), default="")
        yield Sensitivity(key, value, result.best.time.step_s, result.best.time.exposed_total_s, slowest)


def judged(description: WorkloadDescription, family: str, n_threads: int | None = None) -> Iterator[Judged]:
    """Every measured step, predicted with compute of the smallest run of its own group, and of the groups before it.

    Only runs on GPUs that the family's name names, such as gb200.  What is fitted is one number, the time of compute;
    the run that it is fitted on is not judged by itself.
    """
    runs = [one for one in description.measured if measured_step_s(description, one) is not None and one.group]
    runs = [one for one in runs if one.gpu.casefold() in family.casefold()]
    groups = list(dict.fromkeys(one.group for one in runs))
    fits: dict[str, tuple[Measured, ComputeSource]] = {}
    for group in groups:
        first = min((one for one in runs if one.group == group), key=lambda one: one.gpus)
        fits[group] = first, calibrated(fabric_for(family, first.gpus), description, first, PlacementRule(), n_threads)
    for run in runs:
        for group in groups[: groups.index(run.group) + 1]:
            first, source = fits[group]
            if run is first:
                continue
            fabric = fabric_for(family, run.gpus)
            result = study_step(fabric, description, run.gpus, run=run, compute=source, levers=False,
                                n_threads=n_threads)  # fmt: skip
            step_s = measured_step_s(description, run)
            assert step_s is not None
            yield Judged(run, first.name, step_s, result.best.time.step_s)


def microbatches(description: WorkloadDescription, run: Measured) -> int:
    """Microbatches of a measured run's step."""
    return Workload.of(description, run.gpus, run).microbatches
