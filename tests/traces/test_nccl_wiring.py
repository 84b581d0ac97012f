"""What logs say was chosen: rings, trees, edges, NICs and algorithms, of NCCL and RCCL, whole and damaged."""

import gzip
import random

import pytest

import railscope as rs
from collectives import InputError
from tests.shared_data import shared
from tests.traces.test_nccl_log import PREFIXES, begin, coll, init, pointer
from traces.nccl_chosen import choices_text
from traces.nccl_wiring import read_nccl_choices

N, CHANNELS = 8, 2
# Two hosts of four: rings go round each host, the second the other way; NIC 0 carries the first, NIC 1 the second.
RINGS = ((0, 1, 2, 3, 4, 5, 6, 7), (0, 7, 6, 5, 4, 3, 2, 1))
PARENTS = {0: -1, 1: 0, 2: 1, 3: 2, 4: 0, 5: 4, 6: 5, 7: 6}


def start(rank, comm=0, identity="0xabc", place=None, n=N, **where):
    place = rank if place is None else place
    return init(rank, place, n, comm, identity, **where).replace("COMPLETE", "START")


def made(rank, comm=0, rccl=False, **where):
    """What a rank prints between START and COMPLETE."""
    own = begin(rank, **where)
    said = f" comm {pointer(rank, comm)} nRanks {N:02} busId 1c000" if rccl else ""
    lines = [f"{own}NET/IB : Using [0]mlx5_0:1/IB [1]mlx5_3:1/IB [RO]; OOB eth0:10.0.0.{rank}<0>"]
    if rank == 0:
        shown = (" ".join(f"{one:3}" for one in ring) for ring in RINGS)
        lines += [f"{own}Channel {number:02}/{CHANNELS:02} : {ring}" for number, ring in enumerate(shown)]
    children = [child for child, parent in PARENTS.items() if parent == rank]
    down = "/".join(map(str, [*children, -1, -1, -1][:3]))
    trees = " ".join(f"[{number}] {down}->{rank}->{PARENTS[rank]}" for number in range(CHANNELS))
    lines.append(f"{own}Trees {trees}{said}")
    if rccl:
        lines.append(f"{own}comm {pointer(rank, comm)}, 2 coll channels, 0 nvls channels, 4 p2p channels")
    else:
        lines.append(
            f"{own}2 coll channels, 0 collnet channels, 0 nvls channels, 4 p2p channels, 2 p2p channels per peer"
        )
    return lines


def edges(rank, comm=0, rccl=False, **where):
    """What a rank prints when it connects its rings."""
    own = begin(rank, **where)
    said = f" comm {pointer(rank, comm)} nRanks {N:02}" if rccl else ""
    lines = []
    for number, ring in enumerate(RINGS):
        behind = ring[(ring.index(rank) + 1) % N]
        before = ring[ring.index(rank) - 1]
        ends = f"Channel {number:02}/0 : {{}}[{{}}] -> {{}}[{{}}]"
        out = ends.format(rank, rank % 4, behind, behind % 4)
        if behind // 4 == rank // 4:
            lines.append(f"{own}{out} via P2P/IPC{said}")
        else:
            through = f"({rank})" if number == 0 else f"({rank // 4 * 4})"
            lines.append(f"{own}{out} [send] via NET/IB/{number}{through}/GDRDMA{said}")
        if before // 4 != rank // 4:
            lines.append(
                f"{own}{ends.format(before, before % 4, rank, rank % 4)} [receive] via NET/IB/{number}/GDRDMA{said}"
            )
    whole = f" comm {pointer(rank, comm)} nRanks {N:02} busId 1" if rccl else ", use ring PXN 0 GDR 1"
    return [*lines, f"{own}Connected all rings{whole}"]


def job(*, lazy=False, rccl=False, first=start, prefix=""):
    """By rank: one communicator, made and connected at once, or connected when it is first used."""
    of_rank = {}
    for rank in range(N):
        making, connecting = (part(rank, rccl=rccl, prefix=prefix) for part in (made, edges))
        done = init(rank, rank, N, 0, "0xabc", prefix=prefix)
        begun = [first(rank, prefix=prefix)] if first else []
        used = [coll(rank, "AllReduce", 10, N, prefix=prefix)]
        of_rank[rank] = (
            [*begun, *making, done, *used, *connecting] if lazy else [*begun, *making, *connecting, done, *used]
        )
    return of_rank


def mixed(of_rank, seed=1):
    """The lines of all ranks in any order that keeps each rank's own."""
    chance, left, lines = random.Random(seed), {rank: list(lines) for rank, lines in of_rank.items()}, []
    while left:
        rank = chance.choice(list(left))
        lines.append(left[rank].pop(0))
        left = {rank: rest for rank, rest in left.items() if rest}
    return lines


def written(tmp_path, lines, name="job.log"):
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def check(wiring):
    assert (wiring.n_ranks, [one.gpus for one in wiring.rings]) == (N, list(RINGS))
    for tree in wiring.trees:
        assert dict(zip(tree.gpus, tree.parents, strict=True)) == PARENTS
    assert len(wiring.trees) == CHANNELS
    assert len(wiring.edges) == CHANNELS * N
    between = {(edge.channel, edge.source, edge.target): edge for edge in wiring.edges}
    for number, ring in enumerate(RINGS):
        for source, target in zip(ring, (*ring[1:], ring[0]), strict=True):
            edge = between[number, source, target]
            if source // 4 == target // 4:
                assert (edge.transport, edge.nic_out, edge.nic_in) == ("P2P/IPC", "", "")
            else:
                nic = ("mlx5_0", "mlx5_3")[number]
                assert (edge.transport, edge.nic_out, edge.nic_in) == (f"NET/IB/{number}/GDRDMA", nic, nic)
                assert edge.through == (None if number == 0 or source % 4 == 0 else source // 4 * 4)
    assert dict(wiring.channels)["coll"] == CHANNELS
    assert dict(wiring.connected) == {"all rings": N}


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("lazy", [False, True])
def test_a_job_of_two_hosts(tmp_path, prefix, lazy):
    path = written(tmp_path, mixed(job(lazy=lazy, prefix=prefix)))
    choices = read_nccl_choices(path)
    (wiring,) = choices.wiring
    check(wiring)
    assert wiring.group == "0xabc"
    assert choices.warnings == ()
    # A file a process, and packed.
    parts = [tmp_path / f"{rank}.log.gz" for rank in range(N)]
    for part, lines in zip(parts, job(lazy=lazy, prefix=prefix).values(), strict=True):
        part.write_bytes(gzip.compress("\n".join(lines).encode()))
    assert read_nccl_choices(parts).wiring == choices.wiring
    # The operations are of that group, and the summary stands among the warnings.
    trace = rs.read_trace(path)
    assert {one.group for one in trace.operations} == {"0xabc"}
    (line,) = (line for line in trace.warnings if "communicator '0xabc'" in line)
    for words in (
        "of 8 ranks: 2 rings, 2 trees, 2 coll channels",
        "12 P2P/IPC, 4 NET/IB",
        "mlx5_0 3->4 7->0",
        "mlx5_3",
    ):
        assert words in line
    assert dict(trace.ignored)["lines of channels, rings and trees"] > 0


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("first", [start, None])
def test_rccl_says_the_communicator_in_its_lines(tmp_path, lazy, first):
    (wiring,) = read_nccl_choices(written(tmp_path, mixed(job(lazy=lazy, rccl=True, first=first)))).wiring
    check(wiring)
    assert wiring.group == "0xabc"


def test_rccl_without_init_lines(tmp_path):
    lines = [line for line in mixed(job(rccl=True)) if "Init" not in line and "opCount" not in line]
    # What the pointers tell apart: another communicator of two of the ranks.
    for rank in (2, 5):
        lines.append(
            f"{begin(rank)}Trees [0] -1/-1/-1->{rank // 5}->{rank // 5 - 1} comm {pointer(rank, 7)} nRanks 02 busId 1"
        )
    wirings = read_nccl_choices(written(tmp_path, lines)).wiring
    check(wirings[0])
    assert [one.trees[0].parents for one in wirings[1:]] == [(-1, 0)]


def test_versions_that_print_no_start(tmp_path):
    (wiring,) = read_nccl_choices(written(tmp_path, mixed(job(first=None)))).wiring
    check(wiring)
    assert wiring.group == "0xabc"


def test_a_log_of_no_init_lines(tmp_path):
    lines = [line for line in mixed(job()) if "Init" not in line]
    (wiring,) = (choices := read_nccl_choices(written(tmp_path, lines))).wiring
    check(wiring)
    assert wiring.group == ""
    assert any("of 8 processes are of: taken as one of 8 ranks" in line for line in choices.warnings)
    # Two communicators without a word of which is which are not made one.
    again = [line.replace("0   1   2", "0   2   1") for line in lines]
    choices = read_nccl_choices(written(tmp_path, [*lines, *again, f"{begin(0)}8 Bytes -> Algo 0 proto 0 time 6.5"]))
    assert choices.wiring == ()
    assert any("contradict one another" in line for line in choices.warnings)


def test_several_communicators_of_a_process(tmp_path):
    of_rank = job(lazy=True)
    for rank, lines in of_rank.items():
        pair = [start(rank, 1, f"0xd{rank // 2}", rank % 2, 2), init(rank, rank % 2, 2, 1, f"0xd{rank // 2}")]
        pair.append(coll(rank, "AllGather", 5, 2, comm=1))
        pair.append(f"{begin(rank)}Channel 00/0 : {rank % 2}[0] -> {1 - rank % 2}[1] via SHM/direct/direct")
        done = next(place for place, line in enumerate(lines) if "COMPLETE" in line) + 1
        lines[done:done] = pair[:2]
        lines += pair[2:]
    choices = read_nccl_choices(written(tmp_path, mixed(of_rank)))
    by_group = {one.group: one for one in choices.wiring}
    check(by_group["0xabc"])
    for number in range(4):
        found = by_group[f"0xd{number}"].edges
        assert [(one.source, one.target, one.transport) for one in found] == [
            (0, 1, "SHM/direct/direct"),
            (1, 0, "SHM/direct/direct"),
        ]
    assert len(list(choices_text(choices))) == 5
    # One whose communicator nothing tells is counted, not guessed.
    unused = [line for line in mixed(of_rank) if "opCount" not in line]
    unused.append(f"{begin(0)}Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM/read")
    assert any(
        "of which communicator is not known" in line for line in read_nccl_choices(written(tmp_path, unused)).warnings
    )


def test_rings_that_the_log_cuts_are_walked(tmp_path):
    n = 30
    ring = list(range(0, n, 2)) + list(range(1, n, 2))[::-1]
    lines = [init(rank, rank, n, 0, "0x1") for rank in range(n)]
    for rank in range(n):
        at = ring.index(rank)
        lines.append(f"{begin(rank)}Ring 00 : {ring[at - 1]} -> {rank} -> {ring[(at + 1) % n]}")
        lines.append(f"{begin(rank)}Tree 0 : {rank - 1} -> {rank} -> {rank + 1 if rank + 1 < n else -1}/-1/-1")
    shown = f"{begin(0)}Channel 00/01 : " + " ".join(map(str, ring[:20]))
    for line in (shown, shown[:-1] + "..."):
        (wiring,) = read_nccl_choices(written(tmp_path, [*lines, line])).wiring
        assert [one.gpus for one in wiring.rings] == [tuple(ring)]
        assert wiring.trees[0].parents == tuple(range(-1, n - 1))
    choices = read_nccl_choices(written(tmp_path, [lines[0], shown]))
    assert choices.wiring[0].rings == ()
    assert any("1 ring of 30 ranks printed in part only" in line for line in choices.warnings)


def test_interleaved_and_cut_lines(tmp_path):
    lines = mixed(job())
    whole = read_nccl_choices(written(tmp_path, lines)).wiring[0]
    # Two records in one line, whatever is glued to the second's host.
    glued = [one + other for one, other in zip(lines[::2], lines[1::2], strict=False)]
    assert read_nccl_choices(written(tmp_path, [*lines, *glued])).wiring[0] == whole
    chance = random.Random(3)
    for _ in range(60):
        damaged = list(lines)
        at = chance.randrange(len(lines))
        damaged[at] = damaged[at][: chance.randrange(len(damaged[at]))]
        for one in read_nccl_choices(written(tmp_path, damaged)).wiring:
            # A ring is whole or not there, an edge is one of those that there are.
            assert {ring.gpus for ring in one.rings} <= set(RINGS)
            known = {(edge.channel, edge.source, edge.target) for edge in whole.edges}
            assert {(edge.channel, edge.source, edge.target) for edge in one.edges} <= known


@pytest.mark.parametrize(
    ("text", "transport", "nic"),
    [
        ("Channel 00 : 0[9000] -> 1[1000] via P2P/direct pointer", "P2P/direct pointer", ""),
        ("Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM/read/CE", "P2P/CUMEM/read/CE", ""),
        ("Channel 00/1 : 0[0] -> 1[1] [send] via NET/NCCL RDMA Plugin v6/0(0)/GDRDMA/Shared",
         "NET/NCCL RDMA Plugin v6/0/GDRDMA/Shared", "NCCL RDMA Plugin v6/0"),
        ("Channel 00/0 : 0[0] -> 1[1] [send] via NET/IBext_v8/1", "NET/IBext_v8/1", "mlx5_0+mlx5_1"),
        ("Ring 00 : 0 -> 1 [send] via NET/Socket/0", "NET/Socket/0", "eth0"),
        ("Channel 00/0 : 0[0] -> 1[1] [send] via NET/IB/0/GDRDMA(PCI)", "NET/IB/0/GDRDMA(PCI)", "mlx5_2+mlx5_3"),
        ("Channel 00/0 : 0[0] -> 1[1] via P2", None, ""),
        ("Channel 00/0 : 0[0] -> 1[1] [send] via NET/IB/0/GDR", None, ""),
    ],
)  # fmt: skip
def test_ways(tmp_path, text, transport, nic):
    nics = (
        "NET/IB : Using [0]={[0] mlx5_2:1/RoCE, [1] mlx5_3:1/RoCE} [1]={[2] mlx5_0:1/RoCE, [3] mlx5_1:1/RoCE} [RO]; "
        "OOB eth7:10.0.0.1<0>",
        "NET/Socket : Using [0]eth0:10.0.0.1<0>",
        "Connected all trees",
    )
    lines = [init(0, 0, 2, 0, "0x1"), *(begin(0) + line for line in (*nics, text))]
    (wiring,) = read_nccl_choices(written(tmp_path, lines)).wiring
    assert [(edge.transport, edge.nic_out) for edge in wiring.edges] == ([(transport, nic)] if transport else [])


def test_a_rank_that_did_not_connect_is_missed(tmp_path):
    of_rank = job()
    of_rank[3] = [line for line in of_rank[3] if "Connected" not in line]
    (line,) = choices_text(read_nccl_choices(written(tmp_path, mixed(of_rank))))
    assert "; all rings connected on 7 of 8 ranks that printed trees;" in line
    (whole,) = choices_text(read_nccl_choices(written(tmp_path, mixed(job()))))
    assert "connected" not in whole
    # A log of one host is not alarming.
    half = mixed({rank: lines for rank, lines in job().items() if rank < 4})
    (line,) = choices_text(read_nccl_choices(written(tmp_path, half)))
    assert "connected" not in line


def test_trees_of_nccl_2_6(tmp_path):
    lines = [
        init(0, 0, 2, 0, "0x1"),
        f"{begin(0)}Trees [0] 1/-1/-1->0->-1|-1->0->1/-1/-1 [1] -1/-1/-1->0->1|1->0->-1/-1/-1",
    ]
    (wiring,) = read_nccl_choices(written(tmp_path, lines)).wiring
    assert [tree.parents for tree in wiring.trees] == [(-1,), (1,)]


def test_a_communicator_of_one_rank_is_not_worth_a_line(tmp_path):
    lines = [init(0, 0, 1, 0, "0x1"), f"{begin(0)}Channel 00/02 : 0", f"{begin(0)}Trees [0] -1/-1/-1->0->-1"]
    choices = read_nccl_choices(written(tmp_path, lines))
    assert choices.wiring[0].rings[0].gpus == (0,)
    assert list(choices_text(choices)) == []


def test_algorithms(tmp_path):
    lines = [
        "AllReduce: 4096 Bytes -> Algo TREE proto LL channel{Lo..Hi}={0..1}",
        "AllReduce: 4096 Bytes -> Algo TREE proto LL channel{Lo..Hi}={0..1}",
        "AllGather: 268435456 Bytes -> Algo Ring proto Simple channel{Lo..Hi}={0..15}",
        "1024 Bytes -> Algo 5 proto 1 time 12.5",
        "AlltoAll: 77 Bytes -> Algo 9 proto SIMPLE",
        "Broadcast: 77 Bytes -> Algo RING proto SIMPLE chann",
    ]
    choices = read_nccl_choices(written(tmp_path, [begin(0) + line for line in lines]))
    assert [
        (a.kind, a.bytes, a.algorithm, a.protocol, a.channels, a.predicted_s, a.times) for a in choices.algorithms
    ] == [
        ("all-reduce", 4096, "tree", "LL", 2, None, 2),
        ("all-gather", 268435456, "ring", "Simple", 16, None, 1),
        ("", 1024, "nvls tree", "LL128", None, pytest.approx(12.5e-6), 1),
        ("all-to-all", 77, "9", "Simple", None, None, 1),
        ("broadcast", 77, "ring", "Simple", None, None, 1),
    ]
    (line,) = choices_text(choices)
    assert "all-reduce of 4,096 B tree LL; all-gather" in line
    assert line.endswith(", ...")


def test_the_real_log():
    choices = read_nccl_choices(str(shared("traces", "nccl_log", "aioneks_fsdp_4node_srun.log")))
    (one,) = choices.algorithms
    # The size is of all four shards.
    assert (one.kind, one.bytes, one.algorithm, one.protocol) == ("all-gather", 4 * 9_439_232, "ring", "Simple")
    assert one.predicted_s == pytest.approx(2860.208008e-6)


@pytest.mark.parametrize("lines", [["hello"], [begin(0) + "Using network IB"], [begin(0) + "Channel 00/02 :"]])
def test_nothing_chosen_is_refused(tmp_path, lines):
    with pytest.raises(InputError, match=r"job.log: no line of rings, trees, edges or algorithms; NCCL_DEBUG=INFO"):
        read_nccl_choices(written(tmp_path, lines))
