"""How long a training step takes: compute, bubble, and what of the communication compute cannot hide.

    step = (M + b) (c + e) + E + f

M microbatches, b of bubble (`traces.workload.pipeline`), c compute of a microbatch on a stage, e communication of a
microbatch that nothing hides, E that of the step (gradients and parameters), f a fixed time.

What hides what (assumed; Megatron-LM's overlaps): of an axis at most the share that [overlap] says, and of all axes
together no more than the compute there is.  Gradients hide behind the backward passes that are left when a virtual
stage is done, p (v - 1) / v of them, without virtual stages behind the layers of one; parameters behind as many forward
passes; the last of a stage's layers hides behind nothing, nor does the last bucket of a model without known layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from traces.workload.description import Overlap, Workload
from traces.workload.pipeline import FORWARD, bubble_microbatches
from traces.workload.step_operations import StepOperation


@dataclass(frozen=True)
class StepTime:
    """A step taken apart; all in seconds.

    Attributes
    ----------
    compute_s : float
        Of all microbatches.
    bubble_s : float
        Idle time of a stage while the pipeline fills and drains.
    fixed_s : float
    total_s : tuple of float
        Of each operation in the step, all its runs, hidden or not.
    exposed_s : tuple of float
        Of each operation what compute does not hide; in the bubble it counts as bubble.
    """

    compute_s: float
    bubble_s: float
    fixed_s: float
    total_s: tuple[float, ...]
    exposed_s: tuple[float, ...]

    @property
    def communication_s(self) -> float:
        """All communication, hidden or not."""
        return sum(self.total_s)

    @property
    def exposed_total_s(self) -> float:
        """All that is not hidden."""
        return sum(self.exposed_s)

    @property
    def step_s(self) -> float:
        """The step."""
        return self.compute_s + self.bubble_s + self.exposed_total_s + self.fixed_s


def _share(overlap: Overlap, axis: str) -> float:
    return {"etp": overlap.ep, "edp": overlap.dp}.get(axis, getattr(overlap, axis, 0.0))


def step_time(
    workload: Workload, operations: Sequence[StepOperation], seconds: Sequence[float], compute_s: float, fixed_s: float
) -> StepTime:
    """Put a step together.

    Parameters
    ----------
    workload : Workload
    operations : sequence of StepOperation
    seconds : sequence of float
        Of one run of each operation.
    compute_s : float
        Of a microbatch on a stage, forward and backward.
    fixed_s : float
        Of a step.
    """
    own, overlap, microbatches = workload.description.layout, workload.description.overlap, workload.microbatches
    bubble = bubble_microbatches(own)
    buckets = max((one.count for one in operations if one.in_step), default=1.0)
    layers = max(1.0, workload.description.model.layers / own.pp or buckets)
    # Passes of compute left when the first virtual stage is done.
    passes = own.pp * (own.vp - 1) / own.vp if own.vp > 1 and own.pp > 1 else 1.0 - 1.0 / layers
    room = {
        "microbatch": compute_s,
        "forward": passes * compute_s * FORWARD,
        "backward": passes * compute_s * (1.0 - FORWARD),
    }
    total, exposed, unhidden = [], [], 0.0
    for one, lasted in zip(operations, seconds, strict=True):
        each = one.count * lasted
        share = _share(overlap, one.axis) if one.beside is None else one.beside
        allowed = share * each * (1.0 - 1.0 / layers if one.in_step else 1.0)
        hidden = min(allowed, room[one.window])
        room[one.window] -= hidden
        left = each - hidden
        total.append(one.times(microbatches) * lasted)
        if one.in_step:
            exposed.append(left)
            continue
        # The pipeline fills and drains through each stage once, and nothing hides that.
        filling = 2 * (own.pp - 1) * lasted if one.axis == "pp" else 0.0
        exposed.append(microbatches * left + filling)
        unhidden += left
    return StepTime(microbatches * compute_s, bubble * (compute_s + unhidden), fixed_s, tuple(total), tuple(exposed))


def compute_from_step(
    workload: Workload, operations: Sequence[StepOperation], seconds: Sequence[float], step_s: float, fixed_s: float
) -> float:
    """Compute of a microbatch on a stage with which a step lasts as measured; 0 if communication alone lasts longer.

    By bisection: `step_time` rises with compute.
    """
    low, high = 0.0, step_s / workload.microbatches
    for _ in range(200):
        middle = (low + high) / 2
        if step_time(workload, operations, seconds, middle, fixed_s).step_s < step_s:
            low = middle
        else:
            high = middle
    return (low + high) / 2
