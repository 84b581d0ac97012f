"""Labels of nodes as CSV, ``host,nvlink.domain,leafgroup``: what Kubernetes says of what is near what.

A row a host; the columns after ``host`` are labels, from the narrowest group (an NVLink domain) to the widest (a
superpod), as the header orders them.
"""

import csv
from itertools import pairwise
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted
from fabric.formats.slurm.hostlist import MAX_HOSTS
from fabric.formats.slurm.topology_conf import SchedulerTopology
from traces.files import read_text

_EXPECTED = "a header host,LABEL,... with the labels from narrow to wide"


def read_node_labels(path: str | Path) -> SchedulerTopology:
    """Groups of hosts by label: the narrowest label's are the leaves, wider ones are above them.

    Hosts stand in the order of the file, together with those of their groups.

    Raises
    ------
    InputError
        Names file and line: a header without labels, a row of another length, a host or label that is missing, a host
        that is given twice, a group that is in two wider ones (columns in the wrong order).
    """
    rows = csv.reader(read_text(path, "backslashreplace").split("\n"), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        if len(header) < 2 or header[0].lower() != "host" or len({*header}) != len(header) or not all(header):
            raise InputError(f"{path}:1: {quoted(','.join(header))}; expected {_EXPECTED}")
        labels: dict[str, tuple[str, ...]] = {}
        wider: dict[tuple[int, str], str] = {}
        for row in rows:
            where = f"{path}:{rows.line_num}"
            values = [value.strip() for value in row]
            if not any(values) or values[0].startswith("#"):
                continue
            if len(values) != len(header):
                raise InputError(f"{where}: {len(values)} fields; expected {len(header)}: {','.join(header)}")
            empty = next((name for name, value in zip(header, values, strict=True) if not value), None)
            if empty is not None:
                raise InputError(
                    f"{where}: host {quoted(values[0])}: no {quoted(empty)}; expected every label of a host"
                )
            host, *own = values
            if host in labels:
                raise InputError(f"{where}: host {quoted(host)} is given twice")
            for level, (value, above) in enumerate(pairwise(own)):
                if wider.setdefault((level, value), above) != above:
                    raise InputError(
                        f"{where}: {header[level + 1]} {quoted(value)} is in {header[level + 2]} "
                        f"{quoted(wider[level, value])} and in {quoted(above)}; expected {_EXPECTED}"
                    )
            labels[host] = tuple(own)
            if len(labels) > MAX_HOSTS:
                raise InputError(f"{where}: more than {MAX_HOSTS:,} hosts")
    except csv.Error as error:
        raise InputError(f"{path}:{rows.line_num}: not CSV ({error})") from None
    if not labels:
        raise InputError(f"{path}: no host; expected a row for each after {_EXPECTED}")
    return _grouped(str(path), header[1:], labels)


def _grouped(path: str, names: list[str], labels: dict[str, tuple[str, ...]]) -> SchedulerTopology:
    first: dict[tuple[int, str], int] = {}
    for place, own in enumerate(labels.values()):
        for level, value in enumerate(own):
            first.setdefault((level, value), place)
    keys = {own: tuple(first[level, value] for level, value in enumerate(own))[::-1] for own in labels.values()}
    leaves: dict[tuple[str, ...], list[str]] = {own: [] for own in sorted(keys, key=keys.__getitem__)}
    for host, own in labels.items():
        leaves[own].append(host)
    above: dict[str, list[int]] = {}
    for number, own in enumerate(leaves):
        for level, value in enumerate(own):
            above.setdefault(f"{names[level]}={value}", []).append(number)
    return SchedulerTopology(
        path,
        tuple((f"{names[0]}={own[0]}", tuple(hosts)) for own, hosts in leaves.items()),
        {name: tuple(numbers) for name, numbers in above.items()},
        "labels",
    )
