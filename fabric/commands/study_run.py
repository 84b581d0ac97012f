"""A study run, from Python and from the command `sweep`."""

import os
from collections.abc import Sequence
from pathlib import Path

from fabric.commands.study_file import Study, read_study
from fabric.commands.study_points import options_of_tables, points_of
from fabric.commands.sweep_work import combine_parts, payload_of, run_point, scenario_of_options, warm_payloads
from fabric.routing.parts import N_PARTS
from fabric.scenario import Scenario
from fabric.studies.sweep.engine import Engine, Here
from fabric.studies.sweep.journal import read_journal
from fabric.studies.sweep.point import StudyPoint
from fabric.studies.sweep.result import SweepResult
from fabric.studies.sweep.run import How, Progress, Shard, Swept, run_points


def run_study(
    study: Study | str | Path,
    folder: str | Path,
    *,
    workers: int | None = 1,
    threads: int | None = None,
    scheduler: str | None = None,
    shard: Shard | None = None,
    retry_failed: bool = False,
    points: Sequence[StudyPoint] | None = None,
    progress: Progress | None = None,
) -> SweepResult:
    """Run what is not done yet of a study; what is done is on disk, point by point, whatever ends this.

    With several workers a script must be guarded (``if __name__ == "__main__":``), as `multiprocessing` has it.

    Parameters
    ----------
    study : Study or path
    folder : path
        Where the points are kept.
    workers : int or None
        Processes of this machine; 1: this one; None: a processor each.
    threads : int, optional
        Of a worker; default 1, of one worker alone all.
    scheduler : str, optional
        Address of a dask scheduler, whose workers run the points instead.
    shard : Shard, optional
        Only this share.
    retry_failed : bool
        Run points again that failed.
    points : sequence of StudyPoint, optional
        Those of the study, where they are known already.
    progress : callable, optional
        ``progress(done, total, failed, seconds_left)``.

    Returns
    -------
    SweepResult
        With all that the folder holds of the study.

    Raises
    ------
    InputError
        If the study is refused, the folder cannot be written, or nobody runs the points.
    """
    given = study if isinstance(study, Study) else read_study(study)
    own = tuple(points_of(given) if points is None else points)
    processes = _processes(workers, len(own) * (N_PARTS if given.split else 1))
    each = threads or (None if processes == 1 and scheduler is None else 1)
    how = How(
        _engine(scheduler, processes, each),
        run_point,
        combine_parts,
        lambda point, part: payload_of(point, part, each),
        warm_payloads(own, each),
        given.split,
    )
    kept = run_points(own, Path(folder), how, shard, retry_failed, progress)
    return SweepResult(study_name(given), Swept.of(own, kept), given.metric)


def kept_study(study: Study, points: Sequence[StudyPoint], folder: str | Path) -> SweepResult:
    """A study as far as a folder holds it; nothing is run."""
    return SweepResult(study_name(study), Swept.of(points, read_journal(Path(folder))), study.metric)


def study_name(study: Study) -> str:
    """Its title, or the name of its file."""
    return study.title or Path(study.path).stem


def point_scenario(point: StudyPoint, n_threads: int | None = None) -> Scenario:
    """The scenario that a point is.

    Raises
    ------
    InputError
        If the fabric cannot be opened or the job does not fit.
    """
    return scenario_of_options(options_of_tables(point.tables, ""), n_threads)


def _processes(workers: int | None, n_tasks: int) -> int:
    """As asked, or one for each processor that this process may use; never more than there are tasks."""
    try:
        usual = len(os.sched_getaffinity(0))
    except AttributeError:
        usual = os.cpu_count() or 1
    return max(1, min(workers or usual, n_tasks))


def _engine(scheduler: str | None, workers: int, threads: int | None) -> Engine:
    if scheduler is not None:
        from fabric.studies.sweep.dask_cluster import DaskCluster

        return DaskCluster(scheduler)
    if workers == 1:
        return Here()
    from fabric.studies.sweep.processes import Processes

    return Processes(workers, threads or 1)
