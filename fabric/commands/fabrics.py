"""The commands below `fabric`: facts, health and other forms of a fabric."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from collectives.saying import one_line, printable
from fabric.commands.choices import ENGINES, SEVERITIES, choice
from fabric.commands.options import (
    AssumeSpine,
    Degrade,
    FabricArgument,
    FabricOptions,
    Fail,
    FaultsFile,
    Force,
    HostPattern,
    Html,
    Json,
    Lfts,
    Speed,
    Threads,
    Verbose,
    Wire,
)
from fabric.commands.resolve import lfts_of, opened, usage
from fabric.commands.terminal import command_line, fail as end_failed, print_report, working
from fabric.formats.registry import writable_endings


def list_presets(json: Json = False) -> None:
    """Presets that ship with railscope.

    \b
    Example:
      railscope fabric list
    """
    from fabric.reports.facts import presets_report

    print_report(presets_report(), json)


def show(
    fabric: FabricArgument,
    wiring: Wire = None,
    host_pattern: HostPattern = None,
    fail: Fail = None,
    degrade: Degrade = None,
    faults: FaultsFile = None,
    speed: Speed = None,
    assume_spine: AssumeSpine = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Facts of a fabric: endpoints, switches, cables and oversubscription per tier.

    \b
    Examples:
      railscope fabric show gb300-8192
      railscope fabric show gb300-8192 --fail plane:1
    """
    from fabric.reports.facts import fabric_report

    options = FabricOptions(
        fabric,
        wiring,
        host_pattern,
        fail=fail,
        degrade=degrade,
        faults=faults,
        speed=speed,
        assume_spine=assume_spine,
    )
    print_report(fabric_report(opened(options)), json, verbose)


def check(
    fabric: FabricArgument,
    lfts: Lfts = None,
    host_pattern: HostPattern = None,
    fail: Fail = None,
    degrade: Degrade = None,
    faults: FaultsFile = None,
    speed: Speed = None,
    expect: Annotated[
        Path | None,
        typer.Option("--expect", metavar="PLAN", help="Compare the cables with a plan: topology.dot, CSV, any fabric."),
    ] = None,
    ignore: Annotated[
        Path | None,
        typer.Option("--ignore", metavar="FILE", help="--expect: identifiers of known deviations, one a line."),
    ] = None,
    fail_on: Annotated[str, choice("Exit status 1 if there is one", SEVERITIES, "--fail-on", metavar="WHAT")] = "error",
    top: Annotated[int, typer.Option(min=0, metavar="N", help="Examples of each finding on the screen.")] = 5,
    json: Json = False,
    verbose: Verbose = False,
    html: Html = None,
    force: Force = False,
    threads: Threads = None,
) -> None:
    """Health of a fabric and its tables: what is missing, exchanged or slow, unreachable pairs, loops, deadlocks.

    With --expect also cables that are missing, extra, miswired or of another speed than in a plan.

    Exit status 1 if there are errors; --fail-on says otherwise.

    \b
    Examples:
      railscope fabric check cluster.ibnetdiscover --lfts opensm-lfts.dump
      railscope fabric check subnet.txt --lfts lfts.dump --html health.html
      railscope fabric check subnet.txt --lfts lfts.dump --fail spine:s03
    """
    from fabric.formats.plan import cables_of, read_plan
    from fabric.reports.emit import emit
    from fabric.reports.files import check_outputs
    from fabric.reports.health import health_report
    from fabric.studies.health import check_fabric
    from fabric.studies.plan_check import check_plan, read_ignored

    if ignore is not None and expect is None:
        usage("--ignore goes with --expect")
    check_outputs(None, (html,), force)
    options = FabricOptions(fabric, None, host_pattern, fail=fail, degrade=degrade, faults=faults, speed=speed)
    given = opened(options)
    matched = lfts_of(given, [lfts] if lfts else [], skip_unrouted=bool(lfts))
    with working("checking"):
        health = check_fabric(given.topology, matched[0] if matched else None, threads, given.oddities, given.origin)
    planned = None
    if expect is not None:
        telling = None if given.cabled is None else given.cabled.cabling.telling
        known = read_ignored(ignore) if ignore else ()
        planned = check_plan(cables_of(given), read_plan(expect), known, telling)
        health = health.with_findings(planned.findings())
    report = health_report(given, matched[0] if matched else None, health, top, planned)
    emit(report, json=json, verbose=verbose, force=force, html=html, command=command_line())
    if health.fails(fail_on):
        end_failed(f"{fabric}: {health.counted(fail_on)}")


def export(
    fabric: FabricArgument,
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help=f"Ends in {writable_endings()}; .gz or .xz behind it.")
    ],
    wiring: Wire = None,
    host_pattern: HostPattern = None,
    fail: Fail = None,
    degrade: Degrade = None,
    faults: FaultsFile = None,
    speed: Speed = None,
    assume_spine: AssumeSpine = None,
    force: Force = False,
) -> None:
    """Write a fabric in another tool's format, which the ending of the file's name chooses.

    What is down is not in the file, and what is slow has the capacity that is left.

    \b
    Examples:
      railscope fabric export hgx-b200-64 hgx.json
      railscope fabric export hgx-b200-64 hgx.net --fail spine:s03
    """
    from fabric.files import check_writable, write_all
    from fabric.formats.exporting import exported

    check_writable(output, force)
    options = FabricOptions(
        fabric,
        wiring,
        host_pattern,
        fail=fail,
        degrade=degrade,
        faults=faults,
        speed=speed,
        assume_spine=assume_spine,
    )
    made = exported(opened(options), output)
    write_all(made.files, force)
    for path in made.files:
        print(f"railscope: wrote {printable(str(path))}", file=sys.stderr)
    for note in made.notes:
        print(f"railscope: note: {one_line(note)}", file=sys.stderr)


def reroute(
    fabric: FabricArgument,
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Forwarding tables to write, for --lfts.")],
    engine: Annotated[str, choice("OpenSM's engine", ENGINES, "--engine")] = "ftree",
    wiring: Wire = None,
    host_pattern: HostPattern = None,
    fail: Fail = None,
    degrade: Degrade = None,
    faults: FaultsFile = None,
    speed: Speed = None,
    force: Force = False,
) -> None:
    """Route a fabric with a real OpenSM over the simulator ibsim; both must be installed.

    Tables lead around what is down; what is slow has its nearest InfiniBand speed.

    \b
    Examples:
      railscope fabric reroute cluster.ibnetdiscover ftree.lfts --engine ftree
      railscope fabric reroute subnet.txt new.lfts --engine updn --fail spine:s03
    """
    from fabric.files import check_writable, write_whole
    from fabric.studies.opensm import reroute as run_opensm

    check_writable(output, force)
    options = FabricOptions(fabric, wiring, host_pattern, fail=fail, degrade=degrade, faults=faults, speed=speed)
    given = opened(options)
    with working(f"opensm -R {engine}"):
        dumped = run_opensm(given, engine)
    write_whole(output, dumped, force)
    print(f"railscope: wrote {printable(str(output))}", file=sys.stderr)
