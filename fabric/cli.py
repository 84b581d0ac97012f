"""The command line.  Data goes to standard output, messages and progress to standard error.

Exit status: 0 done; 1 failed, with one clear line; 2 usage; 3 a threshold that the user set was crossed.
"""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from fabric.load import LinkLoads

from fabric.options import (
    Algorithm,
    Axis,
    Channels,
    Collective,
    CrossNic,
    CsvPath,
    DemandFile,
    FabricArgument,
    Figure,
    Force,
    Gpus,
    GroupSize,
    HashSeeds,
    HostPattern,
    HostsOption,
    JobOptions,
    Json,
    Lfts,
    MaxImbalance,
    NvlinkGbps,
    Order,
    Parallel,
    PerDomain,
    PlacementKind,
    QueuePairs,
    Seed,
    Size,
    SkipUnrouted,
    Threads,
    Threshold,
    TopologyConf,
    TraceFiles,
    Wire,
    ecmp_of,
    matched_tables,
    one_of,
    routing_name,
    routing_of,
    switches_reduce,
    time_model_of,
    usage,
    wiring_of,
)

app = typer.Typer(
    name="railscope",
    help="Where a job's traffic lands in a GPU cluster's fabric, which links become hotspots, what removes them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
fabric_app = typer.Typer(help="Fabrics: list presets, show facts, export.", no_args_is_help=True)
app.add_typer(fabric_app, name="fabric")

# Groups of `compare` where nothing is said: the expert-parallel size of published DeepSeek-V3 recipes.
USUAL_GROUP = 64


def run() -> None:
    """Run the command line: refusals are one line on standard error, exit 1."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    from collectives.errors import InputError

    try:
        app()
    except InputError as error:
        fail(str(error))
    except MemoryError:
        fail("not enough memory for a fabric of this size")
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def fail(message: str) -> NoReturn:
    """Refuse with one line on standard error, exit 1."""
    print(f"railscope: error: {message}", file=sys.stderr)
    raise SystemExit(1)


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on standard error, on a terminal only, for what takes over a second."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    status = Console(stderr=True).status(what)
    late = threading.Timer(1.0, status.start)
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()
        late.join()
        status.stop()


def over_threshold(what: str, worst: float | None, limit: float | None) -> None:
    """Exit 3 if the user's threshold is crossed."""
    if limit is not None and worst is not None and worst > limit:
        print(f"railscope: {what} {worst:.3f} is above --max-imbalance {limit:g}", file=sys.stderr)
        raise typer.Exit(3)


@app.command()
def loads(
    fabric: FabricArgument,
    collective: Collective = None,
    size: Size = "1GiB",
    group: GroupSize = None,
    algorithm: Algorithm = None,
    channels: Channels = None,
    cross_nic: CrossNic = None,
    parallel: Parallel = None,
    axis: Axis = None,
    order: Order = "tp-cp-ep-dp-pp",
    trace: TraceFiles = None,
    demand: DemandFile = None,
    gpus: Gpus = None,
    gpus_per_domain: PerDomain = None,
    placement: PlacementKind = None,
    transport: Annotated[str, typer.Option(help="direct, or pxn: cross rails over NVLink first.")] = "direct",
    wiring: Wire = None,
    hosts: HostsOption = None,
    topology_conf: TopologyConf = None,
    host_pattern: HostPattern = None,
    nvlink_gbps: NvlinkGbps = None,
    lfts: Lfts = None,
    skip_unrouted: SkipUnrouted = False,
    routing: Annotated[
        str | None, typer.Option(help="adaptive, ecmp, dmodk or lft [default: lft with --lfts, else adaptive].")
    ] = None,
    queue_pairs: QueuePairs = 1,
    hash_seeds: HashSeeds = "per-switch",
    seed: Seed = 0,
    seeds: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="ecmp: run N hash seeds, report p50, p99 and worst.")
    ] = None,
    threshold: Threshold = 1.5,
    top: Annotated[int, typer.Option(min=0, help="Hotspots to list on the screen.")] = 20,
    optimum: Annotated[
        bool, typer.Option("--optimum", help="Small fabrics: also the best that any routing of this demand could do.")
    ] = False,
    max_imbalance: MaxImbalance = None,
    csv: CsvPath = None,
    figure: Figure = None,
    infragraph: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write an InfraGraph infrastructure with loads as annotations.")
    ] = None,
    json: Json = False,
    force: Force = False,
    threads: Threads = None,
) -> None:
    """Per-link loads and hotspots of one job.

    \b
    Examples:
      railscope loads gb300-2048 --collective all-to-all --group 256 --routing ecmp
      railscope loads hgx-b200-64 --trace rank0.json.gz --csv links.csv
      railscope loads cluster.ibnetdiscover --lfts opensm-lfts.dump --collective all-to-all --hosts 'h00[00-15]'
    """
    options = JobOptions(
        collective,
        size,
        group,
        algorithm,
        parallel,
        axis,
        order,
        tuple(trace or ()),
        demand,
        gpus,
        gpus_per_domain,
        hosts,
        topology_conf,
        channels,
        cross_nic,
    )
    options.check()
    hashing = ecmp_of(queue_pairs, seed, hash_seeds)
    routing = routing or ("adaptive" if lfts is None else "lft")
    routing_name(routing)
    if seeds is not None and routing != hashing.name:
        usage("--seeds: only --routing ecmp hashes")
    one_of(transport, ("direct", "pxn"), "--transport")
    chosen_wiring = wiring_of(wiring)

    from collectives.transport import rail_aligned
    from fabric import loads_report, report
    from fabric.analysis import analyse, bound_of, over_hash_seeds
    from fabric.channel_report import channels_document, channels_table
    from fabric.exporting import annotated, annotations_path
    from fabric.heatmap import check_format, compare_figure
    from fabric.hotspots import worst_imbalance
    from fabric.linear_program import linear_program_bound
    from fabric.loading import load_fabric
    from fabric.output import check_writable, write_all
    from fabric.placement import domain_of_rank, rail_of_rank

    if figure is not None:
        check_format(figure)
    for path in (csv, figure, infragraph, annotations_path(infragraph) if infragraph else None):
        if path is not None:
            check_writable(path, force)
    given = load_fabric(fabric, chosen_wiring, host_pattern, nvlink_gbps)
    policy = routing_of(routing, hashing, matched_tables(given, lfts, skip_unrouted))
    with working("algorithms"):
        options, reasons = options.decided(given, placement, seed, policy, threads)
    job = options.traffic(given)
    where = options.placement(given, job, placement, seed)
    domain, rail = domain_of_rank(given.topology, where), rail_of_rank(given.topology, where)
    schedule = job.schedule(domain, rail)
    if transport == "pxn":
        schedule = rail_aligned(schedule, domain, rail)
    with working("routing"):
        analysis = analyse(given.topology, schedule, where, policy, threshold, threads)
    distribution = None
    if seeds is not None:
        with working(f"{seeds} hash seeds"):
            distribution = over_hash_seeds(given.topology, schedule, where, hashing, seeds, threads)
    bounds = tuple(bound for bound in (bound_of(job, analysis),) if bound is not None)
    if optimum and not analysis.loads.total.unrouted.pairs:
        with working("linear program"):
            bounds = (*bounds, linear_program_bound(given.topology, schedule, where))
    bounds = tuple(bound for bound in bounds if bound.time_s > 0)
    total = analysis.loads.total
    files: dict[str, str | bytes] = {}
    if figure is not None:
        files[str(figure)] = compare_figure(((given.name, total),), f"{given.name}: {job.label}", figure.suffix)
    if csv is not None:
        files[str(csv)] = report.links_csv(total)
    if infragraph is not None:
        files |= annotated(total, infragraph)
    write_all(files, force)
    choices = {"transport": transport, "placement": placement or ("given" if job.placement else "packed")}
    assumptions = [*reasons, *options.assumptions(given, job, placement)]
    rings = job.channels(domain, rail) if job.channels is not None else ()
    if json:
        document = loads_report.loads_document(given, job, analysis, distribution, choices, bounds, assumptions)
        report.print_json({**document, "channels": channels_document(rings)} if rings else document)
    else:
        tables = loads_report.loads_tables(job, analysis, distribution, choices, bounds, top)
        tables += [channels_table(rings)] if rings else []
        report.print_tables(tables, [f"assumed: {line}" for line in assumptions])
    over_threshold("imbalance", worst_imbalance(analysis.tiers), max_imbalance)


@app.command()
def compare(
    fabric: FabricArgument,
    collective: Collective = None,
    size: Size = "1GiB",
    group: GroupSize = None,
    algorithm: Algorithm = None,
    parallel: Parallel = None,
    axis: Axis = None,
    order: Order = "tp-cp-ep-dp-pp",
    trace: TraceFiles = None,
    demand: DemandFile = None,
    gpus: Gpus = None,
    gpus_per_domain: PerDomain = None,
    placement: PlacementKind = None,
    hosts: HostsOption = None,
    topology_conf: TopologyConf = None,
    host_pattern: HostPattern = None,
    nvlink_gbps: NvlinkGbps = None,
    lfts: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Forwarding tables in force; give it again for more of them."),
    ] = None,
    skip_unrouted: SkipUnrouted = False,
    queue_pairs: QueuePairs = 1,
    hash_seeds: HashSeeds = "per-switch",
    seed: Seed = 0,
    figure: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Figure's name [default: railscope-FABRIC-COLLECTIVE.png, numbered if taken]."
        ),
    ] = None,
    no_figure: Annotated[bool, typer.Option("--no-figure", help="Write no figure.")] = False,
    max_imbalance: MaxImbalance = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per link of the best design.")
    ] = None,
    json: Json = False,
    force: Force = False,
    threads: Threads = None,
) -> None:
    """Naive to rail-aware, one step at a time, on the same switches and cables; heatmaps side by side.

    With --lfts, or a fabric that railscope did not build: the tables in force against dmodk, adaptive and ecmp on the
    same cables. Groups default to 64 ranks where 64 divides the job (the expert-parallel size of published DeepSeek-V3
    recipes). --algorithm auto is decided once, on the rail-aware design, so that steps change one thing at a time.

    \b
    Examples:
      railscope compare gb300-8192 --collective all-to-all --group 64
      railscope compare hgx-b200-64 --collective all-reduce --algorithm hierarchical --size 256MiB
      railscope compare cluster.ibnetdiscover --lfts opensm-lfts.dump --hosts 'h00[00-15]'
    """
    hashing = ecmp_of(queue_pairs, seed, hash_seeds)
    files = tuple(trace or ())
    if collective is None and not files and demand is None:
        collective = "all-to-all"
    options = JobOptions(
        collective,
        size,
        group,
        algorithm,
        parallel,
        axis,
        order,
        files,
        demand,
        gpus,
        gpus_per_domain,
        hosts,
        topology_conf,
    )
    options.check()

    from fabric import compare_report, report
    from fabric.heatmap import check_format, compare_figure, drawable
    from fabric.hotspots import worst_imbalance
    from fabric.loading import load_fabric, rail_wired
    from fabric.output import check_writable, unused_path, write_all
    from fabric.routing import Adaptive

    given = load_fabric(fabric, None, host_pattern, nvlink_gbps)
    path = figure or unused_path(f"railscope-{given.name}-{collective or 'job'}.png")
    check_format(path)
    for target in (csv, None if no_figure else path):
        if target is not None:
            check_writable(target, force)
    if group is None and parallel is None and collective and options.n_ranks(given) % USUAL_GROUP == 0:
        options = replace(options, group=USUAL_GROUP)
    with working("algorithms"):
        aware = rail_wired(given) if given.description is not None and not lfts else given
        options, reasons = options.decided(aware, placement, seed, Adaptive(), threads)
    job = options.traffic(given)
    no_figure = no_figure or (figure is None and not drawable(given.topology))
    written = None if no_figure else str(path)
    if given.description is not None and not lfts:
        for option, value in (
            ("--demand", demand),
            ("--placement", placement),
            ("--hosts", hosts),
            ("--topology-conf", topology_conf),
        ):
            if value is not None:
                usage(
                    f"{option}: the steps from naive to rail-aware place the job themselves; --lfts compares routings"
                )
        from fabric.bounds import IN_NETWORK
        from fabric.compare import Job, ladder

        in_network = job.facts.get("algorithm") in IN_NETWORK
        sizes = (job.collective, job.group_size, job.bytes, job.groups, in_network)
        with working("naive to rail-aware"):
            rungs = ladder(
                given.description,
                Job(job.n_ranks, options.per_domain(given), job.schedule, *sizes),
                hashing,
                seed,
                threads,
            )
        panels: tuple[tuple[str, LinkLoads], ...] = (
            ("naive", rungs[0].outcome.loads.total),
            ("rail-aware", rungs[-1].outcome.loads.total),
        )
        best = rungs[-1].outcome
        loads, tiers = best.loads.total, best.tiers
        assumptions = [*reasons, *options.assumptions(given, job, "packed")]
        assumptions.append(f"naive placement: the same hosts as the packed one, shuffled with seed {seed}")
        document = compare_report.compare_document(given, job, rungs, written, assumptions)
        table = compare_report.ladder_table(rungs, f"{given.name}: {job.label}")
        notes = compare_report.ladder_notes(rungs, written, assumptions)
    else:
        from fabric.compare_routing import compare_routings
        from fabric.placement import domain_of_rank, rail_of_rank

        tables = tuple(
            matched.routing for file in lfts or () if (matched := matched_tables(given, file, skip_unrouted))
        )
        where = options.placement(given, job, placement, seed)
        schedule = job.schedule(domain_of_rank(given.topology, where), rail_of_rank(given.topology, where))
        with working("routing"):
            outcomes = compare_routings(given.topology, schedule, where, tables, hashing, threads)
        fastest = min(outcomes, key=lambda outcome: outcome.analysis.time_s)
        panels = tuple((end.name, end.analysis.loads.total) for end in dict.fromkeys((outcomes[0], fastest)))
        loads, tiers = fastest.analysis.loads.total, fastest.analysis.tiers
        assumptions = [*reasons, *options.assumptions(given, job, placement)]
        document = compare_report.routing_document(given, job, outcomes, written, assumptions)
        table = compare_report.routing_table(job, outcomes, f"{given.name}: {job.label}")
        notes = compare_report.routing_notes(written, assumptions)
    contents: dict[str, str | bytes] = {}
    if not no_figure:
        with working("drawing"):
            contents[str(path)] = compare_figure(panels, f"{given.name}: {job.label}", path.suffix)
    if csv is not None:
        contents[str(csv)] = report.links_csv(loads)
    write_all(contents, force)
    if json:
        report.print_json(document)
    else:
        report.print_tables([table], notes)
    over_threshold("imbalance of the best design", worst_imbalance(tiers), max_imbalance)


@app.command()
def busbw(
    fabric: FabricArgument,
    collective: Annotated[str, typer.Option(help="As for loads.")] = "all-reduce",
    sizes: Annotated[
        str, typer.Option(metavar="RANGE", help="FIRST:LAST doubles; or sizes with commas between.")
    ] = "1MiB:16GiB",
    algorithm: Annotated[
        str, typer.Option(metavar="A,B", help="Algorithms to list, or auto: the fastest for each size.")
    ] = "auto",
    measured: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Results of nccl-tests (table or JSON) to lay beside.")
    ] = None,
    gpus: Gpus = None,
    gpus_per_domain: PerDomain = None,
    placement: PlacementKind = None,
    hosts: HostsOption = None,
    topology_conf: TopologyConf = None,
    wiring: Wire = None,
    host_pattern: HostPattern = None,
    nvlink_gbps: NvlinkGbps = None,
    lfts: Lfts = None,
    routing: Annotated[
        str | None, typer.Option(help="adaptive, ecmp, dmodk or lft [default: lft with --lfts, else adaptive].")
    ] = None,
    queue_pairs: QueuePairs = 1,
    hash_seeds: HashSeeds = "per-switch",
    seed: Seed = 0,
    channels: Channels = None,
    cross_nic: CrossNic = None,
    hop_latency_ns: Annotated[
        float | None, typer.Option(min=0.0, help="Of each link beyond two [default: the fabric's].")
    ] = None,
    message_overhead_ns: Annotated[
        float | None, typer.Option(min=0.0, help="Of each further message that a rank posts [default: the fabric's].")
    ] = None,
    wire_efficiency: Annotated[
        float | None,
        typer.Option(min=0.001, max=1.0, help="Payload over bytes on the network [default: the fabric's]."),
    ] = None,
    nvlink_efficiency: Annotated[
        float | None, typer.Option(min=0.001, max=1.0, help="Payload over capacity of NVLink [default: the fabric's].")
    ] = None,
    base_latency_us: Annotated[
        float | None, typer.Option(min=0.0, help="Your own base latency, instead of NCCL's protocols.")
    ] = None,
    step_latency_us: Annotated[
        float, typer.Option(min=0.0, help="With --base-latency-us: of a step, wherever it goes.")
    ] = 0.0,
    efficiency: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="With --base-latency-us: payload over bytes moved.")
    ] = 1.0,
    latency_factor: Annotated[
        float, typer.Option(min=0.0, help="Multiply all latency, as a fit to --measured says.")
    ] = 1.0,
    bandwidth_factor: Annotated[
        float, typer.Option(min=0.001, help="Multiply all bandwidth, as a fit to --measured says.")
    ] = 1.0,
    figure: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Plot busbw over size (.png, .svg, .pdf).")
    ] = None,
    json: Json = False,
    force: Force = False,
    threads: Threads = None,
) -> None:
    """Predicted nccl-tests table of a collective over the whole job, with latency; measurements beside it.

    \b
    Examples:
      railscope busbw hgx-b200-64 --collective all-reduce --sizes 8B:16GiB
      railscope busbw my.toml --gpus 8 --measured all_reduce_perf.txt
      railscope busbw gb300-2048 --collective all-to-all --algorithm direct,pxn,two-phase --figure busbw.png
    """
    hashing = ecmp_of(queue_pairs, seed, hash_seeds)
    policy_name = routing or ("adaptive" if lfts is None else "lft")
    routing_name(policy_name)
    options = JobOptions(
        collective, gpus=gpus, gpus_per_domain=gpus_per_domain, hosts=hosts, topology_conf=topology_conf
    )
    options.check()
    names = tuple(algorithm.split(","))

    from collectives.catalog import TAKES, known_collective
    from fabric import busbw as prediction
    from fabric import busbw_report, report
    from fabric.heatmap import check_format
    from fabric.latency import GivenTimes, Protocol
    from fabric.loading import load_fabric
    from fabric.output import check_writable, write_whole
    from traces.nccl_tests import read_nccl_tests

    known_collective(collective)
    for option, value, known in (("--channels", channels, "n_channels"), ("--cross-nic", cross_nic, "cross_nic")):
        if value is not None and not {prediction.AUTO, *TAKES[known]} & set(names):
            usage(f"{option} goes with --algorithm {' or '.join(TAKES[known])}")
    wanted = prediction.parse_sizes(sizes)
    results = read_nccl_tests(measured) if measured is not None else None
    if figure is not None:
        check_format(figure)
        check_writable(figure, force)
    given = load_fabric(fabric, wiring_of(wiring), host_pattern, nvlink_gbps)
    policy = routing_of(policy_name, hashing, matched_tables(given, lfts, skip_unrouted=False))
    job = options.traffic(given)
    where = options.placement(given, job, placement, seed)
    own = None
    if base_latency_us is not None:
        own = Protocol("own", base_latency_us * 1e-6, step_latency_us * 1e-6, step_latency_us * 1e-6, efficiency)
    elif step_latency_us != 0.0 or efficiency != 1.0:
        usage("--step-latency-us and --efficiency go with --base-latency-us")
    times = GivenTimes(
        None if hop_latency_ns is None else hop_latency_ns * 1e-9,
        None if message_overhead_ns is None else message_overhead_ns * 1e-9,
        wire_efficiency,
        nvlink_efficiency,
        None,
        own,
    )
    model, sources = time_model_of(given, times, latency_factor, bandwidth_factor)
    if results is not None:
        prediction.same_test(results, str(measured), collective, where.n_ranks)
    with working("routing"):
        sharp = switches_reduce(given)
        found = prediction.costs(
            given.topology, where, collective, names, policy, model, sharp, threads, None, channels, cross_nic
        )
    best_only = names == (prediction.AUTO,)
    rows = prediction.predict(collective, where.n_ranks, wanted, found, model, best_only)
    comparison = None
    if results is not None:
        comparison = prediction.compare_measured(results.rows, collective, where.n_ranks, found, model)
    title = f"{given.name}: {collective} on {where.n_ranks:,} ranks, predicted"
    if figure is not None:
        write_whole(figure, busbw_report.busbw_figure(rows, comparison, title, figure.suffix), force)
    assumptions = [*options.assumptions(given, job, placement)[:-1], *sources]
    if json:
        report.print_json(busbw_report.busbw_document(given, collective, where.n_ranks, rows, comparison, assumptions))
        return
    tables = [busbw_report.busbw_table(collective, where.n_ranks, rows, title)]
    notes = [f"auto: {line}" for line in prediction.why(rows, found)] if best_only else []
    if comparison is not None:
        tables.append(busbw_report.measured_table(comparison, str(measured)))
        notes += busbw_report.fit_notes(comparison)
    report.print_tables(tables, [*notes, *(f"assumed: {line}" for line in assumptions)])


@app.command()
def rates(
    fabric: FabricArgument,
    demand: Annotated[Path, typer.Option(metavar="FILE", help="Flows as CSV: src,dst,bytes and perhaps start_s.")],
    paths: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Their paths as CSV: flow,tail,head,cable [default: as --routing says]."),
    ] = None,
    wiring: Wire = None,
    host_pattern: HostPattern = None,
    nvlink_gbps: NvlinkGbps = None,
    lfts: Lfts = None,
    routing: Annotated[
        str | None, typer.Option(help="adaptive, ecmp, dmodk or lft [default: lft with --lfts, else adaptive].")
    ] = None,
    queue_pairs: QueuePairs = 1,
    hash_seeds: HashSeeds = "per-switch",
    seed: Seed = 0,
    quantum: Annotated[
        float, typer.Option(min=0.0, metavar="SECONDS", help="Let flows end together within so long: faster.")
    ] = 0.0,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per flow.")] = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """When flows end that share the fabric at max-min fair rates.

    --paths gives the hops between switches of flow number `flow` (row of the demand, from 1); those of the endpoints
    are implied.

    \b
    Example:
      railscope rates hgx-b200-64 --demand flows.csv --routing ecmp --csv finish.csv
    """
    hashing = ecmp_of(queue_pairs, seed, hash_seeds)
    policy_name = routing or ("adaptive" if lfts is None else "lft")
    routing_name(policy_name)
    if paths is not None and (routing is not None or lfts is not None):
        usage("--paths: says the paths itself; expected neither --routing nor --lfts")

    import numpy as np

    from fabric import rates_report, report
    from fabric.given_paths import given_paths
    from fabric.loading import load_fabric
    from fabric.loads_report import routing_facts, routing_text
    from fabric.output import check_writable, write_whole
    from fabric.paths import route_flows
    from fabric.rates import completions
    from traces.flows_csv import read_timed_flows_csv
    from traces.paths_csv import read_paths_csv

    if csv is not None:
        check_writable(csv, force)
    given = load_fabric(fabric, wiring_of(wiring), host_pattern, nvlink_gbps)
    topology = given.topology
    flows, start = read_timed_flows_csv(demand, topology.endpoint_names)
    with working("sharing"):
        if paths is not None:
            routed = given_paths(topology, flows.src, flows.dst, read_paths_csv(paths), str(paths))
            facts: dict[str, object] = {"policy": "given", "paths": str(paths)}
            text = f"given by {paths}"
        else:
            policy = routing_of(policy_name, hashing, matched_tables(given, lfts, skip_unrouted=False))
            routed = route_flows(topology, flows.src, flows.dst, policy)
            facts, text = routing_facts(policy), routing_text(policy)
        capacity = topology.link_capacity_gbps * (1e9 / 8)
        done = completions(capacity, routed.paths, flows.bytes[routed.flow] * routed.part, start[routed.flow], quantum)
        finish = start.copy()
        np.maximum.at(finish, routed.flow, done.finish_s)
    timed = rates_report.TimedFlows(flows, start, finish)
    if csv is not None:
        write_whole(csv, rates_report.rates_csv(given, timed), force)
    assumptions = rates_report.rates_assumptions(given, done)
    if json:
        report.print_json(rates_report.rates_document(given, timed, done, facts, assumptions))
    else:
        table = rates_report.rates_table(given, timed, done, text)
        report.print_tables([table], [f"assumed: {line}" for line in assumptions])


@app.command()
def trace(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Kineto traces, one file per rank.")],
    top: Annotated[int, typer.Option(min=0, help="Rows on the screen.")] = 20,
    json: Json = False,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per operation.")] = None,
    force: Force = False,
) -> None:
    """What a trace contains: its collectives, their sizes and groups, and what is missing.

    \b
    Example:
      railscope trace rank0.json.gz rank1.json.gz
    """
    from fabric import report, trace_report
    from fabric.output import check_writable, write_whole
    from traces.kineto import read_kineto

    if csv is not None:
        check_writable(csv, force)
    with working("reading"):
        contents = read_kineto(files)
    if csv is not None:
        write_whole(csv, trace_report.operations_csv(contents), force)
    if json:
        report.print_json(trace_report.trace_document(contents))
    else:
        report.print_tables(
            trace_report.trace_tables(contents, top), [f"warning: {line}" for line in contents.warnings]
        )


@fabric_app.command("list")
def list_presets(json: Json = False) -> None:
    """Presets that ship with railscope.

    \b
    Example:
      railscope fabric list
    """
    from fabric import report
    from fabric.builders.presets import load_preset, preset_names

    tables = [load_preset(name).fabric for name in preset_names()]
    if json:
        rows = [
            {"name": table.name, "technology": table.technology, "description": table.description} for table in tables
        ]
        report.print_json({"schema": "railscope.presets/1", "presets": rows})
    else:
        lines = tuple((table.name, table.technology, table.description) for table in tables)
        report.print_tables([report.Table("Presets", ("name", "technology", "description"), lines)])


@fabric_app.command()
def show(fabric: FabricArgument, wiring: Wire = None, host_pattern: HostPattern = None, json: Json = False) -> None:
    """Facts of a fabric: endpoints, switches, cables and oversubscription per tier.

    \b
    Example:
      railscope fabric show gb300-8192
    """
    from fabric import fabric_report, report
    from fabric.loading import load_fabric
    from fabric.loads_report import fabric_facts

    given = load_fabric(fabric, wiring_of(wiring), host_pattern)
    if json:
        document = {
            "schema": "railscope.fabric/1",
            "fabric": fabric_facts(given),
            **fabric_report.fabric_document(given.topology),
        }
        report.print_json({**document, "assumptions": list(given.assumptions)})
    else:
        report.print_tables(
            fabric_report.fabric_tables(given.topology), [f"assumed: {line}" for line in given.assumptions]
        )


@fabric_app.command()
def check(
    fabric: FabricArgument,
    lfts: Lfts = None,
    host_pattern: HostPattern = None,
    top: Annotated[int, typer.Option(min=0, help="Examples of each finding on the screen.")] = 5,
    json: Json = False,
    threads: Threads = None,
) -> None:
    """Health of a fabric and its routing tables: unreachable pairs, loops, deadlocks, uneven tables, slow cables.

    Exit status 1 if there are errors.

    \b
    Example:
      railscope fabric check cluster.ibnetdiscover --lfts opensm-lfts.dump
    """
    from fabric import check_report, report
    from fabric.check import check_fabric
    from fabric.loading import load_fabric

    given = load_fabric(fabric, None, host_pattern)
    tables = matched_tables(given, lfts, skip_unrouted=True)
    with working("checking"):
        health = check_fabric(given.topology, tables, threads)
    if json:
        report.print_json(check_report.check_document(given, tables, health))
    else:
        report.print_tables(check_report.check_tables(given, health, top), [f"inferred: {n}" for n in given.notes])
    if health.n_errors:
        fail(f"{fabric}: {health.n_errors} kinds of errors")


@fabric_app.command()
def export(
    fabric: FabricArgument,
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="Ends in .json, .graphml, .net or .infragraph.json (.gz).")
    ],
    wiring: Wire = None,
    host_pattern: HostPattern = None,
    force: Force = False,
) -> None:
    """Write a fabric as node-link JSON (.json), GraphML, ibsim's netlist (.net) or InfraGraph (.infragraph.json).

    \b
    Example:
      railscope fabric export hgx-b200-64 hgx.json
    """
    from fabric.exporting import exported
    from fabric.loading import load_fabric
    from fabric.output import check_writable, write_all

    check_writable(output, force)
    texts, notes = exported(load_fabric(fabric, wiring_of(wiring), host_pattern), output)
    write_all(texts, force)
    for note in notes:
        print(f"railscope: note: {note}", file=sys.stderr)


@fabric_app.command()
def reroute(
    fabric: FabricArgument,
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Forwarding tables to write, for --lfts.")],
    engine: Annotated[str, typer.Option(help="ftree, updn, minhop or dfsssp.")] = "ftree",
    wiring: Wire = None,
    host_pattern: HostPattern = None,
    force: Force = False,
) -> None:
    """Route a fabric with a real OpenSM over the simulator ibsim; both must be installed.

    \b
    Example:
      railscope fabric reroute cluster.ibnetdiscover ftree.lfts --engine ftree
    """
    from fabric.formats.ibsim import ibsim_netlist
    from fabric.loading import load_fabric
    from fabric.output import check_writable, write_whole
    from fabric.reroute import ENGINES
    from fabric.reroute import reroute as run_opensm

    one_of(engine, ENGINES, "--engine")
    check_writable(output, force)
    given = load_fabric(fabric, wiring_of(wiring), host_pattern)
    with working(f"opensm -R {engine}"):
        tables = run_opensm(ibsim_netlist(given.topology, given.origin), engine)
    write_whole(output, tables, force)
