"""The report of `rates`: when flows end, as a table, CSV and a JSON document."""

from dataclasses import dataclass

import numpy as np

from collectives.demand import FloatVector, Flows
from collectives.sizes import counted
from fabric.formats.opening import OpenedFabric
from fabric.reports.csv_text import csv_text
from fabric.reports.loads import fabric_facts
from fabric.reports.tables import Facts
from fabric.reports.words import bytes_text, seconds_text
from fabric.timing.max_min import Completions

_FLOW_COLUMNS = ("flow", "src", "dst", "bytes", "start_s", "finish_s")


@dataclass(frozen=True, eq=False)
class TimedFlows:
    """Flows between endpoints, with their starts and ends.

    Attributes
    ----------
    flows : Flows
        In endpoint numbers.
    start_s, finish_s : (F,) float64
    """

    flows: Flows
    start_s: FloatVector
    finish_s: FloatVector


def rates_csv(given: OpenedFabric, timed: TimedFlows) -> str:
    """A row per flow: ``flow,src,dst,bytes,start_s,finish_s``, flows numbered from 1."""
    names = given.topology.endpoint_names
    flows = timed.flows
    columns = (flows.src, flows.dst, flows.bytes, timed.start_s, timed.finish_s)
    rows = enumerate(zip(*(column.tolist() for column in columns), strict=True), 1)
    return csv_text(_FLOW_COLUMNS, ((number, names[a], names[b], *rest) for number, (a, b, *rest) in rows))


def rates_document(
    given: OpenedFabric, timed: TimedFlows, done: Completions, routing: dict[str, object], assumptions: list[str]
) -> dict[str, object]:
    """Everything for JSON."""
    taken = timed.finish_s - timed.start_s
    return {
        "schema": "railscope.rates/1",
        "fabric": fabric_facts(given),
        "routing": routing,
        "summary": {
            "flows": len(taken),
            "total_bytes": float(timed.flows.bytes.sum()),
            "makespan_s": float(timed.finish_s.max(initial=0.0)),
            "flow_time_s": {str(p): float(np.percentile(taken, p)) for p in (50, 99, 100)} if len(taken) else {},
            "solves": done.solves,
            "quantum_s": done.quantum_s,
            "largest_shortfall": done.largest_shortfall,
        },
        "assumptions": assumptions,
    }


def rates_table(given: OpenedFabric, timed: TimedFlows, done: Completions, routing: str) -> Facts:
    """The same for the screen."""
    taken = timed.finish_s - timed.start_s
    middle, slow = (float(np.percentile(taken, p)) if len(taken) else 0.0 for p in (50, 99))
    rows = [
        ("fabric", f"{given.name}: {counted(given.topology.n_endpoints, 'endpoint')}"),
        ("flows", f"{len(taken):,}, {bytes_text(float(timed.flows.bytes.sum()))}"),
        ("paths", routing),
        ("last flow ends", seconds_text(float(timed.finish_s.max(initial=0.0)))),
        ("a flow takes, p50", seconds_text(middle)),
        ("a flow takes, p99", seconds_text(slow)),
        ("rates found", counted(done.solves, "time")),
    ]
    if done.quantum_s:
        rows.append(("quantum", f"{seconds_text(done.quantum_s)}: exact for sizes up to "
                                f"{done.largest_shortfall:.2%} smaller"))  # fmt: skip
    return Facts("Flows that share the fabric", tuple(rows))


def rates_assumptions(given: OpenedFabric, done: Completions) -> list[str]:
    """What the answer rests on."""
    lines = [*given.assumptions]
    lines.append("rates are max-min fair at every moment; no latency, no protocol overhead")
    lines.append("single flows' times are not predictions: packet simulators differ by 7-19 % at the median")
    if done.quantum_s:
        lines.append(f"quantum {done.quantum_s:g} s: exact for sizes smaller by at most {done.largest_shortfall:.2%}")
    return lines
