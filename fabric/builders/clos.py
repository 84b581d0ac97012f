"""Clos fabrics of two or three switch tiers from a description.

Rail wiring takes the hosts in groups; a leaf serves `rails_per_leaf` rails of one group.  Host wiring takes the same
leaves and gives each whole hosts.  The number of leaves comes from the rail wiring in both cases, so the two always
have the same switches and cables.  Every leaf of a spine set has the same number of cables to each of its spines;
spine ``j`` of every set goes to core group ``j``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collectives.errors import InputError
from fabric import memory
from fabric.builders.description import FabricDescription
from fabric.builders.mesh import mesh_cables, mesh_domains
from fabric.topology import ENDPOINT, MAX_GBPS, NVSWITCH, SWITCH, UNKNOWN, Cables, Nodes, Topology

# Bytes at the peak of building, for each directed link: measured, 1 to 6 million links.
LINK_BYTES = 150.0

Ints = npt.NDArray[np.int64]
Refuse = Callable[[str], InputError]


@dataclass(frozen=True)
class Shape:
    """Counts of a fabric, per plane unless said.

    Attributes
    ----------
    endpoints, hosts_per_leaf, planes : int
        Of the whole fabric; hosts of which a leaf serves a part (rail wiring) or all (host wiring).
    rail_groups, leaf_groups, leaves : int
        Sets of rails that share leaves; groups of hosts; leaves = the one times the other.
    down_ports, uplinks : int
        Of a leaf.
    sets, spines : int
        Spine sets, and spines in each.
    leaf_cables : int
        Parallel cables between a leaf and each spine of its set.
    spine_down, spine_uplinks : int
        Of a spine.
    cores, core_cables : int
        Cores in each core group, and parallel cables between a spine and each core of its group.
    down_gbps, uplink_gbps, core_gbps : float
        Cable speeds.
    """

    endpoints: int
    hosts_per_leaf: int
    planes: int
    rail_groups: int
    leaf_groups: int
    leaves: int
    down_ports: int
    uplinks: int
    sets: int
    spines: int
    leaf_cables: int
    spine_down: int
    spine_uplinks: int
    cores: int
    core_cables: int
    down_gbps: float
    uplink_gbps: float
    core_gbps: float

    @property
    def leaves_per_set(self) -> int:
        """Leaves of one spine set."""
        return self.leaves // self.sets

    @property
    def total_leaves(self) -> int:
        """Leaves of all planes."""
        return self.planes * self.leaves

    @property
    def total_spines(self) -> int:
        """Spines of all planes."""
        return self.planes * self.sets * self.spines

    @property
    def total_cores(self) -> int:
        """Cores of all planes."""
        return self.planes * self.spines * self.cores

    @property
    def leaf_spine_cables(self) -> int:
        """Cables between leaves and spines, all planes."""
        return self.total_leaves * self.uplinks

    @property
    def spine_core_cables(self) -> int:
        """Cables between spines and cores, all planes."""
        return self.total_spines * self.spine_uplinks


# Endpoints and ports of a switch that can be built at most: 16 million endpoints take tens of gigabytes, and chassis of
# a thousand ports are the largest that are made.  Assumed.
_MOST_ENDPOINTS, _MOST_PORTS = 1 << 24, 1 << 20


def _check_sizes(refuse: Refuse, description: FabricDescription) -> None:
    """Refuse what could not be built before anything is."""
    fabric = description.fabric
    endpoints = fabric.hosts * fabric.gpus_per_host * fabric.planes
    if endpoints > _MOST_ENDPOINTS:
        raise refuse(
            f"fabric.hosts: {fabric.hosts:.4g} hosts x {fabric.gpus_per_host:.4g} GPUs x {fabric.planes:.4g} planes; "
            f"expected at most {_MOST_ENDPOINTS:,} in all"
        )
    for part in ("leaf", "spine", "core"):
        switch = getattr(description, part)
        if switch is not None and switch.radix > _MOST_PORTS:
            raise refuse(f"{part}.radix: {switch.radix:.4g} ports; expected at most {_MOST_PORTS:,}")
        if switch is not None and switch.port_gbps > MAX_GBPS:
            raise refuse(f"{part}.port_gbps: {switch.port_gbps:g}; expected at most {MAX_GBPS:g}")
    scale_up = description.scale_up
    if scale_up is not None and scale_up.gpu_gbps > MAX_GBPS:
        raise refuse(f"scale_up.gpu_gbps: {scale_up.gpu_gbps:g}; expected at most {MAX_GBPS:g}")
    if scale_up is not None and scale_up.kind == "mesh":
        each = scale_up.hosts_per_domain * fabric.gpus_per_host
        if each * endpoints > 16 * _MOST_ENDPOINTS:
            raise refuse(f"scale_up.hosts_per_domain: meshes of {each:,} GPUs have too many links to be built")


def shape_of(description: FabricDescription) -> Shape:
    """The counts that a description leads to.

    Raises
    ------
    InputError
        If the shape is impossible; the arithmetic is shown.
    """
    fabric, leaf, spine, core = description.fabric, description.leaf, description.spine, description.core
    name, n_rails, per_leaf = fabric.name, fabric.n_rails, leaf.rails_per_leaf

    def refuse(reason: str) -> InputError:
        return InputError(f"{name}: {reason}")

    _check_sizes(refuse, description)
    if fabric.gpus_per_host % n_rails:
        raise refuse(f"fabric.rails: {n_rails} rails do not divide {fabric.gpus_per_host} GPUs per host")
    scale_up = description.scale_up
    if scale_up is not None and scale_up.kind == "mesh" and scale_up.hosts_per_domain * fabric.gpus_per_host == 1:
        raise refuse("scale_up.kind: a mesh of 1 GPU; expected domains of 2 or more")
    if n_rails % per_leaf:
        raise refuse(f"leaf.rails_per_leaf: {per_leaf} does not divide {n_rails} rails")
    down, rail_groups = leaf.n_down, n_rails // per_leaf
    on_leaf = fabric.gpus_per_host // rail_groups
    part = fabric.gpus_per_host if fabric.wiring == "host" else on_leaf
    if down % part:
        what = "whole hosts of" if fabric.wiring == "host" else "hosts with"
        raise refuse(f"leaf.down_ports: {down} ports cannot be filled by {what} {part} GPUs each")
    if down % on_leaf:
        raise refuse(f"leaf.down_ports: {down} ports cannot be filled by hosts with {on_leaf} GPUs on a leaf each")
    down_gbps = fabric.gpu_gbps / fabric.planes
    if down_gbps > leaf.port_gbps:
        raise refuse(
            f"leaf.port_gbps: {fabric.gpu_gbps:g} Gb/s per GPU / {fabric.planes} planes = {down_gbps:g} Gb/s, "
            f"a leaf's port has {leaf.port_gbps:g}"
        )
    leaf_groups = math.ceil(fabric.hosts * on_leaf / down)
    leaves = leaf_groups * rail_groups
    alone = spine.count == 0
    if alone and (leaf_groups > 1 or core is not None or spine.pods > 1):
        raise refuse(
            f"spine.count: no spines join {leaf_groups} groups of leaves in {spine.pods} pods; expected hosts that fit "
            "on one leaf of each rail, one pod and no table [core]"
        )
    uplinks = (
        0
        if alone
        else _whole(
            refuse,
            down * down_gbps / (leaf.oversubscription * leaf.up_gbps),
            f"leaf.oversubscription: {down} ports x {down_gbps:g} Gb/s / "
            f"({leaf.oversubscription:g} x {leaf.up_gbps:g} Gb/s)",
        )
    )
    if down + uplinks > leaf.radix:
        raise refuse(f"leaf.radix: {down} ports down + {uplinks} up = {down + uplinks}, the switch has {leaf.radix}")
    for upper, speed in ((leaf, leaf.port_gbps), (spine, spine.port_gbps)):
        if leaf.up_gbps > speed:
            where = "leaf" if upper is leaf else "spine"
            raise refuse(f"{where}.port_gbps: a cable of {leaf.up_gbps:g} Gb/s, the port has {speed:g}")
    if leaf_groups % spine.pods:
        raise refuse(f"spine.pods: {spine.pods} pods do not divide {leaf_groups} groups of leaves")
    if spine.pods > 1 and core is None:
        raise refuse(f"spine.pods: {spine.pods} pods without a table [core] are not joined")
    sets = spine.pods * (rail_groups if fabric.spines == "per-rail" else 1)
    up_ratio = leaf.up_gbps / (spine.oversubscription * spine.up_gbps) if core is not None else 0.0
    spines = 0 if alone else _spines(refuse, description, leaves // sets, uplinks, up_ratio)
    leaf_cables = 0 if alone else uplinks // spines
    spine_down = leaves // sets * leaf_cables
    spine_uplinks = _whole(
        refuse,
        spine_down * up_ratio,
        f"spine.oversubscription: {spine_down} ports x {leaf.up_gbps:g} Gb/s / "
        f"({spine.oversubscription:g} x {spine.up_gbps:g} Gb/s)",
    )
    cores = _cores(refuse, description, sets, spines, spine_uplinks) if core is not None else 0
    return Shape(
        endpoints=fabric.hosts * fabric.gpus_per_host,
        hosts_per_leaf=down // on_leaf if fabric.wiring == "rail" else math.ceil(fabric.hosts / leaves),
        planes=fabric.planes,
        rail_groups=rail_groups,
        leaf_groups=leaf_groups,
        leaves=leaves,
        down_ports=down,
        uplinks=uplinks,
        sets=sets,
        spines=spines,
        leaf_cables=leaf_cables,
        spine_down=spine_down,
        spine_uplinks=spine_uplinks,
        cores=cores,
        core_cables=spine_uplinks // cores if cores else 0,
        down_gbps=down_gbps,
        uplink_gbps=leaf.up_gbps,
        core_gbps=spine.up_gbps,
    )


def _whole(refuse: Refuse, value: float, arithmetic: str) -> int:
    if value != round(value):
        raise refuse(f"{arithmetic} = {value:g}; expected a whole number of cables")
    return round(value)


def _divisors(number: int) -> list[int]:
    small = [divisor for divisor in range(1, math.isqrt(number) + 1) if number % divisor == 0]
    return sorted({*small, *(number // divisor for divisor in small)})


def _spines(refuse: Refuse, description: FabricDescription, leaves: int, uplinks: int, up_ratio: float) -> int:
    """Spines of a set: the given count, or the smallest divisor of the uplinks that gives enough ports."""
    spine = description.spine

    def ports(count: int) -> float:
        return leaves * (uplinks // count) * (1 + up_ratio)

    if spine.count is not None:
        if uplinks % spine.count:
            raise refuse(f"spine.count: {spine.count} spines do not divide {uplinks} uplinks of a leaf")
        count = spine.count
    else:
        divisors = _divisors(uplinks)
        count = next((divisor for divisor in divisors if ports(divisor) <= spine.radix), uplinks)
    if ports(count) > spine.radix:
        down = leaves * (uplinks // count)
        up = f" + {down * up_ratio:g} up" if up_ratio else ""
        raise refuse(
            f"spine.radix: {leaves} leaves x {uplinks // count} cables = {down} ports down{up}, "
            f"the switch has {spine.radix}"
        )
    return count


def _cores(refuse: Refuse, description: FabricDescription, sets: int, spines: int, uplinks: int) -> int:
    """Cores of a group: from the given count, or the smallest divisor of the uplinks that gives enough ports."""
    core, spine = description.core, description.spine
    assert core is not None
    for where, speed in (("spine", spine.port_gbps), ("core", core.port_gbps)):
        if spine.up_gbps > speed:
            raise refuse(f"{where}.port_gbps: a cable of {spine.up_gbps:g} Gb/s, the port has {speed:g}")
    if core.count is not None:
        if core.count % spines or uplinks % (core.count // spines):
            raise refuse(
                f"core.count: {core.count} cores cannot be dealt to {spines} groups "
                f"with {uplinks} uplinks of each spine"
            )
        cores = core.count // spines
    else:
        divisors = _divisors(uplinks)
        cores = next((divisor for divisor in divisors if sets * (uplinks // divisor) <= core.radix), uplinks)
    if sets * (uplinks // cores) > core.radix:
        raise refuse(
            f"core.radix: {sets} spine sets x {uplinks // cores} cables = {sets * (uplinks // cores)} ports, "
            f"the switch has {core.radix}"
        )
    return cores


def build(description: FabricDescription) -> Topology:
    """Lay out nodes and cables.

    Endpoints are numbered host by host; then come leaves, spines, cores (plane by plane) and NVLink switches.  Ports
    count from 1: downward ones first; port ``p + 1`` of an endpoint is in plane ``p``, its NVLink ports come last.

    Raises
    ------
    InputError
        If the shape is impossible; the arithmetic is shown.  If it would not fit the memory that is free.
    """
    shape = shape_of(description)
    _refuse_too_large(description, shape)
    parts = [_endpoints(description, shape)]
    first_leaf = shape.endpoints
    first_spine = first_leaf + shape.total_leaves
    first_core = first_spine + shape.total_spines
    parts += [_leaves(description, shape), _spine_nodes(description, shape), _core_nodes(shape)]
    cables = [_host_cables(description, shape, first_leaf), _leaf_cables(shape, first_leaf, first_spine)]
    if shape.cores:
        cables.append(_core_cables(shape, first_spine, first_core))
    domain = np.full(shape.endpoints, UNKNOWN, np.int32)
    scale_up = description.scale_up
    if scale_up is not None and scale_up.hosts_per_domain:
        per_domain = scale_up.hosts_per_domain * description.fabric.gpus_per_host
        if scale_up.kind == "mesh":
            domain = mesh_domains(shape.endpoints, per_domain)
            cables.append(mesh_cables(shape.endpoints, per_domain, scale_up.gpu_gbps, shape.planes + 1))
        else:
            parts.append(_nvlink_switches(description))
            cables.append(_nvlink_cables(description, shape, first_core + shape.total_cores))
    names, kind, tier, host, rail, plane = zip(*parts, strict=True)
    nodes = Nodes(
        name=tuple(name for part in names for name in part),
        kind=np.concatenate(kind).astype(np.int8),
        tier=np.concatenate(tier).astype(np.int32),
        host=np.concatenate(host).astype(np.int32),
        rail=np.concatenate(rail).astype(np.int32),
        plane=np.concatenate(plane).astype(np.int32),
        domain=np.concatenate([domain, np.full(sum(map(len, names[1:])), UNKNOWN, np.int32)]),
    )
    a, b, a_port, b_port, gbps = (np.concatenate(column) for column in zip(*cables, strict=True))
    a, b, a_port, b_port = (column.astype(np.int32) for column in (a, b, a_port, b_port))
    return Topology.from_cables(description.fabric.name, nodes, Cables(a, b, a_port, b_port, gbps, gbps))


def _refuse_too_large(description: FabricDescription, shape: Shape) -> None:
    """Refuse a fabric that would not fit; `shape_of` sees to it that int32 can number its links."""
    name = description.fabric.name
    host_cables = shape.endpoints * shape.planes
    isls = shape.leaf_spine_cables + shape.spine_core_cables
    n_links = 2 * (host_cables + isls + (shape.endpoints if description.scale_up is not None else 0))
    what = f"{name}: {shape.endpoints:,} endpoints and {n_links:,} links"
    memory.require(what, n_links * LINK_BYTES)


_Part = tuple[list[str], Ints, Ints, Ints, Ints, Ints]
_CableColumns = tuple[Ints, Ints, Ints, Ints, npt.NDArray[np.float64]]


def _part(names: list[str], kind: int, tier: int, host: Ints | int, rail: Ints | int, plane: Ints | int) -> _Part:
    n = len(names)
    columns = (np.broadcast_to(np.asarray(value, np.int64), n) for value in (kind, tier, host, rail, plane))
    kind_, tier_, host_, rail_, plane_ = columns
    return names, kind_, tier_, host_, rail_, plane_


def _width(count: int) -> int:
    return len(str(max(count - 1, 0)))


def _endpoints(description: FabricDescription, shape: Shape) -> _Part:
    fabric = description.fabric
    number = np.arange(shape.endpoints)
    host, gpu = np.divmod(number, fabric.gpus_per_host)
    width = max(4, _width(fabric.hosts))
    names = [f"h{h:0{width}d}g{g}" for h, g in zip(host.tolist(), gpu.tolist(), strict=True)]
    return _part(names, ENDPOINT, 0, host, gpu % fabric.n_rails, UNKNOWN)


def _prefixes(shape: Shape, pods: int) -> list[tuple[int, int, str]]:
    """(plane, pod, name prefix) of each pod of each plane."""
    return [
        (plane, pod, (f"p{plane}-" if shape.planes > 1 else "") + (f"pod{pod}-" if pods > 1 else ""))
        for plane in range(shape.planes)
        for pod in range(pods)
    ]


def _leaves(description: FabricDescription, shape: Shape) -> _Part:
    """Leaves of a plane are numbered pod by pod, rail group by rail group."""
    by_rail, pods = description.fabric.wiring == "rail", description.spine.pods
    groups = shape.leaf_groups // pods
    per_pod = groups * shape.rail_groups
    width = max(2, _width(groups if by_rail else per_pod))
    names, rails, planes = [], [], []
    for plane, _, prefix in _prefixes(shape, pods):
        for number in range(per_pod):
            rail_group, group = divmod(number, groups)
            names.append(f"{prefix}r{rail_group}-l{group:0{width}d}" if by_rail else f"{prefix}l{number:0{width}d}")
            rails.append(rail_group if by_rail and description.leaf.rails_per_leaf == 1 else UNKNOWN)
            planes.append(plane)
    return _part(names, SWITCH, 1, UNKNOWN, np.array(rails), np.array(planes))


def _spine_nodes(description: FabricDescription, shape: Shape) -> _Part:
    pods = description.spine.pods
    rail_sets = shape.sets // pods
    of_rail = rail_sets > 1 and description.fabric.wiring == "rail"
    width = max(2, _width(shape.spines))
    names, rails, planes = [], [], []
    for plane, _, prefix in _prefixes(shape, pods):
        for number in range(rail_sets):
            label = "" if rail_sets == 1 else f"r{number}-" if of_rail else f"set{number}-"
            names += [f"{prefix}{label}s{spine:0{width}d}" for spine in range(shape.spines)]
            rails += [number if of_rail and description.leaf.rails_per_leaf == 1 else UNKNOWN] * shape.spines
            planes += [plane] * shape.spines
    return _part(names, SWITCH, 2, UNKNOWN, np.array(rails), np.array(planes))


def _core_nodes(shape: Shape) -> _Part:
    count = shape.spines * shape.cores
    width = max(2, _width(count))
    names = [f"{prefix}c{core:0{width}d}" for _, _, prefix in _prefixes(shape, 1) for core in range(count)]
    return _part(names, SWITCH, 3, UNKNOWN, UNKNOWN, np.repeat(np.arange(shape.planes), count))


def _nvlink_switches(description: FabricDescription) -> _Part:
    assert description.scale_up is not None
    count = math.ceil(description.fabric.hosts / description.scale_up.hosts_per_domain)
    width = max(4, _width(count))
    return _part([f"nvl{domain:0{width}d}" for domain in range(count)], NVSWITCH, 1, UNKNOWN, UNKNOWN, UNKNOWN)


def _host_cables(description: FabricDescription, shape: Shape, first_leaf: int) -> _CableColumns:
    fabric, pods = description.fabric, description.spine.pods
    endpoint = np.arange(shape.endpoints)
    host, gpu = np.divmod(endpoint, fabric.gpus_per_host)
    group, place = np.divmod(host, shape.hosts_per_leaf)
    if fabric.wiring == "rail":
        groups = shape.leaf_groups // pods
        rail_group, slot = gpu % shape.rail_groups, gpu // shape.rail_groups
        leaf = (group // groups) * groups * shape.rail_groups + rail_group * groups + group % groups
        port = place * (fabric.gpus_per_host // shape.rail_groups) + slot
    else:
        leaf, port = group, place * fabric.gpus_per_host + gpu
    planes = np.repeat(np.arange(shape.planes), shape.endpoints)
    a = np.tile(endpoint, shape.planes)
    b = first_leaf + planes * shape.leaves + np.tile(leaf, shape.planes)
    return a, b, planes + 1, np.tile(port, shape.planes) + 1, np.full(a.size, shape.down_gbps)


def _leaf_cables(shape: Shape, first_leaf: int, first_spine: int) -> _CableColumns:
    cable = np.arange(shape.leaf_spine_cables)
    leaf, up = np.divmod(cable, shape.uplinks)
    spine, parallel = np.divmod(up, shape.leaf_cables)
    plane_set, in_set = np.divmod(leaf, shape.leaves_per_set)
    head = first_spine + plane_set * shape.spines + spine
    ports = (shape.down_ports + up + 1, in_set * shape.leaf_cables + parallel + 1)
    return first_leaf + leaf, head, *ports, np.full(cable.size, shape.uplink_gbps)


def _core_cables(shape: Shape, first_spine: int, first_core: int) -> _CableColumns:
    cable = np.arange(shape.spine_core_cables)
    spine, up = np.divmod(cable, shape.spine_uplinks)
    core, parallel = np.divmod(up, shape.core_cables)
    plane_set, group = np.divmod(spine, shape.spines)
    plane, in_plane = np.divmod(plane_set, shape.sets)
    head = first_core + (plane * shape.spines + group) * shape.cores + core
    ports = (shape.spine_down + up + 1, in_plane * shape.core_cables + parallel + 1)
    return first_spine + spine, head, *ports, np.full(cable.size, shape.core_gbps)


def _nvlink_cables(description: FabricDescription, shape: Shape, first_switch: int) -> _CableColumns:
    assert description.scale_up is not None
    endpoint = np.arange(shape.endpoints)
    per_domain = description.scale_up.hosts_per_domain * description.fabric.gpus_per_host
    domain, place = np.divmod(endpoint, per_domain)
    ports = (np.full(endpoint.size, shape.planes + 1), place + 1)
    return endpoint, first_switch + domain, *ports, np.full(endpoint.size, description.scale_up.gpu_gbps)
