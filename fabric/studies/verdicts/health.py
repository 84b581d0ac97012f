"""The verdict on a fabric's health: the worst finding, what it hits, and what to do."""

from collections.abc import Iterator

from collectives.sizes import numbered
from fabric.formats.opening import OpenedFabric
from fabric.studies.advice.lever import Cost
from fabric.studies.finding_advice import ADVICE as ADVICE
from fabric.studies.health import Health
from fabric.studies.health_findings import ERROR, Finding, in_order
from fabric.studies.health_mends import Mend, best_mend
from fabric.studies.verdicts.verdict import Cause, CauseKind, Fact, Remedy, Verdict, sentences_of
from fabric.studies.verdicts.words import count, percent

# Kinds whose count is one of ordered pairs of endpoints.
OF_PAIRS = frozenset({"disconnected", "no entry", "dead port", "wrong end", "loop", "missing paths"})


# Findings that cables put back or mended together do away with: what that restores is known.
_OF_CAPACITY = frozenset({"missing switch", "no cable", "disconnected", "uneven wiring", "slow cable"})
# Findings that are mended by other means than cables.
_BY_SETTING = frozenset({"renamed adapters", "unnamed switch", "unnamed adapter", "credit loop"})


def health_verdict(health: Health, fabric: OpenedFabric | None = None) -> Verdict:
    """The worst finding in words, how many pairs it hits, the mend that matters most, what else there is.

    Parameters
    ----------
    health : Health
    fabric : OpenedFabric, optional
        What was checked: what the mend restores is computed.
    """
    findings = in_order(health.findings)
    causes = tuple(finding_cause(finding, health.pairs) for finding in findings)
    facts: dict[str, Fact] = {
        "errors": health.n_errors,
        "warnings": len(findings) - health.n_errors,
        "pairs": health.pairs,
    }
    mend = _mend(findings, fabric)
    if mend is not None:
        facts |= {"mend": mend.node, "mend_cables": mend.cables, "mend_restores": mend.restored}
    return Verdict(
        sentences_of(_parts(findings, causes, health, mend)),
        causes=causes,
        facts=facts,
        helps=tuple(_helps(findings, causes, mend)),
    )


def _mend(findings: list[Finding], fabric: OpenedFabric | None) -> Mend | None:
    """Which cables of the worst finding matter most."""
    if fabric is None or not findings or findings[0].kind not in _OF_CAPACITY:
        return None
    return best_mend(fabric)


def _helps(findings: list[Finding], causes: tuple[Cause, ...], mend: Mend | None) -> Iterator[Remedy]:
    """The mend that matters most: of cables, else what to do about the worst finding."""
    if mend is not None:
        yield Remedy(mend.text, lever=f"mending {mend.node}", takes=Cost.RECABLING)
    elif findings and causes[0].remedies:
        worst = findings[0]
        by_cables = worst.ends and worst.kind not in _BY_SETTING
        yield Remedy(causes[0].remedies[0].text, lever=worst.kind, takes=Cost.RECABLING if by_cables else None)


def finding_cause(finding: Finding, pairs: int) -> Cause:
    """A finding with its part of all pairs, and what to do."""
    facts: dict[str, Fact] = {"finding": finding.kind, "severity": finding.severity, "count": finding.count}
    text = numbered(finding.count, finding.text)
    if finding.kind in OF_PAIRS and pairs:
        facts["fraction"] = finding.count / pairs
        text += f" ({percent(finding.count / pairs)} of all)"
    advice = finding.todo or ADVICE.get(finding.kind)
    return Cause(CauseKind.FINDING, text, 0.0, facts, (Remedy(advice),) if advice else ())


def _parts(
    findings: list[Finding], causes: tuple[Cause, ...], health: Health, mend: Mend | None
) -> tuple[str | tuple[str, ...], ...]:
    if not findings:
        joined = "have a route in the tables" if health.routes else "are joined by cables"
        return (f"nothing is wrong: all {health.pairs:,} ordered pairs of endpoints {joined}",)
    worst, cause = findings[0], causes[0]
    what = "the worst error" if worst.severity == ERROR else "no errors; the first warning"
    first = f"{what}: {cause.text}"
    example = f", such as {worst.examples[0]}" if worst.examples else ""
    advice = f"to do: {cause.remedies[0].text}" if cause.remedies else ""
    if mend is not None:
        first_of_all = "to do" if mend.cables >= worst.count else "to do first"
        advice = f"{first_of_all}: {mend.text}"
        example = ""
    n_errors, n_warnings = health.n_errors, len(findings) - health.n_errors
    more_errors, more_warnings = max(n_errors - 1, 0), n_warnings - (n_errors == 0)
    rest = [
        count(more_errors, "other kind of error", "other kinds of errors") if more_errors else "",
        count(more_warnings, "other kind of warning", "other kinds of warnings") if more_warnings else "",
    ]
    others = " and ".join(part for part in rest if part)
    verb = "is" if (more_errors or more_warnings) == 1 else "are"
    return ((first + example, first), advice, f"there {verb} also {others}" if others else "")
