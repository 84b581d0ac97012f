"""What is studied: a job on a fabric, how it is routed, and the model of time.  The defaults live here.

scenario = Scenario.of("gb300-2048", Collective("all-to-all", group=256), routing=Ecmp())
analysis = analyse(scenario)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from collectives.algorithm import AUTO, NCCL, Library
from collectives.catalog import algorithm_of
from collectives.demand import Int32Vector
from collectives.errors import InputError
from collectives.nccl_peers import USUAL_VERSION
from collectives.nic_pool import NicPools, nics_pooled
from collectives.schedule import Schedule
from collectives.transport import rail_aligned
from fabric.builders.description import FabricDescription
from fabric.builders.faults import Fault
from fabric.formats.opening import OpenedFabric, described, open_fabric
from fabric.jobs.opened_flows import OpenedFlows, opened_flows
from fabric.jobs.placement import Placement, domain_of_rank, nic_pools, rail_of_rank
from fabric.jobs.requests import Collective, Request, TrainingStep
from fabric.jobs.rule import PlacementRule
from fabric.jobs.traffic import Traffic, schedule_traffic
from fabric.routing.device import device_notes
from fabric.routing.match_lfts import MatchedLfts
from fabric.routing.policies import Adaptive, Ecmp, Routing
from fabric.timing.prediction import fastest, known_library
from fabric.timing.protocols import GivenTimes, TimeModel, model_for
from fabric.timing.step_algorithms import step_algorithms
from fabric.topology import Topology
from traces.workload.step_operations import StepOperation

DIRECT, PXN = "direct", "pxn"
TRANSPORTS = (DIRECT, PXN)
OWN, POOLED = "own", "pooled"
NICS = (OWN, POOLED)
NICS_POOLED = "NICs: hosts whose NICs differ share their bytes out over them by speed, as R2CCL does and NCCL does not"

FabricLike = OpenedFabric | FabricDescription | Topology | str | Path
TrafficLike = Request | Traffic | Schedule


@dataclass(frozen=True, eq=False)
class Job:
    """One job on a fabric.

    Attributes
    ----------
    traffic : Traffic
    rule : PlacementRule
        By which the job is placed anew on another fabric.
    placement : Placement
    transport : {"direct", "pxn"}
        Whether bytes for another rail go first over NVLink to the GPU on that rail (PXN).
    nics : {"own", "pooled"}
        Whether each GPU's bytes keep its own NIC, as NCCL's and RCCL's do, or hosts whose NICs differ share their bytes
        out over those that are left: see `collectives.nic_pool`.
    """

    traffic: Traffic
    rule: PlacementRule
    placement: Placement
    transport: str = DIRECT
    nics: str = OWN

    def __post_init__(self) -> None:
        if self.transport not in TRANSPORTS:
            raise InputError(f"transport {self.transport!r}: expected {' or '.join(TRANSPORTS)}")
        if self.nics not in NICS:
            raise InputError(f"nics {self.nics!r}: expected {' or '.join(NICS)}")


@dataclass(frozen=True, eq=False)
class Scenario:
    """What every study takes.  Made by `Scenario.of`; never mutated.

    Attributes
    ----------
    fabric : OpenedFabric
    jobs : tuple of Job
    routing : Routing
    model : TimeModel
        For predictions with latency.
    sources : tuple of str
        Where each parameter of the model comes from, in words.
    reasons : tuple of str
        Why the algorithm was chosen, where it was.
    library : {"nccl", "rccl", "any"}
        Whose algorithms are chosen from where none is named; any: all that there are.
    nccl_version : str
        Whose rule says how many flows a pair has.
    n_threads : int or None
        Threads; None: all processors.  No result depends on it.
    """

    fabric: OpenedFabric
    jobs: tuple[Job, ...]
    routing: Routing
    model: TimeModel
    sources: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    library: Library = NCCL
    nccl_version: str = USUAL_VERSION
    n_threads: int | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        fabric: FabricLike,
        traffic: TrafficLike,
        *,
        rule: PlacementRule | None = None,
        placement: Placement | None = None,
        transport: str | None = None,
        nics: str = OWN,
        routing: Routing | None = None,
        lfts: MatchedLfts | None = None,
        times: GivenTimes | None = None,
        latency_factor: float = 1.0,
        bandwidth_factor: float = 1.0,
        library: str = NCCL,
        nccl_version: str = USUAL_VERSION,
        faults: Sequence[Fault | str] = (),
        n_threads: int | None = None,
    ) -> "Scenario":
        """Put a scenario together, with a default for all that is not said.

        Parameters
        ----------
        fabric : OpenedFabric, FabricDescription, Topology or str
            A string is opened: a preset's name or a file.
        traffic : Collective, TraceFiles, DemandFile, TrainingStep, Traffic or Schedule
        rule : PlacementRule, optional
            Default packed, on as many GPUs as the fabric's description says or there are.
        placement : Placement, optional
            The endpoints themselves, instead of a rule.
        transport : {"direct", "pxn"}, optional
            Default direct; of a `TrainingStep` over NVLink to the rail where there is any, as its library has it.
        nics : {"own", "pooled"}
            As for `Job`.
        routing : Routing, optional
            Default the tables of `lfts`, or `Adaptive` without any.
        lfts : MatchedLfts, optional
            Forwarding tables in force.
        times : GivenTimes, optional
            Parameters of time that are known better than the defaults.
        latency_factor, bandwidth_factor : float
            What measurements say of the model: see `fabric.timing.fitting`.
        library : {"nccl", "rccl", "any"}
            Whose algorithms are chosen from where none is named; any: all that there are.
        nccl_version : str
            Whose rule says how many hashed flows a pair of endpoints has, where the routing does not say it.
        faults : sequence of Fault or str
            What is down or slow, beside what is so in `fabric` already; a text as ``--fail`` takes it.
        n_threads : int, optional

        Raises
        ------
        InputError
            Names what does not fit, and what was expected.
        """
        opened = opened_fabric(fabric).with_faults(
            [Fault.parsed(one) if isinstance(one, str) else one for one in faults]
        )
        usual = Adaptive() if lfts is None else lfts.routing
        chosen = usual if routing is None else routing
        rule = rule or PlacementRule()
        if transport is None:
            rails = isinstance(traffic, TrainingStep) and opened.topology.nvlink_gbps is not None
            transport = PXN if rails else DIRECT
        check_transport(opened, transport, nics)
        if placement is not None and rule.gpus is None:
            rule = replace(rule, gpus=placement.n_ranks)
        model, sources = time_model(opened, times, latency_factor, bandwidth_factor)
        reasons: tuple[str, ...] = ()
        if isinstance(traffic, Collective):
            traffic, reasons = decided(
                opened, traffic, rule, placement, chosen, model, n_threads, known_library(library), nics
            )
        load = _traffic(opened, traffic, rule)
        job = Job(load, rule, _placed(opened, load, rule, placement), transport, nics)
        known = known_library(library)
        made = cls(opened, (job,), chosen, model, tuple(sources), reasons, known, nccl_version, n_threads)
        if isinstance(traffic, TrainingStep):
            operations = traffic.operations(load.n_ranks)
            load = traffic.by(made.routed(chosen).algorithms_of(operations), operations, load.n_ranks)
            return made.carrying(load, chosen)
        return made.routed(chosen)

    @property
    def job(self) -> Job:
        """The one job of a scenario.

        Raises
        ------
        InputError
            If there are several.
        """
        if len(self.jobs) != 1:
            raise InputError(f"scenario of {len(self.jobs)} jobs: this study takes one")
        return self.jobs[0]

    @property
    def topology(self) -> Topology:
        """The fabric's nodes and links."""
        return self.fabric.topology

    @property
    def placement(self) -> Placement:
        """Where the job's ranks are."""
        return self.job.placement

    @property
    def traffic(self) -> Traffic:
        """What the job sends."""
        return self.job.traffic

    @cached_property
    def domain(self) -> Int32Vector:
        """Scale-up domain of each rank, (n_ranks,) int32; -1 without NVLink."""
        return domain_of_rank(self.topology, self.placement)

    @cached_property
    def rail(self) -> Int32Vector:
        """Rail of each rank, (n_ranks,) int32; -1 where the fabric does not say."""
        return rail_of_rank(self.topology, self.placement)

    @cached_property
    def pools(self) -> NicPools | None:
        """The NICs of each host, where their bytes are shared out over them."""
        return nic_pools(self.topology, self.placement) if self.job.nics == POOLED else None

    @cached_property
    def schedule(self) -> Schedule:
        """Who sends what to whom, transport included."""
        schedule = self.traffic.schedule(self.domain, self.rail)
        if self.job.transport == PXN:
            schedule = rail_aligned(schedule, self.domain, self.rail)
        return schedule if self.pools is None else nics_pooled(schedule, self.pools, self.domain)

    @property
    def setting(self) -> tuple[str, ...]:
        """What was assumed of fabric, traffic and placement, in words."""
        job = self.job
        ruled = () if job.traffic.placement is not None else job.rule.assumptions(self.fabric)
        pooled = (NICS_POOLED,) if job.nics == POOLED else ()
        return (
            *self.fabric.assumptions, *job.traffic.assumptions, *ruled, *pooled, *self.flows,
            *device_notes(self.routing.name),
        )  # fmt: skip

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What was assumed, the algorithm's choice first."""
        return (*self.reasons, *self.setting)

    @property
    def flows(self) -> tuple[str, ...]:
        """Why a pair of endpoints has so many hashed flows, where the job's library decides it."""
        if not isinstance(self.routing, Ecmp):
            return ()
        opened = self._opened()
        same = self.routing.queue_pairs == opened.number
        return (opened.reason,) if same else (f"hashed flows: {self.routing.flows_a_pair} a pair, as given",)

    def _opened(self) -> OpenedFlows:
        return opened_flows(self.topology, self.placement, self.traffic, self.library, self.nccl_version)

    def routed(self, routing: Routing) -> "Scenario":
        """The same job, in the same place, under another routing; hashing with as many flows as its library opens."""
        if isinstance(routing, Ecmp) and routing.queue_pairs is None:
            routing = replace(routing, queue_pairs=self._opened().number)
        return replace(self, routing=routing)

    def algorithms_of(self, operations: Sequence[StepOperation]) -> tuple[str, ...]:
        """The library's algorithm for each operation of a training step, on this placement; exchanges are sends."""
        in_network = switches_reduce(self.fabric)
        return step_algorithms(
            self.topology, self.placement, operations, self.routing, self.model, in_network, self.n_threads,
            self.library, self.pools,
        )  # fmt: skip

    def carrying(self, traffic: Traffic, routing: Routing) -> "Scenario":
        """The same place and transport with other traffic, under a routing as `routed` takes it."""
        return replace(self, jobs=(replace(self.job, traffic=traffic),)).routed(routing)

    def sending(self, schedule: Schedule) -> "Scenario":
        """The same with a schedule that is known already, transport included."""
        made = replace(self)
        # A cached property's place.
        made.__dict__["schedule"] = schedule
        return made

    def variant(
        self,
        fabric: OpenedFabric,
        rule: PlacementRule,
        transport: str,
        routing: Routing,
        nics: str | None = None,
    ) -> "Scenario":
        """The same traffic on another wiring of the fabric, placed, sent and routed in another way."""
        job = Job(self.traffic, rule, _placed(fabric, self.traffic, rule, None), transport, nics or self.job.nics)
        return replace(self, fabric=fabric, jobs=(job,)).routed(routing)


def check_transport(fabric: OpenedFabric, transport: str, nics: str = OWN) -> None:
    """Refuse PXN, and pooled NICs, on a fabric that knows no NVLink."""
    for asked, name in ((transport == PXN, f"transport {PXN}"), (nics == POOLED, f"nics {POOLED}")):
        if asked and fabric.topology.nvlink_gbps is None:
            raise InputError(f"{name}: {fabric.name} knows no NVLink; expected a fabric with scale-up domains")


def opened_fabric(fabric: FabricLike) -> OpenedFabric:
    """Whatever a fabric is given as, opened.

    Raises
    ------
    InputError
        If it is a name or file that cannot be opened, or a description that cannot be built.
    """
    if isinstance(fabric, OpenedFabric):
        return fabric
    if isinstance(fabric, FabricDescription):
        return described(fabric.fabric.name, fabric)
    if isinstance(fabric, Topology):
        return OpenedFabric(fabric.name, fabric)
    return open_fabric(str(fabric))


def decided(
    fabric: OpenedFabric,
    asked: Collective,
    rule: PlacementRule,
    placement: Placement | None,
    routing: Routing,
    model: TimeModel,
    n_threads: int | None = None,
    library: Library = NCCL,
    nics: str = OWN,
) -> tuple[Collective, tuple[str, ...]]:
    """A collective with its algorithm decided, and what to say of the choice.

    What is not named, or ``auto``, becomes what the library would choose: the fastest of its algorithms by the model
    with latency.  Exchanges go directly unless ``auto`` is asked for: the transport says more of them.

    Raises
    ------
    InputError
        If no algorithm runs on this placement.
    """
    named = asked.algorithm is not None and not asked.undecided
    direct = not asked.undecided and algorithm_of(asked.name).tuning == "exchange"
    if named or direct or asked.n_channels is not None or asked.cross_nic is not None:
        return asked, ()
    asked = asked.decided(AUTO)
    load = asked.traffic(fabric, rule)
    where = _placed(fabric, load, rule, placement)
    pools = nic_pools(fabric.topology, where) if nics == POOLED else None
    in_network = switches_reduce(fabric)
    chosen, reason = fastest(fabric.topology, where, load, routing, model, in_network, n_threads, library, pools)
    return asked.decided(chosen), (reason,)


def _traffic(fabric: OpenedFabric, traffic: TrafficLike, rule: PlacementRule) -> Traffic:
    if isinstance(traffic, Traffic):
        return traffic
    if isinstance(traffic, Schedule):
        return schedule_traffic(traffic, rule.n_ranks(fabric))
    return traffic.traffic(fabric, rule)


def _placed(fabric: OpenedFabric, traffic: Traffic, rule: PlacementRule, placement: Placement | None) -> Placement:
    chosen = placement or traffic.placement
    if chosen is None:
        return rule.place(fabric, traffic.n_ranks)
    chosen.check(fabric.topology)
    return chosen.for_ranks(traffic.n_ranks, "placement")


def time_model(
    fabric: OpenedFabric,
    times: GivenTimes | None = None,
    latency_factor: float = 1.0,
    bandwidth_factor: float = 1.0,
) -> tuple[TimeModel, list[str]]:
    """The time model of a fabric, and its sources: what the user says, then its description, then the defaults.

    Parameters
    ----------
    fabric : OpenedFabric
    times : GivenTimes, optional
        What the user says.
    latency_factor, bandwidth_factor : float
        See `fabric.timing.fitting`.

    Raises
    ------
    InputError
        As `fabric.timing.protocols.model_for`.
    """
    own = fabric.description.time if fabric.description is not None else None
    from_description = GivenTimes()
    if own is not None:
        from_description = GivenTimes.in_ns(
            own.hop_ns, own.message_ns, own.wire_efficiency, own.scale_up_efficiency, own.nvls_efficiency
        )
    scale_up = fabric.description.scale_up if fabric.description is not None else None
    return model_for(
        fabric.technology,
        fabric.topology.nvlink_gbps,
        times,
        from_description,
        latency_factor,
        bandwidth_factor,
        scale_up.generation if scale_up is not None else None,
        bool(fabric.topology.in_mesh.any()),
    )


def switches_reduce(fabric: OpenedFabric) -> bool:
    """Whether the automatic choice may take SHARP: where InfiniBand switches reduce and the library uses it.

    NCCL does so only where ``NCCL_COLLNET_ENABLE`` is set and the fabric runs an aggregation manager, so a description
    has to say it.
    """
    own = fabric.description
    return own is not None and own.fabric.sharp and fabric.technology == "infiniband"
