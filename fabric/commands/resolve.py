"""From what the user said to a scenario: options that do not go together or have no effect are refused here."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from fabric.commands.choices import DRAWN_PLACEMENTS
from fabric.commands.options import (
    FabricOptions,
    GateOptions,
    HashOptions,
    PlacementOptions,
    RoutingOptions,
    SendingOptions,
    TrafficOptions,
)
from fabric.commands.values import expanded, fraction

if TYPE_CHECKING:
    from fabric.builders.faults import Fault
    from fabric.formats.opening import OpenedFabric
    from fabric.jobs.requests import Request
    from fabric.jobs.rule import PlacementRule
    from fabric.reports.gates import Gates
    from fabric.routing.match_lfts import MatchedLfts
    from fabric.routing.policies import Ecmp, Routing
    from fabric.scenario import Scenario


def usage(message: str) -> NoReturn:
    """Refuse the command line: one line, exit 2."""
    raise typer.BadParameter(message)


def spelt(name: str) -> str:
    """An option as it is typed."""
    return "--" + name.removeprefix("trace_").replace("_", "-")


def refuse_given(options: Any, reason: str, *but: str) -> None:
    """Refuse each option of a group that was given, other than some; `reason` says why."""
    for field in fields(options):
        value = getattr(options, field.name)
        if field.name not in but and value is not None and value is not False and value != field.default:
            usage(f"{spelt(field.name)}: {reason}")


def check_traffic(options: TrafficOptions, usual: bool = False) -> None:
    """Refuse traffic options that do not go together, before anything is loaded; `usual`: none is needed."""
    if options.workload is not None:
        refuse_given(options, "--workload says what is sent", "workload", "library")
    chosen = sum(bool(one) for one in (options.collective, options.trace, options.demand, options.workload))
    if chosen != 1 and not (usual and not chosen):
        usage("expected one of --collective, --trace, --demand and --workload")
    if options.trace or options.demand is not None:
        said = "--trace" if options.trace else "--demand"
        of_trace = ("algorithm", "fill_ranks", "trace_format")
        allowed = ("trace", "demand", *of_trace) if options.trace else ("trace", "demand")
        refuse_given(options, f"goes with --collective, not with {said}", *allowed)
    if options.fill_ranks and not options.trace:
        usage("--fill-ranks goes with --trace")
    if options.trace_format is not None and not options.trace:
        usage("--format goes with --trace")
    if options.group is not None and options.parallel is not None:
        usage("expected --group or --parallel, not both")
    if (options.parallel is None) != (options.axis is None):
        usage("expected --parallel and --axis together")
    if options.order is not None and options.parallel is None:
        usage("--order goes with --parallel")


def request_of(options: TrafficOptions, collective: str | None = None) -> "Request":
    """The traffic that is asked for; `collective` where none is named."""
    from collectives.layout import DEFAULT_ORDER
    from fabric.jobs.requests import USUAL_SIZE, Collective, DemandFile, TraceFiles, TrainingStep

    if options.workload is not None:
        return TrainingStep(options.workload)
    if options.demand is not None:
        return DemandFile(options.demand)
    if options.trace:
        return TraceFiles(expanded(options.trace), options.algorithm, options.fill_ranks, options.trace_format)
    algorithm = named_algorithm(options.algorithm, options.collective or collective or "")
    check_channels(options.channels, options.cross_nic, (algorithm,))
    return Collective(
        options.collective or collective or "",
        options.size or USUAL_SIZE,
        options.group,
        algorithm,
        options.parallel,
        options.axis,
        options.order or DEFAULT_ORDER,
        options.channels,
        options.cross_nic,
    )


def named_algorithm(given: str | None, collective: str) -> str | None:
    """An algorithm's name; that of a file of MSCCL (``.xml``), which is known by it from then on."""
    if given is None or not given.endswith((".xml", ".xml.gz", ".xml.xz")):
        return given
    from collectives.catalog import ALGORITHMS, register_algorithm, unregister_algorithm
    from collectives.errors import InputError
    from traces.msccl_xml import read_msccl

    found = read_msccl(given)
    if found.collective != collective:
        raise InputError(f"{given}: an algorithm of {found.collective}; expected one of {collective}")
    if found.name in ALGORITHMS[collective]:
        unregister_algorithm(collective, found.name)
    register_algorithm(found)
    return found.name


def check_channels(
    channels: int | None,
    cross_nic: int | None,
    algorithms: Iterable[str | None] | None,
    collective: str | None = None,
) -> None:
    """Refuse the options of channels if none of the algorithms (None: all of the collective's) has any."""
    from collectives.catalog import names_that_take

    for option, value, key in (("--channels", channels, "n_channels"), ("--cross-nic", cross_nic, "cross_nic")):
        known = names_that_take(key, collective)
        if value is not None and (not known if algorithms is None else set(known).isdisjoint(algorithms)):
            usage(f"{option} goes with --algorithm {' or '.join(known or names_that_take(key))}")


def library_of(options: Any) -> str:
    """Whose algorithms are chosen from."""
    from collectives.algorithm import NCCL

    return options.library or NCCL


def version_of(hashing: HashOptions) -> str:
    """NCCL's version, whose rule opens hashed flows."""
    from collectives.nccl_peers import USUAL_VERSION

    return hashing.nccl_version or USUAL_VERSION


def rule_of(
    options: PlacementOptions, seed: int | None, demand: bool = False, tried: Sequence[object] = ()
) -> "PlacementRule":
    """How the job is placed; `tried`: kinds of placement that a command tries one after the other instead."""
    from fabric.jobs.rule import PACKED, PLACEMENTS, SEGMENTED, PlacementRule

    if demand:
        refuse_given(options, "--demand names the endpoints itself")
    if options.gpus_per_domain is not None and (options.hosts or options.topology_conf or options.node_labels):
        usage("--gpus-per-domain: --hosts, --topology-conf and --node-labels name the hosts themselves")
    if options.topology_conf and options.node_labels:
        usage("--node-labels: expected --topology-conf or --node-labels, not both")
    kind = options.placement or PACKED
    kind = kind.lower() if kind.lower() in PLACEMENTS else kind
    hosts = (options.hosts, options.topology_conf, options.node_labels, options.taken)
    if kind not in PLACEMENTS and any(value is not None for value in hosts):
        usage(
            f"--placement {kind}: --hosts, --topology-conf, --node-labels and --taken go with {', '.join(PLACEMENTS)}"
        )
    if SEGMENTED in tried:
        if options.segment is None:
            usage("--vary placement=segmented: expected --segment HOSTS with it")
        # Each design takes its own kind; the segment is that of those that have one.
        kind = SEGMENTED
    if (kind == SEGMENTED) != (options.segment is not None):
        usage("expected --placement segmented and --segment HOSTS together")
    if options.exclusive and kind != SEGMENTED:
        usage("--exclusive: goes with --placement segmented")
    if options.exclusive and options.taken is None and options.hosts is None:
        usage("--exclusive: no host is somebody else's; expected it with --taken or --hosts")
    return PlacementRule(
        kind,
        options.gpus,
        options.gpus_per_domain,
        options.hosts,
        options.topology_conf,
        seed or 0,
        options.segment,
        taken_of(options.taken),
        options.node_labels,
        options.exclusive,
    )


def taken_of(text: str | None) -> "float | Path | None":
    """The share of hosts that other jobs have, or the file that names them."""
    if text is None:
        return None
    try:
        share = fraction(text)
    except typer.BadParameter:
        return Path(text)
    if share >= 1:
        usage(f"--taken {text}: expected less than 100% of the hosts, or a file")
    return share


def draws(options: PlacementOptions) -> bool:
    """Whether the placement is drawn by the seed."""
    if options.taken is not None and not isinstance(taken_of(options.taken), Path):
        return True
    kind = (options.placement or "").lower()
    return kind in DRAWN_PLACEMENTS and not (kind == "fragmented" and options.taken is not None)


def policy_name(options: RoutingOptions, hashing: HashOptions, seed_used: bool = False) -> str:
    """The policy that is meant: the tables in force, or adaptive where there are none.

    Options of hashing that the policy would not look at are refused; `seed_used`: something else draws by the seed.
    """
    name = options.routing or ("lft" if options.lfts is not None else "adaptive")
    if name == "lft" and options.lfts is None:
        usage("--routing lft: expected forwarding tables, --lfts FILE")
    if name != "ecmp":
        refuse_given(hashing, f"only --routing ecmp hashes, not {name}", *(("seed",) if seed_used else ()))
    refuse_device(name)
    return name


def refuse_device(policy: str) -> None:
    """Refuse a GPU for a policy that has no kernel for it."""
    from fabric.routing.device import POLICIES_ON_GPU, on_gpu

    if on_gpu() and policy not in POLICIES_ON_GPU:
        usage(f"--device cuda: has kernels for {' and '.join(POLICIES_ON_GPU)}, not for {policy}")


def ecmp_of(hashing: HashOptions) -> "Ecmp":
    """Static hashing with its options."""
    from fabric.routing.policies import Ecmp

    return Ecmp(hashing.queue_pairs, hashing.seed or 0, hashing.hash_seeds == "shared")


def routing_of(name: str, hashing: HashOptions, lfts: "MatchedLfts | None") -> "Routing":
    """The policy of a name."""
    from fabric.routing.registry import make_policy

    if name == "lft":
        assert lfts is not None
        return lfts.routing
    return ecmp_of(hashing) if name == "ecmp" else make_policy(name)


def opened(options: FabricOptions) -> "OpenedFabric":
    """The fabric."""
    from fabric.formats.opening import open_fabric

    wiring: Any = options.wiring
    given = open_fabric(
        options.fabric,
        wiring,
        options.host_pattern,
        options.nvlink_gbps,
        options.mesh_gbps,
        options.speed,
        options.assume_spine,
    )
    return given.with_faults(faults_of(options))


def faults_of(options: FabricOptions) -> "tuple[Fault, ...]":
    """What is down or slow."""
    if not (options.fail or options.degrade or options.faults):
        return ()
    from fabric.builders.faults import Fault
    from fabric.formats.faults_toml import read_faults

    return (
        *(Fault.parsed(text) for text in options.fail or ()),
        *(Fault.degraded(text) for text in options.degrade or ()),
        *(read_faults(options.faults) if options.faults is not None else ()),
    )


def scenario_of(fabric: FabricOptions, traffic: TrafficOptions, job: PlacementOptions | None = None) -> "Scenario":
    """The scenario that three groups of options mean, routed as by default: what most commands of one's own need.

    Raises
    ------
    InputError
        If the fabric cannot be opened or the job does not fit.
    """
    from fabric.scenario import Scenario

    check_traffic(traffic)
    rule = rule_of(job or PlacementOptions(), None, demand=traffic.demand is not None)
    return Scenario.of(opened(fabric), request_of(traffic), rule=rule, library=library_of(traffic))


def asked_scenario(
    given: "OpenedFabric",
    request: "Request",
    rule: "PlacementRule",
    routing: "Routing",
    traffic: TrafficOptions,
    hashing: HashOptions,
    sending: SendingOptions,
    threads: int | None,
) -> "Scenario":
    """The scenario of one job with all that options say of it.

    Raises
    ------
    InputError
        If the job does not fit.
    """
    from fabric.scenario import OWN, Scenario

    return Scenario.of(
        given,
        request,
        rule=rule,
        transport=sending.transport,
        nics=sending.nics or OWN,
        routing=routing,
        library=library_of(traffic),
        nccl_version=version_of(hashing),
        n_threads=threads,
    )


def lfts_of(fabric: "OpenedFabric", files: Sequence[Path], skip_unrouted: bool) -> "tuple[MatchedLfts, ...]":
    """The tables of --lfts, matched to the fabric."""
    from fabric.formats.opening import open_lfts
    from fabric.routing.match_lfts import match_lfts

    if skip_unrouted and not files:
        usage("--skip-unrouted goes with --lfts")
    return tuple(match_lfts(open_lfts(file), fabric.topology, fabric.origin, skip_unrouted) for file in files)


def gates_of(options: GateOptions) -> "Gates":
    """The limits."""
    from collectives.errors import InputError
    from fabric.reports.gates import Gates
    from traces.files import exists

    if options.max_regression is not None and options.baseline is None:
        usage("--max-regression goes with --baseline")
    if options.baseline is not None and not exists(options.baseline):
        raise InputError(f"{options.baseline}: no such file; expected a JSON document of the same command")
    return Gates(
        options.max_time,
        options.max_over_bound,
        options.min_busbw,
        options.max_imbalance,
        options.baseline,
        options.max_regression or 0.0,
    )
