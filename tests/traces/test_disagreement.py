"""Two ranks' files that disagree about the size of one operation: an error that names both, in either order."""

import pytest

from collectives.errors import InputError
from tests.traces import chakra_twins, test_flight_recorder, test_nccl_inspector, test_nccl_log, test_pytorch_et
from traces.registry import read_trace


def execution_traces(folder):
    documents = [test_pytorch_et.trace(test_pytorch_et.record("allreduce", n), rank=n - 8) for n in (8, 9)]
    return test_pytorch_et.written(folder, et_0=documents[0], et_1=documents[1])


def dumps(folder):
    sizes = [((4, 8),), ((4, 9),)]
    return test_flight_recorder.written(
        folder, *(test_flight_recorder.dump(test_flight_recorder.entry(sizes=size)) for size in sizes)
    )


def inspector_lines(folder):
    paths = [folder / f"inspector_{rank}.jsonl" for rank in range(2)]
    for rank, path in enumerate(paths):
        path.write_text(test_nccl_inspector.line(size=1024 + rank, rank=rank) + "\n")
    return paths


def logs(folder):
    paths = [folder / f"rank{rank}.log" for rank in range(2)]
    for rank, path in enumerate(paths):
        lines = [*test_nccl_log.world(2), test_nccl_log.coll(rank, "AllReduce", 10 + rank, 2)]
        path.write_text("\n".join([*lines, ""]))
    return paths


def chakra(folder):
    job = {rank: chakra_twins.stream(chakra_twins.collective(0, "all-reduce", 10 + rank)) for rank in range(2)}
    return chakra_twins.written(folder, job)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("files", [execution_traces, dumps, inspector_lines, logs, chakra])
def test_both_places_are_named(tmp_path, files, order):
    first, other = map(str, files(tmp_path)[::order])
    with pytest.raises(InputError) as error:
        read_trace([first, other])
    text = str(error.value)
    assert text.startswith(other)
    assert first in text
    assert "\n" not in text
