"""The command `faults`: what breaks hurt."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fabric.commands.options import (
    FabricOptions,
    GateOptions,
    HashOptions,
    OutputOptions,
    PlacementOptions,
    RoutingOptions,
    SendingOptions,
    Threads,
    TrafficOptions,
)
from fabric.commands.resolve import (
    asked_scenario,
    check_traffic,
    gates_of,
    lfts_of,
    opened,
    policy_name,
    request_of,
    routing_of,
    rule_of,
)
from fabric.commands.terminal import finish, progressing


@dataclass(frozen=True)
class FaultsOutput(OutputOptions):
    """Where the answer goes."""

    csv: Annotated[Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per failure.")] = None
    link_csv: Annotated[
        Path | None, typer.Option("--link-csv", metavar="PATH", help="Write one row per link: what loads it most.")
    ] = None
    top: Annotated[int, typer.Option(min=0, metavar="N", help="Failures, and links, on the screen.")] = 10


def faults(
    fabric: FabricOptions,
    traffic: TrafficOptions,
    job: PlacementOptions,
    routed: RoutingOptions,
    hashing: HashOptions,
    sending: SendingOptions,
    output: FaultsOutput,
    gates: GateOptions,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND,...", help="What breaks: cable, nic, leaf, spine, core, host, plane [default: cable,spine]."
        ),
    ] = None,
    count: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="Also so many failures at once, drawn by chance.")
    ] = None,
    trials: Annotated[int, typer.Option(min=1, max=100_000, metavar="N", help="Draws of each number.")] = 200,
    most: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Single failures that are run where none are alike; of more a sample."),
    ] = None,
    threads: Threads = None,
) -> None:
    """What every single failure costs, which link each hurts most and which hurts each most; several at once by chance.

    A slow host counts as a failure of kind host: a host that is down stops its job. --fail and --degrade say what is
    broken already.

    \b
    Examples:
      railscope faults gb300-2048 --collective all-to-all --kind cable,leaf,spine,nic,plane
      railscope faults hgx-b200-64 --collective all-reduce --kind cable --count 1,2,5,10 --figure faults.png
      railscope faults subnet.txt --lfts lfts.dump --collective all-to-all --kind cable
    """
    check_traffic(traffic)
    policy = policy_name(routed, hashing, seed_used=True)
    rule = rule_of(job, hashing.seed, demand=traffic.demand is not None)
    asked, limits = request_of(traffic), gates_of(gates)

    from collectives.gate import whole
    from fabric.reports.faults import faults_report
    from fabric.reports.files import check_outputs
    from fabric.studies.faults import study_faults

    counts = sorted({whole(part.strip(), "--count", 1, 1 << 24) for part in count.split(",")}) if count else []
    kinds = None if kind is None else [part.strip().lower() for part in kind.split(",")]
    check_outputs(output.figure, (output.html, output.csv, output.link_csv), output.force)
    given = opened(fabric)
    matched = lfts_of(given, [routed.lfts] if routed.lfts else [], skip_unrouted=False)
    routing = routing_of(policy, hashing, matched[0] if matched else None)
    with progressing("failures") as progress:
        scenario = asked_scenario(given, asked, rule, routing, traffic, hashing, sending, threads)
        studied = study_faults(scenario, kinds, counts, trials, hashing.seed or 0, most, progress)
        report = faults_report(studied, output.top, output.figure, output.csv, output.link_csv)
    finish(report, output, limits)
