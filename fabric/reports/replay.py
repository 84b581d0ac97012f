"""The report of `replay`: the busiest links over time, operations predicted and measured."""

from pathlib import Path

from fabric.reports.chrome_trace import chrome_trace
from fabric.reports.csv_text import csv_text
from fabric.reports.documents.replay import ReplayBody, ReplayedPart
from fabric.reports.emit import Report
from fabric.reports.figures.replay import replay_figure
from fabric.reports.gates import Headline
from fabric.reports.loads import fabric_facts
from fabric.reports.page_parts import PAGE_ROWS, PageParts, Picture
from fabric.reports.tables import Facts, Table
from fabric.reports.words import bytes_text, ratio_text, seconds_text
from fabric.studies.replay import Replay, Replayed, exposed_share
from fabric.studies.verdicts.replay import replay_verdict


def _part(one: Replayed) -> ReplayedPart:
    return {
        "kind": one.operation.kind,
        "group": one.operation.group,
        "source": one.operation.source,
        "group_size": one.operation.group_size,
        "sequence": one.operation.sequence,
        "bytes": one.operation.bytes,
        "start_s": one.start_s,
        "finish_s": one.finish_s,
        "alone_s": one.alone_s,
        "measured_s": one.operation.measured_s,
    }


def _sums(replay: Replay) -> tuple[float | None, float | None]:
    known = [(one.operation.measured_s, one.took_s) for one in replay.operations if one.operation.measured_s]
    return (sum(a or 0.0 for a, _ in known), sum(b for _, b in known)) if known else (None, None)


def replay_document(
    replay: Replay, figure: Path | None, chrome: Path | None, assumptions: tuple[str, ...]
) -> ReplayBody:
    """Everything for JSON."""
    measured, predicted = _sums(replay)
    return {
        "schema": "railscope.replay/1",
        "fabric": fabric_facts(replay.scenario.fabric),
        "summary": {
            "operations": len(replay.operations),
            "left_out": replay.left_out,
            "slowed": len(replay.slowed),
            "span_s": replay.span_s,
            "by_time": replay.by_time,
            "communicating": replay.communicating,
            "exposed": exposed_share(replay.exposed),
            "measured_s": measured,
            "predicted_s": predicted,
        },
        "operations": [_part(one) for one in replay.operations],
        "links": [
            {
                "link": one.name,
                "bytes": one.bytes,
                "utilization": one.utilization.tolist(),
                "peak": one.peak.label,
            }
            for one in replay.links
        ],
        "exposed": [
            {
                "rank": one.rank,
                "span_s": one.span_s,
                "measured_s": one.measured_s,
                "predicted_s": one.predicted_s,
            }
            for one in replay.exposed
        ],
        "figure": None if figure is None else str(figure),
        "chrome": None if chrome is None else str(chrome),
        "assumptions": list(assumptions),
    }


def _tables(replay: Replay, top: int) -> list[Facts | Table]:
    measured, predicted = _sums(replay)
    facts = [
        ("fabric", replay.scenario.fabric.name),
        ("operations", f"{len(replay.operations):,}" + (f", {replay.left_out:,} left out" if replay.left_out else "")),
        ("replay takes", seconds_text(replay.span_s)),
        ("starts", "by the trace's timestamps" if replay.by_time else "by order: the trace has no timestamps"),
    ]
    if replay.exposed:
        share, model = exposed_share(replay.exposed), exposed_share(replay.exposed, "predicted_s")
        ranks = "a rank's" if len(replay.exposed) == 1 else f"{len(replay.exposed):,} ranks'"
        span = sum(one.span_s for one in replay.exposed) / len(replay.exposed)
        facts.append(
            (
                "exposed communication",
                f"{share:.1%} measured, {model:.1%} by the model, of {ranks} {seconds_text(span)}",
            )
        )
    else:
        most = f"{replay.communicating:.1%} of a rank's time: the most that can be exposed"
        facts.append(("communicating", most))
    if measured is not None and predicted is not None:
        facts.append(("measured operations", f"{seconds_text(measured)} measured, {seconds_text(predicted)} predicted"))
    columns = ("link", "most used", "at", "mean", "bytes", "peak made by")
    rows = []
    for link in replay.links[:top]:
        peak = int(link.utilization.argmax())
        when = replay.span_s * (peak + 0.5) / len(link.utilization)
        rows.append(
            (
                link.name,
                f"{link.utilization.max():.0%}",
                seconds_text(when),
                f"{link.utilization.mean():.1%}",
                bytes_text(link.bytes),
                link.peak.label,
            )
        )
    slow = sorted(replay.operations, key=lambda one: -one.took_s)[:top]
    names = ("operation", "start", "predicted", "alone", "measured", "predicted over measured")
    lines = tuple(
        (
            one.label,
            seconds_text(one.start_s),
            seconds_text(one.took_s),
            seconds_text(one.alone_s),
            "-" if not one.operation.measured_s else seconds_text(one.operation.measured_s),
            "-" if not one.operation.measured_s else ratio_text(one.took_s / one.operation.measured_s),
        )
        for one in slow
    )
    return [
        Facts("A trace over time", tuple(facts)),
        Table("Busiest links", columns, tuple(rows), frozenset(columns[1:5]), below=("peak made by",),
              shorten=frozenset({"link"})),
        Table("Longest operations", names, lines, frozenset(names[1:]), shorten=frozenset({"operation"})),
    ]  # fmt: skip


def replay_report(
    replay: Replay, top: int = 10, figure: Path | None = None, csv: Path | None = None, chrome: Path | None = None
) -> Report:
    """What `replay` has to say, with the files that are asked for."""
    assumptions = (
        *replay.scenario.assumptions,
        "operations of a group run one after the other; links are shared max-min fairly between operations, whatever "
        "their numbers of flows",
    )
    files: dict[str, str | bytes] = {}
    title = f"{replay.scenario.fabric.name}: {len(replay.operations):,} operations over time"
    if figure is not None:
        files[str(figure)] = replay_figure(replay, title, figure.suffix)
    if csv is not None:
        columns = tuple(ReplayedPart.__annotations__)
        parts = (dict(_part(one)) for one in replay.operations)
        files[str(csv)] = csv_text(columns, (tuple(part[key] for key in columns) for part in parts))
    if chrome is not None:
        files[str(chrome)] = chrome_trace(replay)
    return Report(
        replay_document(replay, figure, chrome, assumptions),
        _tables(replay, top),
        replay_verdict(replay),
        assumptions=assumptions,
        headlines=[Headline("replay", replay.span_s)],
        files=files,
        page=lambda: PageParts(
            title,
            pictures=[Picture(title, lambda suffix: replay_figure(replay, title, suffix))],
            tables=_tables(replay, PAGE_ROWS),
        ),
    )
