"""The command `replay`: a trace over time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fabric.commands.options import (
    FabricOptions,
    FillRanks,
    FormatName,
    GateOptions,
    HashOptions,
    OutputOptions,
    PlacementOptions,
    RoutingOptions,
    Threads,
)
from fabric.commands.resolve import draws, gates_of, lfts_of, opened, policy_name, routing_of, rule_of, version_of
from fabric.commands.terminal import finish, working
from fabric.commands.values import expanded


@dataclass(frozen=True)
class ReplayOutput(OutputOptions):
    """Where the answer goes."""

    csv: Annotated[Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per operation.")] = None
    chrome: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write Chrome's trace JSON, which Perfetto opens.")
    ] = None
    top: Annotated[int, typer.Option(min=0, metavar="N", help="Rows of each table on the screen.")] = 10
    bins: Annotated[int, typer.Option(min=1, max=10000, metavar="N", help="Stretches that time is cut into.")] = 100


def replay(
    fabric: FabricOptions,
    job: PlacementOptions,
    routed: RoutingOptions,
    hashing: HashOptions,
    output: ReplayOutput,
    gates: GateOptions,
    trace: Annotated[
        list[Path], typer.Option(metavar="FILE", help="A trace; again for each rank's file, or a pattern.")
    ],
    fill_ranks: FillRanks = False,
    trace_format: FormatName = None,
    threads: Threads = None,
) -> None:
    """A trace over time: which links are busy when, by which operations; predicted times beside measured ones.

    \b
    Examples:
      railscope replay hgx-b200-64 --trace 'rank*.json.gz' --figure replay.png
      railscope replay subnet.txt --lfts lfts.dump --trace nccl.log --chrome replay.json
    """
    policy = policy_name(routed, hashing, seed_used=draws(job))
    rule, limits = rule_of(job, hashing.seed), gates_of(gates)
    files = expanded(trace)

    from fabric.jobs.requests import TraceFiles
    from fabric.reports.files import check_outputs
    from fabric.reports.replay import replay_report
    from fabric.scenario import Scenario
    from fabric.studies.replay import study_replay

    check_outputs(output.figure, (output.html, output.csv, output.chrome), output.force)
    given = opened(fabric)
    matched = lfts_of(given, [routed.lfts] if routed.lfts else [], skip_unrouted=False)
    with working("replay"):
        scenario = Scenario.of(
            given,
            TraceFiles(files, fill_ranks=fill_ranks, trace_format=trace_format),
            rule=rule,
            routing=routing_of(policy, hashing, matched[0] if matched else None),
            nccl_version=version_of(hashing),
            n_threads=threads,
        )
        report = replay_report(
            study_replay(scenario, output.bins), output.top, output.figure, output.csv, output.chrome
        )
    finish(report, output, limits)
