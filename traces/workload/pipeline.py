"""What a pipeline schedule costs: the bubble, in microbatches."""

from traces.workload.description import Layout

FORWARD = 1 / 3
"""Share of a microbatch's compute that is the forward pass: backward takes twice as long (activations and weights)."""
_WEIGHTS = 1 / 3  # the part of the backward pass for weights, which zero-bubble schedules move


def bubble_microbatches(layout: Layout) -> float:
    """Idle time of a stage in a step, in times of a microbatch (forward and backward of one stage).

    1f1b: p - 1; interleaved: (p - 1) / v (Narayanan et al., arXiv 2104.04473, section 2.2); zb1p: (p - 1)(F + B - 2W)
    and dualpipe: (p / 2 - 1)(F&B + B - 3W) (DeepSeek-V3 report, arXiv 2412.19437, table 2), with F = W = 1/3, B = 2/3
    and F&B = 1 (assumed: a backward pass takes two forward passes).

    >>> bubble_microbatches(Layout(pp=8, vp=8))
    0.875
    """
    p, whole, backward = layout.pp, 1.0, 1.0 - FORWARD
    match layout.schedule:
        case "interleaved":
            return (p - 1) / layout.vp
        case "zb1p":
            return max(0.0, (p - 1) * (FORWARD + backward - 2 * _WEIGHTS))
        case "dualpipe":
            return max(0.0, (p / 2 - 1) * (whole + backward - 3 * _WEIGHTS))
    return float(p - 1)


def crossings(layout: Layout) -> int:
    """Times that a rank sends a microbatch's activations to the next stage, and as often its gradients back.

    Virtual stages multiply them (arXiv 2104.04473, section 2.2).  All but the last stage: the rank that sends most.
    """
    return layout.vp if layout.pp > 1 else 0
