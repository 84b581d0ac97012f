"""Signals at any time: no traceback, the exit status of the signal, nothing left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from fabric.studies.opensm import missing_tools

ROOT = Path(__file__).parents[3]


def started(arguments, folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    # A shell's background jobs have SIGINT ignored; here it is not.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import railscope; railscope.main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("delay_s", [0.1, 0.2, 0.35, 0.5, 0.8, 1.2])
def test_interrupted_while_starting(tmp_path, delay_s):
    with started(
        ["compare", "gb300-8192", "--collective", "all-to-all", "--group", "64", "--no-figure"], tmp_path
    ) as process:
        time.sleep(delay_s)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    # Before Python runs a line of ours it says so itself.
    assert "Traceback" not in errors or "railscope" not in errors
    assert process.returncode in (130, -signal.SIGINT, 1 if "Traceback" in errors else 130)


def running(name):
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if name in status.read_bytes().decode(errors="replace"):
                yield status


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_simulator_ends_with_us(number, status):
    missing = missing_tools()
    if missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{', '.join(missing)} not found")
        pytest.skip(f"{', '.join(missing)} not found")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with started(["fabric", "reroute", "superpod-h100-1016", "x.lfts", "--engine", "updn"], folder) as process:
            deadline = time.monotonic() + 60
            while not list(folder.glob("railscope-opensm-*/fabric.net")) and time.monotonic() < deadline:
                time.sleep(0.02)
            (own,) = folder.glob("railscope-opensm-*")
            time.sleep(0.3)
            process.send_signal(number)
            _, errors = process.communicate(timeout=60)
        assert process.returncode == status, errors
        assert "Traceback" not in errors
        assert not list(folder.iterdir())
        assert not list(running(own.name))


def test_names_that_the_simulator_would_trip_over(tmp_path):
    import json

    for bad in ("x" * 65, "a\nb", "a\x1bb"):
        nodes = [{"id": bad, "kind": "endpoint"}, {"id": "b", "kind": "endpoint"}, {"id": "s", "kind": "switch"}]
        edges = [{"source": name, "target": "s", "capacity_gbps": 100.0} for name in (bad, "b")]
        (tmp_path / "g.json").write_text(json.dumps({"directed": False, "nodes": nodes, "edges": edges}))
        with started(["fabric", "export", "g.json", "x.net"], tmp_path) as process:
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "in its name; ibsim takes none" in errors or "has a name of 65 bytes; ibsim takes 64" in errors
        assert errors.count("\n") == 1
        assert not (tmp_path / "x.net").exists()
