"""Tasks on a cluster that is there already: the workers of a `dask.distributed` scheduler.

The scheduler knows which worker has which task, and gives tasks of a worker that ends to another one.  A scheduler that
ends takes what it knew with it: the tasks that had no reply are submitted again once it, or another one at the same
address, is back.  What has a reply is on disk, and no task with a reply is submitted again.
"""

import logging
import queue
import re
import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from collectives.errors import InputError
from collectives.gate import quoted
from fabric.studies.sweep.engine import Payload, Replies, Reply, Task, Work, lost_outcome

# Tasks that the scheduler has at once: assumed to keep some thousand workers busy, and to be soon handed over again.
_WINDOW = 4000
_CONNECT_S = 10.0
_LOOK_S = 1.0
_ADDRESS = re.compile(r"(?:(?:tcp|tls|ws|wss)://)?[^\s/]{1,300}:[0-9]{1,5}")
_TALKATIVE = ("distributed", "tornado", "asyncio")


@dataclass(frozen=True)
class DaskCluster:
    """The workers of a scheduler.

    Attributes
    ----------
    address : str
        ``tcp://host:port``.
    patience_s : float
        How long a scheduler may be away.
    first_s : float
        How long it may take to answer the first time.
    """

    address: str
    patience_s: float = 600.0
    first_s: float = 30.0

    def run(self, work: Work, tasks: Sequence[Task], warm: Sequence[Payload]) -> Replies:
        """See `Engine`."""
        check_address(self.address)
        client = _client_type()
        with _quiet():
            yield from self._run(client, work, {task.name: task for task in tasks}, warm)

    def _run(self, kind: Any, work: Work, left: dict[str, Task], warm: Sequence[Payload]) -> Replies:
        patience, is_warm = self.first_s, False
        while left:
            client = self._client(kind, patience)
            patience = self.patience_s
            try:
                if not is_warm:
                    _warm(client, work, warm)
                    is_warm = True
                for task, reply in _replies(client, work, list(left.values())):
                    del left[task.name]
                    yield task, reply
            finally:
                with suppress(Exception), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    client.close(timeout=2)

    def _client(self, kind: Any, patience_s: float) -> Any:
        """A connection to the scheduler, waited for."""
        until = time.monotonic() + patience_s
        while True:
            wait_s = min(_CONNECT_S, max(0.1, until - time.monotonic()))
            try:
                return kind(self.address, timeout=wait_s, set_as_default=False)
            except (OSError, TimeoutError) as error:
                if time.monotonic() >= until:
                    said = f"does not answer ({_one_line(error)}); expected a running dask scheduler"
                    raise InputError(f"scheduler {self.address}: {said}") from None
                time.sleep(_LOOK_S / 4)
            except (ValueError, OverflowError) as error:
                raise InputError(f"scheduler {self.address}: {_one_line(error)}; expected tcp://HOST:PORT") from None


def check_address(address: str) -> None:
    """Refuse what is no address of a scheduler, before anything is done.

    Raises
    ------
    InputError
        Says what was expected.
    """
    if not _ADDRESS.fullmatch(address):
        raise InputError(f"scheduler {quoted(address)}: expected an address such as tcp://HOST:8786")


def _client_type() -> Any:
    try:
        import distributed
    except ImportError:
        raise InputError(
            "--scheduler needs dask.distributed, which is not installed",
            "pip install 'railscope[distributed]' installs it",
        ) from None
    return distributed.Client


@contextmanager
def _quiet() -> Iterator[None]:
    """What is logged of connections that end is said here in one line, or is no trouble."""
    known = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in _TALKATIVE]
    logs = [logging.getLogger(name) for name in known]
    before = [log.level for log in logs]
    try:
        for log in logs:
            log.setLevel(logging.CRITICAL)
        yield
    finally:
        for log, level in zip(logs, before, strict=True):
            log.setLevel(level)


class _Away(Exception):
    """The scheduler forgot what it was given."""


def _warm(client: Any, work: Work, warm: Sequence[Payload]) -> None:
    """Compile on one worker before all start: where they share a home, the others find it done."""
    for payload in warm:
        with suppress(Exception):
            client.submit(work, payload, pure=False).result(timeout=600)


def _replies(client: Any, work: Work, tasks: Sequence[Task]) -> Iterator[tuple[Task, Reply]]:
    """Replies until all have come, or the scheduler is away."""
    waiting = deque(tasks)
    running: dict[str, tuple[Task, Any]] = {}
    ended: queue.SimpleQueue[str] = queue.SimpleQueue()
    while waiting or running:
        while waiting and len(running) < _WINDOW:
            task = waiting.popleft()
            future = client.submit(work, task.payload, key=f"railscope-{task.name}-{time.time_ns():x}", pure=False)
            running[task.name] = (task, future)
            future.add_done_callback(lambda _, name=task.name: ended.put(name))
        try:
            name = ended.get(timeout=_LOOK_S)
        except queue.Empty:
            if client.status not in ("running", "newly-created"):
                return
            continue
        task, future = running.pop(name)
        try:
            yield task, _reply(future)
        except _Away:
            return


def _reply(future: Any) -> Reply:
    if future.status == "cancelled":
        raise _Away
    try:
        reply = future.result(timeout=60)
    except InputError:
        raise
    except Exception as error:
        kind = type(error).__name__
        if kind == "KilledWorker":
            return Reply(lost_outcome("killed with the workers that ran it; out of memory?"))
        if isinstance(error, (ImportError, AttributeError)):
            said = "expected the same version in the environment of each worker"
            raise InputError(f"a worker cannot load railscope ({_one_line(error)}); {said}") from None
        if isinstance(error, (OSError, TimeoutError)) or kind in ("CancelledError", "FutureCancelledError"):
            raise _Away from None
        raise InputError(f"a worker: {kind}: {_one_line(error)}") from None
    if not isinstance(reply, Reply):
        raise InputError("a worker has another version of railscope; expected the same in the environment of each")
    return reply


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
