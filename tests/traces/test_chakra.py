"""Chakra traces: files of others whose contents are known, small ones written here, damaged ones."""

import contextlib
import gzip
import json
import lzma
import random
from collections import Counter

import pytest

import railscope as rs
from collectives import InputError
from tests.shared_data import shared
from tests.traces.chakra_twins import (
    COLLECTIVE,
    attribute,
    collective,
    content,
    json_list,
    json_node,
    node,
    number,
    receive,
    ring,
    send,
    stream,
    varint,
    written,
)
from traces.chakra_et import read_chakra_et
from traces.chakra_json import read_chakra_json
from traces.order import rounds
from traces.registry import trace_format_of


def totals(trace):
    """Operations and bytes by kind."""
    count: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for operation in trace.operations:
        count[operation.kind] += 1
        size[operation.kind] += int(operation.bytes or 0)
    return {kind: (count[kind], size[kind]) for kind in count}


# Files of others.


def test_collectives_of_a_converted_pytorch_trace_count_once():
    path = shared("traces", "chakra_et", "mlcommons_chakra.0.et.gz")
    assert trace_format_of(path).name == "chakra"
    trace = rs.read_trace(path)
    assert totals(trace) == {"all-reduce": (5, 102_228_128), "broadcast": (2, 212_904)}
    assert dict(trace.ignored)["CPU-side collectives without comm_type"] == 14
    assert trace.traced == (0,)
    assert trace.n_ranks is None
    assert all(operation.missing == ("ranks",) for operation in trace.operations)


def test_a_ring_of_messages_is_matched():
    folder = shared("traces", "chakra_et", "astra_custom_ring_allreduce_8npus")
    trace = rs.read_trace(sorted(folder.glob("*.et")))
    assert trace.n_ranks == 8
    assert totals(trace) == {"send-recv": (8 * 14, 8 * 14 * 131_072)}
    ends = Counter(operation.ranks for operation in trace.operations)
    assert ends == {(rank, (rank + 1) % 8): 14 for rank in range(8)}
    assert all(operation.complete for operation in trace.operations)
    # 2 x 7/8 of 1 MiB, to the next and from the one before.
    assert sum(o.bytes or 0 for o in trace.operations if o.ranks[0] == 3) == 2 * 7 / 8 * 2**20
    # Every rank sends and receives in each of 14 steps: two rounds a step are the least.
    assert len(rounds(trace)) == 28


@pytest.mark.parametrize("kind", ["all_gather", "all_reduce", "all_to_all", "reduce_scatter"])
def test_sizes_are_astra_sims(kind):
    folder = shared("traces", "chakra_et", "astra_microbench", kind, "8npus_1MB")
    (operation,) = rs.read_trace(sorted(folder.glob("*.et"))).operations
    assert (operation.kind, operation.bytes) == (kind.replace("_", "-"), 1_048_576)
    assert operation.ranks == tuple(range(8))
    assert operation.complete


def test_implausible_sizes_are_questioned():
    path = shared("traces", "chakra_json", "multiverse_npu.0.json.gz")
    assert trace_format_of(path).name == "chakra-json"
    trace = rs.read_trace(path)
    found = totals(trace)
    assert found["all-gather"] == (3, 1_529_044_992)
    assert found["reduce-scatter"] == (3, 12_232_359_936)
    assert found["send-recv"] == (3840, 2 * 12_079_595_520)
    assert sum(o.bytes or 0 for o in trace.operations if o.kind == "send-recv" and o.ranks[0] == 0) == 12_079_595_520
    assert dict(trace.ignored)["compute nodes"] == 2304
    assert any(line.startswith("implausible sizes: 3,846 operations") for line in trace.warnings)
    assert any("3,840 messages name another rank" in line for line in trace.warnings)
    # Dimension 1 of 3: how many ranks that is, the file does not say.
    assert {o.missing for o in trace.operations if o.kind == "all-gather"} == {("ranks",)}


# Our own.


def test_the_whole_job_is_who_there_are_files_of(tmp_path):
    job = {rank: stream(collective(0, "all-gather", 1000), collective(1, "all-reduce", 500)) for rank in range(4)}
    trace = rs.read_trace(written(tmp_path, job))
    assert [(o.kind, o.bytes, o.ranks, o.sequence) for o in trace.operations] == [
        ("all-gather", 1000, (0, 1, 2, 3), 0),
        ("all-reduce", 500, (0, 1, 2, 3), 1),
    ]
    assert trace.orders == ((0, 1),) * 4
    assert any("taken to have the 4 ranks" in line for line in trace.warnings)
    assert any("taken from its name (job.0.et)" in line for line in trace.warnings)
    # Of a part of the files, or one, nobody knows how many ranks there are.
    for some in ((0, 2), (0,), (1, 2)):
        part = rs.read_trace([tmp_path / f"job.{rank}.et" for rank in some])
        assert part.n_ranks is None
        assert {o.missing for o in part.operations} == {("ranks",)}


def test_compressed_files_are_told_by_what_is_in_them(tmp_path):
    data = stream(collective(0, "all-reduce", 500))
    paths = [tmp_path / "job.0.et.gz", tmp_path / "job.1.et.xz", tmp_path / "job.2.et"]
    for path, packed in zip(paths, (gzip.compress(data), lzma.compress(data), data), strict=True):
        path.write_bytes(packed)
        assert trace_format_of(path).name == "chakra"
    (operation,) = rs.read_trace(paths).operations
    assert operation.ranks == (0, 1, 2)


def test_groups_by_name_are_those_whose_files_name_them(tmp_path):
    job = {
        rank: stream(
            collective(0, "all-reduce", 100, pg_name=f"tp{rank // 2}"),
            collective(1, "all-reduce", 200, pg_name=f"dp{rank % 2}"),
            collective(2, "all-reduce", 300),
        )
        for rank in range(4)
    }
    trace = rs.read_trace(written(tmp_path, job))
    found = {(o.bytes, o.ranks) for o in trace.operations}
    assert found == {(100, (0, 1)), (100, (2, 3)), (200, (0, 2)), (200, (1, 3)), (300, (0, 1, 2, 3))}
    assert any("members of 4 process groups are not listed" in line for line in trace.warnings)
    assert len(rounds(trace)) == 3
    lone = rs.read_trace(tmp_path / "job.0.et")
    assert {o.missing for o in lone.operations} == {("ranks",)}


def test_groups_that_pytorch_lists_are_taken_as_listed(tmp_path):
    listed = [
        {"pg_name": "0", "pg_desc": "default_pg", "ranks": [], "group_size": 4},
        {"pg_name": "1", "ranks": [0, 2], "group_size": 2},
        {"pg_name": "2", "ranks": [0], "group_size": 1},
    ]
    init = node(0, 1, "## process_group:init ##", values=f"['{json.dumps(listed)}']")
    calls = [collective(n + 1, "all-reduce", 100 * (n + 1), pg_name=str(n)) for n in range(3)]
    trace = rs.read_trace(written(tmp_path, {0: stream(init, *calls)}))
    assert trace.n_ranks == 4
    assert [(o.bytes, o.ranks) for o in trace.operations] == [(100, (0, 1, 2, 3)), (200, (0, 2))]
    assert dict(trace.ignored)["collectives of a group of one"] == 1


def test_involved_dimensions(tmp_path):
    nodes = [
        collective(0, "all-reduce", 100, involved_dim=[True, True]),
        collective(1, "all-reduce", 200, involved_dim=[True, False]),
    ]
    trace = rs.read_trace(written(tmp_path, {rank: stream(*nodes) for rank in range(4)}))
    assert [(o.bytes, o.ranks, o.missing) for o in trace.operations] == [
        (100, (0, 1, 2, 3), ()),
        (200, (), ("ranks",)),
    ]
    assert trace.operations[1].group == "dimensions 10"


def test_the_cpu_side_does_not_count(tmp_path):
    nodes = [
        node(0, COLLECTIVE, "c10d::allreduce_", is_cpu_op=True),
        collective(1, "all-reduce", 100, is_cpu_op=True),
        collective(2, "all-reduce", 100),
        collective(3, "barrier", 0),
        node(4, 4, "aten::mm"),
        node(5, 2, "load"),
    ]
    trace = rs.read_trace(written(tmp_path, {0: stream(*nodes), 1: stream(*nodes)}))
    assert totals(trace) == {"all-reduce": (1, 100)}
    assert dict(trace.ignored) == {
        "compute nodes": 2,
        "memory nodes": 2,
        "CPU-side collectives without comm_type": 2,
        "CPU-side duplicates": 2,
        "barriers": 2,
    }


def test_messages_are_matched_by_ends_and_tag(tmp_path):
    job = {
        0: stream(send(0, 1, 10, tag=1), send(1, 1, 20, tag=2), receive(2, 1, 30), send(3, 1, 40, tag=9)),
        1: stream(receive(0, 0, 20, tag=2), receive(1, 0, 10, tag=1), send(2, 0, 30), receive(3, 5, 50)),
    }
    trace = rs.read_trace(written(tmp_path, job))
    found = Counter((o.ranks, o.bytes) for o in trace.operations)
    assert found == {((0, 1), 10): 1, ((0, 1), 20): 1, ((1, 0), 30): 1, ((0, 1), 40): 1, ((5, 1), 50): 1}
    assert "1 sends have no receive in the file of the receiver; they count as messages" in trace.warnings
    # A message from rank 5: the job has more ranks than there are files of.
    assert trace.n_ranks is None


def test_rings_of_any_size_take_few_rounds(tmp_path):
    for n, steps in ((2, 3), (3, 2), (5, 4), (8, 3)):
        trace = rs.read_trace(written(tmp_path, {rank: ring(rank, n, steps, 100) for rank in range(n)}))
        assert Counter(o.ranks for o in trace.operations) == {(r, (r + 1) % n): steps for r in range(n)}
        # A rank does two things in a step; an odd ring cannot do all of them in two rounds.
        assert 2 * steps <= len(rounds(trace)) <= (2 if n % 2 == 0 else 3) * steps


def test_a_pipeline_keeps_its_order(tmp_path):
    job = {
        0: stream(send(0, 1, 1), collective(1, "all-reduce", 9)),
        1: stream(receive(0, 0, 1), send(1, 2, 2), collective(2, "all-reduce", 9)),
        2: stream(receive(0, 1, 2), collective(1, "all-reduce", 9)),
    }
    trace = rs.read_trace(written(tmp_path, job))
    assert [[o.bytes for o in together] for together in rounds(trace)] == [[1], [2], [9]]


def test_ranks_that_wait_for_one_another_are_said(tmp_path):
    job = {0: stream(receive(0, 1, 5), send(1, 1, 6)), 1: stream(receive(0, 0, 6), send(1, 0, 5))}
    trace = rs.read_trace(written(tmp_path, job))
    assert {o.bytes for o in trace.operations} == {5, 6}
    assert any("1 operations stand in an order in which ranks would wait" in line for line in trace.warnings)


def test_times_are_kernels_and_starts(tmp_path):
    nodes = [collective(0, "all-reduce", 10**6, start=500, duration=40), collective(1, "broadcast", 9, start=100)]
    others = [collective(0, "all-reduce", 10**6, start=700, duration=30), collective(1, "broadcast", 9, start=90)]
    trace = rs.read_trace(written(tmp_path, {0: stream(*nodes), 1: stream(*others)}))
    assert [o.kind for o in trace.operations] == ["broadcast", "all-reduce"]
    assert [o.measured_s for o in trace.operations] == [None, pytest.approx(30e-6)]
    assert trace.operations[1].start_s == pytest.approx(500e-6)


def test_sizes_that_no_gpu_moves_or_holds_lose_their_time(tmp_path):
    nodes = [collective(0, "all-reduce", 10**9, duration=1), collective(1, "all-reduce", 2 * 10**12)]
    trace = rs.read_trace(written(tmp_path, {rank: stream(*nodes) for rank in range(2)}))
    assert [o.measured_s for o in trace.operations] == [None, None]
    assert any(
        "implausible sizes: 4 operations" in line and "1,000,000,000 B in 1 us" in line for line in trace.warnings
    )


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (collective(0, "all-reduce", 10), collective(0, "all-reduce", 30), "all-reduce of 30 bytes"),
        (collective(0, "all-reduce", 10), collective(0, "broadcast", 10), "broadcast of 10 bytes"),
        (collective(0, "all-reduce", 10), collective(0, "all-to-all", 10), "all-to-all of 10 bytes"),
        (send(0, 1, 10), receive(0, 0, 20), "send-recv of 20 bytes"),
    ],
    ids=["size", "kind", "all-to-all", "message"],
)
def test_ranks_that_disagree_are_named(tmp_path, one, other, said):
    paths = written(tmp_path, {0: stream(one), 1: stream(other)})
    with pytest.raises(InputError, match=rf"job.1.et: node 0: {said}, but .*job.0.et: node 0: .*ranks disagree"):
        rs.read_trace(paths)
    with pytest.raises(InputError, match=r"job.0.et: node 0.*job.1.et: node 0: .*ranks disagree"):
        rs.read_trace(paths[::-1])


def test_an_all_to_all_of_other_sizes_is_said(tmp_path):
    job = {rank: stream(collective(0, "all-to-all", size)) for rank, size in enumerate((10, 30))}
    trace = rs.read_trace(written(tmp_path, job))
    assert trace.operations[0].bytes == 20
    assert any("uneven all-to-all, ranks send 10 to 30 bytes: it is taken as even" in line for line in trace.warnings)


def test_json_and_binary_say_the_same(tmp_path):
    nodes = [(COLLECTIVE, "c", {"comm_type": 2, "comm_size": 77, "involved_dim": [True]}), (4, "mm", {})]
    texts = [json_node(place, kind, name, **more) for place, (kind, name, more) in enumerate(nodes)]
    binary = stream(*(node(place, kind, name, **more) for place, (kind, name, more) in enumerate(nodes)))
    metadata = json.dumps({"version": "0.0.4"}, indent=1)
    behind = metadata + "".join(json.dumps(one, indent=1) for one in texts)
    wanted = read_chakra_et(written(tmp_path, {0: binary, 1: binary}))
    for text in (json_list(*texts), behind, "".join(map(json.dumps, texts)), json_list({"version": "0.0.4"}, *texts)):
        paths = written(tmp_path, {0: text, 1: text}, "json")
        assert trace_format_of(paths[0]).name == "chakra-json"
        trace = rs.read_trace(paths)
        assert totals(trace) == totals(wanted) == {"all-gather": (1, 77)}
        assert trace.operations[0].ranks == (0, 1)
        assert trace.ignored == wanted.ignored


def test_every_kind_of_value(tmp_path):
    numbers = {7: 500, 9: 500, 11: 500, 13: 500, 15: 1000, 17: 1000}
    for field, value in numbers.items():
        body = node(0, COLLECTIVE, comm_type=0) + content(10, attribute("comm_size", value, field))
        (operation,) = read_chakra_et(written(tmp_path, {0: stream(body)})).operations
        assert operation.bytes == 500, field
    fixed = {19: b"\xf4\x01\0\0", 21: b"\xf4\x01" + b"\0" * 6, 23: b"\xf4\x01\0\0", 25: b"\xf4\x01" + b"\0" * 6}
    for field, raw in fixed.items():
        wire = 5 if len(raw) == 4 else 1
        size = content(1, "comm_size") + varint(field << 3 | wire) + raw
        body = node(0, COLLECTIVE, comm_type=0) + content(10, size)
        (operation,) = read_chakra_et(written(tmp_path, {0: stream(body)})).operations
        assert operation.bytes == 500, field


# What is refused.


@pytest.mark.parametrize(
    "data",
    [
        # A node first, as before August 2023, and attributes with a type (field 2), as until October.
        stream(metadata=number(1, 7) + content(2, "COMM_COLL") + number(3, 6) + number(13, 1)),
        stream(node(0, COLLECTIVE), metadata=content(2, content(1, "schema") + number(2, 2) + content(6, "1.0.1"))),
        stream(node(1, COLLECTIVE), metadata=node(0, 4, "aten::mm")),
    ],
)
def test_files_of_before_october_2023_are_refused_by_name(tmp_path, data):
    (path,) = written(tmp_path, {0: data})
    assert trace_format_of(path).name == "chakra"
    with pytest.raises(InputError, match=r"job.0.et: a Chakra trace without a version, as before October 2023"):
        rs.read_trace(path)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([collective(0, "all-reduce", -1)], "node 0: comm_size -1: expected a whole number from 0"),
        ([node(0, COLLECTIVE, comm_type=12, comm_size=1)], "node 0: comm_type 12; expected 0 to 9"),
        ([node(0, COLLECTIVE, comm_type="x", comm_size=1)], "node 0: comm_type 'x': expected a whole number"),
        ([node(0, 30)], r"node 0 \(byte 9 of the file\): type 30; expected 0 to 10"),
        ([send(0, -3, 5)], "node 0: comm_dst -3: expected a whole number from 0 to 1,048,575"),
        ([node(0, 4)], "no communication in 1 node; expected COMM_"),
        ([], "no communication in 0 nodes"),
        ([content(1, "x")], "field 1 is of another kind"),
        (
            [collective(0, "all-reduce", 1)[:-1]],
            r"\(byte 9 of the file\): no field of .* at byte \d+ of the message, or cut off",
        ),
        ([b"\x0b"], r"no field of protocol buffers at byte 0 of the message \(wire type 3\)"),
        ([b"\xff" * 12], "no number of protocol buffers at byte 0 of the message"),
        ([number(0, 5)], "a field of number 0 at byte 0 of the message; expected 1 or more"),
        ([node(0, 4) + content(0, "x")], r"a field of number 0 at byte \d+ of the message"),
        (
            [collective(0, "all-reduce", 1), content(2, "x") + b"\x50"],
            r"node 1 \(byte \d+ of the file\): cut off in a number",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, nodes, message):
    (path,) = written(tmp_path, {0: stream(*nodes)})
    with pytest.raises(InputError, match=message) as no:
        rs.read_trace(path)
    assert "\n" not in str(no.value)
    assert str(path) in str(no.value)


def test_an_empty_first_message_is_no_metadata(tmp_path):
    (path,) = written(tmp_path, {0: stream(collective(0, "all-reduce", 5), metadata=b"")})
    with pytest.raises(InputError, match=r"job.0.et: the first message is empty; expected Chakra's metadata"):
        read_chakra_et(path)
    (path,) = written(tmp_path, {0: '[{}, {"type": "COMM_COLL_NODE"}]'}, "json")
    with pytest.raises(InputError, match=r"job.0.json: the first message is empty"):
        read_chakra_json(path)


def test_ranks_are_told_apart(tmp_path):
    data = stream(collective(0, "all-reduce", 5))
    for name in ("a.0.et", "b.0.et", "c.et"):
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=r"b.0.et: rank 0 was read from .*a.0.et already"):
        rs.read_trace([tmp_path / "a.0.et", tmp_path / "b.0.et"])
    with pytest.raises(InputError, match=r"c.et: which rank it is of is not said; expected a name such as job.0.et"):
        rs.read_trace([tmp_path / "a.0.et", tmp_path / "c.et"])
    lone = rs.read_trace(tmp_path / "c.et")
    assert lone.traced == ()
    assert lone.operations[0].missing == ("ranks",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"type": "COMM_COLL_NODE"', r":1: not JSON"),
        ('{"type": "COMM_COLL_NODE", "name": "x"} nonsense', r":1: not JSON .* in the object that begins here"),
        ('[{"type": "COMP_NODE", "name": "x"}, 3]', "node 1: expected an object, got 3"),
        ('[{"type": "COMP_NODE"}, {"type": "COMM_BUS", "name": "x"}]', "node 1: type 'COMM_BUS'; expected one such as"),
        ('[{"type": "COMM_COLL_NODE", "attr": 3}]', "node 0: attr 3; expected a list"),
        ('[{"type": "COMM_COLL_NODE", "attr": ["x"]}]', "node 0: attribute 'x'; expected an object with a name"),
        (
            '[{"type": "COMM_COLL_NODE", "attr": [{"name": "comm_type", "int64Val": "1_0"}]}]',
            "node 0: attribute 'comm_type' '1_0': expected a whole number",
        ),
        (
            '[{"type": "COMM_COLL_NODE", "durationMicros": "-5"}]',
            "node 0: durationMicros '-5': expected a whole number",
        ),
    ],
)
def test_json_that_cannot_be_read_is_refused_in_one_line(tmp_path, text, message):
    (path,) = written(tmp_path, {0: text}, "json")
    with pytest.raises(InputError, match=message) as no:
        read_chakra_json(path)
    assert "\n" not in str(no.value)


def test_any_damage_is_read_or_refused(tmp_path):
    """Cut at every byte, and with bytes changed at random."""
    init = node(0, 1, "process_group:init", values='[{"pg_name": "0", "ranks": [0, 1]}]')
    data = stream(init, collective(1, "all-reduce", 77, pg_name="0", involved_dim=[True]), send(2, 1, 5, duration=3))
    path = tmp_path / "job.0.et"
    chance = random.Random(1)
    cases = [data[:stop] for stop in range(len(data))]
    for _ in range(400):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 2, 5))):
            changed[chance.randrange(len(data))] = chance.randrange(256)
        cases.append(bytes(changed))
    read = 0
    for case in cases:
        path.write_bytes(case)
        with contextlib.suppress(InputError):
            rounds(read_chakra_et(path))
            read += 1
    assert read > 50
