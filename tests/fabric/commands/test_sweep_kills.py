"""Sweeps of real processes, some of which are killed: nothing is lost, nothing is counted twice, the bytes are the same."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fabric.commands.study_file import read_study
from fabric.commands.study_run import run_study
from fabric.reports.sweep_dataset import dataset_bytes
from fabric.studies.sweep.journal import read_journal

ROOT = Path(__file__).parents[3]
N_POINTS = 16
# Each point takes long enough to be caught in the middle, on a machine with nothing else to do.
STUDY = f"""
[fabric]
name = "gb300-2048"
[traffic]
collective = "all-to-all"
group = 256
[vary.routing]
routing = ["ecmp"]
seed = {{ first = 0, count = {N_POINTS} }}
"""
PATIENCE_S = 120


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """The dataset of one process that nobody disturbs."""
    folder = tmp_path_factory.mktemp("serial")
    (folder / "s.toml").write_text(STUDY)
    return dataset_bytes(run_study(read_study(folder / "s.toml"), folder / "p").swept, "csv")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text(STUDY)
    return tmp_path


def lines():
    return sum(path.read_bytes().count(b"\n") for path in Path("p").glob("points-*.log"))


def until(condition, process):
    """Wait for something while a process runs."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def started(*words):
    command = [sys.executable, "-m", "railscope", "sweep", "s.toml", "-o", "p", "--format", "csv", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def workers_of(process):
    """Processes that a process has started, but for the one that multiprocessing keeps its books with."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            if parent == process.pid and b"spawn_main" in (status.parent / "cmdline").read_bytes():
                found.append(int(status.parent.name))
    return found


def gone(numbers):
    deadline = time.monotonic() + PATIENCE_S
    while any(Path(f"/proc/{number}").exists() for number in numbers):
        assert time.monotonic() < deadline, "workers outlive the sweep that is gone"
        time.sleep(0.02)


def test_killed_at_any_time_it_goes_on(here, serial):
    """A worker is killed, then the sweep itself, then its last line is torn."""
    with started("--workers", "2") as process:
        until(lambda: lines() >= 1, process)
        os.kill(workers_of(process)[0], signal.SIGKILL)
        until(lambda: lines() >= 4, process)
        own = workers_of(process)
        process.kill()
        process.wait()
    gone(own)
    killed = read_journal(Path("p"))
    assert 4 <= len(killed.entries) < N_POINTS
    # The disk was full, or the machine stopped: a line is there in part.
    (path,) = Path("p").glob("points-*.log")
    with path.open("ab") as file:
        file.write(path.read_bytes()[:100])
    done = run_study(read_study("s.toml"), "p")
    assert (done.swept.kept.again, done.swept.kept.torn) == (0, killed.torn + 1)
    assert set(killed.entries) < set(done.swept.kept.entries)
    assert dataset_bytes(done.swept, "csv") == serial


@contextlib.contextmanager
def program(*words):
    """A part of a dask cluster, gone at the end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DASK_LOGGING__DISTRIBUTED": "error"}
    with open("cluster.log", "ab") as log:
        own = subprocess.Popen([sys.executable, "-m", "dask", *words], env=environment, stdout=log, stderr=log)
    try:
        yield own
    finally:
        own.kill()
        own.wait()


def scheduler(port):
    return program("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show")


def worker(port):
    address = f"tcp://127.0.0.1:{port}"
    return program("worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard",
                   "--death-timeout", str(PATIENCE_S))  # fmt: skip


def test_a_cluster_that_loses_a_worker_and_its_scheduler(here, serial):
    """Three workers of a dask scheduler: one is killed, then the scheduler, which comes back with another one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with contextlib.ExitStack() as cluster:
        first = cluster.enter_context(scheduler(port))
        workers = [cluster.enter_context(worker(port)) for _ in range(3)]
        sweep = cluster.enter_context(started("--scheduler", f"tcp://127.0.0.1:{port}"))
        until(lambda: lines() >= 2, sweep)
        workers[0].kill()
        until(lambda: lines() >= 5, sweep)
        first.kill()
        first.wait()
        assert lines() < N_POINTS
        cluster.enter_context(scheduler(port))
        cluster.enter_context(worker(port))
        _, errors = sweep.communicate(timeout=PATIENCE_S)
        assert sweep.returncode == 0, errors
    assert errors.splitlines() == [f"railscope: {N_POINTS} points: 1 routing x {N_POINTS} seed"]
    kept = read_journal(Path("p"))
    assert (len(kept.entries), kept.again, kept.torn, kept.differing) == (N_POINTS, 0, 0, ())
    assert not any(entry.outcome.failed for entry in kept.entries.values())
    # Some before the scheduler was killed, some after it.
    assert len({entry.worker for entry in kept.entries.values()}) >= 2
    assert Path("p/results.csv").read_bytes() == serial
