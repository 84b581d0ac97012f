"""The report of `place`: placements side by side, and files that launchers take."""

from collections.abc import Mapping
from pathlib import Path

from fabric.jobs.launchers import launcher_text, rank_places
from fabric.reports.documents.place import PlaceBody
from fabric.reports.emit import Report
from fabric.reports.gates import Headline
from fabric.reports.loads import fabric_facts
from fabric.reports.page_parts import PageParts, TimeBar
from fabric.reports.tables import Table
from fabric.reports.words import bytes_text, seconds_text
from fabric.studies.placing import PlacedStep, Placing
from fabric.studies.step_costs import TIERS
from fabric.studies.verdicts.place import place_verdict


def place_document(placing: Placing, written: Mapping[str, Path]) -> PlaceBody:
    """Everything for JSON."""
    found = placing.assignment
    return {
        "schema": "railscope.place/1",
        "fabric": fabric_facts(placing.fabric),
        "workload": placing.workload.description.model.name,
        "gpus": placing.workload.layout.n_ranks,
        "placements": [
            {
                "name": one.name,
                "step_s": one.time.step_s,
                "exposed_s": one.time.exposed_total_s,
                "tier_bytes": dict(zip(TIERS, one.tier_bytes, strict=True)),
                "bytes_by_axis": {axis: list(values) for axis, values in one.by_axis.items()},
                "crossing": [
                    {"axis": axis, "crossing": several, "groups": of} for axis, (several, of) in one.crossing.items()
                ],
            }
            for one in placing.placed
        ],
        "proposal": {
            "unit": placing.unit,
            "straddling": found.straddling,
            "bound": found.bound,
            "straddling_leaves": found.straddling_leaves,
            "leaf_bound": found.leaf_bound,
            "heuristic": found.heuristic,
            "hosts": list(rank_places(placing.fabric, found.placement).hosts()),
            "written": {form: str(path) for form, path in written.items()},
        },
        "assumptions": list(placing.assumptions),
    }


def _crossing_text(one: PlacedStep) -> str:
    """Groups that cross, of the axes that should not."""
    pairs = {axis: pair for axis, pair in one.crossing.items() if axis in ("tp", "cp", "ep", "etp")}
    return ", ".join(f"{axis} {several:,}/{of:,}" for axis, (several, of) in pairs.items()) or "-"


def _placements_table(placing: Placing) -> Table:
    columns = ("placement", "step", "exposed", "cross domains", *(f"into {tier}" for tier in TIERS))
    rows = tuple(
        (
            one.name,
            seconds_text(one.time.step_s),
            seconds_text(one.time.exposed_total_s),
            _crossing_text(one),
            *("-" if value == 0 else bytes_text(value) for value in one.tier_bytes),
        )
        for one in placing.placed
    )
    title = (
        f"{placing.workload.description.model.name} on {placing.workload.layout.n_ranks:,} GPUs of "
        f"{placing.fabric.name}: a step"
    )
    return Table(title, columns, rows, frozenset((*columns[1:3], *columns[4:])), drop=("into core", "into NVLink"))


def _axis_table(placing: Placing) -> Table:
    columns = ("axis", "placement", *(f"into {tier}" for tier in TIERS))
    rows = tuple(
        (axis, one.name, *("-" if value == 0 else bytes_text(value) for value in one.by_axis[axis]))
        for axis in placing.given.by_axis
        for one in (placing.given, placing.proposed)
    )
    return Table("Bytes of a GPU in a step, by axis", columns, rows, frozenset(columns[2:]), drop=("into core",))


def place_report(placing: Placing, write: Mapping[str, Path]) -> Report:
    """What `place` has to say, with a file in each form of launchers that is asked for.

    Raises
    ------
    InputError
        If a form cannot say the proposed order.
    """
    found = placing.assignment
    notes = [
        f"proposed: units of {placing.unit:,} ranks in several NVLink domains: {found.straddling:,}; the fewest that "
        f"any order of these hosts has: {found.bound:,}",
        f"proposed: units behind several sets of leaves: {found.straddling_leaves:,}; the fewest: {found.leaf_bound:,}",
    ]
    return Report(
        place_document(placing, write),
        [_placements_table(placing), _axis_table(placing)],
        place_verdict(placing),
        notes=notes,
        assumptions=placing.assumptions,
        headlines=[Headline(one.name, one.time.step_s) for one in (placing.proposed, *placing.placed)],
        page=lambda: PageParts(bars=[TimeBar(one.name, one.time.step_s) for one in placing.placed]),
        files={str(path): launcher_text(form, placing.fabric, found.placement) for form, path in write.items()},
    )
