"""Routes a fabric anew with a real subnet manager: OpenSM over ibsim, both run as they are."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from collectives.errors import InputError
from fabric.formats.infiniband.ibsim import Netlist, ibsim_netlist
from fabric.scenario import FabricLike, opened_fabric

ENGINES = ("ftree", "updn", "minhop", "dfsssp")

_TOOLS = ("ibsim", "ibsim-run", "opensm")
_INSTALL = "apt-get install opensm ibsim-utils infiniband-diags"


def missing_tools(tools: tuple[str, ...] = _TOOLS) -> tuple[str, ...]:
    """Those of the programs that are not on the path (or in /usr/sbin)."""
    return tuple(tool for tool in tools if shutil.which(tool, path=_path()) is None)


def reroute(fabric: FabricLike, engine: str, timeout_s: float = 300.0) -> str:
    """The forwarding tables (``opensm-lfts.dump``) that OpenSM makes for a fabric.

    Parameters
    ----------
    fabric : OpenedFabric, FabricDescription, Topology or str
    engine : str
        One of `ENGINES`.
    timeout_s : float
        When to give up; five minutes are assumed to be the longest that anybody waits.

    Raises
    ------
    InputError
        If the programs are missing, with the command that installs them, or fail.
    """
    given = opened_fabric(fabric)
    return simulate(ibsim_netlist(given.topology, given.origin), engine, timeout_s)["opensm-lfts.dump"]


def simulate(netlist: Netlist, engine: str, timeout_s: float = 300.0, tools: tuple[str, ...] = ()) -> dict[str, str]:
    """Run ibsim with OpenSM on it, then each of `tools`; texts by name: ``opensm-lfts.dump`` and the tools' outputs.

    Raises
    ------
    InputError
        As `reroute`.
    """
    if missing := missing_tools((*_TOOLS, *tools)):
        raise InputError(f"{', '.join(missing)} not found; {_INSTALL} (as root) installs them on Debian and Ubuntu")
    deadline = time.monotonic() + timeout_s
    with tempfile.TemporaryDirectory(prefix="railscope-opensm-") as name:
        folder = Path(name)
        (folder / "fabric.net").write_text(netlist.text, encoding="utf-8")
        environment = {
            **os.environ,
            "PATH": _path(),
            "OSM_TMP_DIR": name,
            "OSM_CACHE_DIR": name,
            "IBSIM_SOCKNAME": folder.name,
        }
        room = ("-N", netlist.n_nodes + 8, "-S", netlist.n_switches + 8, "-P", netlist.n_ports + 64)
        command = ["ibsim", "-s", "-n", *map(str, room), "fabric.net"]
        with open(folder / "ibsim.out", "w") as log:
            # A process group of its own, so that all of it ends with us, however we end.
            simulator = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=name,
                env=environment,
                start_new_session=True,
            )
        try:
            _wait_ready(simulator, folder / "ibsim.out", deadline)
            # -o: one sweep and done; 0x43: errors, information and the routing dumps.
            log_file = str(folder / "osm.log")
            _run(["opensm", "-R", engine, "-o", "-D", "0x43", "-f", log_file], environment, folder, deadline)
            used = _engine_used(folder / "osm.log")
            if used is not None and used != engine:
                raise InputError(f"opensm: engine {engine} cannot route this fabric (opensm fell back to {used})")
            lfts = folder / "opensm-lfts.dump"
            if not lfts.exists():
                raise InputError(f"opensm -R {engine} wrote no tables: {_last_line(folder / 'osm.log')}")
            texts = {lfts.name: lfts.read_text(encoding="utf-8", errors="backslashreplace")}
            for tool in tools:
                texts[tool] = _run([tool], environment, folder, deadline)
        finally:
            _end(simulator)
    return texts


def _path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin"


def _wait_ready(simulator: "subprocess.Popen[bytes]", log: Path, deadline: float) -> None:
    while "simulator ready" not in log.read_text(errors="replace"):
        if simulator.poll() is not None or time.monotonic() > deadline:
            raise InputError(f"ibsim does not start: {_last_line(log)}")
        time.sleep(0.02)


def _run(command: list[str], environment: dict[str, str], folder: Path, deadline: float) -> str:
    tool = subprocess.Popen(
        ["ibsim-run", *command],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, errors = tool.communicate(timeout=max(1.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise InputError(f"{command[0]} over ibsim takes too long; stopped") from None
    finally:
        _end(tool)
    if tool.returncode != 0:
        words = (errors or out).decode(errors="replace").strip().splitlines()
        raise InputError(f"{' '.join(command[:3])} over ibsim failed: {words[-1] if words else tool.returncode}")
    return out.decode("utf-8", "backslashreplace")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and its group, if it still runs."""
    if process.poll() is not None:
        return
    for number, patience_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(patience_s)
            return
        except subprocess.TimeoutExpired:
            continue


def _engine_used(log: Path) -> str | None:
    """The engine that OpenSM's log says configured the tables."""
    mark = " tables configured on all switches"
    text = log.read_text(errors="replace") if log.exists() else ""
    lines = [line for line in text.splitlines() if mark in line]
    return lines[-1].split(mark)[0].split()[-1] if lines else None


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:200] if lines else "no output"
