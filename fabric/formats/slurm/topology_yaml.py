"""Slurm's ``topology.yaml`` (25.05 and later; topology.yaml(5)): topologies by name, of which one is the default."""

import re
from collections import Counter
from typing import Any

from collectives.errors import InputError
from collectives.gate import quoted, shown, whole_value
from fabric.formats.slurm.hostlist import MAX_HOSTS, expand_hostlist
from fabric.formats.slurm.shapes import MAX_TORUS, Cuboids, Dims, Ring, Shape, Torus

SHAPE = re.compile(r"^\s*-\s*topology\s*:", re.MULTILINE)
"""What every such file has, and no ``topology.conf``."""

_PLUGINS = ("tree", "block", "ring", "torus3d")
# The list of each, and the key of a name in it (src/plugins/data_parser/v0.0.46/parsers.c of Slurm).
_KEYS = {
    "tree": ("switches", "switch"),
    "block": ("blocks", "block"),
    "ring": ("rings", "ring"),
    "torus3d": ("toruses", "name"),
}
# A list of hosts or switches is one expression, or several.
Groups = dict[str, tuple[str, ...]]
Children = dict[str, tuple[int, list[str]]]


def read_topologies(text: str, path: str) -> tuple[str, str, Groups, Children, tuple[Shape, ...], tuple[int, ...]]:
    """The default topology of a file.

    Returns
    -------
    name, kind : str
        Its name; ``tree``, ``block``, ``ring`` or ``torus3d``.
    leaves : dict of str to tuple of str
        Hosts of each leaf switch, block, ring or torus.
    children : dict of str to (int, list of str)
        Line (0: not known) and lower switches of each switch above.
    shapes : tuple of Ring or Torus
        One for each ring or torus; empty for trees and blocks.
    sizes : tuple of int
        ``block_sizes`` of blocks; empty for others.

    Raises
    ------
    InputError
        What is no such file, or a plugin without switches or blocks.
    """
    document = _parsed(text, path)
    topologies = [each for each in document if isinstance(each, dict)] if isinstance(document, list) else []
    if not topologies or len(topologies) != len(document):
        raise InputError(
            f"{path}: expected a list of topologies, each with a name (topology) and tree, block, ring or torus3d"
        )
    chosen = next((each for each in topologies if each.get("cluster_default") is True), topologies[0])
    name = str(chosen.get("topology", "topology"))
    kinds = [key for key in chosen if key not in ("topology", "cluster_default")]
    kind = next((each for each in _PLUGINS if each in kinds), None)
    if kind is None:
        has = ", ".join(map(str, kinds)) or "no plugin"
        raise InputError(
            f"{path}: topology {quoted(name)}: {has}; "
            "expected tree, block, ring or torus3d, which say what is near what"
        )
    where = f"{path}: topology {quoted(name)}: {kind}"
    body = chosen[kind]
    plural, noun = _KEYS[kind]
    rows = body.get(plural) if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise InputError(f"{where}: expected a list `{plural}`, got {shown(rows)}")
    leaves: Groups = {}
    children: Children = {}
    shapes: list[Shape] = []
    for number, row in enumerate(rows):
        own = f"{where}.{plural}[{number}]"
        if not isinstance(row, dict) or not isinstance(row.get(noun), (str, int)):
            raise InputError(
                f"{own}: expected a mapping with `{noun}` and `nodes`{' or `children`' * (kind == 'tree')}"
            )
        label = str(row[noun])
        if label in leaves or label in children:
            raise InputError(f"{own}: {quoted(label)} is described twice")
        try:
            if kind == "torus3d":
                torus = _torus(row, own)
                leaves[label] = tuple(filter(None, torus.members))
                shapes.append(torus)
            elif row.get("nodes") is not None:
                leaves[label] = tuple(expand_hostlist(_joined(row["nodes"], own)))
                if kind == "ring":
                    shapes.append(Ring(leaves[label]))
            elif kind == "tree" and row.get("children") is not None:
                children[label] = (0, expand_hostlist(_joined(row["children"], own)))
            else:
                raise InputError(f"{label}: expected nodes{' or children' * (kind == 'tree')}")
        except InputError as error:
            raise InputError(f"{own}: {error}" if not str(error).startswith(own) else str(error)) from None
    return name, kind, leaves, children, tuple(shapes), _sizes(body.get("block_sizes"), f"{where}.block_sizes")


def _sizes(value: Any, where: str) -> tuple[int, ...]:
    listed = [] if value is None else value if isinstance(value, list) else [value]
    return tuple(whole_value(each, where, 1, MAX_HOSTS) for each in listed)


def _torus(row: dict[str, Any], where: str) -> Torus:
    dims = _dims(row.get("dims"), f"{where}.dims", MAX_TORUS)
    if row.get("nodes") is not None and row.get("regions"):
        raise InputError(f"{where}: expected nodes or regions, not both")
    regions = _listed(row.get("regions"), f"{where}.regions")
    members = _members(regions, dims, where) if regions else _filling(row.get("nodes"), dims, where)
    placements = []
    for number, each in enumerate(_listed(row.get("placements"), f"{where}.placements")):
        own = f"{where}.placements[{number}]"
        size = _dims(each.get("dims"), f"{own}.dims", dims)
        spacing = _dims(each["anchor_spacing"], f"{own}.anchor_spacing", dims) if each.get("anchor_spacing") else size
        seed = _dims(each["anchor_seed"], f"{own}.anchor_seed", dims, 0) if each.get("anchor_seed") else (0, 0, 0)
        placements.append(Cuboids(size, spacing, seed))
    return Torus(members, dims, tuple(placements))


def _members(regions: list[dict[str, Any]], dims: Dims, where: str) -> tuple[str, ...]:
    """Host at each place, x fastest, of a torus that is described by cuboids of hosts; empty where there is none."""
    x, y, z = dims
    at = [""] * (x * y * z)
    for number, region in enumerate(regions):
        own = f"{where}.regions[{number}]"
        a, b, _ = size = _dims(region.get("dims"), f"{own}.dims", dims)
        corner = _dims(region.get("anchor") or [0, 0, 0], f"{own}.anchor", dims, 0)
        if any(first + length > whole for first, length, whole in zip(corner, size, dims, strict=True)):
            raise InputError(f"{own}: reaches out of the torus of {x} x {y} x {z}")
        for place, host in enumerate(_filling(region.get("nodes"), size, own)):
            dx, dy, dz = place % a, place // a % b, place // (a * b)
            index = ((corner[2] + dz) * y + corner[1] + dy) * x + corner[0] + dx
            if at[index]:
                raise InputError(f"{own}: {host} and {at[index]} are at one place")
            at[index] = host
    again = next((host for host, times in Counter(filter(None, at)).items() if times > 1), None)
    if again is not None:
        raise InputError(f"{where}: host {quoted(again)} is in two regions")
    return tuple(at)


def _filling(nodes: Any, dims: Dims, where: str) -> tuple[str, ...]:
    """Hosts that fill a cuboid."""
    if nodes is None:
        raise InputError(f"{where}: expected nodes or regions")
    hosts = tuple(expand_hostlist(_joined(nodes, where)))
    x, y, z = dims
    if x * y * z != len(hosts):
        raise InputError(f"{where}: {x} x {y} x {z} = {x * y * z}, and {len(hosts)} nodes; expected as many")
    return hosts


def _listed(value: Any, where: str) -> list[dict[str, Any]]:
    listed = value or []
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise InputError(f"{where}: expected a list of mappings, got {shown(value)}")
    return listed


def _dims(value: Any, where: str, most: Dims | int, least: int = 1) -> Dims:
    """Three numbers, as a mapping with x, y and z, or a list; each at most that of `most`, or all multiplied."""
    parts = [value.get(axis) for axis in "xyz"] if isinstance(value, dict) else value
    if not isinstance(parts, list) or len(parts) != 3:
        raise InputError(f"{where}: {shown(value)}; expected x, y and z")
    limits = (most,) * 3 if isinstance(most, int) else most
    x, y, z = (
        whole_value(part, f"{where}.{axis}", least, limit)
        for part, axis, limit in zip(parts, "xyz", limits, strict=True)
    )
    if isinstance(most, int) and x * y * z > most:
        raise InputError(f"{where}: {x} x {y} x {z} hosts; expected at most {most:,}")
    return x, y, z


def _joined(value: Any, where: str) -> str:
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, (str, int)) and not isinstance(part, bool) for part in parts):
        raise InputError(f"{where}: {shown(value)}; expected a hostlist such as h[1-4]")
    return ",".join(map(str, parts))


def _parsed(text: str, path: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{path}:{line}: not YAML ({error.problem})") from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{path}: not YAML ({error})") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply for YAML that means something") from None
