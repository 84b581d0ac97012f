"""Work for the engines of a sweep, found by its name in other processes: what workers do on a bad day."""

import os
import signal
import time
from pathlib import Path

from collectives import InputError
from fabric.studies.sweep.engine import Reply
from fabric.studies.sweep.outcome import PointOutcome


def work(payload):
    """`do` says what happens; `mark` is a folder in which each start leaves a file."""
    mark = Path(payload["mark"])
    number = len(list(mark.glob(f"{payload['name']}-*")))
    (mark / f"{payload['name']}-{number}-{os.getpid()}").touch()
    match payload["do"]:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "die once":
            if number == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        case "leave":
            os._exit(7)
        case "refuse":
            raise InputError("another version")
        case "sleep":
            time.sleep(60)
    return Reply(PointOutcome(time_s=float(payload["value"])), b"", 0.0, str(os.getpid()))
