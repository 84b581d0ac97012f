"""A replay as Chrome's trace JSON, which Perfetto opens.

The format is that of *Trace Event Format* (Google, catapult): complete events ``X`` with ``ts`` and ``dur`` in
microseconds, counters ``C``, and names as metadata ``M``.
"""

import json
from typing import Any

from fabric.studies.replay import Replay

_OPERATIONS, _LINKS = 1, 2


def chrome_trace(replay: Replay) -> str:
    """Operations as slices, a track for each group (more where they overlap); the hottest links as counters."""
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": "process_name", "pid": _OPERATIONS, "tid": 0, "args": {"name": "operations"}},
        {"ph": "M", "name": "process_name", "pid": _LINKS, "tid": 0, "args": {"name": "busiest links, % used"}},
    ]
    free: dict[int, float] = {}
    tracks: dict[object, list[int]] = {}
    slices: list[dict[str, Any]] = []
    for one in replay.operations:
        begin, end = _us(one.start_s), _us(one.finish_s)
        key = (one.operation.group, one.operation.ranks)
        own = tracks.setdefault(key, [])
        track = next((each for each in own if free[each] <= begin), None)
        if track is None:
            track = len(free) + 1
            own.append(track)
            name = f"{one.operation.group or 'ranks'} of {one.operation.group_size}, rank {one.operation.ranks[0]}"
            events.append({"ph": "M", "name": "thread_name", "pid": _OPERATIONS, "tid": track, "args": {"name": name}})
        free[track] = end
        measured = one.operation.measured_s
        slices.append(
            {
                "ph": "X",
                "name": one.label,
                "cat": one.operation.kind,
                "pid": _OPERATIONS,
                "tid": track,
                "ts": begin,
                "dur": round(end - begin, 3),
                "args": {
                    "bytes": one.operation.bytes,
                    "alone_us": _us(one.alone_s),
                    "measured_us": None if measured is None else _us(measured),
                    "source": one.operation.source,
                },
            }
        )
    width = replay.span_s / len(replay.links[0].utilization) if replay.links else 0.0
    for link in replay.links:
        for place, part in enumerate(link.utilization.tolist()):
            slices.append(
                {
                    "ph": "C",
                    "name": link.name,
                    "pid": _LINKS,
                    "tid": 0,
                    "ts": _us(place * width),
                    "args": {"used": round(100 * part, 3)},
                }
            )
    slices.sort(key=lambda event: event["ts"])
    return json.dumps({"traceEvents": [*events, *slices], "displayTimeUnit": "ms"}, separators=(",", ":")) + "\n"


def _us(seconds: float) -> float:
    return round(seconds * 1e6, 3)
