"""Several jobs as a user writes them: ``NAME=WORKLOAD[:GPUS]@PLACEMENT``, or a TOML file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fabric.studies.sharing import JobRequest

OtherJobs = Annotated[
    list[str] | None,
    typer.Option(
        "--job",
        metavar="NAME=WORKLOAD:GPUS@PLACEMENT",
        help="Another job at the same time, on hosts that are left: packed, fragmented, ..., or a hostlist; again.",
    ),
]
JobsFile = Annotated[
    Path | None,
    typer.Option(
        "--jobs", metavar="FILE", help="TOML of other jobs: [[job]] name, workload, gpus, placement or hosts."
    ),
]


def job_of(text: str, seed: int = 0) -> "JobRequest":
    """A job out of ``NAME=WORKLOAD:GPUS@PLACEMENT``; without a placement packed.

    Raises
    ------
    InputError
        If it is not written so.
    """
    from collectives.errors import InputError
    from collectives.gate import quoted, whole

    name, equals, rest = text.partition("=")
    what, _, placement = rest.partition("@")
    workload, colon, gpus = what.rpartition(":")
    if not (name and equals and workload and colon):
        raise InputError(
            f"--job {quoted(text)}: expected NAME=WORKLOAD:GPUS@PLACEMENT, such as b=llama-3.1-8b:64@packed"
        )
    return _made(name, workload, whole(gpus, f"--job {quoted(name)}: GPUs", 1, 1 << 24), placement or "packed", seed)


def _made(name: str, workload: str, gpus: int, placement: str, seed: int) -> "JobRequest":
    from fabric.jobs.rule import PLACEMENTS, PlacementRule
    from fabric.studies.sharing import JobRequest
    from traces.workload.description import read_workload

    known = placement in PLACEMENTS
    rule = PlacementRule(placement, gpus, seed=seed) if known else PlacementRule(gpus=gpus, hosts=placement)
    return JobRequest(name, read_workload(workload), gpus, rule)


def jobs_of_file(path: Path) -> "list[JobRequest]":
    """Jobs of a TOML file.

    Raises
    ------
    InputError
        Names the file and the key.
    """
    from collectives.errors import InputError
    from traces.files import read_text
    from traces.toml_text import parse_toml

    tables = parse_toml(read_text(path), str(path))
    rows = tables.get("job")
    if set(tables) != {"job"} or not isinstance(rows, list) or not rows:
        raise InputError(f"{path}: expected tables [[job]], each with name, workload and gpus, and nothing else")
    made = []
    for place, row in enumerate(rows):
        what = f"{path}: job[{place}]"
        if not isinstance(row, dict):
            raise InputError(f"{what}: expected a table")
        made.append(_of_table(row, what))
    return made


def _of_table(row: dict[str, Any], what: str) -> "JobRequest":
    from collectives.errors import InputError
    from collectives.gate import whole_value
    from collectives.suggestion import hint

    known = ("name", "workload", "gpus", "placement", "hosts", "seed")
    for key in row:
        if key not in known:
            raise InputError(f"{what}.{key}: unknown key; {hint(key, known)}")
    for key in ("name", "workload"):
        if not isinstance(row.get(key), str) or not row[key]:
            raise InputError(f"{what}.{key}: expected a text in quotes")
    if "placement" in row and "hosts" in row:
        raise InputError(f"{what}: placement and hosts; expected one of them")
    where = row.get("hosts", row.get("placement", "packed"))
    if not isinstance(where, str) or not where:
        raise InputError(f"{what}: expected placement or hosts as a text in quotes")
    gpus = whole_value(row.get("gpus"), f"{what}.gpus", 1, 1 << 24)
    return _made(row["name"], row["workload"], gpus, where, whole_value(row.get("seed", 0), f"{what}.seed"))
