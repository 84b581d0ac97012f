"""A training job's step on a fabric: by parallel axis, naive to rail-aware, beside the bound."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from collectives.errors import InputError
from fabric.builders.description import Wiring
from fabric.formats.opening import OpenedFabric
from fabric.jobs.rule import PACKED, UNALIGNED, PlacementRule
from fabric.jobs.step_traffic import StepLoad, operation_traffic, step_traffic
from fabric.routing.device import device_notes
from fabric.routing.policies import Adaptive, Ecmp, Routing
from fabric.scenario import DIRECT, NICS_POOLED, OWN, POOLED, PXN, Scenario
from fabric.studies.step_costs import Known, OperationCost, operation_costs, unopened
from fabric.studies.step_memory import require_for_step
from fabric.timing.step_time import StepTime, compute_from_step, step_time
from traces.workload.description import Measured, Workload, WorkloadDescription
from traces.workload.parameters import flops_per_token
from traces.workload.step_operations import StepOperation, hottest_receiver, step_operations

# Seeds of hashes that the naive design is run with: a median and a range (assumed to be enough to see one).
USUAL_SEEDS = 3


@dataclass(frozen=True)
class StepDesign:
    """How a step is placed, sent and routed.

    Attributes
    ----------
    name : str
    wiring : {"rail", "host"} or None
        None: as the fabric is.
    transport : {"direct", "pxn"}
    placement : str
        A kind of `PlacementRule`.
    routing : Routing
    nics : {"own", "pooled"}
    """

    name: str
    wiring: Wiring | None
    transport: str
    placement: str
    routing: Routing
    nics: str = OWN


NAIVE = StepDesign("naive", "host", DIRECT, UNALIGNED, Ecmp())
AWARE = StepDesign("rail-aware", "rail", PXN, PACKED, Adaptive())
LEVERS = (
    StepDesign("wiring alone", "rail", DIRECT, UNALIGNED, Ecmp()),
    StepDesign("transport alone", "host", PXN, UNALIGNED, Ecmp()),
    StepDesign("placement alone", "host", DIRECT, PACKED, Ecmp()),
    StepDesign("routing alone", "host", DIRECT, UNALIGNED, Adaptive()),
)
UNDONE = (
    StepDesign("without wiring", "host", PXN, PACKED, Adaptive()),
    StepDesign("without transport", "rail", DIRECT, PACKED, Adaptive()),
    StepDesign("without placement", "rail", PXN, UNALIGNED, Adaptive()),
    StepDesign("without routing", "rail", PXN, PACKED, Ecmp()),
)


@dataclass(frozen=True)
class ComputeSource:
    """Where the time of compute comes from.

    Attributes
    ----------
    gpu_seconds_per_token : float
        GPU time of a token, forward and backward, all GPUs of a model's replica together.
    text : str
        In words.
    """

    gpu_seconds_per_token: float
    text: str


@dataclass(frozen=True)
class AxisTime:
    """What a parallel axis costs in a step.

    Attributes
    ----------
    axis : str
    bytes_per_gpu : float
        That a GPU sends in a step, a mean.
    tier_bytes : tuple of float
        Bytes of a GPU up into NVLink, leaves, spines, cores, a mean.
    time_s, exposed_s : float
        All its operations; what compute does not hide.
    bound_s : float
        All its operations as fast as no routing beats.
    tier : str
        The highest tier that carries any of it.
    """

    axis: str
    bytes_per_gpu: float
    tier_bytes: tuple[float, ...]
    time_s: float
    exposed_s: float
    bound_s: float
    tier: str


@dataclass(frozen=True, eq=False)
class DesignStep:
    """A step under one design.

    Attributes
    ----------
    design : StepDesign
    costs : tuple of OperationCost
        Of the seed whose step is the median.
    time : StepTime
    found : StepTime
        With communication as clusters are often found.
    times_s : tuple of float
        The step for every seed.
    """

    design: StepDesign
    costs: tuple[OperationCost, ...]
    time: StepTime
    found: StepTime
    times_s: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class StepResult:
    """A workload's step on a fabric.

    Attributes
    ----------
    workload : Workload
    scenario : Scenario
        Fabric, placement and routing of the best design.
    compute : ComputeSource
    bound_s : float
        The step if every operation were as fast as its bound.
    designs : tuple of DesignStep
        The best one first; then naive and each lever alone and undone, where the fabric can be wired both ways.
    assumptions : tuple of str
    """

    workload: Workload
    scenario: Scenario
    compute: ComputeSource
    bound_s: float
    designs: tuple[DesignStep, ...]
    assumptions: tuple[str, ...]

    @property
    def best(self) -> DesignStep:
        """Rail-aware, or the fabric as it is."""
        return self.designs[0]

    @property
    def naive(self) -> DesignStep | None:
        """Naive, where there is one."""
        return next((one for one in self.designs if one.design.name == NAIVE.name), None)

    @property
    def axes(self) -> tuple[AxisTime, ...]:
        """By parallel axis, the longest exposed first."""
        return axis_times(self.best, self.workload.microbatches)

    @cached_property
    def step_scenario(self) -> Scenario:
        """The best design with all that the step sends."""
        load = StepLoad.of(self.workload, self.compute.gpu_seconds_per_token)
        return self.scenario.carrying(step_traffic(load), unopened(self.scenario.routing))

    @property
    def hot_receiver(self) -> tuple[int, float]:
        """Place in its expert-parallel group of the rank that receives most, and times the mean."""
        return hottest_receiver(self.workload)


def axis_times(step: DesignStep, microbatches: int) -> tuple[AxisTime, ...]:
    """Operations of a step by axis, the longest exposed first."""
    found: dict[str, list[tuple[OperationCost, float, float]]] = {}
    for cost, total, exposed in zip(step.costs, step.time.total_s, step.time.exposed_s, strict=True):
        found.setdefault(cost.operation.axis, []).append((cost, total, exposed))
    rows = []
    for axis, parts in found.items():
        runs = [cost.operation.times(microbatches) for cost, _, _ in parts]
        tiers = tuple(
            sum(times * cost.tier_bytes[place] for times, (cost, _, _) in zip(runs, parts, strict=True))
            for place in range(4)
        )
        rows.append(
            AxisTime(
                axis,
                sum(times * cost.sent_bytes for times, (cost, _, _) in zip(runs, parts, strict=True)),
                tiers,
                sum(total for _, total, _ in parts),
                sum(exposed for _, _, exposed in parts),
                sum(times * cost.bound_s for times, (cost, _, _) in zip(runs, parts, strict=True)),
                max((cost.tier for cost, _, _ in parts), key=("NVLink", "leaf", "spine", "core").index),
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.exposed_s, -row.time_s, row.axis)))


def compute_source(
    fabric: OpenedFabric, description: WorkloadDescription, rule: PlacementRule, n_threads: int | None = None
) -> ComputeSource:
    """Time of compute: of a measured run, less what the model says of its bubble and communication; or of a peak.

    Raises
    ------
    InputError
        If the measured run says neither a rate nor a step.
    """
    given = description.compute
    if given.tflops is not None:
        seconds = flops_per_token(description) / (given.tflops * 1e12 * given.mfu)
        said = f"compute: {given.mfu:.0%} of {given.tflops:g} TFLOP/s a GPU ({given.source or 'as given'})"
        return ComputeSource(seconds, said)
    return calibrated(fabric, description, run_for(description, fabric.name), rule, n_threads)


def run_for(description: WorkloadDescription, fabric: str) -> Measured:
    """The run that compute is taken from: the first on GPUs that the fabric's name names, else [compute]'s own."""
    named = next(one for one in description.measured if one.name == description.compute.measured)
    known = (one for one in description.measured if one.step_s is not None or one.tokens_per_s_per_gpu is not None)
    alike = [one for one in known if one.gpu and one.gpu.casefold() in fabric.casefold()]
    return named if named in alike or not alike else alike[0]


def measured_step_s(description: WorkloadDescription, run: Measured) -> float | None:
    """The step of a run, seconds: the middle of what was measured, or by its rate; None where neither is known."""
    if run.step_s is not None:
        return (run.step_s + (run.step_high_s or run.step_s)) / 2
    if run.tokens_per_s_per_gpu is None:
        return None
    workload = Workload.of(as_benchmarked(description), run.gpus, run)
    return workload.tokens / (run.gpus * run.tokens_per_s_per_gpu)


def as_benchmarked(description: WorkloadDescription) -> WorkloadDescription:
    """The workload with experts that are equally popular: itself where they are.

    Megatron-Bridge's performance recipes set ``moe_router_force_load_balancing``; of other runs it is assumed.
    """
    experts = description.experts
    if experts is None or (experts.popularity == "uniform" and experts.placement == "consecutive"):
        return description
    even = {"popularity": "uniform", "placement": "consecutive", "redundant": 0}
    return description.model_copy(update={"experts": experts.model_copy(update=even)})


def calibrated(
    fabric: OpenedFabric,
    description: WorkloadDescription,
    run: Measured,
    rule: PlacementRule,
    n_threads: int | None = None,
) -> ComputeSource:
    """Compute that makes the model's step of a measured run as long as it was, packed on this fabric without faults.

    Raises
    ------
    InputError
        If the run says neither a rate nor a step.
    """
    step_s = measured_step_s(description, run)
    if step_s is None:
        raise InputError(f"{description.model.name}: run {run.name}: no step_s, no tokens_per_s_per_gpu; expected one")
    workload = Workload.of(as_benchmarked(description), run.gpus, run)
    operations = step_operations(workload)
    note = ""
    if workload.description is not description:
        note = "; there experts were equally popular, as benchmarks force them to be"
    seconds: tuple[float, ...]
    try:
        packed = replace(rule.as_kind(PACKED), gpus=None)
        scenario = scenario_for(fabric.whole, operations, run.gpus, packed, n_threads)
        seconds = tuple(
            one.seconds
            for one in operation_costs(scenario, operations, scenario.algorithms_of(operations), bounds=False)
        )
    except InputError as error:
        seconds = (0.0,) * len(operations)
        note += f"; its communication counts as compute, as the run does not fit here ({error})"
    fixed = description.compute.fixed_s
    compute_s = compute_from_step(workload, operations, seconds, step_s, fixed)
    replica = workload.layout.tp * workload.layout.pp * workload.layout.cp
    per_token = compute_s * replica / (workload.micro * description.batch.sequence)
    rate = f"{workload.tokens / run.gpus / step_s:,.0f} tokens/s/GPU"
    said = f"compute: of the run {run.name} on {run.gpus:,} {run.gpu or 'GPUs'}, {rate}, step {step_s:.4g} s, less "
    return ComputeSource(per_token, f"{said}bubble and communication as modelled ({run.source}){note}")


def scenario_for(
    fabric: OpenedFabric,
    operations: Sequence[StepOperation],
    gpus: int,
    rule: PlacementRule,
    n_threads: int | None = None,
    design: StepDesign | None = None,
) -> Scenario:
    """A scenario for the operations of a step, under a design; default rail-aware on the fabric as it is wired.

    Raises
    ------
    InputError
        If the job does not fit, or nothing goes between GPUs.
    """
    if not operations:
        raise InputError(f"a step on {gpus} GPUs: nothing goes between GPUs; expected a layout with an axis above 1")
    knows_nvlink = fabric.topology.nvlink_gbps is not None
    chosen = design or replace(AWARE, wiring=None, placement=rule.kind, transport=PXN if knows_nvlink else DIRECT)
    wired = fabric if chosen.wiring is None else fabric.wired(chosen.wiring)
    # The job's size may be another than the description's, whose GPUs of each domain it still takes.
    placed = replace(rule.as_kind(chosen.placement), gpus=gpus)
    return Scenario.of(
        wired,
        operation_traffic(operations[0], gpus),
        rule=placed,
        transport=chosen.transport,
        nics=chosen.nics,
        routing=chosen.routing,
        n_threads=n_threads,
    )


def step_scenario(
    fabric: OpenedFabric,
    description: WorkloadDescription,
    gpus: int | None = None,
    rule: PlacementRule | None = None,
    *,
    run: Measured | None = None,
    compute: ComputeSource | None = None,
    routing: Routing | None = None,
    n_threads: int | None = None,
) -> Scenario:
    """A workload's step as a scenario, on the fabric as it is; over NVLink to the rail (PXN) where there is any.

    Parameters
    ----------
    fabric : OpenedFabric
    description : WorkloadDescription
    gpus : int, optional
        Default what the fabric's description says, or all that there are.
    rule : PlacementRule, optional
        Default packed.
    run : Measured, optional
        Layout and batch of a measured run instead of the description's.
    compute : ComputeSource, optional
        Default what the description says.
    routing : Routing, optional
        Default adaptive.

    Raises
    ------
    InputError
        What does not fit: layout, batch, fabric.
    """
    rule = rule or PlacementRule()
    gpus = gpus or rule.n_ranks(fabric)
    source = compute or compute_source(fabric, description, rule, n_threads)
    load = StepLoad.of(Workload.of(description, gpus, run), source.gpu_seconds_per_token)
    traffic = replace(step_traffic(load), assumptions=(source.text, *description.model.assumptions))
    return Scenario.of(
        fabric,
        traffic,
        rule=replace(rule, gpus=gpus),
        transport=PXN if fabric.topology.nvlink_gbps is not None else DIRECT,
        routing=routing or AWARE.routing,
        n_threads=n_threads,
    )


def study_step(
    fabric: OpenedFabric,
    description: WorkloadDescription,
    gpus: int | None = None,
    rule: PlacementRule | None = None,
    *,
    run: Measured | None = None,
    compute: ComputeSource | None = None,
    routing: Routing | None = None,
    levers: bool = True,
    nics: str = OWN,
    n_seeds: int = USUAL_SEEDS,
    n_threads: int | None = None,
) -> StepResult:
    """A step of a workload: compute, bubble and communication.

    Parameters
    ----------
    fabric : OpenedFabric
    description : WorkloadDescription
    gpus : int, optional
        Default what the fabric's description says, or all that there are.
    rule : PlacementRule, optional
        Default packed.
    run : Measured, optional
        Layout and batch of a measured run instead of the description's.
    compute : ComputeSource, optional
        Default what the description says.
    routing : Routing, optional
        The only one that is studied, on the fabric as it is wired.
    levers : bool
        Whether naive and each lever are studied too, where the fabric can be wired both ways and the rule leaves the
        placement open: packed, and no hosts named.
    nics : {"own", "pooled"}
        Of every design: see `fabric.scenario.Job`.
    n_seeds : int
        Seeds of hashes of the naive design and of a routing that is given; each lever is run with the first.

    Raises
    ------
    InputError
        What does not fit: layout, batch, fabric.
    """
    rule = rule or PlacementRule()
    gpus = gpus or rule.n_ranks(fabric)
    workload = Workload.of(description, gpus, run)
    operations = step_operations(workload)
    both = (
        fabric.description is not None and levers and not rule.names_hosts and rule.kind == PACKED and routing is None
    )
    transport = PXN if fabric.topology.nvlink_gbps is not None else DIRECT
    as_is = StepDesign("as it is", None, transport, rule.kind, routing or AWARE.routing, nics)
    best = scenario_for(fabric, operations, gpus, rule, n_threads, replace(AWARE, nics=nics) if both else as_is)
    require_for_step(best, operations, 2 if both else 1)
    source = compute or compute_source(fabric, description, rule, n_threads)
    replica = workload.layout.tp * workload.layout.pp * workload.layout.cp
    tokens = workload.micro * description.batch.sequence
    compute_s = source.gpu_seconds_per_token * tokens / replica
    fixed_s = description.compute.fixed_s
    algorithms = best.algorithms_of(operations)
    known = Known()

    def under(design: StepDesign, bounds: bool = False) -> DesignStep:
        runs: list[tuple[StepTime, tuple[OperationCost, ...]]] = []
        hashed = design.routing if isinstance(design.routing, Ecmp) else None
        first = rule.seed if hashed is None or routing is None else hashed.seed
        for seed in range(n_seeds if hashed is not None and design in (NAIVE, as_is) else 1):
            one = replace(design, nics=nics)
            one = one if hashed is None else replace(one, routing=replace(hashed, seed=first + seed))
            scenario = scenario_for(fabric, operations, gpus, rule, n_threads, one)
            costs = operation_costs(scenario, operations, algorithms, bounds, one.routing, known)
            runs.append((step_time(workload, operations, [c.seconds for c in costs], compute_s, fixed_s), costs))
        order = sorted(range(len(runs)), key=lambda place: runs[place][0].step_s)
        time, costs = runs[order[(len(runs) - 1) // 2]]
        found = step_time(workload, operations, [c.found_s for c in costs], compute_s, fixed_s)
        return DesignStep(design, costs, time, found, tuple(run[0].step_s for run in runs))

    if both:
        designs = [under(AWARE, bounds=True), *(under(design) for design in (NAIVE, *LEVERS, *UNDONE))]
    else:
        designs = [under(as_is, bounds=True)]
    bound = step_time(workload, operations, [c.bound_s for c in designs[0].costs], compute_s, fixed_s)
    said = (
        source.text,
        *description.model.assumptions,
        *fabric.assumptions,
        *((NICS_POOLED,) if nics == POOLED else ()),
        *(() if routing is None else (f"routing: {routing.name}, as asked; other designs are not tried",)),
        *device_notes(best.routing.name),
        "overlap: what compute may hide is the workload's [overlap]; compute is the same under every design",
        "step: a mean stage; operations of an axis run one after the other, those of several axes too",
    )
    return StepResult(workload, best, source, bound.step_s, tuple(designs), said)
