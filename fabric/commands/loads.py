"""The command `loads`: per-link loads and hotspots of one job."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fabric.commands.options import (
    Device,
    FabricOptions,
    GateOptions,
    HashOptions,
    OutputOptions,
    PlacementOptions,
    RoutingOptions,
    SendingOptions,
    SkipUnrouted,
    Threads,
    TrafficOptions,
)
from fabric.commands.resolve import (
    asked_scenario,
    check_traffic,
    draws,
    gates_of,
    lfts_of,
    opened,
    policy_name,
    request_of,
    routing_of,
    rule_of,
    usage,
)
from fabric.commands.terminal import finish, working


@dataclass(frozen=True)
class LoadsOutput(OutputOptions):
    """Where the answer goes."""

    infragraph: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write an InfraGraph infrastructure with loads as annotations.")
    ] = None
    top: Annotated[int, typer.Option(min=0, metavar="N", help="Hotspots on the screen.")] = 20
    threshold: Annotated[
        float, typer.Option(min=0.0, metavar="X", help="Hot: above so many times the mean of the tier and direction.")
    ] = 1.5


def loads(
    fabric: FabricOptions,
    traffic: TrafficOptions,
    job: PlacementOptions,
    routed: RoutingOptions,
    hashing: HashOptions,
    sending: SendingOptions,
    output: LoadsOutput,
    gates: GateOptions,
    skip_unrouted: SkipUnrouted = False,
    seeds: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="ecmp: run N hash seeds, report p50, p99 and worst.")
    ] = None,
    optimum: Annotated[
        bool, typer.Option("--optimum", help="Small fabrics: also the best that any routing of this demand could do.")
    ] = False,
    threads: Threads = None,
    device: Device = None,
) -> None:
    """Per-link loads and hotspots of one job.

    \b
    Examples:
      railscope loads gb300-2048 --collective all-to-all --routing ecmp
      railscope loads gb300-2048 --collective all-to-all --html report.html
      railscope loads hgx-b200-64 --trace rank0.json.gz --csv links.csv
      railscope loads subnet.txt --lfts lfts.dump --collective all-to-all
    """
    check_traffic(traffic)
    policy = policy_name(routed, hashing, seed_used=draws(job))
    if seeds is not None and policy != "ecmp":
        usage("--seeds: only --routing ecmp hashes")
    rule = rule_of(job, hashing.seed, demand=traffic.demand is not None)
    asked, limits = request_of(traffic), gates_of(gates)

    from fabric.formats.infragraph import annotations_path
    from fabric.reports.files import check_outputs
    from fabric.reports.loads import loads_report
    from fabric.studies.analysis import analyse, optimum as best_routing, over_hash_seeds
    from fabric.studies.flow_sensitivity import flow_sensitivity

    beside = annotations_path(output.infragraph) if output.infragraph else None
    check_outputs(output.figure, (output.html, output.csv, output.infragraph, beside), output.force)
    given = opened(fabric)
    matched = lfts_of(given, [routed.lfts] if routed.lfts else [], skip_unrouted)
    routing = routing_of(policy, hashing, matched[0] if matched else None)
    with working("algorithms"):
        scenario = asked_scenario(given, asked, rule, routing, traffic, hashing, sending, threads)
    with working("routing"):
        analysis = analyse(scenario, output.threshold)
    with working("hash seeds"):
        distribution = None if seeds is None else over_hash_seeds(scenario, seeds)
    with working("numbers of flows"):
        others = flow_sensitivity(scenario) if hashing.queue_pairs is None else None
    with working("linear program"):
        best = best_routing(scenario) if optimum and not analysis.loads.total.unrouted.pairs else None
    finish(
        loads_report(analysis, distribution, best, output.top, output.figure, output.csv, output.infragraph, others),
        output,
        limits,
    )
