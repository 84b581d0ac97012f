"""The command line.  Data goes to standard output, messages and progress to standard error.

Exit status: 0 done; 1 failed, with one clear line; 2 usage; 3 a threshold that the user set was crossed.
"""

import contextlib
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from fabric.compare import Rung
    from fabric.loading import LoadedFabric
    from fabric.placement import Placement
    from fabric.routing import Routing
    from fabric.traffic import Traffic

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

Item = TypeVar("Item")

FabricArgument = Annotated[
    str, typer.Argument(metavar="FABRIC", help="A preset's name, a .toml description, or node-link .json (.gz).")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
CsvPath = Annotated[Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per link.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")]
Collective = Annotated[
    str | None,
    typer.Option(help="all-reduce, all-to-all, all-gather, reduce-scatter, broadcast or reduce."),
]
Size = Annotated[str, typer.Option(metavar="BYTES", help="Size as nccl-tests counts it, with a unit.")]
GroupSize = Annotated[
    int | None, typer.Option("--group", metavar="N", help="Ranks per group, consecutive [default: the whole job].")
]
Algorithm = Annotated[str | None, typer.Option(help="ring or hierarchical (all-reduce).")]
Parallel = Annotated[
    str | None, typer.Option(metavar="SIZES", help="Parallel layout such as tp=4,pp=8,ep=64 (Megatron's meaning).")
]
Axis = Annotated[str | None, typer.Option(metavar="AXES", help="Axes of --parallel that the groups run over, e.g. ep.")]
Order = Annotated[str, typer.Option(help="Order of the axes of --parallel, fastest first.")]
Gpus = Annotated[int | None, typer.Option(metavar="N", help="GPUs of the job [default: the fabric's].")]
PerDomain = Annotated[
    int | None, typer.Option("--gpus-per-domain", metavar="N", help="GPUs that the job takes of each NVLink domain.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of scattered placement and of the hashes.")]
QueuePairs = Annotated[int, typer.Option(min=1, help="ecmp: queue pairs per pair of endpoints, each with a path.")]
HashSeeds = Annotated[str, typer.Option(help="ecmp: per-switch, or shared (which shows polarization).")]
Threshold = Annotated[
    float, typer.Option(min=0.0, help="A link is hot above this many times the mean of its tier and direction.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads [default: all]; the result does not depend on it.")]
Figure = Annotated[Path | None, typer.Option(metavar="PATH", help="Write heatmaps leaf x spine (.png, .svg, .pdf).")]
MaxImbalance = Annotated[
    float | None,
    typer.Option("--max-imbalance", metavar="X", help="Exit 3 if max/mean between switches is above X in any tier."),
]
Wire = Annotated[str | None, typer.Option(help="Wire a described fabric by rail or by host (top of rack).")]


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
    print(f"railscope: error: {message}", file=sys.stderr)
    raise SystemExit(1)


def usage(message: str) -> NoReturn:
    raise typer.BadParameter(message)


def one_of(value: str, choices: tuple[str, ...], option: str) -> str:
    if value not in choices:
        usage(f"{option} {value}: expected {' or '.join(choices)}")
    return value


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on standard error, on a terminal only."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


@app.command()
def loads(
    fabric: FabricArgument,
    collective: Collective = None,
    size: Size = "1GiB",
    group: GroupSize = None,
    algorithm: Algorithm = None,
    parallel: Parallel = None,
    axis: Axis = None,
    order: Order = "tp-cp-ep-dp-pp",
    trace: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A Kineto trace; give it once per rank's file.")
    ] = None,
    demand: Annotated[Path | None, typer.Option(metavar="FILE", help="Flows as CSV: src,dst,bytes.")] = None,
    gpus: Gpus = None,
    gpus_per_domain: PerDomain = None,
    placement: Annotated[
        str | None, typer.Option(help="packed, scattered, or a file with an endpoint per line [default: packed].")
    ] = None,
    transport: Annotated[str, typer.Option(help="direct, or pxn: cross rails over NVLink first.")] = "direct",
    wiring: Wire = None,
    routing: Annotated[str, typer.Option(help="adaptive, ecmp or dmodk.")] = "adaptive",
    queue_pairs: QueuePairs = 1,
    hash_seeds: HashSeeds = "per-switch",
    seed: Seed = 0,
    seeds: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="ecmp: run N hash seeds, report p50, p99 and worst.")
    ] = None,
    threshold: Threshold = 1.5,
    top: Annotated[int, typer.Option(min=0, help="Hotspots to list on the screen.")] = 20,
    max_imbalance: MaxImbalance = None,
    csv: CsvPath = None,
    figure: Figure = None,
    json: Json = False,
    force: Force = False,
    threads: Threads = None,
) -> None:
    """Per-link loads and hotspots of one job.

    Examples:
      railscope loads gb300-2048 --collective all-to-all --group 256 --routing ecmp

      railscope loads hgx-b200-64 --trace rank0.json.gz --csv links.csv
    """
    from fabric.loading import load_fabric
    from fabric.output import check_writable

    for path in (csv, figure):
        if path is not None:
            check_writable(path, force)
    chosen_wiring = None if wiring is None else one_of(wiring, ("rail", "host"), "--wiring")
    one_of(transport, ("direct", "pxn"), "--transport")
    policy = routing_of(routing, queue_pairs, seed, hash_seeds)
    if seeds is not None and routing != "ecmp":
        usage("--seeds: only --routing ecmp hashes")
    if sum([collective is not None, bool(trace), demand is not None]) != 1:
        usage("expected one of --collective, --trace and --demand")
    given = load_fabric(fabric, chosen_wiring)  # type: ignore[arg-type]
    job = traffic_of(
        given, collective, size, group, algorithm, parallel, axis, order, trace, demand, gpus, gpus_per_domain
    )
    where = placement_of(given, job, placement, gpus, gpus_per_domain, seed)

    from collectives.transport import rail_aligned
    from fabric.hotspots import bottleneck, hotspots, links_in_job, tier_summaries, worst_imbalance
    from fabric.load import schedule_loads
    from fabric.placement import domain_of_rank, rail_of_rank

    topology = given.topology
    domain, rail = domain_of_rank(topology, where), rail_of_rank(topology, where)
    schedule = job.schedule(domain, rail)
    if transport == "pxn":
        schedule = rail_aligned(schedule, domain, rail)
    with working("routing"):
        result = schedule_loads(topology, schedule, where, policy, threads)
    counted = links_in_job(topology, where)
    tiers = tier_summaries(result.total, counted, threshold)
    hot = hotspots(result.total, counted, threshold)
    distribution = None
    if seeds is not None:
        times, imbalances = [], []
        with working(f"{seeds} hash seeds"):
            for number in range(seed, seed + seeds):
                other = routing_of(routing, queue_pairs, number, hash_seeds)
                run_loads = schedule_loads(topology, schedule, where, other, threads)
                times.append(run_loads.bottleneck_time_s)
                imbalances.append(worst_imbalance(tier_summaries(run_loads.total, counted)))
        distribution = {
            "seeds": seeds,
            "first_seed": seed,
            "time_s": spread(times),
            "imbalance": spread([value for value in imbalances if value is not None]),
        }

    from fabric import report
    from fabric.output import write_whole

    if csv is not None:
        write_whole(csv, report.links_csv(result.total), force)
    if figure is not None:
        from fabric.heatmap import check_format, compare_figure

        check_format(figure)
        data = compare_figure(((topology.name, result.total),), f"{topology.name}: {job.label}", figure.suffix)
        write_whole(figure, data, force)
    summary = summary_of(job, result.bottleneck_time_s, schedule.total_bytes())
    assumptions = assumptions_of(given, job, placement, gpus_per_domain)
    hottest = bottleneck(result.total, counted)
    if json:
        report.print_json(
            {
                "schema": "railscope.loads/1",
                "fabric": fabric_facts(given),
                "traffic": {"label": job.label, **job.facts, "transport": transport},
                "placement": {"kind": placement or "packed", "ranks": where.n_ranks},
                "routing": routing_facts(policy),
                "summary": summary,
                "bottleneck": report.hotspot_document(hottest) if hottest else None,
                "tiers": [vars(tier) for tier in tiers],
                "hotspots": [report.hotspot_document(spot) for spot in hot[:1000]],
                "hotspots_total": len(hot),
                "hash_seeds": distribution,
                "assumptions": assumptions,
            }
        )
    else:
        head = [
            ("fabric", f"{topology.name}: {topology.n_endpoints:,} endpoints, {topology.n_links:,} links"),
            ("traffic", job.label + (", rail-aligned (PXN)" if transport == "pxn" else "")),
            (
                "placement",
                f"{placement or 'given' if job.placement else placement or 'packed'}, {where.n_ranks:,} ranks",
            ),
            ("routing", routing_text(policy)),
            ("bytes", report.bytes_text(schedule.total_bytes())),
            ("bottleneck time", report.seconds_text(result.bottleneck_time_s)),
            ("busiest link", link_text(hottest)),
        ]
        if summary["busbw_GBps"] is not None:
            head.insert(6, ("algbw, busbw", f"{summary['algbw_GBps']:.4g}, {summary['busbw_GBps']:.4g} GB/s"))
        tables = [
            report.Table("Result", ("what", "value"), tuple(head)),
            report.tier_table(tiers, threshold),
            report.hotspot_table(hot[:top], len(hot), threshold),
        ]
        if distribution is not None:
            tables.append(seeds_table(distribution))
        report.print_tables(tables, [f"assumed: {line}" for line in assumptions])
    worst = worst_imbalance(tiers)
    if max_imbalance is not None and worst is not None and worst > max_imbalance:
        print(f"railscope: imbalance {worst:.3f} is above --max-imbalance {max_imbalance:g}", file=sys.stderr)
        raise typer.Exit(3)


@app.command()
def compare(
    fabric: FabricArgument,
    collective: Collective = "all-to-all",
    size: Size = "1GiB",
    group: GroupSize = None,
    algorithm: Algorithm = None,
    parallel: Parallel = None,
    axis: Axis = None,
    order: Order = "tp-cp-ep-dp-pp",
    gpus: Gpus = None,
    gpus_per_domain: PerDomain = None,
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
        Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per link of the rail-aware design.")
    ] = None,
    json: Json = False,
    force: Force = False,
    threads: Threads = None,
) -> None:
    """Naive to rail-aware, one step at a time, on the same switches and cables; heatmaps side by side.

    Groups default to 64 ranks where 64 divides the job (the expert-parallel size of published DeepSeek-V3 recipes).

    Examples:
      railscope compare gb300-8192 --collective all-to-all --group 64

      railscope compare hgx-b200-64 --collective all-reduce --algorithm hierarchical --size 256MiB
    """
    from fabric.heatmap import check_format, compare_figure
    from fabric.loading import load_fabric
    from fabric.output import check_writable, unused_path, write_whole

    given = load_fabric(fabric)
    if given.description is None:
        fail(f"{fabric}: compare rewires the fabric; expected a preset or a .toml description")
    name = collective or "all-to-all"
    path = figure or unused_path(f"railscope-{given.name}-{name}.png")
    check_format(path)
    for target in (csv, None if no_figure else path):
        if target is not None:
            check_writable(target, force)
    policy = routing_of("ecmp", queue_pairs, seed, hash_seeds)
    job_facts = given.description.job
    n_ranks = gpus or job_facts.gpus or given.topology.n_endpoints
    if group is None and parallel is None and n_ranks % 64 == 0:
        group = 64
    job = traffic_of(given, name, size, group, algorithm, parallel, axis, order, None, None, n_ranks, gpus_per_domain)
    per_domain = gpus_per_domain or job_facts.gpus_per_domain

    from fabric.compare import Job, ladder

    with working("naive to rail-aware"):
        rungs = ladder(
            given.description,
            Job(n_ranks, per_domain, job.schedule, job.collective, job.group_size, job.bytes),
            policy,  # type: ignore[arg-type]
            seed,
            threads,
        )
    naive, aware = rungs[0].outcome, rungs[-1].outcome
    if not no_figure:
        with working("drawing"):
            panels = (("naive", naive.loads.total), ("rail-aware", aware.loads.total))
            write_whole(path, compare_figure(panels, f"{given.name}: {job.label}", path.suffix), force)
    from fabric import report
    from fabric.hotspots import worst_imbalance

    if csv is not None:
        write_whole(csv, report.links_csv(aware.loads.total), force)
    written = None if no_figure else str(path)
    assumptions = assumptions_of(given, job, "packed", gpus_per_domain)
    assumptions.append(f"naive placement: the same hosts as the packed one, shuffled with seed {seed}")
    if json:
        report.print_json(
            {
                "schema": "railscope.compare/1",
                "fabric": fabric_facts(given),
                "traffic": {"label": job.label, **job.facts},
                "ladder": [rung_document(rung) for rung in rungs],
                "figure": written,
                "assumptions": assumptions,
            }
        )
    else:
        report.print_tables([ladder_table(rungs, f"{given.name}: {job.label}")], ladder_notes(written, assumptions))
    worst = worst_imbalance(aware.tiers)
    if max_imbalance is not None and worst is not None and worst > max_imbalance:
        print(f"railscope: rail-aware imbalance {worst:.3f} is above {max_imbalance:g}", file=sys.stderr)
        raise typer.Exit(3)


@app.command()
def trace(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Kineto traces, one file per rank.")],
    top: Annotated[int, typer.Option(min=0, help="Rows on the screen.")] = 20,
    json: Json = False,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per operation.")] = None,
    force: Force = False,
) -> None:
    """What a trace contains: its collectives, their sizes and groups, and what is missing.

    Example:
      railscope trace rank0.json.gz rank1.json.gz
    """
    from fabric import report, tracing
    from fabric.output import check_writable, write_whole
    from traces.kineto import read_kineto

    if csv is not None:
        check_writable(csv, force)
    with working("reading"):
        contents = read_kineto(files)
    if csv is not None:
        write_whole(csv, tracing.operations_csv(contents), force)
    if json:
        report.print_json(tracing.trace_document(contents))
    else:
        report.print_tables(tracing.trace_tables(contents, top), [f"warning: {line}" for line in contents.warnings])


@fabric_app.command("list")
def list_presets(json: Json = False) -> None:
    """Presets that ship with railscope.

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
def show(fabric: FabricArgument, wiring: Wire = None, json: Json = False) -> None:
    """Facts of a fabric: endpoints, switches, cables and oversubscription per tier.

    Example:
      railscope fabric show gb300-8192
    """
    from fabric import facts, report
    from fabric.loading import load_fabric

    chosen = None if wiring is None else one_of(wiring, ("rail", "host"), "--wiring")
    given = load_fabric(fabric, chosen)  # type: ignore[arg-type]
    if json:
        document = {
            "schema": "railscope.fabric/1",
            "fabric": fabric_facts(given),
            **facts.fabric_document(given.topology),
        }
        report.print_json({**document, "assumptions": list(given.assumptions)})
    else:
        report.print_tables(facts.fabric_tables(given.topology), [f"assumed: {line}" for line in given.assumptions])


@fabric_app.command()
def export(
    fabric: FabricArgument,
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Node-link JSON to write (.json or .json.gz).")],
    wiring: Wire = None,
    force: Force = False,
) -> None:
    """Write a fabric as networkx node-link JSON, which railscope and networkx read.

    Example:
      railscope fabric export hgx-b200-64 hgx.json
    """
    from fabric.formats.node_link import write_node_link
    from fabric.loading import load_fabric
    from fabric.output import check_writable

    if not output.name.endswith((".json", ".json.gz")):
        usage(f"OUTPUT {output}: expected a name that ends in .json or .json.gz")
    check_writable(output, force)
    chosen = None if wiring is None else one_of(wiring, ("rail", "host"), "--wiring")
    write_node_link(load_fabric(fabric, chosen).topology, output, force)  # type: ignore[arg-type]


def routing_of(name: str, queue_pairs: int, seed: int, hash_seeds: str) -> "Routing":
    from fabric.routing import ROUTINGS, Ecmp

    one_of(name, tuple(ROUTINGS), "--routing")
    one_of(hash_seeds, ("per-switch", "shared"), "--hash-seeds")
    if name == "ecmp":
        return Ecmp(queue_pairs, seed, hash_seeds == "shared")
    return ROUTINGS[name]()


def routing_text(policy: "Routing") -> str:
    return ", ".join(
        f"{key} {value}" if key != "policy" else str(value) for key, value in routing_facts(policy).items()
    )


def routing_facts(policy: "Routing") -> dict[str, object]:
    return {"policy": policy.name, **vars(policy)}


def traffic_of(
    given: "LoadedFabric",
    collective: str | None,
    size: str,
    group: int | None,
    algorithm: str | None,
    parallel: str | None,
    axis: str | None,
    order: str,
    trace: list[Path] | None,
    demand: Path | None,
    gpus: int | None,
    gpus_per_domain: int | None,
) -> "Traffic":
    from collectives.layout import ParallelLayout
    from collectives.sizes import parse_bytes
    from fabric.placement import packed
    from fabric.traffic import collective_traffic, demand_traffic, trace_traffic

    if collective is None:
        for option, value in (("--group", group), ("--parallel", parallel), ("--algorithm", algorithm)):
            if value is not None:
                usage(f"{option} goes with --collective")
    if demand is not None:
        return demand_traffic(demand, given.topology)
    if trace:
        return trace_traffic(trace, gpus)
    assert collective is not None
    if group is not None and parallel is not None:
        usage("expected --group or --parallel, not both")
    if (parallel is None) != (axis is None):
        usage("expected --parallel and --axis together")
    job = given.description.job if given.description else None
    n_ranks = gpus
    if n_ranks is None and job is not None:
        n_ranks = job.gpus if gpus_per_domain is None else None
    if n_ranks is None:
        n_ranks = packed(given.topology, None, gpus_per_domain).n_ranks
    layout = ParallelLayout.parse(parallel, n_ranks, order) if parallel is not None else None
    return collective_traffic(collective, n_ranks, parse_bytes(size), group, algorithm, layout, axis)


def placement_of(
    given: "LoadedFabric",
    job: "Traffic",
    kind: str | None,
    gpus: int | None,
    gpus_per_domain: int | None,
    seed: int,
) -> "Placement":
    from fabric.placement import packed, read_placement, scattered

    if job.placement is not None:
        for option, value in (("--placement", kind), ("--gpus", gpus), ("--gpus-per-domain", gpus_per_domain)):
            if value is not None:
                usage(f"{option}: --demand names the endpoints itself")
        return job.placement
    per_domain = gpus_per_domain or (given.description.job.gpus_per_domain if given.description else None)
    if kind in (None, "packed"):
        return packed(given.topology, job.n_ranks, per_domain)
    if kind == "scattered":
        return scattered(given.topology, job.n_ranks, per_domain, seed)
    placement = read_placement(str(kind), given.topology)
    if placement.n_ranks < job.n_ranks:
        fail(f"{kind}: {placement.n_ranks} endpoints; the job has {job.n_ranks} ranks")
    return placement


def summary_of(job: "Traffic", time_s: float, total_bytes: float) -> dict[str, float | None]:
    from collectives.bandwidth import algbw_GBps, busbw_GBps

    known = job.collective is not None and time_s > 0
    return {
        "bottleneck_time_s": time_s,
        "algbw_GBps": algbw_GBps(job.bytes, time_s) if known else None,
        "busbw_GBps": busbw_GBps(str(job.collective), job.group_size, job.bytes, time_s) if known else None,
        "total_bytes": total_bytes,
    }


def fabric_facts(given: "LoadedFabric") -> dict[str, object]:
    topology = given.topology
    facts: dict[str, object] = {
        "name": given.name,
        "source": given.source,
        "endpoints": topology.n_endpoints,
        "nodes": topology.n_nodes,
        "links": topology.n_links,
    }
    if given.description is not None:
        facts |= {"technology": given.description.fabric.technology, "wiring": given.description.fabric.wiring}
    return facts


def assumptions_of(
    given: "LoadedFabric", job: "Traffic", placement: str | None, gpus_per_domain: int | None
) -> list[str]:
    lines = [*given.assumptions, *job.assumptions]
    per_domain = given.description.job.gpus_per_domain if given.description else None
    if per_domain is not None and gpus_per_domain is None and placement in (None, "packed", "scattered"):
        lines.append(f"the job takes {per_domain} GPUs of each NVLink domain (--gpus-per-domain changes it)")
    lines.append("time is the bottleneck's: the largest load over capacity; no latency, no protocol overhead")
    return lines


def spread(values: list[float]) -> dict[str, object]:
    """Nearest-rank percentiles and the worst of a sample."""
    import numpy as np

    if not values:
        return {"p50": None, "p99": None, "worst": None, "values": []}
    p50, p99 = np.percentile(values, [50, 99], method="inverted_cdf")
    return {"p50": float(p50), "p99": float(p99), "worst": max(values), "values": values}


def seeds_table(distribution: dict[str, object]):  # type: ignore[no-untyped-def]
    from fabric import report

    rows = []
    for key, label in (("time_s", "bottleneck time"), ("imbalance", "max/mean between switches")):
        sample = distribution[key]
        assert isinstance(sample, dict)
        text = report.seconds_text if key == "time_s" else lambda value: f"{value:.3f}"
        rows.append((label, *("-" if sample[name] is None else text(sample[name]) for name in ("p50", "p99", "worst"))))
    title = f"{distribution['seeds']} hash seeds, from {distribution['first_seed']}"
    return report.Table(title, ("what", "p50", "p99", "worst"), tuple(rows), frozenset({"p50", "p99", "worst"}))


def link_text(spot) -> str:  # type: ignore[no-untyped-def]
    if spot is None:
        return "none: nothing is carried"
    return f"{spot.name} ({spot.tier} {spot.direction}, {spot.over_mean:.2f}x its mean)"


def imbalance_text(rung: "Rung") -> str:
    tiers = [tier for tier in rung.outcome.tiers if tier.kind == "trunk"]
    return "; ".join(
        f"{tier.name} {tier.direction} {tier.imbalance:.2f}" if tier.imbalance else f"{tier.name} {tier.direction} -"
        for tier in tiers
    )


def ladder_table(rungs: "tuple[Rung, ...]", title: str):  # type: ignore[no-untyped-def]
    from fabric import report

    def ratio(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}x"

    rows = tuple(
        (
            rung.outcome.step,
            report.seconds_text(rung.outcome.time_s),
            report.number_text(rung.outcome.busbw_GBps, ".4g"),
            ratio(rung.gain),
            ratio(rung.alone),
            ratio(rung.without),
            imbalance_text(rung),
            link_text(rung.outcome.hottest),
        )
        for rung in rungs
    )
    columns = ("step", "time", "busbw GB/s", "gain", "alone", "without", "max/mean", "hottest link")
    return report.Table(title, columns, rows, frozenset(columns[1:6]))


def ladder_notes(figure: str | None, assumptions: Iterable[str]) -> list[str]:
    notes = [
        "gain: time before the step over time after it; alone: the same for this step on the naive design;",
        "without: time of the rail-aware design without this step, over its time with it",
    ]
    notes += [f"assumed: {line}" for line in assumptions]
    return [*notes, f"figure: {figure}"] if figure else notes


def rung_document(rung: "Rung") -> dict[str, object]:
    from fabric import report

    outcome, design = rung.outcome, rung.outcome.design
    return {
        "step": outcome.step,
        "design": {
            "wiring": design.wiring,
            "transport": "pxn" if design.pxn else "direct",
            "placement": "scattered" if design.scattered else "packed",
            "routing": routing_facts(design.routing),
        },
        "time_s": outcome.time_s,
        "busbw_GBps": outcome.busbw_GBps,
        "gain": rung.gain,
        "alone": rung.alone,
        "without": rung.without,
        "tiers": [vars(tier) for tier in outcome.tiers],
        "hottest": report.hotspot_document(outcome.hottest) if outcome.hottest else None,
    }
