"""Operations of a trace routed with chosen algorithms."""

import numpy as np
import pytest

from collectives import ALGORITHMS, Groups, InputError, collective_schedule
from tests.naive.routing import pairs_of
from traces import Operation, Trace, trace_schedule

RANKS = (0, 2, 4, 6, 1, 3, 5, 7)
DOMAIN = np.repeat(np.arange(4), 2).astype(np.int32)
RAIL = np.tile(np.arange(2), 4).astype(np.int32)
PARTS = {"all-gather": 8, "gather": 8, "scatter": 8}


def trace_of(*operations):
    return Trace(("x",), operations, 8)


def operation(kind, **more):
    return Operation(kind, RANKS, len(RANKS), bytes=8000.0, **more)


def sent(schedule):
    """Bytes from rank to rank, in-network reductions apart."""
    matrix = np.zeros((8, 8))
    reduced = 0.0
    for phase in schedule.phases:
        for demand in phase.demands:
            if hasattr(demand, "src") or hasattr(demand, "send"):
                for i, j, amount in pairs_of(demand):
                    matrix[i, j] += phase.repeat * amount
            else:
                reduced += phase.repeat * demand.total_bytes()
    return matrix, reduced


CASES = [(kind, name) for kind, names in ALGORITHMS.items() if kind != "send-recv" for name in names]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_every_algorithm_sends_what_the_collective_sends(kind, name):
    schedule, lines = trace_schedule(trace_of(operation(kind)), 8, {kind: name}, DOMAIN, RAIL)
    size = 8000.0 * PARTS.get(kind, 1)
    expected = collective_schedule(kind, Groups.of([list(RANKS)]), size, name, DOMAIN, RAIL)
    for got, want in zip(sent(schedule), sent(expected), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-9)
    assert schedule.n_steps == expected.n_steps
    assert f"{kind} runs as {name}" in lines
    if expected.overlap == "pipelined":
        (phase,) = schedule.phases
        assert len(phase.demands) == sum(len(part.demands) for part in expected.phases)


def test_the_default_is_the_first_of_each_kind():
    kinds = [kind for kind in ALGORITHMS if kind != "send-recv"]
    trace = trace_of(*map(operation, kinds))
    plain, lines = trace_schedule(trace, 8)
    named, _ = trace_schedule(trace, 8, {kind: ALGORITHMS[kind][0] for kind in kinds})
    assert [(p.label, p.repeat, p.total_bytes()) for p in plain.phases] == [
        (p.label, p.repeat, p.total_bytes()) for p in named.phases
    ]
    assert "all-reduce, all-gather, reduce-scatter, broadcast and reduce run as one ring in group order" in lines
    root, others = RANKS[0], sorted(RANKS[1:])
    for kind, ends in (("gather", [(i, root) for i in others]), ("scatter", [(root, j) for j in others])):
        schedule, _ = trace_schedule(trace_of(operation(kind)), 8)
        (phase,) = schedule.phases
        assert sorted((i, j, b) for i, j, b in pairs_of(phase.demand)) == sorted((i, j, 8000.0) for i, j in ends)


def test_one_name_goes_to_every_kind_that_has_it():
    trace = trace_of(operation("all-reduce"), operation("broadcast"), operation("all-to-all"))
    schedule, lines = trace_schedule(trace, 8, "tree")
    assert [line for line in lines if "runs as" in line] == ["broadcast runs as tree"]
    assert [line for line in lines if "one ring" in line] == [
        "all-reduce, all-gather, reduce-scatter and reduce run as one ring in group order"
    ]
    assert [phase.label for phase in schedule.phases] == ["all-reduce of 8", *["broadcast of 8"] * 3, "all-to-all of 8"]


def test_uneven_splits_stay_direct():
    splits = np.arange(64.0).reshape(8, 8)
    trace = trace_of(operation("all-to-all", splits=splits), operation("all-to-all"))
    schedule, lines = trace_schedule(trace, 8, "bruck")
    assert sent(schedule)[0].sum() > splits.sum() - np.trace(splits)
    assert "all-to-all with uneven splits runs as direct sends, whatever the algorithm" in lines
    with pytest.raises(InputError, match="algorithm 'bruck': no operation of the trace has it"):
        trace_schedule(trace_of(operation("all-to-all", splits=splits)), 8, "bruck")


@pytest.mark.parametrize(
    ("algorithm", "message"),
    [
        ("rinse", "algorithm 'rinse': no operation of the trace has it; did you mean ring"),
        ({"all-reduce": "bruck"}, "algorithm 'bruck': all-reduce does not have it; expected one of ring"),
        ({"allreduce": "ring"}, "algorithm of 'allreduce': unknown; did you mean all-reduce"),
        ({"send-recv": "direct"}, "algorithm of 'send-recv': unknown"),
        ("rings", "expected the domain and rail of every rank"),
    ],
)
def test_what_there_is_not_is_refused(algorithm, message):
    with pytest.raises(InputError, match=message):
        trace_schedule(trace_of(operation("all-reduce")), 8, algorithm)
