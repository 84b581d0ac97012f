"""The report of `advise`: what helps, ranked, each tried by running it."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

from fabric.formats.exporting import exported
from fabric.reports.documents.advise import AdviseBody, AdvisedPart, SeedsPart
from fabric.reports.emit import Report
from fabric.reports.gates import Headline
from fabric.reports.loads import fabric_facts, routing_facts, sent_facts
from fabric.reports.tables import Facts, Table
from fabric.reports.words import ratio_text, seconds_text
from fabric.studies.advice.study import Advice, Advised
from fabric.studies.advice.trial import Trial
from fabric.studies.verdicts.advise import advise_verdict

# What runs a design again, in one line; empty where no options say it.
Line = Callable[[Advised], str]


def _no_line(row: Advised) -> str:
    return ""


def _seeds(trial: Trial) -> SeedsPart | None:
    if trial.seeds is None:
        return None
    values = trial.seeds.values
    return {"seeds": len(values), "least": min(values), "p50": trial.time_s, "worst": max(values)}


def _part(row: Advised, line: Line) -> AdvisedPart:
    trial = row.trial
    return cast(
        AdvisedPart,
        {
            "lever": row.lever,
            "class": str(row.cost),
            "how": row.how,
            "helps": row.helps,
            "time_s": None if trial is None else trial.time_s,
            "predicted_s": None if trial is None else trial.predicted_s,
            "gain": row.gain,
            "predicted_gain": row.predicted_gain,
            "over_bound": None if trial is None else trial.over_bound,
            "seeds": None if trial is None else _seeds(trial),
            "command": line(row) or None,
            "why_not": row.why_not or None,
        },
    )


def _order(advice: Advice) -> list[str] | None:
    if advice.order is None:
        return None
    names = advice.base.scenario.topology.endpoint_names
    return [names[endpoint] for endpoint in advice.order.endpoint.tolist()]


def advise_document(advice: Advice, line: Line = _no_line) -> AdviseBody:
    """Everything for JSON; `line` says how a design is run again."""
    base = advice.base
    return {
        "schema": "railscope.advise/1",
        "fabric": fabric_facts(base.scenario.fabric),
        "traffic": sent_facts(base.scenario),
        "routing": routing_facts(base.scenario.routing),
        "as_it_is": {
            "time_s": base.time_s,
            "predicted_s": base.predicted_s,
            "over_bound": base.over_bound,
            "seeds": _seeds(base),
        },
        "rows": [_part(row, line) for row in advice.rows],
        "combined": [_part(row, line) for row in advice.combined],
        "order": _order(advice),
        "assumptions": list(advice.assumptions),
    }


_COLUMNS = ("what it takes", "lever", "time", "faster", "over bound", "worst seed")


def _cells(cost: str, lever: str, trial: Trial, gain: float | None) -> tuple[str, ...]:
    worst = "" if trial.seeds is None else seconds_text(max(trial.seeds.values))
    times = (seconds_text(trial.time_s), ratio_text(gain), ratio_text(trial.over_bound, ".3f"), worst)
    return (cost, lever, *times)


def _levers_table(advice: Advice, line: Line) -> Table:
    base, rows = advice.base, []
    rows.append((*_cells("", "as it is", base, None), "", ""))
    for row in advice.rows:
        if row.trial is not None:
            apply = line(row) if row.helps else ""
            rows.append((*_cells(row.cost, row.lever, row.trial, row.gain), row.how if row.helps else "", apply))
    title = f"{base.scenario.fabric.name}: {base.scenario.traffic.label}; every lever alone"
    columns = (*_COLUMNS, "to do", "apply")
    return Table(title, columns, tuple(rows), frozenset(_COLUMNS[2:]), ("to do", "apply"), frozenset({"lever"}))


def _combined_table(advice: Advice, line: Line) -> Table:
    rows = []
    for row in advice.combined:
        assert row.trial is not None
        rows.append((*_cells(row.cost, row.lever, row.trial, row.gain), ""))
    last = (*rows[-1][:-1], line(advice.combined[-1]))
    title = "Together, the cheapest class first: each row has the changes above it too"
    columns = (*_COLUMNS, "apply")
    return Table(title, columns, (*rows[:-1], last), frozenset(_COLUMNS[2:]), ("apply",), frozenset({"lever"}))


def _not_tried(advice: Advice) -> list[str]:
    levers: dict[str, list[str]] = {}
    for row in advice.rows:
        if row.trial is None:
            levers.setdefault(row.why_not, []).append(row.lever)
    return [f"not tried, {', '.join(names)}: {why_not}" for why_not, names in levers.items()]


def _where_repeatable(advice: Advice, line: Line) -> Line:
    return lambda row: line(row) if advice.repeatable(row) else ""


def _files(advice: Advice, order: Path | None, fabric: Path | None) -> tuple[dict[str, str | bytes], list[str]]:
    """Files to write by path, and what is said of those that there is nothing for."""
    files: dict[str, str | bytes] = {}
    notes = []
    if order is not None:
        if names := _order(advice):
            files[str(order)] = "\n".join(names) + "\n"
        else:
            notes.append(f"{order}: not written, as no other order of the ranks was tried")
    if fabric is not None:
        if advice.recabled is not None:
            files |= {str(path): text for path, text in exported(advice.recabled, fabric).files.items()}
        else:
            notes.append(f"{fabric}: not written, as no cable that could be mended was found")
    return files, notes


def advise_report(
    advice: Advice, line: Line = _no_line, order: Path | None = None, fabric: Path | None = None
) -> Report:
    """What `advise` has to say.

    Parameters
    ----------
    advice : Advice
    line : callable, optional
        The command that runs a design again.
    order : path, optional
        Where to write the best order of the ranks, an endpoint a line.
    fabric : path, optional
        Where to write the fabric with mended cables, in the format of its ending.
    """
    best, base = advice.best, advice.base
    line = _where_repeatable(advice, line)
    tables: list[Table | Facts] = [_levers_table(advice, line)] if advice.rows else []
    tables += [_combined_table(advice, line)] if len(advice.combined) > 1 else []
    written, not_written = _files(advice, order, fabric)
    notes = [*_not_tried(advice), *not_written]
    return Report(
        advise_document(advice, line),
        tables,
        advise_verdict(advice, "" if best is None else line(best)),
        notes=notes,
        assumptions=advice.assumptions,
        headlines=(Headline("as it is", base.time_s, base.busbw_GBps, base.over_bound, base.analysis.imbalance),),
        files=written,
    )
