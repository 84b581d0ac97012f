"""What one training step sends: the operations of a workload, by parallel axis.

Volumes of tensor, context, pipeline and data parallelism are those of Megatron-LM (Korthikanti et al., arXiv
2205.05198; Narayanan et al., arXiv 2104.04473); a mean stage is counted: layers and parameters over the
number of stages.  tests/traces/test_recorded_steps.py holds them against volumes that others recorded.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

import numpy as np

from collectives.demand import FloatVector, Groups
from traces.workload.description import Workload
from traces.workload.parameters import head_dim, per_gpu, sparse_layers
from traces.workload.pipeline import crossings
from traces.workload.popularity import rank_shares, visited_nodes, visits
from traces.workload.tables import table_shares

Axis = Literal["tp", "cp", "ep", "etp", "pp", "dp", "edp", "emb"]
Window = Literal["microbatch", "forward", "backward"]


@dataclass(frozen=True, eq=False)
class Spread:
    """How a token's copies spread over the ranks of an expert-parallel group.

    Attributes
    ----------
    token_bytes : float
        All tokens of a rank, one copy of each.
    copies : float
        Copies of a token that reach ranks, its own among them.
    shares : (ep,) float64
        What each rank receives over the mean.
    by_node : bool
        Whether a token crosses the network once for each node that it visits, and is copied there.
    workload : Workload
    combine : bool
        Whether the copies come back instead.
    """

    token_bytes: float
    copies: float
    shares: FloatVector
    by_node: bool
    workload: Workload = field(repr=False)
    combine: bool = False

    @property
    def even(self) -> bool:
        """Whether it is an all-to-all of equal parts."""
        return not self.by_node and float(self.shares.max()) <= 1.0 + 1e-12

    def nodes(self, n_nodes: int) -> float:
        """How many of `n_nodes` nodes a token visits."""
        experts = self.workload.description.experts
        assert experts is not None
        return visited_nodes(experts, n_nodes)


@dataclass(frozen=True, eq=False)
class StepOperation:
    """A collective of a step, of all groups of its axis at once.

    Attributes
    ----------
    axis : str
        Parallel axis whose groups talk.
    collective : str
        One of `collectives.COLLECTIVES`.
    label : str
        What it is for.
    groups : Groups
    bytes : float
        As nccl-tests counts them.
    count : float
        How often a rank runs it: a microbatch, or where `in_step` a step.
    in_step : bool
        Whether it runs once for a step, not for each microbatch.
    window : {"microbatch", "forward", "backward"}
        Which compute can hide it.
    spread : Spread or None
        Of tokens over experts, where it is no exchange of equal parts.
    beside : float or None
        Share of it that compute may hide at best, where the framework itself runs it beside compute; None: what the
        workload's [overlap] says of the axis.
    """

    axis: Axis
    collective: str
    label: str
    groups: Groups
    bytes: float
    count: float
    in_step: bool = False
    window: Window = "microbatch"
    spread: Spread | None = None
    beside: float | None = None

    def times(self, microbatches: int) -> float:
        """How often a rank runs it in a step."""
        return self.count * (1 if self.in_step else microbatches)


def step_operations(workload: Workload) -> tuple[StepOperation, ...]:
    """Every operation of a step that goes between GPUs."""
    made = (
        *_tensor(workload), *_context(workload), *_expert(workload), *_pipeline(workload), *_data(workload),
        *_embedding(workload),
    )  # fmt: skip
    return tuple(one for one in made if one.groups.sizes.max(initial=0) > 1 and one.bytes > 0 and one.count > 0)


def _tokens(workload: Workload) -> float:
    """Tokens of a microbatch on one rank's part of the sequence."""
    return workload.micro * workload.description.batch.sequence / workload.layout.cp


def _tensor(workload: Workload) -> Iterator[StepOperation]:
    """What pairs of a column- and a row-parallel matrix send (2205.05198, section 4.2.2).

    A pair gathers its input and scatters its output, forward and backward: 2 all-gathers and 2 reduce-scatters.  As a
    rank keeps its part of the input only, the backward pass gathers it once more, beside the product that gives the
    input's gradient (section 4.2.2; Megatron-LM, megatron/core/tensor_parallel/layers.py, `async_op=True`).  Without
    sequence parallelism a pair sums its output forward and its input's gradient backward.

    A layer has two pairs, attention and feed-forward; one of experts has that of its attention, and one more for shared
    experts (megatron/core/transformer/moe/shared_experts.py): tokens of routed experts go their own way (`_expert`).
    Embedding and output layer make one pair more.
    """
    model, layout, own = workload.description.model, workload.layout, workload.description.layout
    experts = workload.description.experts
    if layout.tp == 1:
        return
    routed = sparse_layers(model, experts) if experts is not None and not experts.shared else 0
    pairs = (2 * model.layers - routed + 1) / layout.pp
    size = _tokens(workload) * model.hidden * workload.description.precision.activations
    groups = layout.groups("tp")
    if own.sequence_parallel:
        yield StepOperation("tp", "all-gather", "activations", groups, size, 2 * pairs)
        yield StepOperation("tp", "reduce-scatter", "activations", groups, size, 2 * pairs)
        yield StepOperation("tp", "all-gather", "inputs once more", groups, size, pairs, beside=1.0)
    else:
        yield StepOperation("tp", "all-reduce", "activations", groups, size, 2 * pairs)


def _context(workload: Workload) -> Iterator[StepOperation]:
    """Keys and values, by one of Megatron's four exchanges (transformer_engine, `cp_comm_type`)."""
    model, layout, own = workload.description.model, workload.layout, workload.description.layout
    if layout.cp == 1:
        return
    element = workload.description.precision.activations / layout.tp
    layers = model.layers / layout.pp
    kv = _tokens(workload) * 2 * model.kv_heads * head_dim(model) * element
    queries = _tokens(workload) * model.heads * head_dim(model) * element
    groups = layout.groups("cp")
    match own.context:
        case "p2p":
            # Blocks go round once forward; backward they go round again, and their gradients too.
            yield StepOperation("cp", "send-recv", "keys and values", groups, kv, 3 * (layout.cp - 1) * layers)
        case "all_gather":
            yield StepOperation("cp", "all-gather", "keys and values", groups, kv * layout.cp, 2 * layers)
            yield StepOperation("cp", "reduce-scatter", "their gradients", groups, kv * layout.cp, layers)
        case "a2a":
            # Heads for sequence and back: queries, keys and values in, outputs out; the same backward.
            yield StepOperation("cp", "all-to-all", "heads", groups, kv + 2 * queries, 2 * layers)
        case "a2a+p2p":
            inner, outer = own.context_inner, layout.cp // own.context_inner
            rows = groups.rank.reshape(-1, outer, inner)
            yield StepOperation(
                "cp", "all-to-all", "heads", Groups.of(rows.reshape(-1, inner)), kv + 2 * queries, 2 * layers
            )
            ring = Groups.of(rows.transpose(0, 2, 1).reshape(-1, outer))
            yield StepOperation("cp", "send-recv", "keys and values", ring, kv, 3 * (outer - 1) * layers)


def _expert(workload: Workload) -> Iterator[StepOperation]:
    """Dispatch and combine, forward and backward: two of each for a layer of experts."""
    experts, model, layout = workload.description.experts, workload.description.model, workload.layout
    if experts is None or layout.ep == 1:
        return
    precision = workload.description.precision
    count = 2 * sparse_layers(model, experts) / layout.pp
    groups, tokens = layout.groups("ep"), _tokens(workload) / layout.tp
    shares = rank_shares(experts, layout.ep)
    copies = {"expert": float(experts.top_k)}.get(experts.copies, visits(experts, layout.ep))
    for label, element in (("dispatch", precision.dispatch), ("combine", precision.combine)):
        token_bytes = tokens * model.hidden * element
        combine = label == "combine"
        spread = Spread(token_bytes, copies, shares, experts.copies == "node", workload, combine)
        yield StepOperation("ep", "all-to-all", label, groups, token_bytes * copies, count, spread=spread)
        if layout.expert_tp > 1:
            kind = "reduce-scatter" if combine else "all-gather"
            size = token_bytes * copies * layout.expert_tp
            yield StepOperation("etp", kind, "tokens of experts", layout.groups("etp"), size, count)


def _pipeline(workload: Workload) -> Iterator[StepOperation]:
    """Activations to the next stage and gradients back, cut by tensor parallel ranks that cut the sequence."""
    model, layout, own = workload.description.model, workload.layout, workload.description.layout
    cut = layout.tp if own.sequence_parallel else 1
    size = _tokens(workload) * model.hidden * workload.description.precision.activations / cut
    yield StepOperation("pp", "send-recv", "stage to stage", layout.groups("pp"), size, 2 * crossings(own))


def _data(workload: Workload) -> Iterator[StepOperation]:
    """Gradients and parameters, of experts among the ranks that hold the same ones."""
    layout, own, precision = workload.layout, workload.description.layout, workload.description.precision
    experts = workload.description.experts
    of_experts, others = per_gpu(workload)
    parts: tuple[tuple[Axis, str, float], ...] = (("dp", "dp-cp", others), ("edp", "edp", of_experts))
    for axis, axes, held in parts:
        groups = layout.groups(axes)
        reduced, gathered = held * precision.gradients, held * precision.parameters
        # Buckets of one size; real ones end where a parameter does.
        buckets = max(1, ceil(reduced / (own.bucket_mib * 2**20))) if own.bucket_mib else 1
        reduced, gathered = reduced / buckets, gathered / buckets
        if own.optimizer == "replicated":
            yield StepOperation(axis, "all-reduce", "gradients", groups, reduced, buckets, True, "backward")
            continue
        # FSDP (ZeRO stage 3, arXiv 1910.02054) gathers before both passes of every microbatch.
        whole = own.optimizer == "fsdp"
        yield StepOperation(axis, "reduce-scatter", "gradients", groups, reduced, buckets, not whole, "backward")
        yield StepOperation(
            axis, "all-gather", "parameters", groups, gathered, (2 if whole else 1) * buckets, not whole,
            "microbatch" if whole else "forward",
        )  # fmt: skip
    if experts is not None and experts.redundant:
        # What a rank keeps of the sum over the ranks that hold the same experts goes to one that holds a copy and back.
        # Assumed.
        copied = of_experts * experts.redundant / (experts.experts + experts.redundant) / layout.edp
        groups = layout.groups("ep")
        yield StepOperation(
            "edp", "send-recv", "gradients of copies", groups, copied * precision.gradients, 1, True, "backward"
        )
        yield StepOperation(
            "edp", "send-recv", "parameters of copies", groups, copied * precision.parameters, 1, True, "forward"
        )


def _embedding(workload: Workload) -> Iterator[StepOperation]:
    """Indices to the ranks that have the tables, sums of rows back, their gradients there again (arXiv 1906.00091).

    Indices take three exchanges, as TorchRec and the DLRM of facebookresearch/param send them: how many a rank sends of
    each table, how many each sample has, and the indices themselves.
    """
    tables, layout, precision = workload.description.embeddings, workload.layout, workload.description.precision
    if tables is None:
        return
    owned, looked_up = table_shares(tables, layout.dp)
    mean = sum(tables.lookups) / len(tables.lookups)
    samples, groups = _tokens(workload) * tables.tables, layout.groups("dp")
    exchanges = (
        ("numbers of indices", 8.0 * tables.tables, owned, False),
        ("indices of a sample", samples * tables.index, owned, False),
        ("indices", samples * mean * tables.index, looked_up, False),
        ("rows", samples * tables.dim * precision.activations, owned, True),
        ("gradients of rows", samples * tables.dim * precision.activations, owned, False),
    )
    for label, size, shares, back in exchanges:
        spread = Spread(size, 1.0, shares, False, workload, back)
        yield StepOperation("emb", "all-to-all", label, groups, size, 1, spread=spread)


def hottest_receiver(workload: Workload) -> tuple[int, float]:
    """The rank of an expert-parallel group that receives most, and how many times the mean that is."""
    experts = workload.description.experts
    if experts is None or workload.layout.ep == 1:
        return 0, 1.0
    shares = rank_shares(experts, workload.layout.ep)
    return int(np.argmax(shares)), float(shares.max())
