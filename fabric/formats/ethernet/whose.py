"""Whose file is it: the device's name, from the name of the file or from what others say."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath

from fabric.formats.ethernet.joining import Neighbour

# Words of file names that are no device's.
_WORDS = re.compile(
    r"(?:^|[._ -]+)(?:lldp(?:ctl|cli|_neighbors?|-neighbors?)?|neighbors?|config[_-]?db|config|show|output|json0?)"
    r"(?=$|[._ -])",
    re.IGNORECASE,
)
_ENDINGS = re.compile(r"\.(?:json0?|txt|log|out|lldp)$", re.IGNORECASE)


def name_of_file(name: str) -> str:
    """The device that a file's path names: ``leaf01.json``, ``lldp-leaf01.txt``, ``leaf01/config_db.json``.

    >>> name_of_file("rack1/leaf01/config_db.json")
    'leaf01'
    """
    path = PurePosixPath(name)
    for part in (_ENDINGS.sub("", path.name), *reversed(path.parent.parts)):
        rest = _WORDS.sub("", part).strip("._- ")
        if rest:
            return rest
    return _ENDINGS.sub("", path.name) or name


def owners(files: Sequence[str], said: Sequence[Sequence[Neighbour]], known: Collection[str]) -> list[str]:
    """The device of each file.

    A file's name is the device's, with a domain (``leaf01.example.com``) or without, where others know such a device;
    else it is who its neighbours see behind most of the ports that the file names; else the file's name.

    Parameters
    ----------
    files : sequence of str
        Paths inside the folder.
    said : sequence of sequence of Neighbour
        What stands in each file; `device` is not looked at.
    known : collection of str
        Devices that others name.
    """
    short = {name.split(".")[0]: name for name in sorted(known, reverse=True)}
    exact = set(known)
    named = [name_of_file(name) for name in files]
    found = [name if name in exact else short.get(name) or short.get(name.split(".")[0], "") for name in named]
    sees = {(owner, one.port): one.peer for owner, rows in zip(found, said, strict=True) if owner for one in rows}
    return [own or _voted(rows, sees) or name for own, name, rows in zip(found, named, said, strict=True)]


def _voted(rows: Sequence[Neighbour], sees: Mapping[tuple[str, str], str]) -> str:
    """Who is behind more than half of the neighbours' ports."""
    votes = Counter(
        behind
        for one in rows
        if (behind := next((sees[one.peer, port] for port in one.peer_ports if (one.peer, port) in sees), ""))
    )
    best = votes.most_common(1)
    return best[0][0] if best and 2 * best[0][1] > len(rows) else ""
