"""A text file of the hosts that other jobs have taken, or of those that are free: ``HOSTLIST [taken|free]`` a line."""

from dataclasses import dataclass
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted
from fabric.formats.dump import dump_lines
from fabric.formats.slurm.hostlist import expand_hostlist

TAKEN, FREE = "taken", "free"


@dataclass(frozen=True)
class TakenHosts:
    """What a file says.

    Attributes
    ----------
    source : str
    taken, free : tuple of str
        Hosts by name.  Where only free hosts are named, all others are taken; else those that are not named are free.
    """

    source: str
    taken: tuple[str, ...]
    free: tuple[str, ...]


def read_taken_hosts(path: str | Path) -> TakenHosts:
    """Read such a file; a line without a word means hosts that are taken, ``#`` begins a comment.

    Raises
    ------
    InputError
        Names file and line: a word that is neither, no hostlist, a host that is both.
    """
    state: dict[str, str] = {}
    for number, line in dump_lines(path):
        words = line.split("#")[0].replace("\t", " ").split()
        if not words:
            continue
        if len(words) > 2 or (len(words) == 2 and words[1].lower() not in (TAKEN, FREE)):
            raise InputError(f"{path}:{number}: {quoted(line)}; expected HOSTLIST, HOSTLIST taken or HOSTLIST free")
        word = words[1].lower() if len(words) == 2 else TAKEN
        try:
            names = expand_hostlist(words[0])
        except InputError as error:
            raise InputError(f"{path}:{number}: {error}") from None
        for name in names:
            if state.setdefault(name, word) != word:
                raise InputError(f"{path}:{number}: host {quoted(name)} is taken and free")
    if not state:
        raise InputError(f"{path}: no host; expected HOSTLIST, HOSTLIST taken or HOSTLIST free a line")
    taken, free = (tuple(name for name, word in state.items() if word == which) for which in (TAKEN, FREE))
    return TakenHosts(str(path), taken, free)
