"""NCCL's debug logs as people have them: with and without Init lines, launchers' prefixes, interleaved and cut lines."""

import random

import pytest

from collectives import InputError
from tests.shared_data import shared
from traces.order import rounds
from traces.registry import read_trace


def begin(rank, prefix="", host=None):
    return f"{prefix}{host or f'gpu-{rank // 4}'}:{100 + rank}:{200 + rank} [{rank % 4}] NCCL INFO "


def pointer(rank, comm):
    return f"0x55{rank:04x}{comm:04x}0"


def init(rank, place, n, comm, identity, **where):
    return (
        f"{begin(rank, **where)}ncclCommInitRank comm {pointer(rank, comm)} rank {place} nranks {n} "
        f"cudaDev {rank % 4} nvmlDev {rank % 4} busId 1c000 commId {identity} - Init COMPLETE"
    )


def coll(rank, name, count, n, comm=0, op=0, dtype=7, root=0, extra="", **where):
    return (
        f"{begin(rank, **where)}{name}: opCount {op:x} sendbuff 0x7f recvbuff (nil) {extra}count {count} datatype {dtype} "
        f"op 0 root {root} comm {pointer(rank, comm)} [nranks={n}] stream 0x5{rank}"
    )


def read(tmp_path, lines, name="job.log"):
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n")
    return read_trace(path)


def world(n=8, **where):
    return [init(rank, rank, n, 0, "0xabc", **where) for rank in range(n)]


def told(trace):
    return [(o.kind, o.ranks, o.bytes) for o in trace.operations]


def test_four_nodes_without_init_lines():
    trace = read_trace(shared("traces", "nccl_log", "aioneks_fsdp_4node_srun.log"))
    assert [(o.kind, o.bytes, o.sequence) for o in trace.operations] == [
        ("all-gather", 9_439_232.0, 0x1606),
        ("all-gather", 9_439_232.0, 0x1607),
        ("broadcast", 8.0, 0x1608),
        ("broadcast", 3145.0, 0x1609),
    ]
    assert all(o.ranks == (0, 1, 2, 3) and o.complete for o in trace.operations)
    assert trace.n_ranks == 4
    assert trace.traced == (0, 1, 3)
    assert any("rank 2 (1 of 4 ranks) printed no COLL line" in line for line in trace.warnings)
    assert any("no Init line" in line for line in trace.warnings)
    assert dict(trace.ignored) == {"TUNING lines": 1}


PREFIXES = ["", "3: ", "[1,3]<stdout>:", "[default0]:", "pod/worker-0 ", "2024-05-01T10:00:00.123456Z ", "[12:00:01] "]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_groups_are_joined_by_their_id_and_mapped_to_the_job(tmp_path, prefix):
    lines = world(prefix=prefix)
    # Groups of every other rank, whose pointers are alike in all processes.
    lines += [init(rank, rank // 2, 4, 1, f"0x{rank % 2 + 1}", prefix=prefix) for rank in range(8)]
    own = {rank: [coll(rank, "AllReduce", 1000, 8, prefix=prefix)] for rank in range(8)}
    for rank, of_rank in own.items():
        of_rank.append(coll(rank, "ReduceScatter", 500 + rank % 2, 4, comm=1, dtype=9, prefix=prefix))
    shuffled = [line for rank in random.Random(1).sample(range(8), 8) for line in own[rank]]
    trace = read(tmp_path, lines + shuffled)
    assert sorted(told(trace)) == [
        ("all-reduce", tuple(range(8)), 4000.0),
        ("reduce-scatter", (0, 2, 4, 6), 500 * 2 * 4.0),
        ("reduce-scatter", (1, 3, 5, 7), 501 * 2 * 4.0),
    ]
    assert trace.n_ranks == 8
    assert trace.traced == tuple(range(8))
    assert [len(one) for one in rounds(trace)] == [1, 2]
    assert [line for line in trace.warnings if "largest communicator" not in line] == []


def test_sizes_follow_the_interface(tmp_path):
    names = ["AllReduce", "AllGather", "ReduceScatter", "Broadcast", "Reduce", "AlltoAll", "Gather", "Scatter"]
    lines = [coll(rank, name, 100, 8, op=op, root=3) for op, name in enumerate(names) for rank in range(8)]
    trace = read(tmp_path, world() + lines)
    assert [(o.kind, o.bytes, o.root) for o in trace.operations] == [
        ("all-reduce", 400.0, None),
        ("all-gather", 400.0, None),
        ("reduce-scatter", 3200.0, None),
        ("broadcast", 400.0, 3),
        ("reduce", 400.0, 3),
        ("all-to-all", 3200.0, None),
        ("gather", 400.0, 3),
        ("scatter", 400.0, 3),
    ]


def test_a_pointer_that_is_used_again_is_another_communicator(tmp_path):
    lines = world() + [init(rank, rank % 4, 4, 1, f"0x{rank // 4 + 1}") for rank in range(8)]
    lines += [coll(rank, "AllReduce", 100, 4, comm=1) for rank in range(8)]
    lines += [init(rank, rank // 4, 2, 1, f"0xd{rank % 4}") for rank in range(8)]
    lines += [coll(rank, "AllReduce", 7, 2, comm=1) for rank in range(8)]
    found = told(read(tmp_path, lines))
    assert [ranks for _, ranks, size in found if size == 400] == [(0, 1, 2, 3), (4, 5, 6, 7)]
    assert [ranks for _, ranks, size in found if size == 28] == [(0, 4), (1, 5), (2, 6), (3, 7)]


def test_splits_are_told_by_parent_number_and_color(tmp_path):
    lines = world()
    for rank in range(8):
        lines.append(
            f"{begin(rank)}ncclCommSplit comm {pointer(rank, 1)} rank {rank // 2} nranks 4 cudaDev {rank % 4} nvmlDev 0 "
            f"busId 1 parent {pointer(rank, 0)} splitCount 1 color {rank % 2} key {rank} - Init COMPLETE"
        )
        lines.append(coll(rank, "AllGather", 10, 4, comm=1))
    assert {ranks for _, ranks, _ in told(read(tmp_path, lines))} == {(0, 2, 4, 6), (1, 3, 5, 7)}


def test_several_devices_of_one_process(tmp_path):
    def line(device, text):
        return f"box:77:{80 + device} [{device}] NCCL INFO {text}"

    lines = [
        line(d, f"comm 0x{d + 1}0 rank {d} nranks 4 cudaDev {d} busId 1 commId 0x5 - Init COMPLETE") for d in range(4)
    ]
    tail = "count 10 datatype 0 op 0 root 0 comm 0x{}0 [nranks=4] stream 0x1"
    lines += [line(0, f"AllReduce: opCount 0 sendbuff 0x1 recvbuff 0x1 {tail.format(d + 1)}") for d in range(4)]
    trace = read(tmp_path, lines)
    assert told(trace) == [("all-reduce", (0, 1, 2, 3), 10.0)]
    assert trace.traced == (0, 1, 2, 3)


def test_rccl(tmp_path):
    lines = [coll(rank, "AllReduce", 10, 8, extra="acc (nil) ") + " task 0 globalrank 0" for rank in range(8)]
    assert told(read(tmp_path, world() + lines)) == [("all-reduce", tuple(range(8)), 40.0)]


@pytest.mark.parametrize("change", [{"count": 11}, {"name": "AllGather"}, {"dtype": 8}])
@pytest.mark.parametrize("with_init", [True, False])
def test_ranks_that_disagree_are_refused_with_both_places(tmp_path, change, with_init):
    given = [{"name": "AllReduce", "count": 10, "n": 8} for _ in range(8)]
    given[5] |= change
    lines = (world() if with_init else []) + [coll(rank, **one) for rank, one in enumerate(given)]
    first, other = (9, 14) if with_init else (1, 6)
    with pytest.raises(InputError, match=rf"job.log:{other}: .* but .*job.log:{first} is AllReduce of 10 float32"):
        read(tmp_path, lines)


@pytest.mark.parametrize("change", [{"count": 11}, {"name": "AllGather"}, {"dtype": 8}])
def test_files_that_disagree_are_named(tmp_path, change):
    given = [{"name": "AllReduce", "count": 10, "n": 2} for _ in range(2)]
    given[1] |= change
    paths = []
    for rank, one in enumerate(given):
        path = tmp_path / f"rank{rank}.log"
        path.write_text("\n".join([*(text for text in world(2)), coll(rank, **one), ""]))
        paths.append(path)
    with pytest.raises(InputError, match=r"rank1.log:3: .* but .*rank0.log:3 is AllReduce of 10 float32"):
        read_trace(paths)


def test_interleaved_and_cut_lines(tmp_path):
    lines = [coll(rank, "AllReduce", 10, 8) for rank in range(8)]
    lines[0:2] = [lines[0] + lines[1]]
    lines[1:2] = [lines[1][: lines[1].index("count")]]
    lines[3] = lines[3][: lines[3].index(" [nranks")]
    trace = read(tmp_path, [*world(), "step 1: loss 3.2", begin(0) + "Channel 00/02 :    0   1   2   3", *lines])
    assert told(trace) == [("all-reduce", tuple(range(8)), 40.0)]
    assert trace.traced == (0, 1, 3, 5, 6, 7)
    assert any("COLL lines cut off" in line for line in trace.warnings)
    assert any("ranks 2, 4 (2 of 8 ranks) printed no COLL line" in line for line in trace.warnings)
    assert dict(trace.ignored)["lines of channels, rings and trees"] == 1


def test_a_log_of_choices_only_has_no_operations(tmp_path):
    trace = read(tmp_path, [*world(), begin(0) + "Trees [0] 1/-1/-1->0->-1"])
    assert (trace.operations, trace.n_ranks) == ((), 8)
    assert "no whole COLL line" in trace.warnings[0]
    assert "communicator '0xabc' of 8 ranks: 1 tree" in trace.warnings[1]


def timed(times, prefix="{} "):
    return [*world(2), *(coll(rank, "AllReduce", 10, 2, prefix=prefix.format(one)) for rank, one in enumerate(times))]


@pytest.mark.parametrize(
    ("prefix", "times", "start"),
    [
        ("{} ", ("2026-04-28T14:14:48.5Z", "2026-04-28T14:14:48,250Z"), 1777385688.25),
        ("[{}] ", ("2026-04-28 14:14:49", "2026-04-28 14:14:48.123456789"), 1777385688.123456789),
        ("3: [{}] ", ("2026-04-28T14:14:49", "2026-04-28T14:14:48"), 1777385688.0),
        ("pod/a {}: ", ("2026-04-28T16:14:48+02:00", "2026-04-28T09:14:48.5-0500"), 1777385688.0),
        # The one next to the record is its own.
        ("2026-01-01T00:00:00 {} ", ("2026-04-28 14:14:48", "2026-04-28 14:14:49"), 1777385688.0),
    ],
)
def test_times_before_the_lines(tmp_path, prefix, times, start):
    trace = read(tmp_path, timed(times, prefix))
    assert [o.start_s for o in trace.operations] == [pytest.approx(start, abs=1e-6)]
    assert any("whole seconds" in line for line in trace.warnings) == (start.is_integer() and "." not in "".join(times))


def test_times_that_some_lines_lack_are_left_out(tmp_path):
    lines = timed(("2026-04-28T14:14:48.5Z", "2026-04-28T14:14:48.6Z"))
    late = coll(0, "AllReduce", 10, 2, op=1)
    trace = read(tmp_path, [*lines, late])
    assert [o.start_s for o in trace.operations] == [None, None]
    assert any("issued is left out: 1 of 2 have a time" in line for line in trace.warnings)
    mixed = read(tmp_path, timed(("2026-04-28T14:14:48.5Z", "2026-04-28T14:14:48.5")))
    assert mixed.operations[0].start_s is None
    assert any("with and without a zone" in line for line in mixed.warnings)
    for none in ("12:00:01", "2026-13-28T14:14:48", "1777385688"):
        assert [o.start_s for o in read(tmp_path, timed((none, none))).operations] == [None]
    # Of two records in one line each has its own time.
    glued = [*lines[:2], lines[2] + lines[3]]
    (operation,) = read(tmp_path, glued).operations
    assert operation.start_s == pytest.approx(1777385688.5, abs=1e-6)


def test_messages(tmp_path):
    lines = world()
    for rank in range(8):
        if rank < 7:
            lines.append(coll(rank, "Send", 50, 8, root=rank + 1, op=1))
        if rank > 0:
            lines.append(coll(rank, "Recv", 50, 8, root=rank - 1, op=1))
    trace = read(tmp_path, lines)
    assert sorted(told(trace)) == [("send-recv", (a, a + 1), 200.0) for a in range(7)]
    assert all(o.group_size == 2 for o in trace.operations)
    assert sum(len(one) for one in rounds(trace)) == 7
    alone = read(tmp_path, lines[:-1])
    assert any("1 of 7 messages were printed by one of their two ranks" in line for line in alone.warnings)


def test_sends_to_all_are_an_all_to_all(tmp_path):
    lines = world(4)
    for rank in range(4):
        for peer in range(4):
            lines.append(coll(rank, "Send", 10 * rank + peer + 1, 4, root=peer))
            lines.append(coll(rank, "Recv", 10 * peer + rank + 1, 4, root=peer))
    (operation,) = read(tmp_path, lines).operations
    assert operation.kind == "all-to-all"
    assert operation.splits.tolist() == [[4.0 * (10 * a + b + 1) for b in range(4)] for a in range(4)]
    assert operation.bytes == operation.splits.sum() / 4


def test_what_is_not_known_is_said(tmp_path):
    lines = [coll(rank, "AllReduce", 10, 4, comm=1, dtype=40) for rank in range(8)]
    trace = read(tmp_path, [*lines, coll(0, "AllShuffle", 10, 4, comm=1, op=2)])
    assert [(o.bytes, set(o.missing)) for o in trace.operations] == [(None, {"size", "ranks"})] * 2
    assert trace.n_ranks is None
    for text in ("'AllShuffle' unknown", "datatype 40", "no communicator holds all"):
        assert any(text in line for line in trace.warnings)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([begin(0) + "NET/IB : Using"], "no whole COLL line"),
        ([init(0, 9, 8, 0, "0x1")], "rank 9 of 8; expected a rank from 0 to 7"),
        ([init(0, 0, 8, 0, "0x1"), init(1, 0, 8, 0, "0x1")], r"job.log:2: communicator 0x1: rank 0 .*job.log:1"),
        ([init(0, 0, 8, 0, "0x1"), init(1, 1, 4, 0, "0x1")], r"job.log:2: communicator 0x1: rank 1 .* 8 ranks since"),
        ([init(0, 0, 8, 0, "0x1"), coll(0, "AllReduce", 1, 4)], r"job.log:2: .* of 4 ranks, but 8 in .*job.log:1"),
        ([coll(0, "Broadcast", 1, 4, root=7)], r"root 7; expected a rank from 0 to 3"),
        ([init(0, 0, 8, 0, "0x1"), coll(0, "Send", 1, 8, root=9)], r"peer 9; expected a rank from 0 to 7"),
        ([coll(0, "AllReduce", 10**18, 4)], "expected a whole number"),
        ([coll(0, "AllReduce", 1, 0)], "nranks '0': expected a whole number"),
    ],
)
def test_damage_is_refused_in_one_line(tmp_path, lines, message):
    with pytest.raises(InputError, match=message) as no:
        read(tmp_path, lines)
    assert "\n" not in str(no.value)


def test_cut_anywhere_it_is_read_or_refused(tmp_path):
    text = "\n".join([*world(4), *(coll(rank, "AllReduce", 10, 4) for rank in range(4))])
    for end in range(60, len(text), 37):
        try:
            trace = read(tmp_path, [text[:end]])
        except InputError:
            continue
        assert told(trace) == [("all-reduce", (0, 1, 2, 3), 40.0)]
