"""The command `compare`: naive against rail-aware, routings on the same cables, or designs side by side."""

from pathlib import Path
from typing import Annotated

import typer

from fabric.commands.choices import NAIVE_PLACEMENTS, choice
from fabric.commands.designs import side_by_side
from fabric.commands.options import (
    CompareOutput,
    DesignOptions,
    Device,
    FabricsOptions,
    GateOptions,
    HashOptions,
    PlacementOptions,
    SkipUnrouted,
    Threads,
    TrafficOptions,
)
from fabric.commands.resolve import (
    check_traffic,
    ecmp_of,
    gates_of,
    lfts_of,
    library_of,
    opened,
    refuse_given,
    request_of,
    rule_of,
    usage,
    version_of,
)
from fabric.commands.terminal import finish, working
from fabric.commands.values import axes


def compare(
    fabric: FabricsOptions,
    designs: DesignOptions,
    traffic: TrafficOptions,
    job: PlacementOptions,
    hashing: HashOptions,
    output: CompareOutput,
    gates: GateOptions,
    lfts: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Forwarding tables in force; give it again for more of them."),
    ] = None,
    skip_unrouted: SkipUnrouted = False,
    naive_placement: Annotated[
        str | None, choice("How naive the naive design's placement is [default: unaligned]", NAIVE_PLACEMENTS)
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Seeds of hashes and drawn hosts to try [default: 5].")
    ] = None,
    threads: Threads = None,
    device: Device = None,
) -> None:
    """Naive to rail-aware, one step at a time, on the same switches and cables; heatmaps side by side.

    With --lfts, or a fabric that railscope did not build: the tables in force against dmodk, adaptive and ecmp on the
    same cables. With several fabrics, or --vary: those designs side by side, the fastest first, with their switches,
    cables and optics, and what these cost by --prices. Groups default to 64 ranks where 64 divides the job (the
    expert-parallel size of published DeepSeek-V3 recipes). --algorithm auto is decided once for each fabric (for the
    steps on the rail-aware design), so that designs differ in one thing at a time.

    \b
    Examples:
      railscope compare gb300-8192 --collective all-to-all --group 64
      railscope compare gb300-8192 --group 64 --html report.html
      railscope compare hgx-b200-64 --collective all-reduce --algorithm auto
      railscope compare hgx-b200-64 --vary wiring=rail,host --vary planes=1,2
      railscope compare small.toml large.toml --group 64 --prices prices.toml
      railscope compare subnet.txt --lfts lfts.dump --hosts 'h00[00-15]'
    """
    check_traffic(traffic, usual=True)
    if output.no_figure and output.figure is not None:
        usage("expected --figure or --no-figure, not both")
    tried = () if job.placement is not None else axes(designs.vary or ()).get("placement", ())
    rule = rule_of(job, hashing.seed, demand=traffic.demand is not None, tried=tried)
    asked, limits = request_of(traffic, "all-to-all"), gates_of(gates)

    several = bool(designs.vary) or len(fabric.fabrics) > 1
    for name, said in (("--naive-placement", naive_placement), ("--seeds", seeds)):
        if said is not None and (several or lfts):
            usage(f"{name}: goes with naive to rail-aware, not with {'designs' if several else '--lfts'}")
    if several:
        if lfts or skip_unrouted:
            usage(f"{'--lfts' if lfts else '--skip-unrouted'}: goes with one fabric and no --vary")
        finish(
            side_by_side(fabric, designs, asked, rule, job, hashing, output, threads, library_of(traffic)),
            output,
            limits,
        )
        return
    refuse_given(designs, "goes with several fabrics, or with --vary")

    from fabric.jobs.requests import Collective
    from fabric.jobs.rule import UNALIGNED
    from fabric.reports.compare import ladder_report, routings_report
    from fabric.reports.files import check_outputs, compare_figure_path
    from fabric.scenario import Scenario
    from fabric.studies.flow_sensitivity import flow_sensitivity
    from fabric.studies.ladder import USUAL_SEEDS, ladder
    from fabric.studies.routings import compare_routings, usual_routings

    (given,) = map(opened, fabric.each())
    if given.description is None and (naive_placement is not None or seeds is not None):
        usage("--naive-placement, --seeds: go with a described fabric, which can be wired both ways")
    picture = None if output.no_figure else compare_figure_path(output.figure, given.name, asked)
    check_outputs(picture, (output.html, output.csv), output.force)
    steps = given.description is not None and not lfts
    if steps:
        for option, value in (
            ("--demand", traffic.demand),
            ("--placement", job.placement),
            ("--hosts", job.hosts),
            ("--topology-conf", job.topology_conf),
            ("--node-labels", job.node_labels),
            ("--taken", job.taken),
        ):
            if value is not None:
                usage(f"{option}: naive to rail-aware places the job itself; --lfts compares routings")
    if isinstance(asked, Collective):
        asked = asked.usually_grouped([given], rule)
    matched = lfts_of(given, lfts or (), skip_unrouted)
    with working("algorithms"):
        wired, library = given.wired("rail") if steps else given, library_of(traffic)
        version = version_of(hashing)
        scenario = Scenario.of(wired, asked, rule=rule, library=library, nccl_version=version, n_threads=threads)
    if steps:
        with working("naive to rail-aware"):
            rungs = ladder(scenario, ecmp_of(hashing), naive_placement or UNALIGNED, seeds or USUAL_SEEDS)
            flows = flow_sensitivity(rungs[0].outcome.analysis.scenario)
            report = ladder_report(rungs, picture, output.csv, flows)
    else:
        routings = usual_routings([one.routing for one in matched], ecmp_of(hashing))
        with working("routing"):
            report = routings_report(compare_routings(scenario, routings), picture, output.csv)
    finish(report, output, limits)
