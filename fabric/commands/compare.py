"""The command `compare`: naive against rail-aware, or routings against each other, on the same cables."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fabric.commands.options import (
    Algorithm,
    Axis,
    Collective,
    DemandFile,
    FabricArgument,
    Force,
    Gpus,
    GroupSize,
    HashSeeds,
    HostPattern,
    HostsOption,
    JobOptions,
    Json,
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
    TopologyConf,
    TraceFiles,
    ecmp_of,
    matched_lfts,
    usage,
)
from fabric.commands.terminal import over_threshold, working

if TYPE_CHECKING:
    from fabric.routing.link_loads import LinkLoads

# Groups of `compare` where nothing is said: the expert-parallel size of published DeepSeek-V3 recipes.
USUAL_GROUP = 64


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

    from collectives.catalog import AUTO
    from fabric.files import check_writable, unused_path, write_all
    from fabric.formats.opening import open_fabric, rail_wired
    from fabric.reports import compare as compare_report, screen
    from fabric.reports.heatmap import check_format, compare_figure, drawable
    from fabric.reports.links import links_csv
    from fabric.routing.policies import Adaptive
    from fabric.studies.hotspots import worst_imbalance

    given = open_fabric(fabric, None, host_pattern, nvlink_gbps)
    path = figure or unused_path(f"railscope-{given.name}-{collective or 'job'}.png")
    check_format(path)
    for target in (csv, None if no_figure else path):
        if target is not None:
            check_writable(target, force)
    if group is None and parallel is None and collective and options.n_ranks(given) % USUAL_GROUP == 0:
        options = replace(options, group=USUAL_GROUP)
    with working("algorithms"):
        aware = rail_wired(given) if algorithm == AUTO and not lfts else given
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
        from collectives.catalog import IN_NETWORK
        from fabric.studies.ladder import Job, ladder

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
        notes = compare_report.ladder_notes(rungs, written)
    else:
        from fabric.jobs.placement import domain_of_rank, rail_of_rank
        from fabric.studies.routings import compare_routings

        tables = tuple(matched.routing for file in lfts or () if (matched := matched_lfts(given, file, skip_unrouted)))
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
        notes = compare_report.routing_notes(job, outcomes, written)
    contents: dict[str, str | bytes] = {}
    if not no_figure:
        with working("drawing"):
            contents[str(path)] = compare_figure(panels, f"{given.name}: {job.label}", path.suffix)
    if csv is not None:
        contents[str(csv)] = links_csv(loads)
    write_all(contents, force)
    if json:
        screen.print_json(document)
    else:
        screen.print_report([], [table], notes, assumptions, verbose=True)
    over_threshold("imbalance of the best design", worst_imbalance(tiers), max_imbalance)
