"""Slurm's ``topology.conf`` and ``topology.yaml``: which hosts are on which leaf switch, or in which block."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted, whole
from fabric.formats.dump import dump_lines
from fabric.formats.slurm.hostlist import MAX_HOSTS, expand_hostlist
from fabric.formats.slurm.shapes import Ring, Shape, choose_neighbours
from fabric.formats.slurm.topology_yaml import SHAPE, Children, Groups, read_topologies
from traces.files import read_text

_KEY = re.compile(r"(\w+)\s*=\s*(\S+)")
_KEYS = {"switchname", "switches", "nodes", "linkspeed", "blockname", "blocksizes", "ringname"}
_NAMES = {"switchname": "tree", "blockname": "block", "ringname": "ring"}
_PLURALS = {"tree": "switches", "block": "blocks", "ring": "rings"}


@dataclass(frozen=True)
class SchedulerTopology:
    """Groups of hosts that a scheduler keeps jobs in.

    Attributes
    ----------
    source : str
    leaves : tuple of (str, tuple of str)
        Name and hosts of each leaf switch or block, in the order of the file.
    above : dict of str to tuple of int
        For each switch (leaves too), the leaves below it; blocks have none but themselves.
    kind : str
        ``tree``, ``block``, ``ring``, ``torus3d``, or ``labels`` of nodes.
    topology : str
        Which one of a ``topology.yaml`` it is; empty for a ``topology.conf``.
    shapes : tuple of Ring or Torus
        Of rings and tori, all hosts of each leaf in order, those that are left out of `leaves` too.
    block_sizes : tuple of int
        Of blocks: the base size, and larger ones (``BlockSizes``).
    """

    source: str
    leaves: tuple[tuple[str, tuple[str, ...]], ...]
    above: dict[str, tuple[int, ...]]
    kind: str
    topology: str = ""
    shapes: tuple[Shape, ...] = ()
    block_sizes: tuple[int, ...] = ()

    def restricted(self, hosts: set[str]) -> "SchedulerTopology":
        """The same leaves with those of `hosts` only.

        Raises
        ------
        InputError
            If none of them is there.
        """
        leaves = tuple((name, tuple(host for host in members if host in hosts)) for name, members in self.leaves)
        if not any(members for _, members in leaves):
            raise InputError(f"{self.source}: none of its hosts is in the fabric, named and free")
        return replace(self, leaves=leaves)

    def hosts(self, n_hosts: int | None = None) -> tuple[str, ...]:
        """Hosts for a job of `n_hosts`, as few leaves as can be; all of them in order by default.

        A job goes below the lowest switch that has room for it, the one with the least room left over; there the
        leaves with most hosts come first, and the last one is the smallest that holds the rest (best fit).
        In rings and tori a job takes neighbours (`fabric.formats.slurm.shapes`).

        Raises
        ------
        InputError
            If there is no room.
        """
        everything = tuple(host for _, hosts in self.leaves for host in hosts)
        if n_hosts is None:
            return everything
        if n_hosts > len(everything):
            raise InputError(f"{self.source}: {len(everything)} hosts; the job needs {n_hosts}")
        if self.shapes:
            return choose_neighbours(self.source, self.kind, self.shapes, n_hosts, set(everything))
        room = {name: sum(len(self.leaves[leaf][1]) for leaf in below) for name, below in self.above.items()}
        fitting = [name for name in self.above if room[name] >= n_hosts]
        below = (
            self.above[min(fitting, key=lambda name: (len(self.above[name]), room[name], self.above[name]))]
            if fitting
            else range(len(self.leaves))
        )
        waiting = sorted(below, key=lambda leaf: (-len(self.leaves[leaf][1]), leaf))
        chosen: list[str] = []
        while len(chosen) < n_hosts:
            enough = [leaf for leaf in waiting if len(self.leaves[leaf][1]) >= n_hosts - len(chosen)]
            leaf = min(enough, key=lambda leaf: (len(self.leaves[leaf][1]), leaf)) if enough else waiting[0]
            waiting.remove(leaf)
            chosen += self.leaves[leaf][1]
        return tuple(chosen[:n_hosts])


def read_slurm_topology(path: str | Path) -> SchedulerTopology:
    """Read a ``topology.conf`` of the tree, block or ring plugin, or the default topology of a ``topology.yaml``.

    Raises
    ------
    InputError
        Names file and line, and what was expected.
    """
    text = read_text(path, "backslashreplace")
    if SHAPE.search(text):
        name, kind, leaves, children, shapes, sizes = read_topologies(text, str(path))
        return replace(_assembled(str(path), kind, leaves, children, name), shapes=shapes, block_sizes=sizes)
    leaves, children, kinds, sizes = _read_conf(path)
    if len(kinds) != 1:
        found = [plural for kind, plural in _PLURALS.items() if kind in kinds]
        raise InputError(f"{path}: {' and '.join(found) or 'no switch or block'}; expected one kind")
    (kind,) = kinds
    shapes = tuple(Ring(hosts) for hosts in leaves.values()) if kind == "ring" else ()
    return replace(_assembled(str(path), kind, leaves, children, ""), shapes=shapes, block_sizes=sizes)


def _read_conf(path: str | Path) -> tuple[Groups, Children, set[str], tuple[int, ...]]:
    """Leaves, switches above them, the plugins and the block sizes of a ``topology.conf``."""
    leaves: dict[str, tuple[str, ...]] = {}
    children: dict[str, tuple[int, list[str]]] = {}
    kinds: set[str] = set()
    sizes: tuple[int, ...] = ()
    continued, n_hosts = "", 0
    for number, raw in dump_lines(path):
        line = continued + raw.split("#")[0].rstrip()
        if line.endswith("\\"):
            continued = line[:-1] + " "
            continue
        continued = ""
        if not line.strip():
            continue
        entry = {key.lower(): value for key, value in _KEY.findall(line)}
        unknown = set(entry) - _KEYS
        if not entry or unknown or _KEY.sub("", line).strip():
            raise InputError(
                f"{path}:{number}: {quoted(line.strip())}; expected SwitchName=... Nodes=... (or Switches=...), "
                "BlockName=... Nodes=..., BlockSizes=... or RingName=... Nodes=..."
            )
        named = next((key for key in _NAMES if key in entry), None)
        if named is None:
            if set(entry) == {"blocksizes"}:
                texts = entry["blocksizes"].split(",")
                sizes = tuple(whole(text, f"{path}:{number}: BlockSizes", 1, MAX_HOSTS) for text in texts)
                continue
            raise InputError(f"{path}:{number}: expected SwitchName=, BlockName= or RingName=")
        name = entry[named]
        kinds.add(_NAMES[named])
        if name in leaves or name in children:
            raise InputError(f"{path}:{number}: {name} is described twice")
        try:
            if "nodes" in entry:
                leaves[name] = tuple(expand_hostlist(entry["nodes"]))
                n_hosts += len(leaves[name])
                if n_hosts > MAX_HOSTS:
                    raise InputError(f"more than {MAX_HOSTS:,} hosts")
            elif "switches" in entry:
                children[name] = (number, expand_hostlist(entry["switches"]))
            else:
                raise InputError(f"{name}: expected Nodes= or Switches=")
        except InputError as error:
            raise InputError(f"{path}:{number}: {error}") from None
    return leaves, children, kinds, sizes


def _assembled(path: str, kind: str, leaves: Groups, children: Children, name_of_topology: str) -> SchedulerTopology:
    n_hosts = sum(map(len, leaves.values()))
    if n_hosts > MAX_HOSTS:
        raise InputError(f"{path}: more than {MAX_HOSTS:,} hosts")
    seen: dict[str, str] = {}
    for name, hosts in leaves.items():
        for host in hosts:
            if seen.setdefault(host, name) != name:
                raise InputError(f"{path}: host {host} is in {seen[host]} and in {name}")
    place = {name: index for index, name in enumerate(leaves)}
    above: dict[str, tuple[int, ...]] = {name: (index,) for name, index in place.items()}
    waiting = dict(children)
    while waiting:
        ready = [name for name, (_, names) in waiting.items() if all(child in above for child in names)]
        if not ready:
            name, (number, names) = next(iter(waiting.items()))
            missing = next((child for child in names if child not in above and child not in children), None)
            reason = f"switch {missing} is not described" if missing else f"{name} is above itself"
            raise InputError(f"{path}:{number}: {reason}" if number else f"{path}: {reason}")
        for name in ready:
            _, names = waiting.pop(name)
            above[name] = tuple(sorted({leaf for child in names for leaf in above[child]}))
    if not leaves:
        raise InputError(f"{path}: no switch or block with hosts")
    return SchedulerTopology(path, tuple(leaves.items()), above, kind, name_of_topology)
