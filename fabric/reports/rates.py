"""The report of `rates`: when flows end, as a table, CSV and a JSON document."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from collectives.sizes import counted
from fabric.reports.csv_text import csv_text
from fabric.reports.documents.common import RoutingPart
from fabric.reports.documents.rates import RatesBody
from fabric.reports.emit import Report
from fabric.reports.figures.rates import rates_figure
from fabric.reports.gates import Headline
from fabric.reports.loads import fabric_facts, routing_facts, routing_text
from fabric.reports.page_parts import PageParts, Picture
from fabric.reports.tables import Facts
from fabric.reports.words import bytes_text, seconds_text
from fabric.studies.rates import FlowTimes
from fabric.studies.verdicts.rates import rates_verdict

_FLOW_COLUMNS = ("flow", "src", "dst", "bytes", "start_s", "finish_s")


def rates_csv(timed: FlowTimes) -> str:
    """A row per flow: ``flow,src,dst,bytes,start_s,finish_s``, flows numbered from 1."""
    names = timed.fabric.topology.endpoint_names
    flows = timed.flows
    columns = (flows.src, flows.dst, flows.bytes, timed.start_s, timed.finish_s)
    rows = enumerate(zip(*(column.tolist() for column in columns), strict=True), 1)
    return csv_text(_FLOW_COLUMNS, ((number, names[a], names[b], *rest) for number, (a, b, *rest) in rows))


def rates_document(timed: FlowTimes, assumptions: Sequence[str]) -> RatesBody:
    """Everything for JSON."""
    taken, done = timed.taken_s, timed.parts
    return {
        "schema": "railscope.rates/1",
        "fabric": fabric_facts(timed.fabric),
        "routing": paths_facts(timed),
        "summary": {
            "flows": len(taken),
            "total_bytes": float(timed.flows.bytes.sum()),
            "makespan_s": float(timed.finish_s.max(initial=0.0)),
            "flow_time_s": {str(p): float(np.percentile(taken, p)) for p in (50, 99, 100)} if len(taken) else {},
            "solves": done.solves,
            "quantum_s": done.quantum_s,
            "largest_shortfall": done.largest_shortfall,
        },
        "assumptions": list(assumptions),
    }


def rates_table(timed: FlowTimes) -> Facts:
    """The same for the screen."""
    taken, done = timed.taken_s, timed.parts
    middle, slow = (float(np.percentile(taken, p)) if len(taken) else 0.0 for p in (50, 99))
    rows = [
        ("fabric", f"{timed.fabric.name}: {counted(timed.fabric.topology.n_endpoints, 'endpoint')}"),
        ("flows", f"{len(taken):,}, {bytes_text(float(timed.flows.bytes.sum()))}"),
        ("paths", paths_text(timed)),
        ("last flow ends", seconds_text(float(timed.finish_s.max(initial=0.0)))),
        ("a flow takes, p50", seconds_text(middle)),
        ("a flow takes, p99", seconds_text(slow)),
        ("rates found", counted(done.solves, "time")),
    ]
    if done.quantum_s:
        rows.append(("quantum", f"{seconds_text(done.quantum_s)}: exact for sizes up to "
                                f"{done.largest_shortfall:.2%} smaller"))  # fmt: skip
    return Facts("Flows that share the fabric", tuple(rows))


def paths_facts(timed: FlowTimes) -> RoutingPart:
    """Where the paths come from, for JSON."""
    if timed.routing is None:
        return {"policy": "given", "paths": timed.paths_source}
    return routing_facts(timed.routing)


def paths_text(timed: FlowTimes) -> str:
    """The same in words."""
    return f"given by {timed.paths_source}" if timed.routing is None else routing_text(timed.routing)


def rates_report(timed: FlowTimes, figure: Path | None = None, csv: Path | None = None) -> Report:
    """What `rates` has to say, with the files that are asked for."""
    files: dict[str, str | bytes] = {}
    flows = (timed.flows, timed.start_s, timed.finish_s, timed.fabric.topology.endpoint_names)
    title = f"{timed.fabric.name}: {len(timed.start_s):,} flows, {paths_text(timed)}"
    if figure is not None:
        files[str(figure)] = rates_figure(*flows, title, figure.suffix)
    if csv is not None:
        files[str(csv)] = rates_csv(timed)
    return Report(
        rates_document(timed, timed.assumptions),
        [rates_table(timed)],
        rates_verdict(timed),
        assumptions=timed.assumptions,
        headlines=(Headline("last flow", timed.makespan_s),),
        files=files,
        page=lambda: PageParts(title, pictures=[Picture(title, lambda suffix: rates_figure(*flows, title, suffix))]),
    )
