"""The command `loads`: per-link loads and hotspots of one job."""

from pathlib import Path
from typing import Annotated

import typer

from fabric.commands.options import (
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
    RoutingName,
    Seed,
    Size,
    SkipUnrouted,
    Threads,
    Threshold,
    TopologyConf,
    TraceFiles,
    Wire,
    ecmp_of,
    matched_lfts,
    one_of,
    routing_name,
    routing_of,
    usage,
    wiring_of,
)
from fabric.commands.terminal import over_threshold, working


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
    routing: RoutingName = None,
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
    policy_name = routing_name(routing, lfts)
    if seeds is not None and policy_name != hashing.name:
        usage("--seeds: only --routing ecmp hashes")
    one_of(transport, ("direct", "pxn"), "--transport")
    chosen_wiring = wiring_of(wiring)

    from collectives.transport import rail_aligned
    from fabric.bounds.linear_program import linear_program_bound
    from fabric.files import check_writable, write_all
    from fabric.formats.exporting import annotated, annotations_path
    from fabric.formats.opening import open_fabric
    from fabric.jobs.placement import domain_of_rank, rail_of_rank
    from fabric.reports import loads as loads_report, screen
    from fabric.reports.channels import channels_document, channels_table
    from fabric.reports.heatmap import check_format, compare_figure
    from fabric.reports.links import links_csv
    from fabric.studies.analysis import analyse, bound_of, over_hash_seeds
    from fabric.studies.hotspots import worst_imbalance

    if figure is not None:
        check_format(figure)
    for path in (csv, figure, infragraph, annotations_path(infragraph) if infragraph else None):
        if path is not None:
            check_writable(path, force)
    given = open_fabric(fabric, chosen_wiring, host_pattern, nvlink_gbps)
    policy = routing_of(policy_name, hashing, matched_lfts(given, lfts, skip_unrouted))
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
        files[str(csv)] = links_csv(total)
    if infragraph is not None:
        files |= annotated(given.topology, total.bytes, infragraph)
    write_all(files, force)
    choices = {"transport": transport, "placement": placement or ("given" if job.placement else "packed")}
    assumptions = [*reasons, *options.assumptions(given, job, placement)]
    rings = job.channels(domain, rail) if job.channels is not None else ()
    if json:
        document = loads_report.loads_document(given, job, analysis, distribution, choices, bounds, assumptions)
        screen.print_json({**document, "channels": channels_document(rings)} if rings else document)
    else:
        tables = loads_report.loads_tables(job, analysis, distribution, choices, bounds, top)
        tables += [channels_table(rings)] if rings else []
        screen.print_report([], tables, [], assumptions, verbose=True)
    over_threshold("imbalance", worst_imbalance(analysis.tiers), max_imbalance)
