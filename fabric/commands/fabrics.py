"""The commands below `fabric`: facts, health and other forms of a fabric."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fabric.commands.options import (
    FabricArgument,
    Force,
    HostPattern,
    Json,
    Lfts,
    Threads,
    Wire,
    matched_lfts,
    one_of,
    wiring_of,
)
from fabric.commands.terminal import fail, working


def list_presets(json: Json = False) -> None:
    """Presets that ship with railscope.

    \b
    Example:
      railscope fabric list
    """
    from fabric.builders.presets import load_preset, preset_names
    from fabric.reports import screen
    from fabric.reports.tables import Table

    tables = [load_preset(name).fabric for name in preset_names()]
    if json:
        rows = [
            {"name": table.name, "technology": table.technology, "description": table.description} for table in tables
        ]
        screen.print_json({"schema": "railscope.presets/1", "presets": rows})
    else:
        lines = tuple((table.name, table.technology, table.description) for table in tables)
        columns = ("name", "technology", "description")
        screen.print_report([], [Table("Presets", columns, lines, below=("description",))])


def show(fabric: FabricArgument, wiring: Wire = None, host_pattern: HostPattern = None, json: Json = False) -> None:
    """Facts of a fabric: endpoints, switches, cables and oversubscription per tier.

    \b
    Example:
      railscope fabric show gb300-8192
    """
    from fabric.formats.opening import open_fabric
    from fabric.reports import facts as fabric_report, screen
    from fabric.reports.loads import fabric_facts

    given = open_fabric(fabric, wiring_of(wiring), host_pattern)
    if json:
        document = {
            "schema": "railscope.fabric/1",
            "fabric": fabric_facts(given),
            **fabric_report.fabric_document(given.topology),
        }
        screen.print_json({**document, "assumptions": list(given.assumptions)})
    else:
        screen.print_report([], fabric_report.fabric_tables(given.topology), [], given.assumptions, verbose=True)


def check(
    fabric: FabricArgument,
    lfts: Lfts = None,
    host_pattern: HostPattern = None,
    top: Annotated[int, typer.Option(min=0, help="Examples of each finding on the screen.")] = 5,
    json: Json = False,
    threads: Threads = None,
) -> None:
    """Health of a fabric and its routing tables: unreachable pairs, loops, deadlocks, uneven tables, slow cables.

    Exit status 1 if there are errors.

    \b
    Example:
      railscope fabric check cluster.ibnetdiscover --lfts opensm-lfts.dump
    """
    from fabric.formats.opening import open_fabric
    from fabric.reports import health as check_report, screen
    from fabric.studies.health import check_fabric

    given = open_fabric(fabric, None, host_pattern)
    tables = matched_lfts(given, lfts, skip_unrouted=True)
    with working("checking"):
        health = check_fabric(given.topology, tables, threads)
    if json:
        screen.print_json(check_report.check_document(given, tables, health))
    else:
        screen.print_report([], check_report.check_tables(given, health, top), [f"inferred: {n}" for n in given.notes])
    if health.n_errors:
        fail(f"{fabric}: {health.n_errors} kinds of errors")


def export(
    fabric: FabricArgument,
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="Ends in .json, .graphml, .net or .infragraph.json (.gz).")
    ],
    wiring: Wire = None,
    host_pattern: HostPattern = None,
    force: Force = False,
) -> None:
    """Write a fabric as node-link JSON (.json), GraphML, ibsim's netlist (.net) or InfraGraph (.infragraph.json).

    \b
    Example:
      railscope fabric export hgx-b200-64 hgx.json
    """
    from fabric.files import check_writable, write_all
    from fabric.formats.exporting import exported
    from fabric.formats.opening import open_fabric

    check_writable(output, force)
    texts, notes = exported(open_fabric(fabric, wiring_of(wiring), host_pattern), output)
    write_all(texts, force)
    for note in notes:
        print(f"railscope: note: {note}", file=sys.stderr)


def reroute(
    fabric: FabricArgument,
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Forwarding tables to write, for --lfts.")],
    engine: Annotated[str, typer.Option(help="ftree, updn, minhop or dfsssp.")] = "ftree",
    wiring: Wire = None,
    host_pattern: HostPattern = None,
    force: Force = False,
) -> None:
    """Route a fabric with a real OpenSM over the simulator ibsim; both must be installed.

    \b
    Example:
      railscope fabric reroute cluster.ibnetdiscover ftree.lfts --engine ftree
    """
    from fabric.files import check_writable, write_whole
    from fabric.formats.infiniband.ibsim import ibsim_netlist
    from fabric.formats.opening import open_fabric
    from fabric.studies.opensm import ENGINES, reroute as run_opensm

    one_of(engine, ENGINES, "--engine")
    check_writable(output, force)
    given = open_fabric(fabric, wiring_of(wiring), host_pattern)
    with working(f"opensm -R {engine}"):
        tables = run_opensm(ibsim_netlist(given.topology, given.origin), engine)
    write_whole(output, tables, force)
