"""The command `busbw`: predicted nccl-tests tables."""

from pathlib import Path
from typing import Annotated

import typer

from fabric.commands.options import (
    Channels,
    CrossNic,
    FabricArgument,
    Force,
    Gpus,
    HashSeeds,
    HostPattern,
    HostsOption,
    JobOptions,
    Json,
    Lfts,
    NvlinkGbps,
    PerDomain,
    PlacementKind,
    QueuePairs,
    RoutingName,
    Seed,
    Threads,
    TopologyConf,
    Wire,
    check_channels,
    ecmp_of,
    matched_lfts,
    routing_name,
    routing_of,
    switches_reduce,
    time_model_of,
    usage,
    wiring_of,
)
from fabric.commands.terminal import working


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
    routing: RoutingName = None,
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
        Path | None, typer.Option(metavar="PATH", help="Plot busbw and time over size (.png, .svg, .pdf).")
    ] = None,
    json: Json = False,
    force: Force = False,
    threads: Threads = None,
) -> None:
    """Predicted nccl-tests table of a collective over the whole job, with latency; measurements beside it.

    \b
    Examples:
      railscope busbw hgx-b200-64 --collective all-reduce --sizes 8B:16GiB
      railscope busbw my.toml --gpus 8 --algorithm ring,trees,nvls --measured all_reduce_perf.txt
      railscope busbw gb300-2048 --collective all-to-all --algorithm direct,pxn,two-phase --figure busbw.png
    """
    hashing = ecmp_of(queue_pairs, seed, hash_seeds)
    policy_name = routing_name(routing, lfts)
    options = JobOptions(
        collective, gpus=gpus, gpus_per_domain=gpus_per_domain, hosts=hosts, topology_conf=topology_conf
    )
    options.check()
    names = tuple(name.strip() for name in algorithm.split(","))

    from collectives.catalog import ALGORITHMS, AUTO, known_collective
    from fabric.files import check_writable, write_whole
    from fabric.formats.opening import open_fabric
    from fabric.reports import busbw as busbw_report, screen
    from fabric.reports.heatmap import check_format
    from fabric.timing import prediction
    from fabric.timing.protocols import GivenTimes, Protocol
    from traces.nccl_tests import read_nccl_tests

    known_collective(collective)
    if AUTO in names and len(names) > 1:
        usage(f"--algorithm {algorithm}: expected auto alone, or names of algorithms")
    best_only = names == (AUTO,)
    check_channels(channels, cross_nic, ALGORITHMS[collective] if best_only else names)
    wanted = prediction.parse_sizes(sizes)
    results = read_nccl_tests(measured) if measured is not None else None
    if figure is not None:
        check_format(figure)
        check_writable(figure, force)
    given = open_fabric(fabric, wiring_of(wiring), host_pattern, nvlink_gbps)
    policy = routing_of(policy_name, hashing, matched_lfts(given, lfts, skip_unrouted=False))
    job = options.traffic(given)
    where = options.placement(given, job, placement, seed)
    own = None
    if base_latency_us is not None:
        own = Protocol("own", base_latency_us * 1e-6, step_latency_us * 1e-6, step_latency_us * 1e-6, efficiency)
    elif step_latency_us != 0.0 or efficiency != 1.0:
        usage("--step-latency-us and --efficiency go with --base-latency-us")
    times = GivenTimes.in_ns(hop_latency_ns, message_overhead_ns, wire_efficiency, nvlink_efficiency, protocol=own)
    model, sources = time_model_of(given, times, latency_factor, bandwidth_factor)
    if results is not None:
        prediction.same_test(results, str(measured), collective, where.n_ranks)
    with working("routing"):
        sharp = switches_reduce(given)
        found = prediction.alpha_betas(
            given.topology, where, collective, names, policy, model, sharp, threads, None, channels, cross_nic
        )
    rows = prediction.predict(collective, where.n_ranks, wanted, found, model, best_only)
    comparison = None
    if results is not None:
        comparison = prediction.compare_measured(results.rows, collective, where.n_ranks, found, model)
    title = f"{given.name}: {collective} on {where.n_ranks:,} ranks, predicted"
    if figure is not None:
        write_whole(figure, busbw_report.busbw_figure(rows, comparison, title, figure.suffix), force)
    assumptions = [*options.assumptions(given, job, placement, with_latency=True), *sources]
    if json:
        screen.print_json(busbw_report.busbw_document(given, collective, where.n_ranks, rows, comparison, assumptions))
        return
    tables = [busbw_report.busbw_table(collective, where.n_ranks, rows, title)]
    notes = [f"auto: {line}" for line in prediction.why(rows, found)] if best_only else []
    if comparison is not None:
        tables.append(busbw_report.measured_table(comparison, str(measured)))
        notes += busbw_report.fit_notes(comparison)
    screen.print_report([], tables, notes, assumptions, verbose=True)
