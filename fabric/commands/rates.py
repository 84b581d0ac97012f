"""The command `rates`: when flows end that share the fabric."""

from pathlib import Path
from typing import Annotated

import typer

from fabric.commands.options import (
    FabricArgument,
    Force,
    HashSeeds,
    HostPattern,
    Json,
    Lfts,
    NvlinkGbps,
    QueuePairs,
    RoutingName,
    Seed,
    Wire,
    ecmp_of,
    matched_lfts,
    routing_name,
    routing_of,
    usage,
    wiring_of,
)
from fabric.commands.terminal import working


def rates(
    fabric: FabricArgument,
    demand: Annotated[Path, typer.Option(metavar="FILE", help="Flows as CSV: src,dst,bytes and perhaps start_s.")],
    paths: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Their paths as CSV: flow,tail,head,cable [default: as --routing says]."),
    ] = None,
    wiring: Wire = None,
    host_pattern: HostPattern = None,
    nvlink_gbps: NvlinkGbps = None,
    lfts: Lfts = None,
    routing: RoutingName = None,
    queue_pairs: QueuePairs = 1,
    hash_seeds: HashSeeds = "per-switch",
    seed: Seed = 0,
    quantum: Annotated[
        float, typer.Option(min=0.0, metavar="SECONDS", help="Let flows end together within so long: faster.")
    ] = 0.0,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per flow.")] = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """When flows end that share the fabric at max-min fair rates.

    --paths gives the hops between switches of flow number `flow` (row of the demand, from 1); those of the endpoints
    are implied.

    \b
    Example:
      railscope rates hgx-b200-64 --demand flows.csv --routing ecmp --csv finish.csv
    """
    hashing = ecmp_of(queue_pairs, seed, hash_seeds)
    policy_name = routing_name(routing, lfts)
    if paths is not None and (routing is not None or lfts is not None):
        usage("--paths: says the paths itself; expected neither --routing nor --lfts")

    import numpy as np

    from fabric.files import check_writable, write_whole
    from fabric.formats.opening import open_fabric
    from fabric.reports import rates as rates_report, screen
    from fabric.reports.loads import routing_facts, routing_text
    from fabric.routing.given_paths import given_paths
    from fabric.routing.paths import route_flows
    from fabric.timing.max_min import completions
    from traces.flows_csv import read_timed_flows_csv
    from traces.paths_csv import read_paths_csv

    if csv is not None:
        check_writable(csv, force)
    given = open_fabric(fabric, wiring_of(wiring), host_pattern, nvlink_gbps)
    topology = given.topology
    flows, start = read_timed_flows_csv(demand, topology.endpoint_names)
    with working("sharing"):
        if paths is not None:
            routed = given_paths(topology, flows.src, flows.dst, read_paths_csv(paths), str(paths))
            facts: dict[str, object] = {"policy": "given", "paths": str(paths)}
            text = f"given by {paths}"
        else:
            policy = routing_of(policy_name, hashing, matched_lfts(given, lfts, skip_unrouted=False))
            routed = route_flows(topology, flows.src, flows.dst, policy)
            facts, text = routing_facts(policy), routing_text(policy)
        capacity = topology.link_capacity_gbps * (1e9 / 8)
        done = completions(capacity, routed.paths, flows.bytes[routed.flow] * routed.part, start[routed.flow], quantum)
        finish = start.copy()
        np.maximum.at(finish, routed.flow, done.finish_s)
    timed = rates_report.TimedFlows(flows, start, finish)
    if csv is not None:
        write_whole(csv, rates_report.rates_csv(given, timed), force)
    assumptions = rates_report.rates_assumptions(given, done)
    if json:
        screen.print_json(rates_report.rates_document(given, timed, done, facts, assumptions))
    else:
        table = rates_report.rates_table(given, timed, done, text)
        screen.print_report([], [table], [], assumptions, verbose=True)
