"""What a worker of a sweep does with a point: builds the fabric once, routes, and says what came of it."""

import os
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from collectives.errors import InputError
from collectives.saying import one_line
from fabric.commands.option_tables import UsageError, usage_text
from fabric.commands.point_files import digest_of, located
from fabric.commands.study_points import (
    PointOptions,
    options_of_tables,
    with_description,
)
from fabric.studies.sweep.engine import Payload, Reply
from fabric.studies.sweep.outcome import Bounds, PointOutcome, outcome_of, sized
from fabric.studies.sweep.point import StudyPoint, own_version

if TYPE_CHECKING:
    from fabric.formats.opening import OpenedFabric
    from fabric.routing.parts import LoadsPart
    from fabric.scenario import Scenario

# Links of the fabrics that a worker keeps, all together: about a gigabyte.  Assumed.
_MOST_LINKS = 8_000_000


class _Fabrics:
    """Fabrics that this process has built, those that were used last."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, OpenedFabric] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, options: PointOptions) -> "OpenedFabric":
        """The fabric of a point, damaged as it says."""
        from fabric.commands.resolve import faults_of, opened

        whole = replace(options.fabric, fail=None, degrade=None, faults=None)
        key = repr((whole, sorted(options.description.items(), key=str)))
        # Threads that need the same fabric wait for the one that builds it.
        with self._lock:
            built = self._known.get(key)
            if built is None:
                built = with_description(opened(whole), options.description)
                self._known[key] = built
            self._known.move_to_end(key)
            while len(self._known) > 1 and sum(one.topology.n_links for one in self._known.values()) > _MOST_LINKS:
                self._known.popitem(last=False)
        return built.with_faults(faults_of(options.fabric))


_fabrics = _Fabrics()
_bounds = Bounds()


def payload_of(point: StudyPoint, part: int | None, n_threads: int | None) -> Payload:
    """What a worker needs for a point: options, no arrays."""
    files = {os.path.abspath(path): digest for path, digest in point.files.items()}
    return {"version": own_version(), "tables": located(point.tables), "files": files, "part": part,
            "threads": n_threads}  # fmt: skip


def warm_payloads(points: Sequence[StudyPoint], n_threads: int | None) -> tuple[Payload, ...]:
    """Small problems that need the kernels which the points need: one for each policy and kind of traffic."""
    found: dict[str, Payload] = {}
    for point in points:
        routing = {key: value for key, value in point.tables["routing"].items() if key in ("routing", "transport")}
        if "lfts" in point.tables["routing"]:
            routing.pop("routing", None)
        given = point.tables["traffic"]
        traffic = {key: given[key] for key in ("collective", "algorithm") if key in given} or {
            "collective": "all-reduce"
        }
        tables = {"fabric": {"name": "hgx-b200-64"}, "traffic": traffic, "routing": routing}
        found.setdefault(repr(tables), {"version": own_version(), "tables": tables, "files": {}, "part": None,
                                        "threads": n_threads})  # fmt: skip
    return tuple(found.values())


def run_point(payload: Payload) -> Reply:
    """Run a point, or a part of one: a result, or why there is none in one line.

    Raises
    ------
    InputError
        If this is another version of railscope than the one that asks.
    """
    if payload["version"] != own_version():
        raise InputError(
            f"a worker has railscope {own_version()}, this is {payload['version']}; expected the same everywhere"
        )
    began = time.perf_counter()

    def reply(outcome: PointOutcome | None, part: bytes = b"") -> Reply:
        return Reply(outcome, part, time.perf_counter() - began, f"{socket.gethostname()}:{os.getpid()}")

    scenario = None
    try:
        _check_files(payload["files"])
        scenario = scenario_of_options(options_of_tables(payload["tables"], ""), payload["threads"])
        if payload["part"] is not None:
            from fabric.routing.parts import part_of_loads

            problem = (scenario.topology, scenario.schedule, scenario.placement, scenario.routing)
            return reply(None, part_of_loads(*problem, payload["part"]).to_bytes())
        from fabric.routing.link_loads import schedule_loads

        loads = schedule_loads(
            scenario.topology, scenario.schedule, scenario.placement, scenario.routing, scenario.n_threads
        )
        return reply(outcome_of(scenario, loads, _bounds))
    except Exception as error:
        return reply(_failed(error, scenario))


def combine_parts(payload: Payload, parts: "Sequence[LoadsPart]") -> Reply:
    """A point whose loads were routed in parts; as `run_point`."""
    from fabric.routing.parts import loads_of_parts

    began = time.perf_counter()
    scenario = None
    try:
        _check_files(payload["files"])
        scenario = scenario_of_options(options_of_tables(payload["tables"], ""), None)
        problem = (scenario.topology, scenario.schedule, scenario.placement, scenario.routing)
        outcome = outcome_of(scenario, loads_of_parts(*problem, parts), _bounds)
    except Exception as error:
        outcome = _failed(error, scenario)
    return Reply(outcome, b"", time.perf_counter() - began, f"{socket.gethostname()}:{os.getpid()}")


def _check_files(files: Mapping[str, str]) -> None:
    for path, digest in files.items():
        if digest_of(path) != digest:
            raise InputError(f"{path}: is not what it was when the sweep began, or is another file on this worker")


def _failed(error: Exception, scenario: "Scenario | None") -> PointOutcome:
    """Why a point has no result: what is refused, what does not fit, and what nobody foresaw."""
    from fabric.routing.unroutable import Unroutable
    from fabric.studies.cut_off import disconnected_pairs

    if isinstance(error, MemoryError):
        return PointOutcome(error="not enough memory")
    if isinstance(error, Unroutable) and scenario is not None:
        pool = None if scenario.pools is None else scenario.pools.pool
        pairs = error.pairs or disconnected_pairs(scenario.topology, scenario.placement.endpoint, pool)
        return sized(PointOutcome(error=one_line(str(error)), disconnected_pairs=pairs), scenario)
    if isinstance(error, InputError):
        return PointOutcome(error=one_line(str(error)))
    if isinstance(error, UsageError):
        return PointOutcome(error=usage_text(error))
    return PointOutcome(error=one_line(f"unexpected: {type(error).__name__}: {error}"))


def scenario_of_options(options: PointOptions, n_threads: int | None) -> "Scenario":
    """The scenario that a point's options mean.

    Raises
    ------
    InputError
        If the fabric cannot be opened or the job does not fit.
    """
    from fabric.commands.resolve import asked_scenario, lfts_of, request_of, routing_of, rule_of
    from fabric.studies.breakable import drawn_failures
    from fabric.studies.fault_runs import struck

    options.check()
    routing, seed = options.routing, options.routing.hashing.seed
    rule = rule_of(options.job, seed, demand=options.traffic.demand is not None)
    request = request_of(options.traffic)
    fabric = _fabrics.of(options)
    tables = [routing.routed.lfts] if routing.routed.lfts else []
    matched = lfts_of(fabric, tables, routing.skip_unrouted)
    policy = routing_of(options.policy, routing.hashing, matched[0] if matched else None)
    scenario = asked_scenario(
        fabric, request, rule, policy, options.traffic, routing.hashing, routing.sending, n_threads
    )
    if not options.drawn_faults:
        return scenario
    faults = options.faults
    kinds = [one.strip() for one in faults.kind.split(",")]
    failures = drawn_failures(scenario, kinds, faults.count, (seed or 0) if faults.seed is None else faults.seed)
    return struck(scenario, [one.fault for one in failures])
