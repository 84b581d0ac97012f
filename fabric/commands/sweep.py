"""The command `sweep`: many scenarios, here or on a cluster."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collectives.saying import printable
from fabric.commands.choices import choice
from fabric.commands.grouping import OptionGroup
from fabric.commands.options import OutputOptions
from fabric.commands.resolve import usage
from fabric.commands.terminal import finish, progressing, shell_line

if TYPE_CHECKING:
    from fabric.commands.study_file import Study
    from fabric.studies.sweep.point import StudyPoint
    from fabric.studies.sweep.result import SweepResult
    from fabric.studies.sweep.run import Shard, Swept

DATASETS = ("parquet", "csv")


@dataclass(frozen=True)
class WhereOptions(OptionGroup):
    """Who runs the points, and where they are kept."""

    panel = "Where it runs, and where its points are kept"

    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Points that are done; what is there is not run again [default: STUDY.sweep].",
        ),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=4096, metavar="N", help="Processes of this machine; 1: this one [default: a processor each]."
        ),
    ] = None
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=4096, metavar="N", help="Threads of a worker [default: 1; of one worker alone: all]."),
    ] = None
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Workers of a running dask.distributed scheduler: tcp://HOST:8786."),
    ] = None
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Only the I-th of N shares of the points: a job array's task.")
    ] = None
    collect: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="Run nothing: gather the points that shares left there; again for more."),
    ] = None
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run points again that failed.")] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Run nothing: list the points.")] = False


@dataclass(frozen=True)
class SweepOutput(OutputOptions):
    """Where the answer goes."""

    csv: Annotated[Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per point.")] = None
    dataset: Annotated[
        str | None,
        choice("The folder's dataset of all rows [default: parquet with pyarrow, else csv]", DATASETS, "--format"),
    ] = None
    top: Annotated[int, typer.Option(min=0, max=100_000, metavar="N", help="Points of each end on the screen.")] = 5
    strict: Annotated[bool, typer.Option("--strict", help="Exit status 1 if a point failed.")] = False


def sweep(
    study: Annotated[
        Path, typer.Argument(metavar="STUDY", help="TOML: a scenario file as `report` reads it, and [vary.TABLE].")
    ],
    where: WhereOptions,
    output: SweepOutput,
) -> None:
    """Many scenarios: every combination of what a study varies, or a sample; the best, the worst, and what matters.

    Keys are options of `loads`: [vary.routing] routing = ["adaptive", "ecmp"]. Points are kept one by one, so that the
    same command goes on after anything that ended it. A point that fails is a row that says why.

    \b
    Examples:
      railscope sweep study.toml --dry-run
      railscope sweep study.toml --workers 8 --figure sweep.png
      railscope sweep study.toml --shard "$SLURM_ARRAY_TASK_ID/16"
      railscope sweep study.toml --scheduler tcp://head:8786
    """
    _check_together(where, output)

    from fabric.commands.study_file import read_study
    from fabric.commands.study_points import points_of
    from fabric.commands.study_run import kept_study
    from fabric.reports.files import check_outputs
    from fabric.reports.sweep import SweepFiles, points_report, sweep_report
    from fabric.studies.sweep.dask_cluster import check_address
    from fabric.studies.sweep.journal import make_folder
    from fabric.studies.sweep.run import take_over

    check_outputs(output.figure, (output.html, output.csv), output.force)
    given = read_study(study)
    share = None if where.shard is None else _shard(where.shard)
    folder = _folder(study, where)
    points = points_of(given)
    size = _size(given, points)
    if where.dry_run:
        result = kept_study(given, points, folder)
        finish(points_report(result, SweepFiles(str(folder), csv=output.csv), [size]), output)
        return
    if where.collect:
        take_over(where.collect, folder)
        _say(size)
        result = kept_study(given, points, folder)
    else:
        # What is refused is refused before anything is said.
        make_folder(folder)
        if where.scheduler is not None:
            check_address(where.scheduler)
        _say(size)
        with _resumable(folder):
            result = _run(given, points, folder, where, share)
    _check_any(result, share)
    dataset = _write_dataset(result.swept, folder, output, whole=share is None)
    files = SweepFiles(str(folder), dataset, output.figure, output.csv)
    finish(sweep_report(result, files, output.top, _notes(result, study, folder, share)), output)
    if output.strict and result.swept.failures:
        from collectives.errors import InputError

        failed = len(result.swept.failures)
        raise InputError(f"{failed:,} of {len(points):,} points failed, the first: {_why(result)}")


def _notes(result: "SweepResult", study: Path, folder: Path, share: "Shard | None") -> list[str]:
    """What to do next."""
    from fabric.commands.study_points import run_alone

    notes = []
    if share is not None and result.swept.n_missing:
        line = shell_line(["sweep", str(study), "--collect", str(folder)])
        notes.append(f"share {share.number + 1} of {share.n} is done; once the others are: {line}")
    alone = run_alone(result.ranked[0].point) if result.ranked else ""
    if alone:
        notes.append(f"the best point by itself: {alone}")
    return notes


def _check_together(where: WhereOptions, output: SweepOutput) -> None:
    """Refuse options that do not go together, or would have no effect."""
    if where.scheduler is not None and (where.workers is not None):
        usage("expected --workers or --scheduler, not both")
    idle = "--dry-run" if where.dry_run else "--collect" if where.collect else ""
    for option, given in (
        ("--workers", where.workers),
        ("--threads", where.threads),
        ("--scheduler", where.scheduler),
        ("--shard", where.shard),
        ("--retry-failed", where.retry_failed),
    ):
        if idle and given:
            usage(f"{option}: {idle} runs nothing")
    for option, result in (
        ("--collect", where.collect),
        ("--figure", output.figure),
        ("--html", output.html),
        ("--format", output.dataset),
        ("--strict", output.strict),
    ):
        if where.dry_run and result:
            usage(f"{option}: --dry-run lists the points, and has no result of them")


def _folder(study: Path, where: WhereOptions) -> Path:
    if where.output is not None:
        return where.output
    if where.collect and len(where.collect) == 1:
        return where.collect[0]
    return Path(f"{study.stem}.sweep")


def _shard(text: str) -> "Shard":
    from collectives.gate import quoted, whole
    from fabric.studies.sweep.run import Shard

    number, slash, n = text.partition("/")
    if not slash:
        usage(f"--shard {quoted(text)}: expected NUMBER/SHARES such as 3/16")
    shares = whole(n, "--shard: shares", 1, 1 << 20)
    return Shard(whole(number, f"--shard: share of {shares}", 1, shares) - 1, shares)


def _size(study: "Study", points: "tuple[StudyPoint, ...]") -> str:
    """How large the study is: ``48 points: 3 fabric x 2 routing x 10 seed, 12 alike``."""
    from collectives.sizes import counted
    from fabric.studies.sweep.point import labels_of

    labels = labels_of(tuple(axis.key for axis in study.axes))
    grid = " x ".join(f"{len(axis.values):,} {labels[axis.key]}" for axis in study.axes)
    n, whole = len(points), study.n_combinations
    said = [counted(n, "point")]
    if study.axes:
        said.append(f"{grid}" + (f" are {whole:,} combinations" if n != whole else ""))
    if study.sample is not None:
        said.append(f"a sample by seed {study.seed}")
    elif n != whole:
        said.append(f"{whole - n:,} differ only in what has no effect")
    bad = sum(bool(point.problem) for point in points)
    if bad:
        first = next(point.problem for point in points if point.problem)
        said.append(f"{counted(bad, 'point')} cannot run: {first}")
    return f"{said[0]}: {'; '.join(said[1:])}" if said[1:] else said[0]


def _say(text: str) -> None:
    print(f"railscope: {printable(text)}", file=sys.stderr)


def _run(
    study: "Study", points: "tuple[StudyPoint, ...]", folder: Path, where: WhereOptions, share: "Shard | None"
) -> "SweepResult":
    from fabric.commands.study_run import run_study

    with progressing("sweep") as show:

        def tell(done: int, total: int, failed: int, left_s: float | None) -> None:
            said = [f"{failed:,} failed"] if failed else []
            said += [f"{_duration(left_s)} left"] if left_s is not None and done < total else []
            show(done, total, ", ".join(said))

        return run_study(
            study,
            folder,
            workers=where.workers,
            threads=where.threads,
            scheduler=where.scheduler,
            shard=share,
            retry_failed=where.retry_failed,
            points=points,
            progress=tell,
        )


def _duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``2 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60:,} h {minutes % 60:02d} min"


@contextmanager
def _resumable(folder: Path) -> Iterator[None]:
    """Say that nothing is lost when the user stops it."""
    try:
        yield
    except KeyboardInterrupt:
        _say(f"stopped; what is done is kept in {folder}, and the same command goes on")
        raise


def _why(result: "SweepResult") -> str:
    return result.swept.failures[0][1].outcome.error


def _check_any(result: "SweepResult", share: "Shard | None") -> None:
    """Refuse to say something of nothing: no point has a result."""
    from collectives.errors import InputError

    swept = result.swept
    if next(swept.rows, None) is not None:
        return
    if swept.failures:
        raise InputError(f"no point has a result: {len(swept.failures):,} failed, the first: {_why(result)}")
    if share is None:
        raise InputError("no point of this study is done; expected the folder that its points are kept in")


def _write_dataset(swept: "Swept", folder: Path, output: SweepOutput, whole: bool) -> str | None:
    """Write all rows where they are kept; of a share only where the others are done too."""
    from fabric.files import write_all
    from fabric.reports.sweep_dataset import dataset_bytes, runs_csv, usual_format

    if swept.n_missing and not whole:
        return None
    kind = output.dataset or usual_format()
    # A dataset in the other form, of an earlier run, must not stay behind.
    kinds = {kind} | {one for one in DATASETS if (folder / f"results.{one}").exists()}
    files: dict[str, str | bytes] = {str(folder / f"results.{one}"): dataset_bytes(swept, one) for one in sorted(kinds)}
    write_all({**files, str(folder / "runs.csv"): runs_csv(swept)}, force=True)
    return str(folder / f"results.{kind}")
