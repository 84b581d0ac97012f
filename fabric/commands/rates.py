"""The command `rates`: when flows end that share the fabric."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fabric.commands.options import FabricOptions, GateOptions, HashOptions, OutputOptions, RoutingOptions
from fabric.commands.resolve import gates_of, lfts_of, opened, policy_name, refuse_given, routing_of
from fabric.commands.terminal import finish, working


@dataclass(frozen=True)
class RatesOutput(OutputOptions):
    """Where the answer goes."""

    csv: Annotated[Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per flow.")] = None


def rates(
    fabric: FabricOptions,
    routed: RoutingOptions,
    hashing: HashOptions,
    output: RatesOutput,
    gates: GateOptions,
    demand: Annotated[Path, typer.Option(metavar="FILE", help="Flows as CSV: src,dst,bytes and perhaps start_s.")],
    paths: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Their paths as CSV: flow,tail,head,cable [default: as --routing says]."),
    ] = None,
    quantum: Annotated[
        float, typer.Option(min=0.0, metavar="SECONDS", help="Let flows end together within so long: faster.")
    ] = 0.0,
) -> None:
    """When flows end that share the fabric at max-min fair rates.

    --paths gives the hops between switches of flow number `flow` (row of the demand, from 1); those of the endpoints
    are implied.

    \b
    Example:
      railscope rates hgx-b200-64 --demand flows.csv --csv finish.csv
    """
    refuse_given(gates, "a list of flows has none", "max_time", "baseline", "max_regression")
    limits = gates_of(gates)
    if paths is not None:
        for options in (routed, hashing):
            refuse_given(options, "--paths says the paths itself")
    policy = policy_name(routed, hashing)

    from fabric.reports.files import check_outputs
    from fabric.reports.rates import rates_report
    from fabric.studies.rates import flow_times_of_file

    check_outputs(output.figure, (output.html, output.csv), output.force)
    given = opened(fabric)
    matched = lfts_of(given, [routed.lfts] if routed.lfts else [], skip_unrouted=False)
    with working("sharing"):
        routing = None if paths is not None else routing_of(policy, hashing, matched[0] if matched else None)
        times = flow_times_of_file(given, demand, routing, paths, quantum)
    finish(rates_report(times, output.figure, output.csv), output, limits)
