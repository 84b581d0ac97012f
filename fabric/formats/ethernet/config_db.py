"""SONiC's ``config_db.json``: table ``DEVICE_NEIGHBOR``, what is meant to be behind each port of a switch.

Tables are objects by key, or flat as Redis has them: ``"DEVICE_NEIGHBOR|Ethernet0": {"name": ..., "port": ...}``
(sonic-net/SONiC, Configuration wiki).  ``PORT`` has speeds in Mb/s, ``DEVICE_METADATA`` the switch's own name,
``DEVICE_NEIGHBOR_METADATA`` the neighbours' kinds; ``PORT`` also the aliases of ports, by which others may call them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from collectives.errors import InputError
from collectives.gate import shown
from collectives.sizes import counted
from fabric.formats.dump import Oddities
from fabric.formats.ethernet.cabling import FABRIC_SWITCH, HOST, Cabling, assembled, speed_gbps
from fabric.formats.ethernet.joining import Neighbour, joined
from fabric.formats.ethernet.json_part import parse_json_part
from fabric.formats.ethernet.whose import name_of_file
from fabric.formats.member_files import member_files

_SHAPE = re.compile(r"\A[^{]*^[ \t]*\{[\s\S]*?\"(?:DEVICE_NEIGHBOR|DEVICE_METADATA)(?:\||\"\s*:)", re.MULTILINE)


def read_config_db(path: str | Path) -> Cabling:
    """Read one switch's file, or a folder or archive of many; other files in it are passed over and counted.

    Raises
    ------
    InputError
        Names file, table and key, and what was expected; a switch that has several files.
    """
    odd = Oddities(path)
    told: dict[str, str] = {}
    kinds: dict[str, str] = {}
    ports: dict[str, tuple[str, ...]] = {}
    said: list[Neighbour] = []
    aliases: dict[tuple[str, str], tuple[str, ...]] = {}
    for member in member_files(path):
        text = member.text()
        if not _SHAPE.search(text):
            odd.add("other files", "files without a table DEVICE_NEIGHBOR are passed over", member.source)
            continue
        document = parse_json_part(text, _SHAPE, member.source, odd)
        if not isinstance(document, dict):
            raise InputError(f"{member.source}: {shown(document)}; expected an object of tables")
        own = dict(_table(document, "DEVICE_METADATA", member.source)).get("localhost", {})
        device = _text(own.get("hostname")) or name_of_file(member.name)
        if device in told:
            raise InputError(f"{member.source}: switch {device} has a file already, {told[device]}")
        told[device] = member.source
        kinds[device] = FABRIC_SWITCH
        if own_ports := tuple(port for port, _ in _table(document, "PORT", member.source)):
            ports[device] = own_ports
        for name, about in _table(document, "DEVICE_NEIGHBOR_METADATA", member.source):
            kind = _text(about.get("type")).lower()
            if kind:
                kinds.setdefault(name, FABRIC_SWITCH if "router" in kind else HOST)
        said += _neighbours(document, device, member.source)
        for port, about in _table(document, "PORT", member.source):
            if alias := _text(about.get("alias")):
                aliases[device, port] = (alias,)
    if not told:
        raise InputError(f"{path}: no config_db.json with DEVICE_NEIGHBOR; expected some")
    ends = joined(_by_their_names(said, aliases), told, odd)
    notes = [f"{counted(len(told), 'config_db.json', 'files config_db.json')}", *ends.notes]
    return assembled(path, ends.cables, odd, kinds, notes, {**ends.other_names, **aliases}, told, ports)


def _by_their_names(said: Iterable[Neighbour], aliases: Mapping[tuple[str, str], tuple[str, ...]]) -> list[Neighbour]:
    """Neighbours with the name of a port that is called by its alias (``etp1``), as its switch's own file has it."""
    name_of = {(device, alias): port for (device, port), names in aliases.items() for alias in names}
    return [
        replace(one, peer_ports=tuple(name_of.get((one.peer, port), port) for port in one.peer_ports)) for one in said
    ]


def _neighbours(document: dict[str, Any], device: str, source: str) -> Iterator[Neighbour]:
    speeds = {
        port: speed_gbps(speed, f"{source}: PORT|{port}: speed", 1e-3)
        for port, about in _table(document, "PORT", source)
        if (speed := _text(about.get("speed")))
    }
    for port, about in _table(document, "DEVICE_NEIGHBOR", source):
        where = f"{source}: DEVICE_NEIGHBOR|{port}"
        peer = _text(about.get("name"))
        if not peer:
            raise InputError(f"{where}: no name; expected the neighbour's")
        peer_port = _text(about.get("port"))
        yield Neighbour(device, port, peer, (peer_port,) if peer_port else (), speeds.get(port), where)


def _table(document: dict[str, Any], table: str, source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    rows = document.get(table, {})
    if not isinstance(rows, dict):
        raise InputError(f"{source}: {table} {shown(rows)}; expected an object")
    flat = {key.split("|", 1)[1]: row for key, row in document.items() if key.startswith(f"{table}|")}
    for key, row in (rows | flat).items():
        if not isinstance(row, dict):
            raise InputError(f"{source}: {table}|{key} {shown(row)}; expected an object")
        yield key, row


def _text(value: Any) -> str:
    """A text; numbers are texts in the database, and bare in some files."""
    return value if isinstance(value, str) else str(value) if type(value) is int and value < 10**9 else ""
