"""Hosts and rails out of node descriptions by pattern; one that does not fit spoils nothing but itself."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from collectives.errors import InputError
from collectives.gate import quoted
from collectives.sizes import counted
from fabric.formats.dump import Oddity
from fabric.topology import UNKNOWN

HOST_PATTERNS = (
    r"(?P<host>.+?)[ /_-]+(?:mlx\d+_\w*?|hfi\d+_|ib|hca-?|cx|qib|\w*rail)(?P<rail>\d+)",
    r"(?P<host>.*\d)[rg](?P<rail>\d+)",
    r"(?P<host>.+?)[ /]+(?:ibp?\d*s\d+\w*|enp?\d\w*)",
)
"""Tried on a whole node description, the one that fits most adapters first; without a rail they count by name."""

# InfiniBand architecture specification 1.4, 14.2.5.2: a NodeDescription has 64 bytes.  Bytes that are not UTF-8 are
# written with four characters.
_LONGEST = 256
# What adapters are called that nobody gave a name: their makers and models, as drivers have it.
_MODEL = re.compile(
    r"mellanox|nvidia|connectx|infinihost|omni-?path|truescale|\bMT\d{3,}|\bhca$|technologies", re.IGNORECASE
)
_BARE_GUID = re.compile(r"(?:0x)?[0-9a-f]{12,16}", re.IGNORECASE)
_UNNAMED = "adapters have no host's name of their own: each is a host, its rail unknown"
_SHARED = "adapters share the name of host and rail with others: each is a host of its own"


@dataclass(frozen=True)
class HostsAndRails:
    """What node descriptions say of hosts.

    Attributes
    ----------
    where : dict of str to (str, int)
        Host and rail of each adapter; rail `UNKNOWN` where nothing says it.
    note : str
        What was inferred, in words.
    oddities : tuple of Oddity
    missed : tuple of str
        Adapters that no pattern fits.
    """

    where: dict[str, tuple[str, int]]
    note: str
    oddities: tuple[Oddity, ...]
    missed: tuple[str, ...] = ()


def clean_name(name: str) -> str:
    """A node description without characters that would break a table."""
    return "".join(letter if letter.isprintable() else "?" for letter in name).strip()


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which ``h9`` comes before ``h10``; ``h09`` after ``h9``."""
    key = []
    for part in re.findall(r"[0-9]+|[^0-9]+", name):
        digits = part.lstrip("0")
        key.append((0, len(digits), digits) if part[0] in "0123456789" else (1, 0, part))
    return (*key, (-1, 0, name))


def hosts_and_rails(
    names: Mapping[str, str], pattern: str | None = None, unique: Mapping[str, str] | None = None
) -> HostsAndRails:
    """Host and rail of each adapter from its description.

    An adapter that is called by its model, or as others are, is a host of its own.

    Parameters
    ----------
    names : mapping of str to str
        Description by key.
    pattern : str, optional
        Regular expression with a group ``host``, and perhaps ``rail``; default `HOST_PATTERNS`.
    unique : mapping of str to str, optional
        A name by key that no other has, for hosts without one; default the key.

    Raises
    ------
    InputError
        If the pattern is no such expression, fits nothing, or its rail is no number.
    """
    label = unique or {key: key for key in names}
    patterns = (
        [compiled_pattern(pattern)]
        if pattern is not None
        else [re.compile(text, re.IGNORECASE | re.ASCII) for text in HOST_PATTERNS]
    )
    text = {key: name.strip() for key, name in names.items()}
    fitting = {
        key: [one.fullmatch(name) for one in patterns] if len(name) <= _LONGEST else [None] * len(patterns)
        for key, name in text.items()
    }
    fits = [sum(each[number] is not None for each in fitting.values()) for number in range(len(patterns))]
    if pattern is not None and not fits[0]:
        raise InputError(
            f"host pattern {quoted(pattern)}: fits no adapter, such as {quoted(next(iter(names.values())))}"
        )
    order = sorted(range(len(patterns)), key=lambda number: -fits[number])
    found: dict[str, tuple[str, int | None]] = {}
    used: Counter[int] = Counter()
    for key, matches in fitting.items():
        chosen = next((number for number in order if matches[number] is not None), None)
        match = None if chosen is None else matches[chosen]
        if chosen is not None and match is not None:
            rail = match.groupdict().get("rail")
            found[key] = (
                clean_name(match["host"]) or label[key],
                None if rail is None else _rail_number(rail, text[key]),
            )
            used[chosen] += 1
    missed = [key for key in text if key not in found]
    often = Counter(text.values())
    unnamed = [key for key in missed if _is_unnamed(text[key], often[text[key]])]
    by_word = set(missed) - set(unnamed)
    found |= {key: (clean_name(text[key]).split(" ")[0] or label[key], None) for key in by_word}
    several = Counter((host, rail) for host, rail in found.values() if rail is not None)
    shared = [key for key, (host, rail) in found.items() if rail is not None and several[host, rail] > 1]
    where = {key: (label[key], UNKNOWN) for key in unnamed}
    where |= {key: (label[key], rail) for key in shared if (rail := found[key][1]) is not None}
    where |= dict(
        _counted({key: found[key] for key in sorted(found, key=lambda key: natural(text[key])) if key not in where})
    )
    oddities = tuple(
        Oddity(
            "unnamed adapter",
            what,
            len(keys),
            tuple(f"{label[key]}: {quoted(text[key])}" for key in keys[:1000]),
            tuple(((label[key], None),) for key in keys[:1000]),
        )
        for what, keys in ((_UNNAMED, unnamed), (_SHARED, shared))
        if keys
    )
    n_hosts = len({host for host, _ in where.values()})
    n_rails = len({rail for _, rail in where.values() if rail != UNKNOWN})
    parts = [
        f"'{patterns[number].pattern}'" + (f" ({used[number]:,} of {len(text):,})" if len(used) > 1 or missed else "")
        for number in order
        if used[number]
    ]
    how = f"pattern {' and '.join(parts)}" if parts else "the first word" if by_word else "nothing in them"
    note = f"hosts and rails are read from node descriptions by {how}: {n_hosts:,} hosts, {n_rails} rails"
    if by_word and parts:
        example = quoted(text[next(key for key in text if key in by_word)])
        note += (
            f"; {counted(len(by_word), 'adapter')} fit no pattern and are hosts by their first word, such as {example}"
        )
    for each in oddities:
        note += f"; {each.note()}"
    return HostsAndRails(where, note, oddities, tuple(missed))


def _is_unnamed(name: str, times: int) -> bool:
    return not name or times > 1 or len(name) > _LONGEST or bool(_MODEL.search(name) or _BARE_GUID.fullmatch(name))


def _counted(found: Mapping[str, tuple[str, int | None]]) -> Iterator[tuple[str, tuple[str, int]]]:
    """Rails that nothing says are places in the host."""
    count_of: Counter[str] = Counter()
    for key, (host, rail) in found.items():
        yield key, (host, rail if rail is not None else count_of[host])
        count_of[host] += 1


def compiled_pattern(pattern: str) -> "re.Pattern[str]":
    """A pattern of hosts; InputError if it is no regular expression with a group ``host``."""
    try:
        wanted = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise InputError(f"host pattern {quoted(pattern)}: not a regular expression ({error})") from None
    if "host" not in wanted.groupindex:
        raise InputError(
            f"host pattern {quoted(pattern)}: expected a group `host`, and perhaps `rail`, "
            r"such as 'h(?P<host>\d+)r(?P<rail>\d+)'"
        )
    return wanted


def _rail_number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 6:
        raise InputError(f"host pattern: rail {quoted(text)} of {quoted(name)}; expected a number")
    return int(text)
