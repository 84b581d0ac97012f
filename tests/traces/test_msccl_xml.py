"""Algorithms of MSCCL: executed, proven again as programs, and refused where they are wrong."""

import numpy as np
import pytest

from collectives import Groups, InputError
from collectives.catalog import collective_schedule, register_algorithm, unregister_algorithm
from collectives.proof import prove
from traces.msccl_xml import read_msccl

NOWHERE = {"srcbuf": "i", "srcoff": 0, "dstbuf": "o", "dstoff": 0, "cnt": 1, "depid": -1, "deps": -1, "hasdep": 0}


def algo(coll, n, chunks, gpus, in_place=1, name="mine"):
    """XML; gpus: for each a list of (send, recv, chan, [step])."""
    lines = [f'<algo name="{name}" proto="Simple" nchannels="1" nchunksperloop="{chunks}" ngpus="{n}" coll="{coll}"']
    lines[0] += f' inplace="{in_place}">'
    for gpu, blocks in enumerate(gpus):
        lines.append(f'<gpu id="{gpu}" i_chunks="{chunks}" o_chunks="{chunks}" s_chunks="{chunks}">')
        for number, (send, recv, chan, steps) in enumerate(blocks):
            lines.append(f'<tb id="{number}" send="{send}" recv="{recv}" chan="{chan}">')
            for s, step in enumerate(steps):
                said = " ".join(f'{key}="{value}"' for key, value in (NOWHERE | step).items())
                lines.append(f'<step s="{s}" {said}/>')
            lines.append("</tb>")
        lines.append("</gpu>")
    return "\n".join([*lines, "</algo>"])


def step(kind, chunk, buffer="o", **more):
    return {"type": kind, "srcbuf": buffer, "srcoff": chunk, "dstbuf": buffer, "dstoff": chunk} | more


def ring_all_reduce(n):
    """As msccl-tools makes it: a thread block a GPU, receiving, reducing and sending on."""
    gpus = []
    for g in range(n):
        steps = [step("s", g)]
        steps += [step("rrs", (g - k) % n) for k in range(1, n - 1)]
        steps += [step("rrcs", (g + 1) % n)]
        steps += [step("rcs", (g - k) % n) for k in range(n - 2)]
        steps += [step("r", (g + 2) % n)]
        gpus.append([((g + 1) % n, (g - 1) % n, 0, steps)])
    return gpus


def direct_all_gather(n):
    """Every GPU copies its own and sends it to each other one, by a thread block a peer."""
    gpus = []
    for g in range(n):
        blocks = [(-1, -1, 0, [step("cpy", 0, srcbuf="i", dstoff=g)])]
        for k in range(1, n):
            come = (g - k) % n
            blocks.append(((g + k) % n, come, 0, [step("s", 0, "i"), step("r", come, depid=0, deps=0)]))
        gpus.append(blocks)
    return gpus


def all_pairs_reduce_scatter(n):
    """Chunks come into scratch buffers and are added there."""
    gpus = []
    for g in range(n):
        blocks = []
        for k in range(1, n):
            come, go = (g - k) % n, (g + k) % n
            blocks.append((go, come, 0, [step("s", go, "i"), step("r", come, "s")]))
        adds = [
            step("re", 0, srcbuf="s", srcoff=(g - k) % n, dstbuf="i", dstoff=g, depid=k - 1, deps=1)
            for k in range(1, n)
        ]
        gpus.append([*blocks, (-1, -1, 0, [*adds, step("cpy", 0, srcbuf="i", srcoff=g, dstbuf="o", dstoff=0)])])
    return gpus


def direct_all_to_all(n):
    gpus = direct_all_gather(n)
    for g, blocks in enumerate(gpus):
        blocks[0][3][0] |= {"srcoff": g}
        for go, _, _, steps in blocks[1:]:
            steps[0] |= {"srcoff": go}
    return gpus


def write(tmp_path, text):
    path = tmp_path / "algo.xml"
    path.write_text(text)
    return path


GOOD = {
    "all-reduce": ("allreduce", ring_all_reduce, 1),
    "all-gather": ("allgather", direct_all_gather, 0),
    "reduce-scatter": ("reduce_scatter", all_pairs_reduce_scatter, 0),
    "all-to-all": ("alltoall", direct_all_to_all, 0),
}


@pytest.mark.parametrize("n", [3, 4, 7])
@pytest.mark.parametrize("collective", GOOD)
def test_what_is_right_is_proven(tmp_path, collective, n):
    coll, make, in_place = GOOD[collective]
    algorithm = read_msccl(write(tmp_path, algo(coll, n, n, make(n), in_place)))
    assert algorithm.collective == collective
    assert algorithm.name == "msccl:mine"
    prove(collective, algorithm.program(n))
    register_algorithm(algorithm)
    try:
        groups = Groups.consecutive(2 * n, n)
        mine = collective_schedule(collective, groups, 1e6, "msccl:mine")
        other = collective_schedule(collective, groups, 1e6, "ring" if collective == "all-reduce" else None)
    finally:
        unregister_algorithm(collective, "msccl:mine")
    assert mine.total_bytes() == pytest.approx(other.total_bytes())


def test_a_ring_takes_as_many_rounds_as_it_should(tmp_path):
    algorithm = read_msccl(write(tmp_path, algo("allreduce", 4, 4, ring_all_reduce(4))))
    steps = algorithm.program(4).transfers()
    assert [one.combine for one in steps] == [True] * 3 + [False] * 3
    assert all(np.array_equal(np.sort(one.src), np.arange(4)) for one in steps)
    with pytest.raises(InputError, match=r"made for 4 GPUs; expected groups of 4 members, not 8"):
        algorithm.program(8)


def damaged(change):
    gpus = ring_all_reduce(4)
    send, recv, chan, steps = gpus[2][0]
    gpus[2][0] = (send, recv, chan, change(list(steps)))
    return algo("allreduce", 4, 4, gpus)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s[:-1], r"GPU 1 sends what GPU 2 does not receive"),
        (lambda s: [*s[:1], *s[2:]], "adds block 1 to block 0"),
        (lambda s: [*s[:-1], {**s[-1], "dstoff": 1}], r"GPU 2 ends without the contributions of GPU .* to chunk 0"),
        (lambda s: [s[0], {**s[1], "srcoff": 3}, *s[2:]], "adds block 1 to block 3"),
        (lambda s: [s[0], {**s[1], "type": "jump"}, *s[2:]], "gpu 2, tb 0, step 1: type 'jump'; expected one of cpy"),
        (lambda s: [s[0], {**s[1], "cnt": 2}, *s[2:]], "receives 2 chunks, but .* sends 1"),
        (lambda s: [{**s[0], "srcoff": 4}, *s[1:]], "chunks 4 to 4 of o, which has 4"),
        (lambda s: [{**s[0], "srcbuf": "x"}, *s[1:]], "srcbuf 'x'; expected i, o or s"),
        (lambda s: [{**s[0], "srcbuf": "s"}, *s[1:]], "chunk 2 of s of GPU 2 holds nothing yet"),
        (lambda s: [{**s[0], "depid": 3, "deps": 0}, *s[1:]], "waits for step 0 of tb 3; expected one that is there"),
        (lambda s: [{**s[0], "depid": 0, "deps": 2}, *s[1:]], "waits for another thread block for ever"),
        (lambda s: [{**s[0], "cnt": "many"}, *s[1:]], "cnt 'many': expected a whole number"),
    ],
)
def test_what_is_wrong_is_refused(tmp_path, change, message):
    with pytest.raises(InputError, match=message) as no:
        read_msccl(write(tmp_path, damaged(change)))
    assert "\n" not in str(no.value)
    assert "algo.xml" in str(no.value)


def test_a_contribution_counts_once(tmp_path):
    gpus = [[(1 - g, 1 - g, 0, [step("s", 0), step("rrc", 0), step("s", 0), step("rrc", 0)])] for g in range(2)]
    with pytest.raises(InputError, match="would add a contribution to block 0 twice"):
        read_msccl(write(tmp_path, algo("allreduce", 2, 1, gpus)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<graphs/>", "expected <algo>"),
        ("<algo", "not whole XML"),
        ("", "not whole XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><algo/>', "has a document type"),
        ("<a>" * 1000 + "</a>" * 1000, "expected at most 100 deep"),
        ("<algo/>", "<algo> without coll"),
        ('<algo coll="custom" ngpus="2" nchunksperloop="2"/>', "coll 'custom'; expected one of allreduce"),
        ('<algo coll="allgather" ngpus="2" nchunksperloop="3"/>', "nchunksperloop 3; expected a multiple of ngpus 2"),
        ('<algo coll="allreduce" ngpus="0" nchunksperloop="3"/>', "ngpus '0': expected a whole number"),
        ('<algo coll="allreduce" ngpus="2" nchunksperloop="2"><gpu id="0"/></algo>', "without i_chunks"),
        ('<algo coll="allreduce" ngpus="2" nchunksperloop="2"/>', "no <gpu> of id 0; expected 2"),
        ('<algo coll="allreduce" ngpus="2" nchunksperloop="2"><cpu/></algo>', "<cpu> in <algo>; expected <gpu>"),
    ],
)
def test_what_is_no_algorithm_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_msccl(write(tmp_path, text))


def test_cut_anywhere_it_is_refused(tmp_path):
    text = algo("allreduce", 3, 3, ring_all_reduce(3))
    for end in range(0, len(text) - 8, 61):
        with pytest.raises(InputError):
            read_msccl(write(tmp_path, text[:end]))


def test_the_command_line_takes_a_file(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from fabric.commands.app import app

    write(tmp_path, algo("allreduce", 4, 4, ring_all_reduce(4), name="my ring"))
    monkeypatch.chdir(tmp_path)
    arguments = ["loads", "hgx-b200-64", "--gpus", "8", "--group", "4", "--collective"]
    for _ in range(2):
        found = CliRunner().invoke(app, [*arguments, "all-reduce", "--algorithm", "algo.xml"])
        assert found.exit_code == 0, found.output
    unregister_algorithm("all-reduce", "msccl:my-ring")
    other = CliRunner().invoke(app, [*arguments, "all-gather", "--algorithm", "algo.xml"])
    assert other.exit_code == 1
    assert "algo.xml: an algorithm of all-reduce; expected one of all-gather" in str(other.exception or other.output)
