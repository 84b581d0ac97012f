"""The report of `explain`: whose bytes are on a link."""

from collections.abc import Sequence

from fabric.reports.documents.explain import ExplainBody, ExplainedLinkPart, SharePart
from fabric.reports.emit import Report
from fabric.reports.loads import fabric_facts, routing_facts, routing_text
from fabric.reports.tables import Facts, Table
from fabric.reports.words import bytes_text, seconds_text
from fabric.studies.advice.study import Advice
from fabric.studies.explain import Contributions, Explained, Share, main_cause
from fabric.studies.verdicts.explain import explain_verdict

_LISTS = (
    ("job", "by_job"),
    ("axis", "by_axis"),
    ("operation", "by_operation"),
    ("group", "by_group"),
    ("source leaf", "by_source_leaf"),
    ("destination leaf", "by_destination_leaf"),
    ("source host", "by_source_host"),
    ("destination host", "by_destination_host"),
    ("pair", "pairs"),
)
# Rows of each list on the screen.
_ROWS = 3


def _parts(shares: Sequence[Share]) -> list[SharePart]:
    return [{"name": one.name, "bytes": one.bytes, "share": one.share} for one in shares]


def _link(found: Contributions, seconds: float, of_busiest: float, routing: str) -> ExplainedLinkPart:
    odds = found.odds
    return {
        "link": found.name,
        "bytes": found.bytes,
        "seconds": seconds,
        "of_busiest": of_busiest,
        "cause": main_cause(found, routing),
        "by_job": _parts(found.by_job),
        "by_axis": _parts(found.by_axis),
        "by_operation": _parts(found.by_operation),
        "by_group": _parts(found.by_group),
        "by_source_leaf": _parts(found.by_source_leaf),
        "by_destination_leaf": _parts(found.by_destination_leaf),
        "by_source_host": _parts(found.by_source_host),
        "by_destination_host": _parts(found.by_destination_host),
        "pairs": _parts(found.pairs),
        "n_pairs": found.n_pairs,
        "cables": odds.cables,
        "usual_cables": odds.usual_cables,
        "uplinks": odds.uplinks,
        "usual_uplinks": odds.usual_uplinks,
        "gbps": odds.gbps,
        "usual_gbps": odds.usual_gbps,
        "over_siblings": odds.over_siblings,
        "over_even": odds.over_even,
    }


def explain_document(explained: Explained) -> ExplainBody:
    """Everything for JSON."""
    rows = zip(explained.links, explained.seconds, explained.of_busiest, strict=True)
    return {
        "schema": "railscope.explain/1",
        "fabric": fabric_facts(explained.fabric),
        "routing": routing_facts(explained.routing),
        "links": [_link(*row, explained.routing.name) for row in rows],
        "assumptions": list(explained.assumptions),
    }


def _tables(explained: Explained) -> list[Table | Facts]:
    tables: list[Table | Facts] = []
    for found, seconds, of_busiest in zip(explained.links, explained.seconds, explained.of_busiest, strict=True):
        odds = found.odds
        rows = [
            ("carries", f"{bytes_text(found.bytes)}, {seconds_text(seconds)}, {of_busiest:.1%} of the busiest link"),
            ("main cause", main_cause(found, explained.routing.name)),
            ("routing", routing_text(explained.routing)),
            ("cables", f"{odds.cables} of {odds.usual_cables} between its ends, {odds.gbps:g} Gb/s"),
        ]
        if odds.over_siblings is not None:
            rows.append(("beside it", f"{odds.over_siblings:.2f}x the mean of the links from the same switch"))
        if odds.over_even is not None:
            rows.append(("even split", f"{odds.over_even:.2f}x what an even split puts on it"))
        tables.append(Facts(found.name, tuple(rows)))
        lines = [
            (what if place == 0 else "", one.name, bytes_text(one.bytes), f"{one.share:.1%}")
            for what, attribute in _LISTS
            for place, one in enumerate(getattr(found, attribute)[:_ROWS])
        ]
        title = f"Whose bytes they are, the largest {_ROWS} of each; --json has all"
        columns = ("by", "name", "bytes", "share")
        tables.append(Table(title, columns, tuple(lines), frozenset(columns[2:]), shorten=frozenset({"name"})))
    return tables


def explain_report(explained: Explained, advice: Advice | None = None) -> Report:
    """What `explain` has to say.

    Parameters
    ----------
    explained : Explained
    advice : Advice, optional
        What helps the job as a whole.
    """
    return Report(
        explain_document(explained),
        _tables(explained),
        explain_verdict(explained, advice),
        assumptions=explained.assumptions,
    )
