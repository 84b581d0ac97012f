"""--device: what is not there is refused in one line, what it does is said, and it ends with the command."""

import json
import sys

import pytest

import railscope as rs
from collectives import InputError
from fabric._kernels.cuda import device as gpu
from fabric.commands.choices import DEVICES
from fabric.routing import adaptive, device, hashed
from fabric.routing.parts import N_PARTS
from fabric.routing.policies import Adaptive, Ecmp
from tests.fabric.commands.test_cli import TIGHT, railscope

LOADS = ("loads", TIGHT, "--collective", "all-to-all", "--group", "16")


@pytest.fixture
def a_gpu(monkeypatch):
    """As if there were one, which leaves all to the processor."""
    asked: list[object] = []
    monkeypatch.setattr(gpu, "why_not", lambda: None)
    monkeypatch.setattr(gpu, "name", lambda: "GPU of the test")
    monkeypatch.setattr(hashed, "counted_on_gpu", lambda *problem: asked.append(problem))
    monkeypatch.setattr(adaptive, "on_gpu", lambda: False)
    return asked


def test_devices_are_the_library_s():
    assert DEVICES == device.DEVICES
    assert set(device.POLICIES_ON_GPU) == {Adaptive.name, Ecmp.name}


@pytest.mark.parametrize(
    "command",
    [
        LOADS,
        ("compare", TIGHT, "--collective", "all-to-all", "--no-figure"),
        ("step", "gpt-oss-20b", "hgx-b200-64"),
        ("scale", "gpt-oss-20b", "--fabric", "hgx-b200-64", "--gpus", "64"),
    ],
)
def test_no_gpu_is_one_line(command, monkeypatch):
    monkeypatch.setattr(gpu, "why_not", lambda: "no NVIDIA GPU found (the driver says: gone)")
    done = railscope(*command, "--device", "cuda")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "railscope: error: --device cuda: no NVIDIA GPU found (the driver says: gone)\n"


def test_another_name_is_usage():
    done = railscope(*LOADS, "--device", "gpu")
    assert done.returncode == 2
    assert "'gpu' is unknown; expected cpu or cuda" in done.stderr


def test_a_policy_without_a_kernel_is_refused(a_gpu):
    done = railscope(*LOADS, "--device", "cuda", "--routing", "dmodk")
    assert done.returncode == 2
    assert "--device cuda: has kernels for adaptive and ecmp, not for dmodk" in done.stderr


def test_what_the_gpu_does_is_said_and_ends_with_the_command(a_gpu):
    done = railscope(*LOADS, "--routing", "ecmp", "--device", "CUDA", "--json")
    assert a_gpu
    document = json.loads(done.stdout)
    (said,) = (line for line in document["assumptions"] if line.startswith("device: "))
    assert said == (
        "device: GPU of the test routes all-to-alls between domains whose pairs send alike; the processor does the rest"
    )
    assert not device.on_gpu()
    by_processor = json.loads(railscope(*LOADS, "--routing", "ecmp", "--device", "cpu", "--json").stdout)
    assert not any(line.startswith("device: ") for line in by_processor["assumptions"])
    assert by_processor["summary"] == document["summary"]


def test_a_step_says_it_too(a_gpu):
    words = ("scale", "gpt-oss-20b", "--fabric", "hgx-b200-64", "--gpus", "64", "--no-levers", "--device", "cuda")
    assumptions = json.loads(railscope(*words, "--json").stdout)["assumptions"]
    assert any(line.startswith("device: GPU of the test routes") for line in assumptions)


def test_within_python():
    with pytest.raises(InputError, match=r"^device 'tpu' is unknown; expected cpu or cuda$"), device.on_device("tpu"):
        pass
    with device.on_device("cpu"), device.on_device(None):
        assert not device.on_gpu()
        assert device.device_notes("ecmp") == ()


@pytest.mark.parametrize("routing", [Adaptive(), Ecmp()], ids=repr)
def test_parts_of_loads_are_the_processor_s(routing, monkeypatch):
    monkeypatch.setattr(gpu, "why_not", lambda: None)
    topology = rs.build(rs.fat_tree(8))
    schedule = rs.collective_schedule("all-to-all", rs.Groups.consecutive(128, 128), 1 << 20)
    problem = topology, schedule, rs.packed(topology), routing
    expected = rs.schedule_loads(*problem)
    with device.on_device("cuda"):
        parts = [rs.part_of_loads(*problem, number) for number in range(N_PARTS)]
        loads = rs.loads_of_parts(*problem, parts)
    assert loads.total.bytes.tobytes() == expected.total.bytes.tobytes()


def test_reasons_are_in_words(monkeypatch):
    monkeypatch.setattr(gpu, "simulated", lambda: False)
    monkeypatch.setattr(gpu, "find_spec", lambda name: None)
    assert gpu.why_not() == "needs the extra cuda: pip install 'railscope[cuda]'"
    monkeypatch.setattr(gpu, "find_spec", lambda name: sys)

    def broken():
        raise RuntimeError("Error at driver init:\n\nCUDA driver library cannot be found.\nEnsure that ...\n:")

    monkeypatch.setattr("numba.cuda.current_context", broken)
    assert gpu.why_not() == "no NVIDIA GPU found (the driver says: CUDA driver library cannot be found)"
    monkeypatch.setattr("numba.cuda.current_context", lambda: None)
    monkeypatch.setattr(gpu, "name", lambda: "GPU 0")

    def fails(*arguments):
        raise AttributeError("module 'numpy' has no attribute 'row_stack'")

    monkeypatch.setattr(gpu, "launch_blocks", fails)
    assert gpu.why_not() == (
        "numba-cuda can run nothing on GPU 0 (AttributeError: module 'numpy' has no attribute 'row_stack')"
    )


def test_kernels_are_compiled_where_code_cannot_be_kept(monkeypatch):
    tried = []

    def jit(function=None, cache=False):
        tried.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return "compiled"

    monkeypatch.setattr("numba.cuda.jit", jit)
    assert gpu.compiled(test_within_python) == "compiled"
    assert tried == [True, False]
