"""The command `advise`: what helps, ranked, each lever tried by running it."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from fabric.commands.again import all_said, line_of
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
    SendingOptions,
    SkipUnrouted,
    Threads,
    TrafficOptions,
    Verbose,
)
from fabric.commands.resolve import (
    asked_scenario,
    check_traffic,
    draws,
    gates_of,
    lfts_of,
    opened,
    policy_name,
    refuse_given,
    request_of,
    routing_of,
    rule_of,
    usage,
)
from fabric.commands.step import WorkloadOptions, run_of, workload_of
from fabric.commands.terminal import finish, working
from fabric.formats.registry import writable_endings


@dataclass(frozen=True)
class AdviseOutput(OptionGroup):
    """Where the answer goes."""

    panel = "Output"

    json: Json = False
    verbose: Verbose = False
    write_order: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write the best order of ranks, an endpoint a line, for --placement."),
    ] = None
    write_fabric: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help=f"Write the fabric with cables mended or moved ({writable_endings()})."),
    ] = None
    html: Html = None
    force: Force = False


def advise(
    fabric: FabricOptions,
    traffic: TrafficOptions,
    options: WorkloadOptions,
    job: PlacementOptions,
    routed: RoutingOptions,
    hashing: HashOptions,
    sending: SendingOptions,
    output: AdviseOutput,
    gates: GateOptions,
    skip_unrouted: SkipUnrouted = False,
    threads: Threads = None,
) -> None:
    """What helps: settings, another start of the job, recabling, purchases; each run through the model, and ranked.

    \b
    Examples:
      railscope advise meta-24576 --collective all-reduce --routing ecmp
      railscope advise subnet.txt --lfts lfts.dump --collective all-to-all
      railscope advise gb300-2048 --workload deepseek-v3 --placement unaligned
    """
    check_traffic(traffic)
    workload = traffic.workload
    if workload is None:
        refuse_given(options, "goes with --workload")
    else:
        refuse_given(traffic, "--workload says what is sent", "workload")
        if sending.transport is not None or sending.nics is not None or skip_unrouted:
            usage("--transport, --nics, --skip-unrouted: of no workload's step; expected none with --workload")
    policy = policy_name(routed, hashing, seed_used=draws(job))
    rule = rule_of(job, hashing.seed, demand=traffic.demand is not None)
    limits = gates_of(gates)
    described = workload_of(workload, options) if workload is not None else None
    asked = request_of(traffic) if workload is None else None

    from fabric.formats.exporting import writer_of
    from fabric.reports.advise import advise_report
    from fabric.reports.files import check_outputs
    from fabric.studies.advice.study import advise as study
    from fabric.studies.step import step_scenario

    check_outputs(None, (output.html, output.write_order, output.write_fabric), output.force)
    if output.write_fabric is not None:
        writer_of(output.write_fabric)
    given = opened(fabric)
    matched = lfts_of(given, [routed.lfts] if routed.lfts else [], skip_unrouted)
    routing = routing_of(policy, hashing, matched[0] if matched else None)
    with working("algorithms"):
        if described is not None:
            run, compute, gpus = run_of(given, described, options, job.gpus, rule, threads)
            scenario = step_scenario(
                given, described, gpus, rule, run=run, compute=compute, routing=routing, n_threads=threads
            )
        else:
            assert asked is not None
            scenario = asked_scenario(given, asked, rule, routing, traffic, hashing, sending, threads)
    with working("levers"):
        advice = study(scenario)
    typed = all_said(fabric, traffic, job, routed, hashing, sending, skip_unrouted, options)
    finish(
        advise_report(advice, partial(line_of, typed, scenario), output.write_order, output.write_fabric),
        output,
        limits,
    )
