"""The command line that runs a design again: what the user said, and what was changed."""

import shlex
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from fabric.commands.options import (
    FabricOptions,
    HashOptions,
    PlacementOptions,
    RoutingOptions,
    SendingOptions,
    TrafficOptions,
)
from fabric.commands.resolve import draws, spelt

if TYPE_CHECKING:
    from fabric.commands.step import WorkloadOptions
    from fabric.scenario import Scenario
    from fabric.studies.advice.study import Advised

_HASHING = tuple(field.name for field in fields(HashOptions))
_OF_FABRIC = tuple(field.name for field in fields(FabricOptions))
# Keys of `compare --vary`, and what is meant without them.
_SENDING = {"transport": "direct", "nics": "own"}
# What `fabric reroute` takes of them: InfiniBand's, without NVLink and meshes, which have no forwarding tables.
_OF_REROUTE = tuple(name for name in _OF_FABRIC if name not in ("nvlink_gbps", "mesh_gbps", "assume_spine"))
_OF_PLACEMENT = tuple(field.name for field in fields(PlacementOptions))


def said(*groups: Any, **alone: object) -> dict[str, object]:
    """What was given, by the options' names with underscores, in their order; without what is left out."""
    found: dict[str, object] = {}
    for group in groups:
        for field in fields(group):
            value = getattr(group, field.name)
            if field.default is MISSING or value != field.default:
                found[field.name] = value
    return found | {name: value for name, value in alone.items() if value not in (None, False)}


def words(options: Mapping[str, object], fabric: str) -> list[str]:
    """Options as they are typed, the fabric first."""
    typed = [fabric]
    for name, value in options.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            if each is True:
                typed.append(spelt(name))
            elif each not in (None, False):
                typed += [spelt(name), str(each)]
    return typed


def line_of(given: Mapping[str, object], scenario: "Scenario", row: "Advised") -> str:
    """The command that runs a design; empty where no options say it.

    Parameters
    ----------
    given : mapping
        What the user said: `said`, with the fabric.
    scenario : Scenario
        The job as it is.
    row : Advised
        What was changed, and run.
    """
    applied = row.applied
    n_seeds = 1 if row.trial is None or row.trial.seeds is None else len(row.trial.seeds.values)
    own = {name: value for name, value in given.items() if name != "fabric"}
    fabric = given_fabric = str(given["fabric"])
    options = {**own, **applied.options}
    if applied.fabric:
        fabric = applied.fabric
        options = {name: value for name, value in options.items() if name not in _OF_FABRIC}
    if "workload" in own and not {"transport", "algorithm"}.isdisjoint(applied.options):
        return ""
    if scenario.reasons and "algorithm" not in applied.options:
        # What was chosen for the job as it is: a change is of one thing.
        options["algorithm"] = scenario.traffic.algorithm
    routing = _routing(options)
    _leave_out_hashing(options, routing)
    said_of_fabric = {name: value for name, value in own.items() if name in _OF_REROUTE}
    named = shlex.join(words(said_of_fabric, given_fabric))
    before = [
        "railscope " + one.format(fabric=named, all=shlex.join(words(own, given_fabric))) for one in applied.before
    ]
    if applied.vary and "workload" in options:
        # No option of `step` says a key of the fabric's description.
        return ""
    if applied.vary and n_seeds > 1 and scenario.job.rule.drawn:
        # `compare` would draw the hosts anew with each hash seed.
        return ""
    if applied.vary:
        run = ["compare", *_varied(options, applied.vary, fabric, routing, scenario, n_seeds)]
    elif "workload" in options:
        # Naive and each lever are not asked for: only the step itself.
        workload = str(options.pop("workload"))
        run = ["step", workload, *words(options, fabric), "--no-levers"]
    else:
        run = ["loads", *words(options, fabric)]
        run += ["--seeds", str(n_seeds)] if n_seeds > 1 else []
    return " && ".join([*before, shlex.join(["railscope", *run])])


def _routing(options: Mapping[str, object]) -> str:
    return str(options.get("routing") or ("lft" if options.get("lfts") else "adaptive"))


def _leave_out_hashing(options: dict[str, object], routing: str) -> None:
    """Options of hashing that this routing refuses; the seed stays where the placement is drawn."""
    if routing == "ecmp":
        return
    placed = PlacementOptions(**{name: options.get(name) for name in _OF_PLACEMENT})  # type: ignore[arg-type]
    for name in _HASHING:
        if name != "seed" or not draws(placed):
            options.pop(name, None)


def _varied(
    options: dict[str, object],
    vary: Mapping[str, object],
    fabric: str,
    routing: str,
    scenario: "Scenario",
    n_seeds: int,
) -> list[str]:
    """Options of `compare`, which takes routing, transport and NICs as keys, and groups where nothing is said."""
    if scenario.traffic.collective is not None and not (options.get("group") or options.get("parallel")):
        options["group"] = scenario.placement.n_ranks
    keys = dict(vary)
    if routing != "adaptive":
        keys["routing"] = routing
    for name, usual in _SENDING.items():
        if options.get(name) not in (None, usual):
            keys[name] = options[name]
    if n_seeds > 1:
        first = int(str(options.pop("seed", None) or 0))
        keys["seed"] = ",".join(map(str, range(first, first + n_seeds)))
    left = {name: value for name, value in options.items() if name not in ("routing", *_SENDING)}
    settings = [part for key, value in keys.items() for part in ("--vary", f"{key}={value}")]
    return [*words(left, fabric), *settings, "--no-figure"]


def all_said(
    fabric: FabricOptions,
    traffic: TrafficOptions,
    job: PlacementOptions,
    routed: RoutingOptions,
    hashing: HashOptions,
    sending: SendingOptions,
    skip_unrouted: bool,
    options: "WorkloadOptions | None" = None,
) -> dict[str, object]:
    """What the user said of a job, as `loads` takes it, and of a workload as `step` does."""
    groups = (fabric, traffic, job, routed, hashing, sending, *(() if options is None else (options,)))
    return said(*groups, skip_unrouted=skip_unrouted)
