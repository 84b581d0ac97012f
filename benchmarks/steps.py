"""Times of training steps, placements and jobs at once, and the model's steps beside measured ones.

    python -m benchmarks.steps

No peer does the same work: SimAI and ASTRA-sim simulate a step event by event and need a workload file of each layout;
what they need for one collective stands in README's *Speed*.
"""

import resource
import time
from collections.abc import Callable
from typing import TypeVar

import railscope as rs
from fabric.jobs.rule import PlacementRule
from fabric.studies.placing import study_placing
from fabric.studies.scale import judged
from fabric.studies.sharing import JobRequest, study_sharing
from fabric.studies.step import study_step
from traces.workload.description import read_workload

Result = TypeVar("Result")


def timed(what: str, work: Callable[[], Result]) -> Result:
    """Do the work, and print how long it took and the most memory that the process had."""
    begin = time.perf_counter()
    made = work()
    took, memory = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"{what:66s} {took:7.2f} s  {memory:7,.0f} MB at most so far")
    return made


def main() -> None:
    """Run all."""
    deepseek, dense = read_workload("deepseek-v3"), read_workload("llama-3.1-405b")
    large, small = rs.open_fabric("gb300-8192"), rs.open_fabric("gb300-2048")
    study_step(small, deepseek, 256, run=deepseek.measured[0])  # compiles
    timed("deepseek-v3 on 8,192 GPUs: step, naive, each lever alone and undone", lambda: study_step(large, deepseek))
    rule = PlacementRule("fragmented", gpus=2048)
    timed("deepseek-v3 on 2,048 GPUs: 21 placements", lambda: study_placing(small, deepseek, rule, n_seeds=8))
    jobs = [
        JobRequest("a", deepseek, 1024, PlacementRule("scattered")),
        JobRequest("b", dense, 512, PlacementRule("scattered")),
    ]
    timed("deepseek-v3 and llama-3.1-405b at once, two routings", lambda: study_sharing(small, jobs))
    print("\nrun          GPUs  measured  predicted   error  compute of")
    for one in judged(dense, "gb200"):
        seconds = f"{one.measured_s:7.3f} s  {one.predicted_s:7.3f} s"
        print(f"{one.run.name:10s} {one.run.gpus:6,} {seconds} {one.error:+7.1%}  {one.fitted_on}")


if __name__ == "__main__":
    main()
