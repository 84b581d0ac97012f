"""Tasks on processes of this machine, each with its own threads; one that is killed is replaced.

The first process runs what makes all of them cheap (kernels compiled and kept on disk) before any has a task.
Fabrics are built where they are needed, from their descriptions: what goes through the pipes is options and results.
"""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from collectives.errors import InputError
from fabric.studies.sweep.engine import Payload, Replies, Reply, Task, Work, lost_outcome

# Of libraries that start threads of their own.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# A task that two processes ended with is taken for the reason.
_TRIES = 2
_STARTS = 3
_PATIENCE_S = 5.0
READY = "ready"


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    connection: Connection
    ready: bool = False
    task: Task | None = None

    def end(self) -> None:
        """Stop it, whatever it does."""
        self.connection.close()
        self.process.terminate()
        self.process.join(_PATIENCE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@dataclass(frozen=True)
class Processes:
    """Processes of this machine.

    Attributes
    ----------
    n_workers : int
        At most so many.
    n_threads : int
        Of each.
    """

    n_workers: int
    n_threads: int = 1

    def run(self, work: Work, tasks: Sequence[Task], warm: Sequence[Payload]) -> Replies:
        """See `Engine`."""
        waiting = deque(tasks)
        workers: list[_Worker] = []
        tries: dict[str, int] = {}
        failed_starts = 0
        # All start at once; until the first has compiled what they need, the others have nothing to do.
        is_warm = not warm
        try:
            for number in range(min(self.n_workers, len(waiting))):
                workers.append(self._start(work, warm if number == 0 else ()))
            first = workers[0] if workers else None
            while waiting or any(one.task for one in workers):
                for one in workers:
                    if is_warm and one.ready and one.task is None and waiting:
                        one.task = waiting.popleft()
                        _hand(one)
                for ready in wait([one.connection for one in workers]):
                    (worker,) = (one for one in workers if one.connection is ready)
                    try:
                        reply = worker.connection.recv()
                    except (EOFError, OSError):
                        workers.remove(worker)
                        is_warm = is_warm or worker is first
                        how = _how_it_ended(worker)
                        worker.end()
                        failed_starts = 0 if worker.ready else failed_starts + 1
                        if failed_starts >= _STARTS:
                            said = "--workers 1 runs all in one process"
                            raise InputError(f"workers end before they begin ({how}); {said}") from None
                        task = worker.task
                        if task is not None:
                            tries[task.name] = tries.get(task.name, 0) + 1
                            if tries[task.name] < _TRIES:
                                waiting.appendleft(task)
                            else:
                                yield task, Reply(lost_outcome(how))
                        if waiting:
                            workers.append(self._start(work, ()))
                        continue
                    if reply == READY:
                        worker.ready, failed_starts = True, 0
                        is_warm = is_warm or worker is first
                        continue
                    done, worker.task = worker.task, None
                    if isinstance(reply, InputError):
                        raise reply
                    assert done is not None
                    yield done, reply
        finally:
            for one in workers:
                one.end()

    def _start(self, work: Work, warm: Sequence[Payload]) -> _Worker:
        # A fork would copy locks that threads of ours hold.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, work, tuple(warm)), daemon=True)
        with _environment(dict.fromkeys(_THREADS, str(self.n_threads))):
            process.start()
        # So that the end of the process is the end of the pipe.
        theirs.close()
        return _Worker(process, ours)


def _hand(worker: _Worker) -> None:
    """Give a worker its task; that it has ended shows when it is listened to."""
    assert worker.task is not None
    with suppress(OSError):
        worker.connection.send(worker.task.payload)


def _how_it_ended(worker: _Worker) -> str:
    worker.process.join(_PATIENCE_S)
    code = worker.process.exitcode
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
        return f"{name}; out of memory?" if -code == signal.SIGKILL else name
    return f"exit status {code}"


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _serve(connection: Connection, work: Work, warm: Sequence[Payload]) -> None:
    """What a process does: tasks until the pipe ends, and with it the one that gives them."""
    # Who presses Ctrl-C means the one that gives the tasks, which ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for payload in warm:
        with suppress(Exception):
            work(payload)
    with suppress(OSError, EOFError):
        connection.send(READY)
        while True:
            payload = connection.recv()
            try:
                reply: Reply | InputError = work(payload)
            except InputError as error:
                reply = error
            connection.send(reply)
