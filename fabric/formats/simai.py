"""SimAI's text topologies: GPUs, NVSwitches and switches by number, a cable a line."""

import re
from pathlib import Path

import numpy as np

from collectives.demand import Int32Vector
from collectives.errors import InputError
from collectives.gate import quoted
from fabric.formats.dump import dump_lines
from fabric.topology import ENDPOINT, NVSWITCH, SWITCH, UNKNOWN, Cables, Int8Vector, Nodes, Topology, joined_by

_HEAD = re.compile(r"\s*(\d{1,9})\s+(\d{1,6})\s+(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})\s+(\S+)$", re.ASCII)
_CABLE = re.compile(r"\s*(\d{1,9})\s+(\d{1,9})\s+([0-9.]{1,12})\s*([kKMGT])bps\s+\S+\s+\S+$", re.ASCII)
_FACTOR = {"k": 1e-6, "K": 1e-6, "M": 1e-3, "G": 1.0, "T": 1e3}


def read_simai(path: str | Path) -> Topology:
    """Read a topology: GPU ``g`` of ``gpus_per_server`` a server is on host ``g // n`` and rail ``g % n``.

    The header is ``nodes gpus_per_server nvswitches switches links gpu_type``, the next line the numbers of NVSwitches
    and switches, in this order.  Latency and error rate are passed over.

    Raises
    ------
    InputError
        Names file and line, and what was expected.
    """
    lines = ((number, line) for number, line in dump_lines(path) if line.strip())
    number, line = next(lines, (1, ""))
    head = _HEAD.match(line)
    if head is None:
        raise InputError(f"{path}:{number}: expected 'nodes gpus_per_server nvswitches switches links gpu_type'")
    n_nodes, per_host, n_nvswitches, n_switches, n_cables = (int(head[group]) for group in range(1, 6))
    n_gpus = n_nodes - n_nvswitches - n_switches
    if n_gpus < 1 or per_host < 1:
        raise InputError(f"{path}:{number}: {n_gpus} GPUs of {n_nodes} nodes, {per_host} a server; expected at least 1")
    number, line = next(lines, (number, ""))
    listed = line.split()
    if len(listed) != n_nvswitches + n_switches or listed != [str(node) for node in range(n_gpus, n_nodes)]:
        raise InputError(
            f"{path}:{number}: {len(listed)} numbers of switches; expected {n_gpus} to {n_nodes - 1}, as the head says"
        )
    rows: list[tuple[int, int, float]] = []
    for number, line in lines:
        cable = _CABLE.match(line)
        if cable is None:
            raise InputError(f"{path}:{number}: {quoted(line)}; expected 'src dst bandwidth latency error'")
        a, b = int(cable[1]), int(cable[2])
        if max(a, b) >= n_nodes:
            raise InputError(f"{path}:{number}: node {max(a, b)}; expected 0 to {n_nodes - 1}")
        try:
            rows.append((a, b, float(cable[3]) * _FACTOR[cable[4]]))
        except ValueError:
            raise InputError(
                f"{path}:{number}: bandwidth {quoted(cable[3])}; expected a number such as 400Gbps"
            ) from None
    if len(rows) != n_cables:
        raise InputError(f"{path}: {len(rows)} cables, the head says {n_cables}; is the file whole?")
    if n_nodes > 2 * len(rows):
        raise InputError(f"{path}: {n_nodes:,} nodes, but {len(rows):,} cables reach {2 * len(rows):,} at most")
    gpu = np.arange(n_nodes)
    is_gpu = gpu < n_gpus
    names = [f"gpu{node}" for node in range(n_gpus)]
    names += [f"nvswitch{node}" for node in range(n_gpus, n_gpus + n_nvswitches)]
    names += [f"switch{node}" for node in range(n_gpus + n_nvswitches, n_nodes)]
    kind = np.full(n_nodes, SWITCH, np.int8)
    kind[:n_gpus], kind[n_gpus : n_gpus + n_nvswitches] = ENDPOINT, NVSWITCH
    unknown = np.full(n_nodes, UNKNOWN, np.int32)
    nodes = Nodes(
        name=tuple(names),
        kind=kind,
        tier=unknown,
        host=np.where(is_gpu, gpu // per_host, UNKNOWN).astype(np.int32),
        rail=np.where(is_gpu, gpu % per_host, UNKNOWN).astype(np.int32),
        plane=_planes(kind, rows),
        domain=unknown,
    )
    port = np.full(len(rows), UNKNOWN, np.int32)
    gbps = np.array([row[2] for row in rows], np.float64)
    cables = Cables(
        a=np.array([row[0] for row in rows], np.int32),
        b=np.array([row[1] for row in rows], np.int32),
        a_port=port,
        b_port=port,
        ab_gbps=gbps,
        ba_gbps=gbps,
    )
    try:
        return Topology.from_cables(Path(path).name, nodes, cables)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _planes(kind: Int8Vector, rows: list[tuple[int, int, float]]) -> Int32Vector:
    """Plane of each switch, (n_nodes,) int32: its part of the network, where every GPU is on several parts, and on all.

    Rails that no spine joins are parts too, but a GPU is on one of them.
    """
    plane = np.full(kind.size, UNKNOWN, np.int32)
    ends = np.array([row[:2] for row in rows], np.int64).reshape(-1, 2)
    between = ends[(kind[ends] == SWITCH).all(axis=1)]
    part = joined_by(kind.size, between[:, 0], between[:, 1])
    up = ends[(kind[ends] == ENDPOINT).any(axis=1) & (kind[ends] == SWITCH).any(axis=1)]
    if not up.size:
        return plane
    gpu, switch = up.min(axis=1), up.max(axis=1)
    of_gpu = np.unique(np.stack([gpu, part[switch]]), axis=1)
    parts, n_gpus = np.unique(of_gpu[1]), np.unique(of_gpu[0]).size
    if parts.size > 1 and of_gpu.shape[1] == parts.size * n_gpus:
        switches = np.flatnonzero((kind == SWITCH) & np.isin(part, parts))
        plane[switches] = np.searchsorted(parts, part[switches])
    return plane
