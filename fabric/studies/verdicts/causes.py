"""Every cause that is looked for.  Adding one is a function in its own file and a row here."""

from collections.abc import Callable

from fabric.studies.verdicts.endpoints import busy_sender, even_nics, idle_nics, incast, nvlink_only, waiting_phases
from fabric.studies.verdicts.evidence import Evidence
from fabric.studies.verdicts.grouping import spread_over_domains, spread_over_leaves
from fabric.studies.verdicts.uneven_routes import cross_rail, polarization, uneven_routes
from fabric.studies.verdicts.verdict import Cause, ranked
from fabric.studies.verdicts.wiring import missing_cable, oversubscription, slow_cable

# Of causes that explain the same, what is broken comes first.
DETECTORS: tuple[Callable[[Evidence], Cause | None], ...] = (
    missing_cable,
    slow_cable,
    polarization,
    uneven_routes,
    incast,
    busy_sender,
    idle_nics,
    spread_over_domains,
    spread_over_leaves,
    cross_rail,
    oversubscription,
    waiting_phases,
    nvlink_only,
    even_nics,
)


def causes_of(case: Evidence) -> tuple[Cause, ...]:
    """What the numbers show, what explains most of the time first."""
    return ranked(cause for detect in DETECTORS if (cause := detect(case)) is not None)
