"""The command `place`: where a job's ranks should be."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fabric.commands.grouping import OptionGroup
from fabric.commands.options import (
    FabricOptions,
    Force,
    GateOptions,
    HashOptions,
    Html,
    Json,
    PlacementOptions,
    RoutingOptions,
    Threads,
    Verbose,
)
from fabric.commands.resolve import gates_of, lfts_of, opened, policy_name, routing_of, rule_of, usage
from fabric.commands.step import WorkloadArgument, WorkloadOptions, workload_of
from fabric.commands.terminal import finish, working


@dataclass(frozen=True)
class PlaceOutput(OptionGroup):
    """Where the answer goes."""

    panel = "Output"

    json: Json = False
    verbose: Verbose = False
    write: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FORM=PATH",
            help="Write the proposed order: slurm-hostfile, slurm-nodelist, mpi-rankfile, openmpi-hostfile, "
            "torchrun-hosts or json; again for another.",
        ),
    ] = None
    html: Html = None
    force: Force = False


def place(
    workload: WorkloadArgument,
    fabric: FabricOptions,
    options: WorkloadOptions,
    job: PlacementOptions,
    routed: RoutingOptions,
    hashing: HashOptions,
    output: PlaceOutput,
    gates: GateOptions,
    seeds: Annotated[
        int, typer.Option(min=1, max=100, metavar="N", help="Placements of each drawn kind that are compared.")
    ] = 1,
    threads: Threads = None,
) -> None:
    """Placements side by side, and a better order of the hosts that a job has, as launchers take it.

    \b
    Examples:
      railscope place deepseek-v3 gb300-2048 --placement scattered --write slurm-hostfile=hosts.txt
      railscope place llama-3.1-8b subnet.txt --hosts 'h00[00-15]' --nvlink-gbps 7200 --write mpi-rankfile=ranks.txt
    """
    if options.run is not None:
        usage("--run: expected --layout and --sequences with place")
    policy = policy_name(routed, hashing, seed_used=True)
    rule, limits = rule_of(job, hashing.seed), gates_of(gates)
    described = workload_of(workload, options)

    from collectives.suggestion import hint
    from fabric.jobs.launchers import LAUNCHER_FORMS
    from fabric.reports.files import check_outputs
    from fabric.reports.place import place_report
    from fabric.studies.placing import study_placing

    write: dict[str, Path] = {}
    for text in output.write or ():
        form, _, path = text.partition("=")
        if form not in LAUNCHER_FORMS or not path or form in write:
            usage(f"--write {text!r}: {hint(form, LAUNCHER_FORMS)}, each once, as FORM=PATH")
        write[form] = Path(path)
    check_outputs(None, (output.html, *write.values()), output.force)
    given = opened(fabric)
    matched = lfts_of(given, [routed.lfts] if routed.lfts else [], skip_unrouted=False)
    with working("placements"):
        routing = routing_of(policy, hashing, matched[0] if matched else None)
        studied = study_placing(given, described, rule, n_seeds=seeds, routing=routing, n_threads=threads)
        report = place_report(studied, write)
    finish(report, output, limits)
