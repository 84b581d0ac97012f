"""A fabric from what the user typed: a preset's name, a description, a graph, or the dump of a real cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from collectives.demand import FloatVector
from collectives.errors import InputError
from collectives.sizes import counted
from fabric.builders.clos import build
from fabric.builders.description import FabricDescription, Wiring, read_description
from fabric.builders.faults import Damage, Fault, capacity_left, with_capacity_left
from fabric.builders.idle import idle_parts
from fabric.builders.nvlink import with_mesh, with_nvlink
from fabric.builders.presets import preset_names, read_preset
from fabric.formats.dump import Oddity
from fabric.formats.ethernet.cabling import Cabling
from fabric.formats.ethernet.ethernet_fabric import EthernetFabric, ethernet_fabric
from fabric.formats.infiniband.host_names import hosts_and_rails
from fabric.formats.infiniband.subnet import Subnet, SubnetFabric, subnet_fabric
from fabric.formats.registry import Format, format_of, readable, readable_titles
from fabric.topology import Topology
from traces.compression import plain_name
from traces.files import exists
from traces.naming import listed

if TYPE_CHECKING:
    from fabric.formats.infiniband.lfts import LftDump


@dataclass(frozen=True, eq=False)
class OpenedFabric:
    """A topology, and where it comes from.

    Attributes
    ----------
    source : str
        What the user typed.
    topology : Topology
    description : FabricDescription or None
        Of a fabric that railscope built.
    origin : SubnetFabric or None
        Of a fabric read from an InfiniBand dump.
    cabled : EthernetFabric or None
        Of a fabric read from an Ethernet fabric's cables.
    notes : tuple of str
        What had to be assumed, was inferred, or looks like a mistake.
    faults : tuple of Fault
        What is down or slow in it.
    sound : OpenedFabric or None
        It without its faults; None where it has none.
    """

    source: str
    topology: Topology
    description: FabricDescription | None = None
    origin: SubnetFabric | None = None
    cabled: EthernetFabric | None = None
    notes: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    sound: "OpenedFabric | None" = None

    @property
    def whole(self) -> "OpenedFabric":
        """The fabric without its faults: what was bought, and what measured runs ran on."""
        return self.sound or self

    @property
    def name(self) -> str:
        """The fabric's name."""
        return self.topology.name

    @property
    def technology(self) -> str:
        """infiniband, spectrum-x, ... as its description says or its dump shows; empty if unknown."""
        if self.description is not None:
            return self.description.fabric.technology
        return "infiniband" if self.origin is not None else "roce" if self.cabled is not None else ""

    @property
    def oddities(self) -> tuple[Oddity, ...]:
        """What the reader of a dump passed over."""
        read = self.origin or self.cabled
        return () if read is None else read.oddities

    @property
    def port_aliases(self) -> Mapping[tuple[str, int], tuple[str, ...]]:
        """What ports are called besides their names and numbers, by the node's name and the port's number."""
        read = self.origin or self.cabled
        return {} if read is None else read.port_aliases

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the description says that its figures rest on, and the notes."""
        described = tuple(self.description.fabric.assumptions) if self.description else ()
        return (*described, *self.notes)

    def host_names(self) -> tuple[str, ...]:
        """Name of each endpoint's host, by endpoint: as the dump was read, or from the endpoints' names."""
        return self._host_names

    @cached_property
    def _host_names(self) -> tuple[str, ...]:
        topology = self.topology
        read = self.origin or self.cabled
        if read is not None:
            return tuple(read.host_names[host] for host in topology.endpoint_host)
        names = {name: name for name in topology.endpoint_names}
        return tuple(host for host, _ in map(hosts_and_rails(names).where.__getitem__, topology.endpoint_names))

    def wired(self, wiring: Wiring) -> "OpenedFabric":
        """A described fabric wired so, with its faults; any other as it is.

        Raises
        ------
        InputError
            A fault that has no counterpart there: leaves have other names where hosts are on them.
        """
        if self.description is None or self.description.fabric.wiring == wiring:
            return self
        if wiring not in self._wired_otherwise:
            try:
                self._wired_otherwise[wiring] = self.rebuilt(self.description.with_wiring(wiring))
            except InputError as error:
                raise InputError(f"{error} (wired by {wiring}, beside the other wiring)") from None
        return self._wired_otherwise[wiring]

    @cached_property
    def _wired_otherwise(self) -> dict[Wiring, "OpenedFabric"]:
        """By wiring, what `wired` has built: what is known of a fabric (its layers, its cuts) is found once."""
        return {}

    def rebuilt(self, description: FabricDescription) -> "OpenedFabric":
        """Another description's fabric, with the faults of this one.

        Raises
        ------
        InputError
            If it cannot be built, or a fault matches nothing there.
        """
        return described(self.source, description).with_faults(self.faults)

    def damaged(self, faults: Sequence[Fault]) -> Damage:
        """What more faults leave of the fabric; hosts have the names that a placement takes.

        Of several faults on one cable the worst counts, also beside those that the fabric has already: the same as
        with all of them at once.

        Raises
        ------
        UnmatchedFault
            One that matches nothing, of the fabric without faults.
        """
        whole = self.whole.topology
        made = with_capacity_left(whole, np.minimum(self._left, self._left_by(faults)))
        # Links of the whole fabric that this one still has, in their order.
        had = (self._left > 0) & (self._left[whole.link_reverse] > 0)
        return replace(made, new_link=made.new_link[had])

    @cached_property
    def _left(self) -> FloatVector:
        """Part of the capacity of each of the whole fabric's links that its faults leave."""
        return self._left_by(self.faults)

    def _left_by(self, faults: Sequence[Fault]) -> FloatVector:
        hosts = self.host_names() if any(one.kind in ("host", "switch") for one in faults) else None
        return capacity_left(self.whole.topology, faults, hosts)

    def with_faults(self, faults: Sequence[Fault]) -> "OpenedFabric":
        """The fabric with more that is down or slow.

        Raises
        ------
        InputError
            A fault that matches nothing.
        """
        if not faults:
            return self
        made, together, whole = self.damaged(faults), (*self.faults, *faults), self.whole
        said = ", ".join(f"{one}{f' at {one.capacity:.3g}' if one.capacity else ''}" for one in together[:4])
        more = f" and {len(together) - 4} more" if len(together) > 4 else ""
        cables = counted(made.down, "cable")
        note = f"faults: {said}{more}: {cables} down, {made.slow:,} slower"
        return replace(
            whole,
            topology=made.topology,
            origin=None if whole.origin is None else whole.origin.with_rates_of(made.topology),
            notes=(*whole.notes, note),
            faults=together,
            sound=whole,
        )


def described(source: str, description: FabricDescription) -> OpenedFabric:
    """The fabric that a description builds, with a note on parts that no path uses.

    Raises
    ------
    InputError
        If the shape is impossible; the arithmetic is shown.
    """
    return _warned(OpenedFabric(source, build(description), description))


def _warned(given: OpenedFabric) -> OpenedFabric:
    idle = idle_parts(given.topology)
    if not idle:
        return given
    return replace(given, notes=(*given.notes, f"warning: no shortest path uses {', '.join(idle)}"))


def open_fabric(
    source: str | Path,
    wiring: Wiring | None = None,
    host_pattern: str | None = None,
    nvlink_gbps: float | None = None,
    mesh_gbps: float | None = None,
    speed_gbps: float | None = None,
    assume_spine: float | None = None,
) -> OpenedFabric:
    """Open a preset or a file; the format of a file is told by what is in it.

    Parameters
    ----------
    source : str or path
        A preset's name, or a file: TOML description, node-link JSON, InfraGraph, ``ibnetdiscover``, ``iblinkinfo``,
        ``opensm-subnet.lst``, SimAI topology, cables of an Ethernet fabric (``topology.dot``, CSV, NetQ's topology, or
        a folder or tar of ``lldpctl`` JSON or ``config_db.json``), or a format that was registered (`register_format`);
        plain, gzip or xz.
    wiring : {"rail", "host"}, optional
        Wire a described fabric this way instead of the way that it says.
    host_pattern : str, optional
        For dumps: see `fabric.formats.infiniband.subnet.subnet_fabric` and
        `fabric.formats.ethernet.ethernet_fabric.ethernet_fabric`.
    nvlink_gbps : float, optional
        Join the endpoints of each host by an NVLink switch, so much per endpoint each way: dumps do not show NVLink.
    mesh_gbps : float, optional
        Join every two endpoints of each host by a direct link, so much per endpoint each way, all its links together.
    speed_gbps : float, optional
        Of the cables of an Ethernet fabric whose speed the file does not say.
    assume_spine : float, optional
        Join the leaves of an Ethernet fabric, of which only hosts tell, by spines that nobody shows: capacity of a
        leaf down over up, such as 1.  See `fabric.formats.ethernet.assumed_spine`.

    Raises
    ------
    InputError
        If there is no such preset or file, or its contents are refused.
    """
    asked = (
        ("wiring", wiring),
        ("host_pattern", host_pattern),
        ("speed_gbps", speed_gbps),
        ("assume_spine", assume_spine),
    )
    options = {name: value for name, value in asked if value is not None}
    given = _opened(str(source), options)
    joins = (
        (nvlink_gbps, with_nvlink, "one non-blocking switch a host"),
        (mesh_gbps, with_mesh, "a direct link between every two of a host"),
    )
    for gbps, join, how in joins:
        if gbps is not None:
            note = f"NVLink: {gbps:g} Gb/s each way per endpoint, {how}"
            given = replace(given, topology=join(given.topology, gbps), description=None, notes=(*given.notes, note))
    return given


load_fabric = open_fabric


def open_lfts(path: str | Path) -> "LftDump":
    """Open forwarding tables; their format is told by what is in the file.

    Raises
    ------
    InputError
        If the file holds none, or they are refused.
    """
    found = format_of(path)
    if found.holds != "forwarding tables":
        titles = readable_titles("forwarding tables")
        raise InputError(f"{path}: {found.title}; expected forwarding tables: {titles}")
    dump: LftDump = found.read(path)
    return dump


def open_description(path: str, wiring: Wiring | None = None) -> OpenedFabric:
    """The fabric of a TOML description, wired as it says or as asked."""
    return described(path, _wired(read_description(path), wiring))


def open_subnet(path: str, subnet: Subnet, host_pattern: str | None = None) -> OpenedFabric:
    """The fabric of an InfiniBand dump; `host_pattern` as for `fabric.formats.infiniband.subnet.subnet_fabric`."""
    origin = subnet_fabric(subnet, plain_name(path).split(".")[0] or path, host_pattern)
    return _warned(OpenedFabric(path, origin.topology, None, origin, notes=origin.notes))


def open_cabling(
    path: str,
    cabling: Cabling,
    host_pattern: str | None = None,
    speed_gbps: float | None = None,
    assume_spine: float | None = None,
) -> OpenedFabric:
    """The fabric of an Ethernet fabric's cables; options as for `ethernet_fabric`."""
    name = Path(plain_name(path)).name.split(".")[0] or path
    cabled = ethernet_fabric(cabling, name, host_pattern, speed_gbps, assume_spine)
    return _warned(OpenedFabric(path, cabled.topology, cabled=cabled, notes=cabled.notes))


def _wired(description: FabricDescription, wiring: Wiring | None) -> FabricDescription:
    return description.with_wiring(wiring) if wiring else description


def _opened(source: str, options: dict[str, Any]) -> OpenedFabric:
    if source in preset_names() or not exists(source):
        _check_options(source, options, {"wiring"})
        wiring: Wiring | None = options.get("wiring")
        return described(source, _wired(read_preset(source), wiring))
    found = format_of(source)
    if found.holds != "a fabric":
        raise InputError(f"{source}: {found.holds} ({found.title}); expected a fabric: {readable_titles()}")
    _check_options(source, options, found.options)
    read = found.read(source, **options)
    if isinstance(read, OpenedFabric):
        return read
    if isinstance(read, Topology):
        return _warned(OpenedFabric(source, read))
    raise InputError(f"format {found.name!r}: its reader gave a {type(read).__name__}; expected a Topology")


def _check_options(source: str, options: dict[str, Any], taken: "set[str] | frozenset[str]") -> None:
    for name in options:
        if name not in taken:
            titles = [_title(one) for one in readable() if name in one.options]
            presets = ["a preset"] if name == "wiring" else []
            raise InputError(f"{source}: {name} goes with {listed([*presets, *reversed(titles)])}")


def _title(one: Format) -> str:
    return f"a {one.title}" if one.title[0].isupper() else one.title
