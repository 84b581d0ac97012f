"""How many parameters an architecture has, and how many a GPU holds.

Sums of the matrices; biases, norms and routers' corrections are left out (under 0.02 %).  DeepSeek-V3: 671.03 B, of
them 653.91 B of routed experts; Llama-3.1-405B: 405.85 B, as published.
"""

from dataclasses import dataclass

from traces.workload.description import Architecture, Experts, Workload, WorkloadDescription


@dataclass(frozen=True)
class Parameters:
    """Parameters of a model.

    Attributes
    ----------
    experts : int
        Of the routed experts, all layers together.
    others : int
        All others: embeddings, attention, dense and shared feed-forward, routers.
    active : int
        That a token meets: all others, and `top_k` of the experts; without the embedding of the input.
    """

    experts: int
    others: int
    active: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.experts + self.others


def attention_parameters(model: Architecture) -> int:
    """Of one layer's attention: grouped queries, or latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1)."""
    if not model.kv_lora:
        size = head_dim(model)
        return 2 * model.hidden * model.heads * size + 2 * model.hidden * model.kv_heads * size
    nope = head_dim(model)
    queries = model.hidden * model.q_lora + model.q_lora * model.heads * (nope + model.rope_dim)
    keys = model.hidden * (model.kv_lora + model.rope_dim) + model.kv_lora * model.heads * 2 * nope
    return queries + keys + model.heads * nope * model.hidden


def head_dim(model: Architecture) -> int:
    """Size of a head."""
    return model.head_dim or model.hidden // model.heads


def parameters_of(description: WorkloadDescription) -> Parameters:
    """Count them."""
    model, experts = description.model, description.experts
    if model.parameters:
        return Parameters(0, model.parameters, model.parameters)
    embedding = model.vocabulary * model.hidden
    matrices = 3 if model.gated else 2
    others = (1 if model.tied else 2) * embedding + model.layers * attention_parameters(model)
    dense_layers = model.layers if experts is None else experts.dense_layers
    others += dense_layers * matrices * model.hidden * model.ffn
    routed = active = 0
    if experts is not None:
        sparse = model.layers - experts.dense_layers
        one = matrices * model.hidden * experts.ffn
        routed = sparse * experts.experts * one
        active = sparse * experts.top_k * one
        others += sparse * (experts.shared * one + model.hidden * experts.experts)
    return Parameters(routed, others, others - (0 if model.tied else embedding) + active)


def per_gpu(workload: Workload) -> tuple[float, float]:
    """Parameters of a GPU, a mean over the stages: (of routed experts with their copies, all others)."""
    found, layout, model = parameters_of(workload.description), workload.layout, workload.description.model
    # The first and the last stage hold a copy each of a matrix that is both embedding and output layer.
    copies = model.vocabulary * model.hidden if model.tied and layout.pp > 1 else 0
    experts = workload.description.experts
    held = 1.0 if experts is None else 1.0 + experts.redundant / experts.experts
    return held * found.experts / (layout.ep * layout.expert_tp * layout.pp), (found.others + copies) / (
        layout.tp * layout.pp
    )


def flops_per_token(description: WorkloadDescription) -> float:
    """Floating-point operations of a token, forward and backward.

    6 for each parameter that it meets, and 12 x layers x sequence x heads x head size / 2 of causal attention
    (Narayanan et al., arXiv 2104.04473, appendix; Chowdhery et al., arXiv 2204.02311, appendix B).  Of a model that is
    known by its parameters what the description says of a sample.
    """
    model = description.model
    if model.parameters:
        return (model.flops or 0.0) / description.batch.sequence
    attention = 6.0 * model.layers * description.batch.sequence * model.heads * head_dim(model)
    return 6.0 * parameters_of(description).active + attention


def sparse_layers(model: Architecture, experts: Experts | None) -> int:
    """Layers with experts."""
    return 0 if experts is None else model.layers - experts.dense_layers
