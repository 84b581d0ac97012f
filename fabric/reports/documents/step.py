"""The JSON documents of `step` and `scale`."""

from typing import Literal

from typing_extensions import TypedDict

from fabric.reports.documents.common import FabricPart, Judged, Limited


class StepSummaryPart(TypedDict):
    """A step taken apart, seconds.

    Attributes
    ----------
    gpus : int
        Ranks of the job.
    sequences, microbatches : int
        Of a step; of a data-parallel rank in it.
    step_s : float
        The step, by the model with latency.
    step_found_s : float
        With communication as clusters are often found.
    bound_s : float
        With every operation at its bound.
    compute_s, bubble_s, fixed_s : float
        Of all microbatches; idle while the pipeline fills and drains; as the workload says.
    communication_s : float
        All of it, hidden or not.
    exposed_s : float
        What compute does not hide.
    tokens_per_s_per_gpu : float
        The rate of training.
    """

    gpus: int
    sequences: int
    microbatches: int
    step_s: float
    step_found_s: float
    bound_s: float
    compute_s: float
    bubble_s: float
    fixed_s: float
    communication_s: float
    exposed_s: float
    tokens_per_s_per_gpu: float


class AxisPart(TypedDict):
    """A parallel axis in a step.

    Attributes
    ----------
    axis : str
        tp, cp, ep, etp, pp, dp (with cp), edp: experts' data parallel.
    bytes_per_gpu : float
        That a GPU sends, a mean.
    time_s, exposed_s, bound_s : float
        All its operations; what compute does not hide; at their bounds.
    tier : str
        Highest tier that carries any of it: NVLink, leaf, spine or core.
    tier_bytes : dict
        Bytes of a GPU up into each tier, a mean.
    """

    axis: str
    bytes_per_gpu: float
    time_s: float
    exposed_s: float
    bound_s: float
    tier: str
    tier_bytes: dict[str, float]


class OperationPart(TypedDict):
    """An operation of a step.

    Attributes
    ----------
    axis, collective, label, algorithm : str
        Whose groups talk, how, what for, by which of the library's algorithms.
    groups, group_size : int
        Groups at once, and members of the largest.
    bytes : float
        As nccl-tests counts them.
    runs : float
        In a step.
    run_s, found_s, bound_s : float
        One run: predicted, as clusters are often found, at its bound.
    exposed_s : float
        What compute does not hide, in the step.
    tier : str
        Highest tier that carries any of it.
    hottest : str or None
        The link that sets the time.
    """

    axis: str
    collective: str
    label: str
    algorithm: str
    groups: int
    group_size: int
    bytes: float
    runs: float
    run_s: float
    found_s: float
    bound_s: float
    exposed_s: float
    tier: str
    hottest: str | None


class StepDesignPart(TypedDict):
    """A step under a design.

    Attributes
    ----------
    name : str
        Which levers are pulled.
    wiring : str or None
        By rail or by host; None: as the fabric is.
    transport, placement, routing : str
        The other three levers.
    step_s, communication_s, exposed_s : float
        The step, all its communication, what compute does not hide; seconds.
    times_s : list of float
        The step for every seed.
    """

    name: str
    wiring: str | None
    transport: str
    placement: str
    routing: str
    step_s: float
    communication_s: float
    exposed_s: float
    times_s: list[float]


class StepBody(TypedDict):
    """A training job's step on a fabric.

    Attributes
    ----------
    workload : str
        Name of the model.
    layout : dict of str to int
        Sizes of the parallel axes.
    axes : list of AxisPart
        The longest exposed first.
    operations : list of OperationPart
        What the step sends.
    designs : list of StepDesignPart
        The best first.
    hot_receiver : float
        What the rank that receives most of an exchange of experts gets, over the mean.
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.step/1"]
    fabric: FabricPart
    workload: str
    layout: dict[str, int]
    summary: StepSummaryPart
    axes: list[AxisPart]
    operations: list[OperationPart]
    designs: list[StepDesignPart]
    hot_receiver: float
    assumptions: list[str]


class StepDocument(StepBody, Limited):
    """A training job's step on a fabric."""


class ScaleRowPart(TypedDict):
    """A workload on so many GPUs.

    Attributes
    ----------
    gpus : int
        Ranks of the job.
    fabric : str
        Name of the fabric.
    step_s, step_found_s, compute_s, bubble_s, exposed_s, communication_s : float
        As in the summary of `step`, seconds.
    naive_s : float or None
        The step naive in everything; None where the fabric cannot be wired both ways.
    levers_s : dict of str to float
        The step under each other design.
    published_min : float or None
        Published minutes to train.
    efficiency, published_efficiency : float or None
        Rate per GPU against the row before; of the model, and of the published times.
    train_s : list of float
        Fewest and most seconds of all steps to the target and their evaluations; empty where not known.
    unexplained_s : float or None
        Published seconds that the middle of them does not explain.
    axes : list of AxisPart
        The longest exposed first.
    """

    gpus: int
    fabric: str
    step_s: float
    step_found_s: float
    compute_s: float
    bubble_s: float
    exposed_s: float
    communication_s: float
    naive_s: float | None
    levers_s: dict[str, float]
    published_min: float | None
    efficiency: float | None
    published_efficiency: float | None
    train_s: list[float]
    unexplained_s: float | None
    axes: list[AxisPart]


class SensitivityPart(TypedDict):
    """A step with one key of the workload changed.

    Attributes
    ----------
    key : str
        Of the workload's description.
    value : int
        What it is changed to.
    step_s, exposed_s : float or None
        The step, and what compute does not hide; None where it cannot be.
    tier : str
        Of the exchange of experts.
    why_not : str
        Why it cannot be.
    """

    key: str
    value: int
    step_s: float | None
    exposed_s: float | None
    tier: str
    why_not: str


class JudgedPart(TypedDict):
    """A measured step beside the model's.

    Attributes
    ----------
    run, fitted_on, source : str
        The run, the one that compute is taken from, and where it is published.
    gpus : int
        Of the run.
    measured_s, predicted_s, error : float
        Seconds, and predicted over measured less 1.
    """

    run: str
    fitted_on: str
    source: str
    gpus: int
    measured_s: float
    predicted_s: float
    error: float


class ScaleBody(TypedDict):
    """A workload over numbers of GPUs.

    Attributes
    ----------
    workload : str
        Name of the model.
    rows : list of ScaleRowPart
        By number of GPUs.
    sensitivity : list of SensitivityPart
        At the most GPUs.
    judged : list of JudgedPart
        Measured steps that compute was not taken from.
    figure : str or None
        Where the picture is.
    assumptions : list of str
        The most important first.
    """

    schema: Literal["railscope.scale/1"]
    workload: str
    rows: list[ScaleRowPart]
    sensitivity: list[SensitivityPart]
    judged: list[JudgedPart]
    figure: str | None
    assumptions: list[str]


class ScaleDocument(ScaleBody, Judged):
    """A workload over numbers of GPUs."""
