"""Health of a fabric and of its forwarding tables: cables, routes and credit loops put together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fabric.formats.dump import Oddity
from fabric.routing.lft_walk import lft_arrays
from fabric.routing.match_lfts import MatchedLfts
from fabric.studies.health_cables import cable_findings
from fabric.studies.health_credit_loops import credit_loops
from fabric.studies.health_findings import ERROR, WARNING, Finding, odd_lines
from fabric.studies.health_routes import mismatches, routes_per_link, unbalanced, unrouted
from fabric.studies.hotspots import TierSummary
from fabric.topology import Topology


@dataclass(frozen=True)
class Health:
    """What `check_fabric` found.

    Attributes
    ----------
    findings : tuple of Finding
        Errors first.
    routes : tuple of TierSummary
        Routes per link by tier and direction, one for each ordered pair of endpoints (as bytes); empty without tables.
    pairs : int
        Ordered pairs of endpoints.
    """

    findings: tuple[Finding, ...]
    routes: tuple[TierSummary, ...]
    pairs: int

    def with_findings(self, more: Iterable[Finding]) -> "Health":
        """It with findings of other studies, errors first."""
        findings = sorted([*self.findings, *more], key=lambda finding: finding.severity != ERROR)
        return replace(self, findings=tuple(findings))

    @property
    def n_errors(self) -> int:
        """Kinds of errors."""
        return sum(finding.severity == ERROR for finding in self.findings)

    def fails(self, on: str) -> bool:
        """Whether there is a finding as bad as asked for: ``error``, ``warning`` or ``never``."""
        return self.n_errors > 0 if on == ERROR else on == WARNING and bool(self.findings)

    def counted(self, on: str) -> str:
        """How many kinds of findings there are that are as bad, in words."""
        n = self.n_errors if on == ERROR else len(self.findings)
        return f"{n} {'kind' if n == 1 else 'kinds'} of {'errors' if on == ERROR else 'findings'}"


def check_fabric(
    topology: Topology,
    lfts: MatchedLfts | None = None,
    n_threads: int | None = None,
    oddities: Sequence[Oddity] = (),
) -> Health:
    """Look for what is wrong with the cables, and with the forwarding tables if given.

    Parameters
    ----------
    topology : Topology
    lfts : MatchedLfts, optional
        As `match_lfts` returns them.
    n_threads : int, optional
    oddities : sequence of Oddity
        What the reader of the fabric passed over: ``OpenedFabric.oddities``.
    """
    findings = [*cable_findings(topology), *odd_lines(oddities)]
    routes: tuple[TierSummary, ...] = ()
    if lfts is not None:
        arrays = lft_arrays(topology, lfts.routing)
        findings += [
            *odd_lines(lfts.oddities),
            *mismatches(lfts),
            *unrouted(topology, lfts.routing, arrays),
            *credit_loops(topology, arrays),
        ]
        routes = routes_per_link(topology, lfts.routing, n_threads)
        findings += unbalanced(routes)
    findings.sort(key=lambda finding: finding.severity != ERROR)
    return Health(tuple(findings), routes, topology.n_endpoints * (topology.n_endpoints - 1))
