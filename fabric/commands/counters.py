"""The command `counters`: what ports counted, beside what the traffic would put on their links."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fabric.commands.grouping import OptionGroup
from fabric.commands.options import (
    FabricOptions,
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
    lfts_of,
    opened,
    policy_name,
    refuse_given,
    request_of,
    routing_of,
    rule_of,
    usage,
)
from fabric.commands.terminal import finish, working
from fabric.commands.values import expanded, seconds

_WHAT = "a file, folder or tar of perfquery, ibqueryerrors, ibdiagnet, Prometheus, OTLP, UFM or SONiC; again for more"


@dataclass(frozen=True)
class CounterOptions(OptionGroup):
    """Counters of ports: two readings, or what they grew by."""

    panel = "Counters"

    before: Annotated[list[Path] | None, typer.Option(metavar="PATH", help=f"Before: {_WHAT}.", show_default=False)] = (
        None
    )
    after: Annotated[list[Path] | None, typer.Option(metavar="PATH", help="After: the same.")] = None
    delta: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="Instead: ibdiagnet's PM_DELTA, or readings at several times."),
    ] = None
    interval: Annotated[
        float | None,
        typer.Option(parser=seconds, metavar="TIME", help="Between the readings, e.g. 60s [default: as they say]."),
    ] = None
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[COUNTER=]NAME[*BYTES]",
            help="Prometheus: a metric of your own, xmit=NAME, rcv=NAME, wait=NAME, ...; *4 for words; again for more.",
        ),
    ] = None
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT=NAME", help="Its labels: guid=NAME,port=NAME; also port_guid, lid, node, device; again."
        ),
    ] = None


@dataclass(frozen=True)
class CountersOutput(OutputOptions):
    """Where the answer goes."""

    top: Annotated[int, typer.Option(min=0, metavar="N", help="Rows of each table on the screen.")] = 10


def counters(
    fabric: FabricOptions,
    given: CounterOptions,
    traffic: TrafficOptions,
    job: PlacementOptions,
    routed: RoutingOptions,
    hashing: HashOptions,
    sending: SendingOptions,
    output: CountersOutput,
    skip_unrouted: SkipUnrouted = False,
    threads: Threads = None,
) -> None:
    """What ports counted: suspect cables, and why; with a job's traffic, measured beside predicted.

    \b
    Examples:
      railscope counters subnet.txt --before pm0/ --after pm1/ --interval 60s
      railscope counters subnet.txt --delta ibdiagnet2.db_csv --csv links.csv
      railscope counters subnet.txt --lfts lfts.dump --collective all-to-all \\
        --before a.prom --after b.prom --figure scatter.png
    """
    check_traffic(traffic, usual=True)
    asked_for = any((traffic.collective, traffic.trace, traffic.demand, traffic.workload))
    if not asked_for:
        for options in (traffic, job, routed, hashing, sending):
            refuse_given(options, "goes with traffic: --collective, --trace, --demand or --workload")
        if skip_unrouted:
            usage("--skip-unrouted: expected traffic: --collective, --trace, --demand or --workload")
    if given.delta and (given.before or given.after):
        usage("expected --before and --after, or --delta, not both")
    policy = policy_name(routed, hashing, seed_used=draws(job))
    rule = rule_of(job, hashing.seed, demand=traffic.demand is not None)

    from fabric.formats.counters.names import vocabulary
    from fabric.reports.counters import counters_report
    from fabric.reports.files import check_outputs
    from fabric.studies.counters import study_counters

    check_outputs(output.figure, (output.csv,), output.force)
    words = vocabulary(tuple(given.metric or ()), tuple(given.label or ()))
    fabric_given = opened(fabric)
    scenario = None
    if asked_for:
        matched = lfts_of(fabric_given, [routed.lfts] if routed.lfts else [], skip_unrouted)
        with working("algorithms"):
            routing = routing_of(policy, hashing, matched[0] if matched else None)
            asked = request_of(traffic)
            scenario = asked_scenario(fabric_given, asked, rule, routing, traffic, hashing, sending, threads)
    with working("counters"):
        study = study_counters(
            fabric_given,
            before=expanded(given.before) if given.before else None,
            after=expanded(given.after) if given.after else None,
            delta=expanded(given.delta) if given.delta else None,
            interval_s=given.interval,
            words=words,
            scenario=scenario,
        )
        report = counters_report(study, output.top, output.figure, output.csv)
    finish(report, output)
