"""A fabric's cables beside those of a plan: what is missing, wired wrongly, too slow, and what nobody planned.

Devices are the same if their names are, capitals and domains (``leaf01.example.com``) aside; a host's adapter, which is
a device of its own in InfiniBand, is a port of the host where a plan has it so (``gpu01`` and ``mlx5_3``).  Ports are
the same if their names are, or their numbers where a name is nothing else (``Port 21`` and ``21``); where a device has
none of the plan's names, by those that other tools give them (`same_ports`).

Every deviation has an identifier that depends on its kind, devices and ports only, as the plan names them, so that it
is the same on another day, and can be ignored.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted
from collectives.sizes import counted, numbered
from fabric.formats.ethernet.cabling import NamedCable
from fabric.formats.infiniband.host_names import natural
from fabric.formats.infiniband.subnet import is_aggregation_node
from fabric.formats.plan import Plan
from fabric.formats.port_names import same_ports
from fabric.studies.health_findings import ERROR, WARNING, End as PlugEnd, Example, Finding, findings_of
from traces.files import read_text

# A plan of which fewer names are the fabric's is of another fabric, or by other names.  Assumed: half.
_LEAST_MATCH = 0.5
_ID_LETTERS = 10
# Speeds are nominal numbers; what differs by less is the same.
_SAME_SPEED = 1e-6
_NUMBER = re.compile(r"(?:port[ _-]*)?0*([0-9]+)", re.ASCII)
# A host's adapter, and the adapter's port where it is said: `mlx5_3`, `hca-1/p1`, `mlx5_0 port 1`.
_ADAPTER_PORT = re.compile(r"(?P<adapter>.+?)(?:[/: _-]+(?:port|p)?[ _-]*(?P<port>[0-9]))?", re.ASCII)

End = tuple[str, str]
_KINDS = (
    (ERROR, "missing cable", "cables of the plan that are not there"),
    (ERROR, "miswired cable", "cables with other ends than in the plan"),
    (ERROR, "wrong speed", "cables with another speed than in the plan"),
    (WARNING, "extra cable", "cables outside the plan"),
)


@dataclass(frozen=True)
class Deviation:
    """A cable that is not as planned.

    Attributes
    ----------
    kind : str
        ``missing cable``, ``miswired cable``, ``wrong speed`` or ``extra cable``.
    id : str
        Ten hexadecimal digits of the kind and the sorted pairs of device and port; the same whenever it is found.
    text : str
        What is planned, and what is there.
    ends : tuple of (str, str)
        Devices and ports of the cables that it is about: as planned, of an extra cable as it is there.
    """

    kind: str
    id: str
    text: str
    ends: tuple[End, ...] = ()

    def plugs(self) -> tuple[PlugEnd, ...]:
        """The ends as findings name them."""
        return tuple(PlugEnd(device, port or None) for device, port in self.ends)


@dataclass(frozen=True)
class PlanCheck:
    """What `check_plan` found.

    Attributes
    ----------
    source : str
        The plan's file.
    cables : int
        Of the plan.
    deviations : tuple of Deviation
        Those that are not ignored, by kind.
    matched : int
        Cables that are as planned.
    ignored : int
        Deviations that were asked to be ignored.
    notes : tuple of str
        What was not compared.
    """

    source: str
    cables: int
    deviations: tuple[Deviation, ...]
    matched: int
    ignored: int = 0
    notes: tuple[str, ...] = ()

    def findings(self) -> list[Finding]:
        """The deviations by kind; examples begin with their identifiers."""
        found = []
        for severity, kind, text in _KINDS:
            examples = [
                Example(
                    f"[{one.id}] {one.text}", tuple(PlugEnd(device, port or None) for device, port in one.ends), one.id
                )
                for one in self.deviations
                if one.kind == kind
            ]
            found += findings_of(severity, kind, text, examples)
        return found


def check_plan(
    cables: Sequence[NamedCable], plan: Plan, ignore: Collection[str] = (), telling: Collection[str] | None = None
) -> PlanCheck:
    """Compare the cables that are there with a plan.

    A cable of the plan is *miswired* where a port of it is used by another cable, or the same two devices are joined by
    other ports; two cables that have changed places are one deviation.

    Parameters
    ----------
    cables : sequence of NamedCable
        That are there: `cables_of` a fabric.
    plan : Plan
    ignore : collection of str
        Identifiers of deviations that are known (`read_ignored`).
    telling : collection of str, optional
        Devices that say what they see, where the fabric is made of that: a cable between two others, as between
        switches where only hosts say something, is not compared.  None: all cables are seen.

    Raises
    ------
    InputError
        If fewer than half of the plan's devices are in the fabric; says which are not.
    """
    there = _keyed(cables, {})
    adapters = _with_adapters(there, _keyed(plan.cables, _same_devices(cables, plan)))
    planned, renamed = _by_names_of(there, adapters)
    _refuse_another_fabric(there, planned, plan)
    deviations: list[Deviation] = []
    wanted, spare, matched, speeds = _exact(planned, there, deviations)
    wanted, unseen = _seen(wanted, telling)
    wanted, inside = _outside(wanted, there)
    deviations += _miswired(wanted, spare, there)
    devices = {end[0] for row in planned for end in row.ends}
    unplanned = [row for row in spare if not {end[0] for end in row.ends} & devices]
    extra = [row for row in spare if {end[0] for end in row.ends} & devices]
    deviations += [_deviation("extra cable", [row], row.cable.text()) for row in extra]
    order = [kind for _, kind, _ in _KINDS]
    deviations.sort(key=lambda one: (order.index(one.kind), one.text))
    left = tuple(one for one in deviations if one.id not in ignore)
    ignored = len(deviations) - len(left)
    notes = [f"plan: {matched:,} of {counted(len(plan.cables), 'cable')} of {plan.source} are as planned"]
    notes += [f"plan: {note}" for note in (*renamed, *plan.notes)]
    notes += _names_apart(there, planned)
    if unseen:
        notes.append(
            f"not compared: {counted(len(unseen), 'cable')} between devices whose files are not there, such as "
            f"{unseen[0].cable.text()}"
        )
    if inside:
        notes.append(f"not compared: {counted(inside, 'cable')} of SHARP's aggregation nodes, which are no devices")
    if unplanned:
        others = counted(len({end[0] for row in unplanned for end in row.ends}), "device")
        notes.append(f"not compared: {counted(len(unplanned), 'cable')} of {others} that the plan does not name")
    if not speeds:
        notes.append("not compared: speeds, as the plan or the fabric says none")
    if ignored:
        notes.append(f"ignored as asked: {counted(ignored, 'deviation')}")
    stale = len(set(ignore) - {one.id for one in deviations})
    if stale:
        notes.append(f"to ignore, but not there: {counted(stale, 'identifier')}")
    return PlanCheck(plan.source, len(plan.cables), left, matched, ignored, tuple(notes))


def read_ignored(path: str | Path) -> frozenset[str]:
    """Identifiers of deviations to ignore, one a line; what stands behind ``#`` is a comment.

    Raises
    ------
    InputError
        Names the line that is no identifier.
    """
    found = set()
    for number, line in enumerate(read_text(path).splitlines(), 1):
        text = line.split("#", 1)[0].strip().strip("[]").lower()
        if text and not re.fullmatch(rf"[0-9a-f]{{{_ID_LETTERS}}}", text):
            raise InputError(f"{path}:{number}: {quoted(text)}; expected an identifier such as 3f09a1b2c4")
        found |= {text} - {""}
    return frozenset(found)


@dataclass(frozen=True, eq=False)
class _Row:
    """A cable, its ends in the words that are compared, and as its source has them."""

    cable: NamedCable
    ends: tuple[End, End]
    said: tuple[End, End]


def _device(name: str) -> str:
    return name.strip().casefold()


def _port(name: str) -> str:
    text = name.strip().casefold()
    number = _NUMBER.fullmatch(text)
    return number[1] if number else text


def _keyed(cables: Iterable[NamedCable], same: Mapping[str, str]) -> list[_Row]:
    rows = []
    for cable in cables:
        ends = sorted(
            (same.get(_device(device), _device(device)), _port(port))
            for device, port in ((cable.device, cable.port), (cable.peer, cable.peer_port))
        )
        rows.append(_Row(cable, (ends[0], ends[1]), (ends[0], ends[1])))
    return rows


def _with_adapters(there: Sequence[_Row], planned: Sequence[_Row]) -> list[_Row]:
    """The plan's cables, with adapters as the devices that they are in the fabric: ``gpu01`` and ``mlx5_3``."""
    known = {device for row in there for device, _ in row.ends}

    def own(end: End) -> End:
        device, port = end
        found = _ADAPTER_PORT.fullmatch(port)
        if device in known or found is None:
            return end
        for sign in " /_-":
            for adapter, number in ((port, ""), (found["adapter"], found["port"] or "")):
                if f"{device}{sign}{adapter}" in known:
                    return f"{device}{sign}{adapter}", number
        return end

    rows = []
    for row in planned:
        one, other = sorted(map(own, row.ends))
        rows.append(replace(row, ends=(one, other)))
    return rows


def _by_names_of(there: Sequence[_Row], planned: Sequence[_Row]) -> tuple[list[_Row], list[str]]:
    """The plan's cables with the names that the fabric's ports have, and a note where those are others."""
    known, asked = _ports_by_device(there), _ports_by_device(planned)
    name_of: dict[End, str] = {}
    renamed = []
    for device in sorted(set(known) & set(asked)):
        ours, theirs = sorted(known[device]), sorted(asked[device])
        met = same_ports(ours, theirs)
        if not met.exact and met.place:
            name_of |= {(device, theirs[number]): ours[place] for number, place in met.place.items()}
            number, place = next(iter(met.place.items()))
            renamed.append(f"{device}: {theirs[number]} is {ours[place]}")
    rows = []
    for row in planned:
        one, other = sorted((device, name_of.get((device, port), port)) for device, port in row.ends)
        rows.append(_Row(row.cable, (one, other), row.said))
    what = numbered(len(renamed), "devices have ports with other names in it")
    return rows, [f"{what}, such as {renamed[0]}"] if renamed else []


def _ports_by_device(rows: Iterable[_Row]) -> dict[str, set[str]]:
    ports: dict[str, set[str]] = {}
    for row in rows:
        for device, port in row.ends:
            if port:
                ports.setdefault(device, set()).add(port)
    return ports


def _same_devices(cables: Sequence[NamedCable], plan: Plan) -> dict[str, str]:
    """The fabric's name of each device of the plan that differs from it by a domain only."""
    there = {_device(name) for cable in cables for name in (cable.device, cable.peer)}
    short: dict[str, list[str]] = {}
    for name in sorted(there):
        short.setdefault(name.split(".")[0], []).append(name)
    found = {}
    for name in {_device(name) for cable in plan.cables for name in (cable.device, cable.peer)}:
        known = short.get(name.split(".")[0], [])
        if name not in there and len(known) == 1 and ("." in name) != ("." in known[0]):
            found[name] = known[0]
    return found


def _refuse_another_fabric(there: Sequence[_Row], planned: Sequence[_Row], plan: Plan) -> None:
    known = {end[0] for row in there for end in row.ends}
    wanted = sorted({end[0] for row in planned for end in row.ends})
    missing = [name for name in wanted if name not in known]
    if len(missing) > (1 - _LEAST_MATCH) * len(wanted):
        extra = sorted(known - set(wanted))
        shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        others = f"; the fabric has {', '.join(extra[:3])}{', ...' if len(extra) > 3 else ''}" if extra else ""
        raise InputError(
            f"{plan.source}: {len(wanted) - len(missing):,} of {len(wanted):,} devices are in the fabric "
            f"({(len(wanted) - len(missing)) / len(wanted):.0%}); expected at least {_LEAST_MATCH:.0%}; "
            f"not there: {shown}{others}"
        )


def _seen(wanted: Sequence[_Row], telling: Collection[str] | None) -> tuple[list[_Row], list[_Row]]:
    """Cables of the plan that somebody would see, and those that nobody would."""
    if telling is None:
        return list(wanted), []
    who = set(map(_device, telling))
    seen = [row for row in wanted if row.ends[0][0] in who or row.ends[1][0] in who]
    return seen, [row for row in wanted if row.ends[0][0] not in who and row.ends[1][0] not in who]


def _outside(wanted: Sequence[_Row], there: Sequence[_Row]) -> tuple[list[_Row], int]:
    """Cables of the plan but for those inside a switch, to its aggregation node, and how many those are."""
    known = {end[0] for row in there for end in row.ends}
    left = [row for row in wanted if not any(is_aggregation_node(end[0]) and end[0] not in known for end in row.ends)]
    return left, len(wanted) - len(left)


def _names_apart(there: Sequence[_Row], planned: Sequence[_Row]) -> list[str]:
    """Devices of the plan that the fabric does not have: not there, or by another name."""
    known = {end[0] for row in there for end in row.ends}
    devices = {device for row in planned for device, _ in row.ends if not is_aggregation_node(device)}
    names = sorted(devices - known, key=natural)
    if not names:
        return []
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    what = numbered(len(names), "devices of the plan are not in the fabric, or by another name")
    return [f"plan: {what}: {shown}"]


def _exact(
    planned: Sequence[_Row], there: Sequence[_Row], deviations: list[Deviation]
) -> tuple[list[_Row], list[_Row], int, int]:
    """What is left of both, cables that are as planned, and those whose speeds were compared.

    A cable of the plan without ports is any one of those between its devices.
    """
    waiting: dict[tuple[End, End], list[_Row]] = {}
    loose: dict[tuple[str, str], list[_Row]] = {}
    for row in there:
        waiting.setdefault(row.ends, []).append(row)
        loose.setdefault((row.ends[0][0], row.ends[1][0]), []).append(row)
    used: set[int] = set()
    wanted, matched, speeds = [], 0, 0
    # Those that name their ports choose first.
    for row in sorted(planned, key=lambda row: not all(port for _, port in row.ends)):
        exact = (one for one in waiting.get(row.ends, ()) if id(one) not in used)
        between = loose.get((row.ends[0][0], row.ends[1][0]), ())
        alike = (one for one in between if id(one) not in used and _fits(row, one))
        found = next(chain(exact, alike), None)
        if found is None:
            wanted.append(row)
            continue
        used.add(id(found))
        plan_gbps, gbps = row.cable.gbps, found.cable.gbps
        if plan_gbps is not None and gbps is not None:
            speeds += 1
            if abs(plan_gbps - gbps) > _SAME_SPEED * plan_gbps:
                text = f"{row.cable.text()}: {gbps:g} Gb/s, planned {plan_gbps:g}"
                deviations.append(_deviation("wrong speed", [row], text))
                continue
        matched += 1
    return wanted, [row for row in there if id(row) not in used], matched, speeds


def _fits(one: _Row, other: _Row) -> bool:
    """Whether two cables of the same devices differ in ports only where one of them does not say them."""
    return all(not a[1] or not b[1] or a == b for a, b in zip(one.ends, other.ends, strict=True))


def _miswired(wanted: Sequence[_Row], spare: list[_Row], there: Sequence[_Row]) -> list[Deviation]:
    """Cables that use a port of a planned one, then those between the same devices; takes them out of `spare`."""
    at: dict[End, list[_Row]] = {}
    cables = Counter(end[0] for row in there for end in row.ends)
    for row in spare:
        for end in row.ends:
            if end[1]:
                at.setdefault(end, []).append(row)
            # Of an adapter with one cable its port need not be named.
            if end[1] and cables[end[0]] == 1:
                at.setdefault((end[0], ""), []).append(row)
    found: dict[int, list[_Row]] = {}
    for number, row in enumerate(wanted):
        others = [one for end in row.ends for one in at.get(end, ())]
        if others:
            found[number] = list(dict.fromkeys(others))
    used = {id(one) for others in found.values() for one in others}
    between: dict[tuple[str, str], list[_Row]] = {}
    for one in spare:
        if id(one) not in used:
            between.setdefault((one.ends[0][0], one.ends[1][0]), []).append(one)
    for number, row in enumerate(wanted):
        others = between.get((row.ends[0][0], row.ends[1][0]), [])
        if number not in found and others:
            found[number] = [others.pop(0)]
            used.add(id(found[number][0]))
    spare[:] = [one for one in spare if id(one) not in used]
    deviations = []
    done: set[int] = set()
    owners: dict[frozenset[int], list[int]] = {}
    for number, own in found.items():
        owners.setdefault(frozenset(map(id, own)), []).append(number)
    for number, row in enumerate(wanted):
        if number in done:
            continue
        if number not in found:
            deviations.append(_deviation("missing cable", [row], row.cable.text()))
            continue
        partners = [other for other in owners[frozenset(map(id, found[number]))] if other not in done]
        pair = [wanted[other] for other in partners] if len(partners) == len(found[number]) == 2 else [row]
        done |= set(partners) if len(pair) == 2 else {number}
        is_there = " and ".join(one.cable.text() for one in found[number])
        planned = " and ".join(one.cable.text() for one in pair)
        word = "swapped" if len(pair) == 2 else "there is"
        deviations.append(_deviation("miswired cable", pair, f"planned {planned}; {word}: {is_there}"))
    return deviations


def _deviation(kind: str, rows: Sequence[_Row], text: str) -> Deviation:
    said = sorted(end for row in rows for end in row.said)
    whole = "\n".join([kind, *(f"{device}\t{port}" for device, port in said)])
    ends = tuple(end for row in rows for end in row.cable.ends())
    return Deviation(kind, hashlib.sha256(whole.encode()).hexdigest()[:_ID_LETTERS], text, ends)
