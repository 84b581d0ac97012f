"""Health of a fabric and of its forwarding tables: cables, routes and credit loops put together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fabric.formats.dump import Oddity
from fabric.formats.ethernet.assumed_spine import NO_SPINE
from fabric.formats.infiniband.subnet import SubnetFabric
from fabric.routing.lft_walk import lft_arrays
from fabric.routing.match_lfts import MatchedLfts
from fabric.studies.health_cables import cable_findings
from fabric.studies.health_credit_loops import credit_loops
from fabric.studies.health_findings import ERROR, WARNING, Finding, in_order, odd_lines
from fabric.studies.health_guids import with_guids
from fabric.studies.health_hosts import host_findings
from fabric.studies.health_routes import mismatches, routes_per_link, unbalanced, unrouted
from fabric.studies.health_speeds import slow_cables
from fabric.studies.health_switches import missing_switches
from fabric.studies.health_wiring import wiring_findings
from fabric.studies.hotspots import TierSummary
from fabric.topology import Topology


@dataclass(frozen=True)
class Health:
    """What `check_fabric` found.

    Attributes
    ----------
    findings : tuple of Finding
        Errors first, and of each severity the worst kind first.
    routes : tuple of TierSummary
        Routes per link by tier and direction, one for each ordered pair of endpoints (as bytes); empty without tables.
    pairs : int
        Ordered pairs of endpoints.
    """

    findings: tuple[Finding, ...]
    routes: tuple[TierSummary, ...]
    pairs: int

    def with_findings(self, more: Iterable[Finding]) -> "Health":
        """It with findings of other studies, in the same order."""
        return replace(self, findings=tuple(in_order([*self.findings, *more])))

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
        what = "error" if on == ERROR else "finding"
        return f"1 kind of {what}" if n == 1 else f"{n} kinds of {what}s"


def check_fabric(
    topology: Topology,
    lfts: MatchedLfts | None = None,
    n_threads: int | None = None,
    oddities: Sequence[Oddity] = (),
    origin: SubnetFabric | None = None,
) -> Health:
    """Look for what is wrong with switches, cables and hosts, and with the forwarding tables if given.

    Healthy is what the best of a kind show: the fastest cable of a tier between nodes named alike, the pair of switches
    with most cables of their block.  Which leaf serves which adapter is what most hosts of a kind show.

    Parameters
    ----------
    topology : Topology
    lfts : MatchedLfts, optional
        As `match_lfts` returns them.
    n_threads : int, optional
    oddities : sequence of Oddity
        What the reader of the fabric passed over: ``OpenedFabric.oddities``.
    origin : SubnetFabric, optional
        Of a fabric that was read from a dump, ``OpenedFabric.origin``: names of hosts, GUIDs, widths and speeds.
    """
    # Where leaves are all that is known, what joins them is not missing.
    apart = any(one.kind == NO_SPINE for one in oddities)
    findings = [
        *missing_switches(topology, None if origin is None else origin.free_ports, not topology.port_names),
        *(one for one in cable_findings(topology) if not (apart and one.kind == "disconnected")),
        *wiring_findings(topology),
        *slow_cables(topology, {} if origin is None else origin.rates),
        *host_findings(topology, origin),
        *odd_lines(oddities),
    ]
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
    found = with_guids(in_order(findings), topology, origin)
    return Health(found, routes, topology.n_endpoints * (topology.n_endpoints - 1))
