"""The verdict on a fabric's health: the worst finding, what it hits, and what to do."""

from collectives.sizes import numbered
from fabric.studies.finding_advice import ADVICE as ADVICE
from fabric.studies.health import Health
from fabric.studies.health_findings import ERROR, Finding, in_order
from fabric.studies.verdicts.verdict import Cause, CauseKind, Fact, Remedy, Verdict, sentences_of
from fabric.studies.verdicts.words import count, percent

# Kinds whose count is one of ordered pairs of endpoints.
OF_PAIRS = frozenset({"disconnected", "no entry", "dead port", "wrong end", "loop", "missing paths"})


def health_verdict(health: Health) -> Verdict:
    """The worst finding in words, how many pairs it hits, what else there is.

    Parameters
    ----------
    health : Health
    """
    findings = in_order(health.findings)
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
    advice = finding.todo or ADVICE.get(finding.kind)
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
    verb = "is" if (more_errors or more_warnings) == 1 else "are"
    return ((first + example, first), advice, f"there {verb} also {others}" if others else "")
