"""The description of a training job: a TOML schema, strictly checked.

Sources of the usual values stand with the keys; what a description does not say is one of these defaults.
"""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import AllowInfNan, BaseModel, ConfigDict, Field

from collectives.errors import InputError
from collectives.layout import DEFAULT_ORDER, ParallelLayout
from collectives.suggestion import hint
from traces.files import exists, read_text
from traces.schema import Default, Unit, annotations_of, checked, expected_of
from traces.toml_text import parse_toml

Count = Annotated[int, Ge(1)]
Whole = Annotated[int, Ge(0)]
Bytes = Annotated[float, Gt(0), Le(16), AllowInfNan(False), Unit("bytes")]
BucketSize = Annotated[float, Ge(0.001), Le(1e6), AllowInfNan(False), Unit("MiB")]
Tables = Annotated[int, Ge(1), Le(1_000_000)]
Share = Annotated[float, Ge(0), Le(1), AllowInfNan(False)]
Seconds = Annotated[float, Ge(0), AllowInfNan(False), Unit("s")]
Positive = Annotated[float, Gt(0), AllowInfNan(False)]
ContextExchange = Literal["p2p", "all_gather", "a2a", "a2a+p2p"]
PipelineSchedule = Literal["1f1b", "interleaved", "zb1p", "dualpipe"]
Optimizer = Literal["distributed", "fsdp", "replicated"]
Copies = Literal["expert", "rank", "node"]
Popularity = Literal["uniform", "zipf", "histogram"]
ExpertPlacement = Literal["consecutive", "balanced"]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


_UNLESS_PLAIN = Default("none; needed without `parameters`")


class Architecture(_Table):
    """A decoder of transformer layers; or, by its `parameters` alone, any model that is not cut."""

    name: Annotated[str, MinLen(1), Field(description="What reports call it.", examples=["llama-3.1-8b"])]
    description: Annotated[str, Field(description="A line for lists.")] = ""
    parameters: Annotated[
        Whole,
        Field(description="Parameters of a model that is no such decoder: data parallel only; no keys of layers then."),
    ] = 0
    flops: Annotated[
        Positive | None,
        Field(description="Of such a model: operations of a sample, forward and backward; `compute.tflops` needs it."),
    ] = None
    layers: Annotated[Count, Field(description="Transformer layers.", examples=[32]), _UNLESS_PLAIN] = 0
    hidden: Annotated[Count, Field(description="Hidden size.", examples=[4096]), _UNLESS_PLAIN] = 0
    ffn: Annotated[Whole, Field(description="Inner size of dense feed-forward layers."), _UNLESS_PLAIN] = 0
    gated: Annotated[
        bool, Field(description="Whether feed-forward layers and experts are gated: three matrices, else two.")
    ] = True
    heads: Annotated[Count, Field(description="Attention heads.", examples=[32]), _UNLESS_PLAIN] = 0
    kv_heads: Annotated[Count, Field(description="Heads of keys and values.", examples=[8]), _UNLESS_PLAIN] = 0
    head_dim: Annotated[Count | None, Field(description="Size of a head [default: hidden / heads].")] = None
    vocabulary: Annotated[Count, Field(description="Tokens that there are.", examples=[128256]), _UNLESS_PLAIN] = 0
    tied: Annotated[
        bool, Field(description="Whether the output layer's matrix is the embedding's (first and last stage hold it).")
    ] = False
    q_lora: Annotated[Whole, Field(description="Latent attention (MLA): rank of the queries; 0: none.")] = 0
    kv_lora: Annotated[Whole, Field(description="Latent attention: rank of keys and values; 0: none.")] = 0
    rope_dim: Annotated[Whole, Field(description="Latent attention: size of the rotary part of a head.")] = 0
    assumptions: Annotated[list[str], Field(description="What every result repeats.")] = []


class Experts(_Table):
    """Layers of experts (mixture of experts)."""

    experts: Annotated[Count, Field(description="Routed experts of a layer.", examples=[256])]
    top_k: Annotated[Count, Field(description="Experts of a token.", examples=[8])]
    ffn: Annotated[Count, Field(description="Inner size of an expert.", examples=[2048])]
    shared: Annotated[Whole, Field(description="Experts that every token visits.")] = 0
    dense_layers: Annotated[Whole, Field(description="Layers without experts, the first ones.")] = 0
    node_limit: Annotated[
        Whole, Field(description="Most nodes that a token's experts are on (DeepSeek-V3: 4); 0: any.")
    ] = 0
    copies: Annotated[
        Copies,
        Field(
            description="What a token is sent once to: each expert (NCCL all-to-all), each rank, each node "
            "(DeepEP: once over the network, then NVLink)."
        ),
    ] = "expert"
    popularity: Annotated[Popularity, Field(description="How tokens spread over experts.")] = "uniform"
    zipf: Annotated[float, Ge(0), Le(4), AllowInfNan(False), Field(description="Exponent of `zipf`.")] = 1.0
    histogram: Annotated[
        list[Annotated[float, Ge(0), AllowInfNan(False)]],
        Field(description="Tokens of each expert, in any unit, for `histogram`."),
    ] = []
    placement: Annotated[
        ExpertPlacement,
        Field(
            description="Which experts a rank has: consecutive ones, or as many, dealt so that ranks receive alike "
            "(as DeepSeek's EPLB packs them)."
        ),
    ] = "consecutive"
    redundant: Annotated[
        Whole,
        Field(description="With `balanced`: further copies of the most popular experts, as many on each rank."),
    ] = 0


class Embeddings(_Table):
    """Embedding tables, whole ones spread over the ranks (DLRM, arXiv 1906.00091); beside `model.parameters`.

    A rank looks up the whole batch in its tables: indices go there, sums of rows come back, their gradients go there.
    """

    tables: Annotated[Tables, Field(description="Tables; a rank has consecutive ones.", examples=[24])]
    dim: Annotated[Count, Field(description="Numbers of a row.", examples=[16])]
    lookups: Annotated[
        list[Annotated[float, Ge(0), AllowInfNan(False)]],
        Field(description="Rows of a sample in each table, a mean; one value: in all of them."),
        MinLen(1),
        Default("1 in all"),
    ] = [1.0]
    index: Annotated[Bytes, Field(description="Bytes of an index, and of how many a sample has in a table.")] = 8.0


class Layout(_Table):
    """How the job is cut over GPUs (Megatron's words)."""

    tp: Annotated[Count, Field(description="Tensor parallel size.")] = 1
    pp: Annotated[Count, Field(description="Pipeline stages.")] = 1
    cp: Annotated[Count, Field(description="Context parallel size.")] = 1
    ep: Annotated[Count, Field(description="Expert parallel size.")] = 1
    etp: Annotated[Count, Field(description="Tensor parallel size of the experts.")] = 1
    vp: Annotated[Count, Field(description="Virtual stages of a rank.")] = 1
    order: Annotated[str, Field(description="Order of the axes, fastest first.")] = DEFAULT_ORDER
    schedule: Annotated[PipelineSchedule, Field(description="Pipeline schedule.")] = "interleaved"
    context: Annotated[ContextExchange, Field(description="How keys and values are exchanged (cp_comm_type).")] = "p2p"
    context_inner: Annotated[Count, Field(description="Ranks of the inner all-to-all of `a2a+p2p`.")] = 2
    sequence_parallel: Annotated[bool, Field(description="Whether tensor parallelism cuts the sequence too.")] = True
    optimizer: Annotated[Optimizer, Field(description="Who keeps the optimizer's state.")] = "distributed"
    bucket_mib: Annotated[
        BucketSize | None,
        Field(description="Gradients that are reduced at a time (DDP: bucket_cap_mb, 25)."),
        Default("all at once"),
    ] = None


class Batch(_Table):
    """Sequences of a step."""

    sequence: Annotated[Count, Field(description="Tokens of a sequence.", examples=[4096])]
    micro: Annotated[Count, Field(description="Sequences of a microbatch.")] = 1
    sequences: Annotated[Whole, Field(description="Sequences of a step; 0: `per_gpu` of each GPU.")] = 0
    per_gpu: Annotated[Positive, Field(description="Sequences of a step of each GPU, where `sequences` is 0.")] = 1.0


class Precision(_Table):
    """Bytes of a number on the network."""

    activations: Annotated[Bytes, Field(description="Tensor, context and pipeline parallel.")] = 2.0
    dispatch: Annotated[Bytes, Field(description="Tokens to experts.")] = 2.0
    combine: Annotated[Bytes, Field(description="Tokens back from experts.")] = 2.0
    gradients: Annotated[Bytes, Field(description="Reduce-scatter of gradients.")] = 2.0
    parameters: Annotated[Bytes, Field(description="All-gather of parameters.")] = 2.0


class Overlap(_Table):
    """The share of each axis' communication that compute may hide, at best."""

    tp: Annotated[Share, Field(description="Tensor parallel.")] = 0.0
    cp: Annotated[Share, Field(description="Context parallel.")] = 1.0
    ep: Annotated[Share, Field(description="Dispatch and combine.")] = 0.0
    pp: Annotated[Share, Field(description="Stage to stage, between warm-up and drain.")] = 1.0
    dp: Annotated[Share, Field(description="Gradients and parameters.")] = 1.0
    emb: Annotated[Share, Field(description="Exchanges of embedding tables.")] = 0.0


class Measured(_Table):
    """A run that was measured: what compute is taken from, or what a prediction is judged by."""

    name: Annotated[str, MinLen(1), Field(description="Unique in the file.")]
    gpus: Annotated[Count, Field(description="GPUs of the run.")]
    gpu: Annotated[str, Field(description="Their kind, such as GB300.")] = ""
    tokens_per_s_per_gpu: Annotated[Positive | None, Field(description="Measured rate.")] = None
    step_s: Annotated[Positive | None, Field(description="Measured step.")] = None
    step_high_s: Annotated[Positive | None, Field(description="The longest of several runs.")] = None
    minutes: Annotated[Positive | None, Field(description="Time to train, with start and evaluation.")] = None
    sequences: Annotated[Whole, Field(description="Sequences of its step; 0: as [batch] says.")] = 0
    micro: Annotated[Whole, Field(description="Sequences of its microbatch; 0: as [batch] says.")] = 0
    layout: Annotated[Layout | None, Field(description="Where it differs from [layout], whole.")] = None
    group: Annotated[str, Field(description="Runs of one software release: a fit judges its own group.")] = ""
    source: Annotated[str, MinLen(1), Field(description="Where the figure is published.")]


class Compute(_Table):
    """Where the time of compute comes from."""

    measured: Annotated[str, Field(description="Name of a [[measured]] run that it is taken from.")] = ""
    tflops: Annotated[Positive | None, Field(description="Peak of a GPU, TFLOP/s, instead of a run.")] = None
    mfu: Annotated[float, Gt(0), Le(1), AllowInfNan(False), Field(description="Share of the peak.")] = 0.4
    fixed_s: Annotated[Seconds, Field(description="Time of a step that neither compute nor network explains.")] = 0.0
    source: Annotated[str, Field(description="Of the peak and its share.")] = ""


class Convergence(_Table):
    """How many steps a benchmark takes."""

    steps: Annotated[Count, Field(description="Fewest steps to the target.")]
    steps_high: Annotated[Count, Field(description="Most steps to the target.")]
    evaluated: Annotated[Whole, Field(description="Sequences that are evaluated after each step, forward only.")] = 0
    source: Annotated[str, MinLen(1), Field(description="Where it is published.")]


class WorkloadDescription(_Table):
    """A training job."""

    model: Architecture
    experts: Experts | None = None
    embeddings: Embeddings | None = None
    layout: Layout = Layout()
    batch: Batch
    precision: Precision = Precision()
    overlap: Overlap = Overlap()
    compute: Compute = Compute()
    convergence: Convergence | None = None
    measured: list[Measured] = []


@dataclass(frozen=True)
class Workload:
    """A checked description on so many GPUs.

    Attributes
    ----------
    description : WorkloadDescription
    layout : ParallelLayout
    sequences : int
        Of a step.
    micro : int
        Sequences of a microbatch.
    microbatches : int
        Of a data-parallel rank in a step.
    """

    description: WorkloadDescription
    layout: ParallelLayout
    sequences: int
    micro: int
    microbatches: int

    @classmethod
    def of(cls, description: WorkloadDescription, gpus: int, run: Measured | None = None) -> "Workload":
        """The job on `gpus` GPUs, as described, or as a measured run was.

        Raises
        ------
        InputError
            If the layout does not make the number of GPUs, EP does not divide the experts, stages do not fit the
            layers, a model without layers is cut, or the batch is not whole microbatches of every data-parallel rank.
        """
        name, batch = description.model.name, description.batch
        own = (run.layout if run is not None else None) or description.layout
        experts = description.experts
        if description.model.parameters:
            _check_uncut(description, own)
        if own.ep > 1 and experts is None:
            raise InputError(f"{name}: layout.ep {own.ep}: the model has no [experts]; expected 1")
        if experts is not None:
            if experts.experts % own.ep:
                raise InputError(f"{name}: layout.ep {own.ep}: does not divide {experts.experts} experts")
            if experts.redundant and experts.placement != "balanced":
                raise InputError(
                    f'{name}: experts.redundant {experts.redundant}: expected experts.placement "balanced" with it'
                )
            if experts.redundant % own.ep:
                raise InputError(
                    f"{name}: experts.redundant {experts.redundant}: expected a multiple of layout.ep, {own.ep}"
                )
            if experts.top_k > experts.experts:
                raise InputError(f"{name}: experts.top_k {experts.top_k}: more than {experts.experts} experts")
            if experts.dense_layers > description.model.layers:
                raise InputError(f"{name}: experts.dense_layers: more than {description.model.layers} layers")
            if experts.popularity == "histogram" and len(experts.histogram) != experts.experts:
                raise InputError(
                    f"{name}: experts.histogram: {len(experts.histogram)} values; expected {experts.experts}, one each"
                )
            if experts.popularity == "histogram" and not sum(experts.histogram):
                raise InputError(f"{name}: experts.histogram: every value is 0; expected some above")
        if own.pp * own.vp > description.model.layers and not description.model.parameters:
            raise InputError(
                f"{name}: layout: pp {own.pp} x vp {own.vp} = {own.pp * own.vp} stages; "
                f"the model has {description.model.layers} layers"
            )
        if own.context == "a2a+p2p" and own.cp % own.context_inner:
            raise InputError(f"{name}: layout.context_inner {own.context_inner}: does not divide cp {own.cp}")
        layout = ParallelLayout(gpus, own.tp, own.cp, own.ep, own.pp, own.etp, own.order)
        micro = (run.micro if run is not None else 0) or batch.micro
        given = (run.sequences if run is not None else 0) or batch.sequences
        sequences = given or round(batch.per_gpu * gpus)
        if sequences % (layout.dp * micro):
            raise InputError(
                f"{name}: batch: {sequences} sequences on {layout.dp} data-parallel ranks x {micro} a microbatch leave "
                f"{sequences % (layout.dp * micro)}; expected a multiple of {layout.dp * micro}"
            )
        return cls(description.model_copy(update={"layout": own}), layout, sequences, micro,
                   sequences // (layout.dp * micro))  # fmt: skip

    @property
    def tokens(self) -> int:
        """Tokens of a step."""
        return self.sequences * self.description.batch.sequence


def _check_uncut(description: WorkloadDescription, own: Layout) -> None:
    """A model of which only the parameters are known is data parallel."""
    cut = next((axis for axis in ("tp", "pp", "cp", "ep", "vp") if getattr(own, axis) > 1), None)
    if cut is not None:
        raise InputError(
            f"{description.model.name}: layout.{cut} {getattr(own, cut)}: `parameters` alone cannot be cut; expected 1"
        )


def _check_model(made: WorkloadDescription, source: str) -> None:
    """Either the keys of layers are there, all of them, or `parameters` is."""
    model, experts, tables = made.model, made.experts, made.embeddings
    needed = [key for key, default in Architecture.model_fields.items() if _UNLESS_PLAIN in default.metadata]
    if not model.parameters:
        missing = next((key for key in needed if key not in model.model_fields_set), None)
        if missing is not None:
            expected = expected_of(annotations_of(Architecture)[missing])
            raise InputError(f"{source}: model.{missing}: missing; expected {expected}")
        if model.flops is not None:
            raise InputError(f"{source}: model.flops: follows from the layers; expected it with `parameters` only")
        if tables is not None:
            raise InputError(f"{source}: embeddings: a decoder has its own; expected them with model.parameters")
        return
    known = {"name", "description", "parameters", "flops", "assumptions"}
    other = next((key for key in Architecture.model_fields if key in model.model_fields_set - known), None)
    if other is not None or experts is not None:
        key = f"model.{other}" if other is not None else "experts"
        raise InputError(f"{source}: {key}: of a model of layers; expected it without model.parameters")
    if made.compute.tflops is not None and model.flops is None:
        expected = expected_of(annotations_of(Architecture)["flops"])
        raise InputError(f"{source}: model.flops: missing; expected {expected}, as compute.tflops is given")
    if tables is not None and len(tables.lookups) not in (1, tables.tables):
        raise InputError(
            f"{source}: embeddings.lookups: {len(tables.lookups)} values; expected 1, or {tables.tables}, one a table"
        )
    if tables is not None and not sum(tables.lookups):
        raise InputError(f"{source}: embeddings.lookups: every value is 0; expected some above")


def workload_names() -> tuple[str, ...]:
    """Names of the workloads that ship with railscope, sorted."""
    folder = files("traces").joinpath("workload", "presets")
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


def read_workload(name: str | Path) -> WorkloadDescription:
    """A workload by its name, or from a TOML file.

    Raises
    ------
    InputError
        If there is none of that name (the nearest one is named), or the file is refused: names the key.
    """
    names = workload_names()
    if str(name) in names:
        text = files("traces").joinpath("workload", "presets", f"{name}.toml").read_text("utf-8")
        return parse_workload(text, f"workload {name}")
    if not str(name).endswith(".toml") and not exists(name):
        raise InputError(f"{name}: neither a workload nor a file; {hint(str(name), names)}")
    return parse_workload(read_text(name), str(name))


def parse_workload(text: str, source: str) -> WorkloadDescription:
    """A workload from a TOML text; `source` is what errors name.

    Raises
    ------
    InputError
        Names the key, and says what was expected.
    """
    made = checked(WorkloadDescription, parse_toml(text, source), source)
    runs = [run.name for run in made.measured]
    twice = next((run for place, run in enumerate(runs) if run in runs[:place]), None)
    if twice is not None:
        raise InputError(f"{source}: measured: {twice!r} is there twice; expected a name of its own for each run")
    if made.compute.measured and made.compute.measured not in runs:
        raise InputError(
            f"{source}: compute.measured: {made.compute.measured!r} is no run; {hint(made.compute.measured, runs)}"
        )
    if made.compute.tflops is not None and made.compute.measured:
        raise InputError(f"{source}: compute: expected `measured` or `tflops`, not both")
    if made.compute.tflops is None and not made.compute.measured:
        raise InputError(f"{source}: compute: expected `measured`, a run's name, or `tflops` and `mfu`")
    _check_model(made, source)
    return made


def changed_layout(description: WorkloadDescription, changes: dict[str, Any], source: str) -> WorkloadDescription:
    """The same workload with other keys of [layout] or [batch], such as ``{"layout.ep": 32}``.

    Raises
    ------
    InputError
        As `parse_workload`.
    """
    tables = description.model_dump(exclude_none=True, exclude_unset=True)
    for key, value in changes.items():
        table, _, name = key.rpartition(".")
        tables.setdefault(table or "layout", {})[name] = value
    made = checked(WorkloadDescription, tables, source)
    _check_model(made, source)
    return made
