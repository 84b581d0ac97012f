"""``lldpctl -f json`` and ``-f json0``: what each host or switch sees behind its ports (lldpd).

In ``json`` a list of one is its only item, and interfaces and chassis are keyed by their names; ``json0`` always has
lists.  The output does not say whose it is: the file's name does, or what its neighbours see.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from collectives.errors import InputError
from collectives.gate import shown
from collectives.sizes import counted
from fabric.formats.dump import Oddities
from fabric.formats.ethernet.cabling import Cabling, assembled
from fabric.formats.ethernet.joining import Neighbour, joined
from fabric.formats.ethernet.json_part import parse_json_part
from fabric.formats.ethernet.whose import owners
from fabric.formats.member_files import member_files

_SHAPE = re.compile(r"\A[^{]*^[ \t]*\{\s*\"(?:lldp|local-chassis)\"\s*:", re.MULTILINE)
# What lldpd prints of a port's medium (IEEE 802.3's MAU types), such as `100GBaseSR4 - 100GBASE-R PCS/PMA ...`.
_MEDIUM = re.compile(r"([0-9]{1,6})(G?)b(?:ase|/s)", re.IGNORECASE | re.ASCII)


def read_lldpctl(path: str | Path) -> Cabling:
    """Read the output of one device, or a folder or archive of many; other files in it are passed over and counted.

    Raises
    ------
    InputError
        Names the file and the interface, and what was expected.
    """
    odd = Oddities(path)
    names, said, own = [], [], []
    for member in member_files(path):
        text = member.text()
        if not _SHAPE.search(text):
            odd.add("other files", "files without output of lldpctl -f json are passed over", member.source)
            continue
        document = parse_json_part(text, _SHAPE, member.source, odd)
        names.append(member.name)
        own.append(_chassis_name(document.get("local-chassis")))
        said.append(list(_neighbours(document, member.source)))
    if not names:
        raise InputError(f"{path}: no output of lldpctl -f json; expected some")
    known = {one.peer for rows in said for one in rows} | {name for name in own if name}
    told = [local or owner for local, owner in zip(own, owners(names, said, known), strict=True)]
    listed = [
        Neighbour(device, one.port, one.peer, one.peer_ports, one.gbps, one.source)
        for device, rows in zip(told, said, strict=True)
        for one in rows
    ]
    ends = joined(listed, told, odd)
    notes = [f"{counted(len(names), 'output')} of lldpctl", *ends.notes]
    return assembled(path, ends.cables, odd, notes=notes, other_names=ends.other_names, telling=told)


def _neighbours(document: Any, source: str) -> Iterator[Neighbour]:
    lldp = _one(document.get("lldp"), f"{source}: lldp", {})
    for number, (name, entry) in enumerate(_interfaces(lldp.get("interface", []), source)):
        where = f"{source}: interface {name or number}"
        port = name or _text(entry.get("name"))
        if not port:
            raise InputError(f"{where}: no name; expected one")
        chassis = _chassis_name(entry.get("chassis"))
        if not chassis:
            raise InputError(f"{where}: no chassis; expected the neighbour's")
        about = _one(entry.get("port"), f"{where}: port", {})
        medium = _MEDIUM.match(_current(about, where))
        gbps = float(medium[1]) * (1.0 if medium[2] else 1e-3) if medium else None
        yield Neighbour("", port, chassis, _port_names(about, where), gbps or None, where)


def _interfaces(value: Any, source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name (empty in ``json0``) and contents of each."""
    for entry in value if isinstance(value, list) else [value]:
        if not isinstance(entry, dict):
            raise InputError(f"{source}: interface {shown(entry)}; expected an object")
        if "name" in entry and not isinstance(entry["name"], dict):
            yield "", entry
            continue
        for name, contents in entry.items():
            for one in contents if isinstance(contents, list) else [contents]:
                if not isinstance(one, dict):
                    raise InputError(f"{source}: interface {shown(name)}: {shown(one)}; expected an object")
                yield name, one


def _chassis_name(value: Any) -> str:
    """What a chassis is called; its identifier where it has no name."""
    chassis = value[0] if isinstance(value, list) and value else value
    if not isinstance(chassis, dict):
        return ""
    if "chassis" in chassis:
        return _chassis_name(chassis["chassis"])
    name = _text(chassis.get("name"))
    if name or "id" in chassis:
        return name or _identifier(chassis.get("id"))[1]
    return next((key for key, inside in chassis.items() if isinstance(inside, (dict, list))), "")


def _port_names(about: dict[str, Any], where: str) -> tuple[str, ...]:
    """An interface's name first: of the identifier if it is one, else of the description (lldpd's default on hosts)."""
    kind, value = _identifier(about.get("id"))
    described = _text(about.get("descr"))
    if "\n" in described or " " in described.strip():
        described = ""
    names = (value, described) if kind in ("ifname", "") else (described, value)
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _identifier(value: Any) -> tuple[str, str]:
    found = value[0] if isinstance(value, list) and value else value
    return (_text(found.get("type")), _text(found)) if isinstance(found, dict) else ("", _text(found))


def _current(about: dict[str, Any], where: str) -> str:
    """The medium that a port runs at, empty where it is not told."""
    negotiated = about.get("auto-negotiation")
    return _text(_one(negotiated, f"{where}: auto-negotiation", {}).get("current")) if negotiated else ""


def _text(value: Any) -> str:
    """A text, or the first one that ``json0`` wraps into a list of ``{"value": ...}``."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        value = value.get("value")
    return value if isinstance(value, str) else ""


def _one(value: Any, where: str, default: dict[str, Any]) -> dict[str, Any]:
    found = (value[0] if value else default) if isinstance(value, list) else default if value is None else value
    if not isinstance(found, dict):
        raise InputError(f"{where} {shown(found)}; expected an object")
    return found
