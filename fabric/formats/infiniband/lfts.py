"""Linear forwarding tables as OpenSM and the diagnostic tools print them.

Read are ``opensm-lfts.dump``, what ``dump_lfts`` (``dump_fts``) and ``ibroute`` print, and ``opensm.fdbs``: for each
switch a head with its GUID, then a row per LID with the port that leads on.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from collectives.errors import InputError
from fabric.formats.dump import Oddities, Oddity, dump_lines, unreadable

NO_ENTRY = -1
# OpenSM: OSM_NO_PATH (osm_base.h).
_NO_PATH = 255

_HEAD = re.compile(r"Unicast lids \[.*\] of switch .*guid 0x([0-9a-fA-F]{1,16}) \((.*)\):?$", re.ASCII)
_FDB_HEAD = re.compile(r"dump_ucast_routes: Switch 0x([0-9a-fA-F]{1,16})$", re.ASCII)
_ROW = re.compile(r"0x([0-9a-fA-F]{1,4})\s+(?::\s+)?(?:(\d{1,3})\b|(UNREACHABLE))", re.ASCII)
_OWNER = re.compile(r"portguid 0x([0-9a-fA-F]{1,16}): '(.*)'")
_FOOT = re.compile(r"(\d{1,6}) (?:valid )?lids dumped$", re.ASCII)
_TITLE = re.compile(r"\*\*\* WARNING|Lid\s+Out\s+Destination|Port\s+Info|LID\s+: Port")
# What begins like this is a row of a table or its head, however it goes on.
_ROW_LIKE = re.compile(r"0x[0-9a-fA-F]|Unicast lids|dump_ucast_routes: Switch", re.ASCII)
_EXPECTED = "a row '0xLID PORT ...' of a forwarding table"


@dataclass(frozen=True, eq=False)
class LftDump:
    """Forwarding tables of the switches of a subnet.

    Attributes
    ----------
    source : str
        The file.
    switch_guid : tuple of int
    switch_name : tuple of str
        Empty where the file does not say.
    port : (n_switches, n_lids) int16
        Port by which each switch sends to each LID (0: the switch itself), or `NO_ENTRY`.
    port_guid : dict of int to int
        GUID of the port that owns a LID, as the rows say.
    lid_name : dict of int to str
        Description of its node, as the rows say.
    oddities : tuple of Oddity
        What was passed over.
    """

    source: str
    switch_guid: tuple[int, ...]
    switch_name: tuple[str, ...]
    port: npt.NDArray[np.int16]
    port_guid: dict[int, int]
    lid_name: dict[int, str]
    oddities: tuple[Oddity, ...] = ()


def read_lfts(path: str | Path) -> LftDump:
    """Read forwarding tables.

    Raises
    ------
    InputError
        Names file and line, and what was expected; a table without its foot is cut.
    """
    guids: dict[int, int] = {}
    names: list[str] = []
    lfts: list[dict[int, int]] = []
    port_guid: dict[int, int] = {}
    lid_name: dict[int, str] = {}
    rows: dict[int, int] | None = None
    open_since = 0
    odd = Oddities(path)
    # Almost all lines are rows as OpenSM and dump_lfts write them: two lookups read those.
    lid_of = {f"{lid:04x}": lid for lid in range(0xBFFF + 1)}
    port_of = {f" {port:03d} ": port for port in range(_NO_PATH)}
    for number, line in dump_lines(path):
        if (
            rows is not None
            and line[:2] == "0x"
            and (lid := lid_of.get(line[2:6], -1)) in lid_name
            and lid not in rows
            and (port := port_of.get(line[6:11])) is not None
        ):
            rows[lid] = port
        elif row := _ROW.match(line):
            if rows is None:
                raise InputError(f"{path}:{number}: a row before any switch; expected 'Unicast lids ... of switch ...'")
            lid, port = int(row[1], 16), _NO_PATH if row[3] else int(row[2])
            if lid > 0xBFFF or port > _NO_PATH:
                raise InputError(f"{path}:{number}: LID {lid}, port {port}; expected at most {0xBFFF} and {_NO_PATH}")
            if lid in rows:
                raise InputError(f"{path}:{number}: LID 0x{lid:04x} is listed twice for one switch")
            rows[lid] = NO_ENTRY if port == _NO_PATH else port
            if lid not in lid_name and (owner := _OWNER.search(line, row.end())):
                port_guid[lid], lid_name[lid] = int(owner[1], 16), owner[2].strip()
        elif head := _HEAD.match(line) or _FDB_HEAD.match(line):
            if open_since:
                raise InputError(f"{path}:{number}: the table of line {open_since} has no end ('N lids dumped')")
            guid = int(head[1], 16)
            if guid in guids:
                raise InputError(f"{path}:{number}: switch 0x{guid:016x} is listed twice, first in line {guids[guid]}")
            guids[guid] = number
            named = head.re is _HEAD
            names.append(head[2].strip("'").strip() if named else "")
            open_since = number if named else 0
            rows = {}
            lfts.append(rows)
        elif foot := _FOOT.match(line):
            # dump_lfts counts the rows; OpenSM prints its highest LID, and leaves LIDs without a path out.
            if rows is None or len(rows) > int(foot[1]) + 1:
                raise InputError(f"{path}:{number}: {len(rows or ())} rows, but the foot says {foot[1]}")
            open_since = 0
        elif _ROW_LIKE.match(line):
            raise unreadable(path, number, line, _EXPECTED)
        elif not _TITLE.match(line):
            odd.pass_over(number, line, _EXPECTED)
    odd.check(sum(map(len, lfts)))
    if open_since:
        raise InputError(f"{path}: the table of line {open_since} has no end ('N lids dumped'); is the dump whole?")
    if not any(lfts):
        raise InputError(f"{path}: no row of a forwarding table")
    ports = np.full((len(lfts), max(map(max, filter(None, lfts))) + 1), NO_ENTRY, np.int16)
    for index, entries in enumerate(lfts):
        ports[index, list(entries)] = list(entries.values())
    return LftDump(str(path), tuple(guids), tuple(names), ports, port_guid, lid_name, odd.all())
