"""Operations that run together, and ranks that were not traced."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import Flows, InputError
from traces.filling import filled, untraced
from traces.operation import Operation, Trace
from traces.order import rounds
from traces.traffic import trace_assumptions, trace_schedule


def job(n, programs):
    """A trace of the ranks in `programs`: lists of (kind, ranks, bytes), one for each traced rank."""
    operations: list[Operation] = []
    places: dict[object, int] = {}
    orders: list[tuple[int, ...]] = []
    for rank in programs:
        counted: dict[object, int] = {}
        order: list[int] = []
        for kind, ranks, size in programs[rank]:
            number = counted[ranks] = counted.get(ranks, -1) + 1
            if (ranks, number) not in places:
                places[ranks, number] = len(operations)
                operations.append(
                    Operation(kind, ranks, len(ranks), str(ranks), size, sequence=number, source=f"rank{rank}")
                )
            order.append(places[ranks, number])
        orders.append(tuple(order))
    return Trace(("job",), tuple(operations), n, traced=tuple(sorted(programs)), orders=tuple(orders))


def megatron(n, tensor, steps=3, ranks=None):
    """All-reduces of tensor-parallel neighbours, then one over the data-parallel ranks, as every rank issues them."""
    programs = {}
    for rank in range(n) if ranks is None else ranks:
        first = rank // tensor * tensor
        near = tuple(range(first, first + tensor))
        far = tuple(range(rank % tensor, n, tensor))
        programs[rank] = [("all-reduce", near, 1e6)] * steps + [("all-reduce", far, 8e6)]
    return job(n, programs)


def bytes_of(trace, n):
    return trace_schedule(trace, n)[0].total_bytes()


def test_disjoint_groups_run_together():
    """The data-parallel groups of a job were added one after the other: as many times too long as there are groups."""
    trace = megatron(64, 8)
    whole = rounds(trace)
    assert [len(together) for together in whole] == [8, 8, 8, 8]
    for together in whole:
        ranks = [rank for operation in together for rank in operation.ranks]
        assert sorted(ranks) == list(range(64))
    schedule, _ = trace_schedule(trace, 64)
    assert len(schedule.phases) == 2
    assert [phase.repeat for phase in schedule.phases] == [3, 1]


def test_the_order_of_files_does_not_matter():
    trace = megatron(16, 4, ranks=[5, 0, 11, 2])
    turned = megatron(16, 4, ranks=[2, 11, 5, 0])
    for one, other in zip(rounds(trace), rounds(turned), strict=True):
        assert sorted(operation.ranks for operation in one) == sorted(operation.ranks for operation in other)
    assert bytes_of(trace, 16) == pytest.approx(bytes_of(turned, 16))


def test_traced_by_one_or_by_eight_a_filled_job_is_the_whole_one():
    """112.2 ms from 8 ranks' files of a 64-GPU job and 29.8 ms from one: now the same, and that of all 64."""
    whole = megatron(64, 8)
    for ranks in ([0], list(range(8)), [3, 60]):
        part = megatron(64, 8, ranks=ranks)
        assert untraced(part, 64) == 64 - len(ranks)
        again, added = filled(part, 64)
        assert added == 32 - len(part.operations)
        assert untraced(again, 64) == 0
        assert bytes_of(again, 64) == pytest.approx(bytes_of(whole, 64))
        assert [len(together) for together in rounds(again)] == [8, 8, 8, 8]


def test_what_was_not_traced_is_said():
    lines = trace_assumptions(megatron(64, 8, ranks=[0]), 64)
    assert lines[0].startswith("63 of 64 ranks were not traced: operations that only they take part in are missing")
    assert not any("not traced" in line for line in trace_assumptions(megatron(64, 8), 64))


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ([("all-reduce", (0, 1, 3), 1.0)], r"rank0: all-reduce of ranks 0, 1, 3: untraced ranks cannot be filled in"),
        ([("send-recv", (0, 1), 1.0)], "rank0: a message: untraced ranks cannot be filled in"),
        ([("all-reduce", (0, 1, 2), 1.0)], "expected groups of equally distant ranks that tile the 8 of the job"),
    ],
)
def test_what_has_no_symmetry_is_refused(program, message):
    with pytest.raises(InputError, match=message):
        filled(job(8, {0: program}), 8)


def test_a_trace_that_does_not_say_whose_it_is_cannot_be_filled():
    trace = replace(megatron(8, 2, ranks=[0]), traced=(), orders=())
    with pytest.raises(InputError, match="does not say which ranks were traced"):
        filled(trace, 8)
    assert untraced(trace, 8) == 0


def test_orders_that_contradict_each_other_are_refused():
    one, two = ("all-reduce", (0, 1), 1.0), ("all-gather", (0, 1, 2), 1.0)
    with pytest.raises(InputError, match="in orders that contradict each other"):
        rounds(job(3, {0: [one, two], 1: [two, one]}))


@st.composite
def programs(draw):
    """Operations of random groups in one order for all, as a job without deadlock issues them."""
    n = draw(st.integers(2, 6))
    every = st.lists(st.integers(0, n - 1), min_size=2, max_size=n, unique=True).map(lambda ranks: tuple(sorted(ranks)))
    issued = draw(st.lists(st.tuples(every, st.sampled_from([1e3, 2e3])), min_size=1, max_size=10))
    # An operation's size is that of its group's n-th one.
    return n, [("all-reduce", ranks, size) for ranks, size in issued]


@settings(deadline=None, max_examples=100)
@given(programs(), st.randoms(use_true_random=False))
def test_rounds_keep_each_ranks_order_and_no_rank_twice(case, random):
    n, issued = case
    trace = job(n, {rank: [one for one in issued if rank in one[1]] for rank in range(n)})
    found = rounds(trace)
    assert sum(map(len, found)) == len(trace.operations) == len(issued)
    level: dict[tuple[tuple[int, ...], int | None], int] = {}
    for number, together in enumerate(found):
        ranks = [rank for operation in together for rank in operation.ranks]
        assert len(ranks) == len(set(ranks))
        level |= {(operation.ranks, operation.sequence): number for operation in together}
    for rank in range(n):
        order = [trace.operations[place] for place in trace.orders[rank]]
        levels = [level[operation.ranks, operation.sequence] for operation in order]
        assert levels == sorted(set(levels))
    order = list(range(n))
    random.shuffle(order)
    turned = job(n, {rank: [one for one in issued if rank in one[1]] for rank in order})
    assert [len(together) for together in rounds(turned)] == [len(together) for together in found]
    assert bytes_of(turned, n) == pytest.approx(bytes_of(trace, n))
    moved = sum(2 * (len(ranks) - 1) / len(ranks) * size * len(ranks) for _, ranks, size in issued)
    assert bytes_of(trace, n) == pytest.approx(moved)


def test_operations_that_run_together_share_the_links_they_need():
    """Two disjoint groups take the longer one's time, not the sum."""
    near, far = ("all-reduce", (0, 1), 4e6), ("all-reduce", (2, 3), 1e6)
    schedule, _ = trace_schedule(job(4, {0: [near], 2: [far]}), 4)
    (phase,) = schedule.phases
    assert phase.repeat == 1
    sent = np.zeros(4)
    for demand in phase.demands:
        assert isinstance(demand, Flows)
        np.add.at(sent, demand.src, demand.bytes)
    assert sent.tolist() == [4e6, 4e6, 1e6, 1e6]
