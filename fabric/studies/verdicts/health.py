"""The verdict on a fabric's health: the worst finding, what it hits, and what to do."""

from collectives.sizes import numbered
from fabric.studies.health import Health
from fabric.studies.health_findings import ERROR, Finding
from fabric.studies.verdicts.verdict import Cause, CauseKind, Fact, Remedy, Verdict, sentences_of
from fabric.studies.verdicts.words import count, percent

REROUTE = "let the subnet manager route again"
READ_AGAIN = "read tables and cables at the same time, with no change in between"

# What to do about each kind of finding; those that cut GPUs off come first, then what may stop traffic, then what slows
# it down.
ADVICE: dict[str, str] = {
    "no cable": "plug the missing cables in",
    "disconnected": "put the missing cables between switches back",
    "loop": REROUTE,
    "dead port": f"mend the cables, or {REROUTE}",
    "no entry": REROUTE,
    "wrong end": READ_AGAIN,
    "no LID": REROUTE,
    "no table": "read the tables of all switches",
    "unknown switch": READ_AGAIN,
    "unowned LID": READ_AGAIN,
    "credit loop": "route up and down only, or give the routes virtual lanes that break the cycle",
    "dead entry": f"mend the cables, or {REROUTE}",
    "loop entry": REROUTE,
    "missing paths": REROUTE,
    "miswired cable": "move these cables to where the plan has them, or correct the plan",
    "missing cable": "plug these cables in, or correct the plan",
    "wrong speed": "reseat or replace these cables, or correct the plan",
    "wrong rail": "move these cables to the leaf of their rail",
    "slow cable": "reseat or replace the slow cables",
    "uneven wiring": "put the missing cables back",
    "cable within a tier": "move these cables, if they are not meant",
    "ends disagree": "look at both ends; one device may have been read at another time",
    "one end": "look why the port at the other end does not answer",
    "port used twice": "look which of its cables is there",
    "several neighbours": "look for what stands between these devices",
    "two speeds": "look which speed the cable runs at",
    "cable between hosts": "move these cables, if they are not meant",
    "loopback cable": "unplug or move these cables",
    "extra cable": "unplug these cables, or add them to the plan",
    "host on a spine": "expect their traffic on the spine's own ports",
    "empty leaf": "cable its hosts, or leave it out of the count",
    "unassigned LID": "let the subnet manager finish, and read the fabric again",
    "unnamed adapter": "give hosts their names (node descriptions), or say --host-pattern",
    "other lines": "look whether the dump is whole",
    "other files": "look whether a device's file is among them",
    "unbalanced": "compare routings for your job: another may spread it better",
    "unused": "compare routings for your job: another may use these links",
}
# Kinds whose count is one of ordered pairs of endpoints.
OF_PAIRS = frozenset({"disconnected", "no entry", "dead port", "wrong end", "loop", "missing paths"})


def health_verdict(health: Health) -> Verdict:
    """The worst finding in words, how many pairs it hits, what else there is.

    Parameters
    ----------
    health : Health
    """
    order = list(ADVICE)
    findings = sorted(
        health.findings,
        key=lambda one: (one.severity != ERROR, order.index(one.kind) if one.kind in ADVICE else len(order)),
    )
    causes = tuple(finding_cause(finding, health.pairs) for finding in findings)
    facts: dict[str, Fact] = {
        "errors": health.n_errors,
        "warnings": len(findings) - health.n_errors,
        "pairs": health.pairs,
    }
    return Verdict(sentences_of(_parts(findings, causes, health)), causes=causes, facts=facts)


def finding_cause(finding: Finding, pairs: int) -> Cause:
    """A finding with its part of all pairs, and what to do."""
    facts: dict[str, Fact] = {"finding": finding.kind, "severity": finding.severity, "count": finding.count}
    text = numbered(finding.count, finding.text)
    if finding.kind in OF_PAIRS and pairs:
        facts["fraction"] = finding.count / pairs
        text += f" ({percent(finding.count / pairs)} of all)"
    advice = ADVICE.get(finding.kind)
    return Cause(CauseKind.FINDING, text, 0.0, facts, (Remedy(advice),) if advice else ())


def _parts(findings: list[Finding], causes: tuple[Cause, ...], health: Health) -> tuple[str | tuple[str, ...], ...]:
    if not findings:
        joined = "have a route in the tables" if health.routes else "are joined by cables"
        return (f"nothing is wrong: all {health.pairs:,} ordered pairs of endpoints {joined}",)
    worst, cause = findings[0], causes[0]
    what = "the worst error" if worst.severity == ERROR else "no errors; the first warning"
    first = f"{what}: {cause.text}"
    example = f", such as {worst.examples[0]}" if worst.examples else ""
    advice = f"to do: {cause.remedies[0].text}" if cause.remedies else ""
    n_errors, n_warnings = health.n_errors, len(findings) - health.n_errors
    more_errors, more_warnings = max(n_errors - 1, 0), n_warnings - (n_errors == 0)
    rest = [
        count(more_errors, "other kind of error", "other kinds of errors") if more_errors else "",
        count(more_warnings, "other kind of warning", "other kinds of warnings") if more_warnings else "",
    ]
    others = " and ".join(part for part in rest if part)
    verb = "is" if more_errors + more_warnings == 1 else "are"
    return ((first + example, first), advice, f"there {verb} also {others}" if others else "")
