"""Traffic in PyTorch profiler traces that no ``record_param_comms`` event stands for.

Collectives over symmetric memory are operators of their own with the dimensions of their input; older PyTorch versions
have annotations ``nccl:*`` in their stead, with dimensions where shapes were recorded.  Other kernels (DeepEP's, NCCL's
own without an operator) and Gloo's collectives, which go over the hosts' network, are counted by name, as they say no
size.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# torch/csrc/distributed/c10d/symm_mem/SymmetricMemory.cpp: operator, kind, and place of the group's name in its inputs.
SYMMETRIC: Mapping[str, tuple[str, int]] = {
    "symm_mem::multimem_all_reduce_": ("all-reduce", 2),
    "symm_mem::multimem_one_shot_all_reduce": ("all-reduce", 2),
    "symm_mem::multimem_one_shot_all_reduce_out": ("all-reduce", 2),
    "symm_mem::one_shot_all_reduce": ("all-reduce", 2),
    "symm_mem::one_shot_all_reduce_out": ("all-reduce", 2),
    "symm_mem::one_shot_all_reduce_copy": ("all-reduce", 3),
    "symm_mem::one_shot_all_reduce_copy_out": ("all-reduce", 3),
    "symm_mem::two_shot_all_reduce_": ("all-reduce", 2),
    "symm_mem::two_shot_all_reduce_out": ("all-reduce", 2),
    "symm_mem::multimem_all_gather_out": ("all-gather", 1),
    "symm_mem::reduce_scatter_out": ("reduce-scatter", 1),
}
# Names of annotations: torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp.
ANNOTATED: Mapping[str, str] = {
    "nccl:all_reduce": "all-reduce",
    "nccl:all_gather": "all-gather",
    "nccl:_all_gather_base": "all-gather",
    "nccl:all_gather_into_tensor_coalesced": "all-gather",
    "nccl:reduce_scatter": "reduce-scatter",
    "nccl:_reduce_scatter_base": "reduce-scatter",
    "nccl:reduce_scatter_tensor_coalesced": "reduce-scatter",
    "nccl:all_to_all": "all-to-all",
    "nccl:broadcast": "broadcast",
    "nccl:reduce": "reduce",
    "nccl:gather": "gather",
    "nccl:scatter": "scatter",
}
# Types as the profiler writes them for inputs.
TYPE_BYTES: Mapping[str, int] = {
    **dict.fromkeys(("unsigned char", "signed char", "char", "bool", "c10::Float8_e4m3fn", "c10::Float8_e5m2"), 1),
    **dict.fromkeys(("c10::BFloat16", "c10::Half", "short", "short int"), 2),
    **dict.fromkeys(("float", "int"), 4),
    **dict.fromkeys(("double", "long", "long int", "long long"), 8),
}
# Of NCCL and RCCL, NVSHMEM and DeepEP, and of PyTorch's symmetric memory.
_COMMUNICATION = re.compile(
    r"\Anccl|nvshmem|deep_ep::|(?:one_shot|two_shot|multimem)_\w*(?:all_reduce|all_gather|reduce_scatter)"
)
_DEEPEP = re.compile(r"deep_ep::\w+::\w*?(dispatch|combine)")


@dataclass(frozen=True)
class Seen:
    """An operation that an event other than ``record_param_comms`` stands for.

    Attributes
    ----------
    kind : str
    group : str
        The process group's name; empty where it is not said.
    bytes : float or None
        Of the input; None where dimensions or type are missing.
    dtype : str
    """

    kind: str
    group: str
    bytes: float | None
    dtype: str


def symmetric_of(event: Mapping[str, Any]) -> Seen | None:
    """The collective over symmetric memory that an event is, or None."""
    known = SYMMETRIC.get(str(event.get("name")))
    if known is None or event.get("cat") != "cpu_op":
        return None
    kind, place = known
    args = _args(event)
    inputs = args.get("Concrete Inputs")
    group = str(inputs[place]) if isinstance(inputs, list) and len(inputs) > place else ""
    return Seen(kind, group, input_bytes(args), _type(args))


def annotated_of(event: Mapping[str, Any]) -> Seen | None:
    """The collective that an annotation of the CPU side is, or None."""
    kind = ANNOTATED.get(str(event.get("name")))
    if kind is None or event.get("cat") != "user_annotation":
        return None
    args = _args(event)
    return Seen(kind, "", input_bytes(args), _type(args))


def named_of(event: Mapping[str, Any]) -> str:
    """What an event is that moves bytes nobody counts, or empty."""
    name, cat = str(event.get("name")), event.get("cat")
    if name.startswith("gloo:") and cat in ("user_annotation", "cpu_op"):
        return "gloo collectives, which go over the hosts' own network"
    if cat == "kernel":
        found = _DEEPEP.search(name)
        if found:
            return f"DeepEP {found[1]} kernels, which say no size"
        if name.startswith("nccl") and "Collective name" not in _args(event):
            return "NCCL kernels"
    return ""


def kernel_key(args: Mapping[str, Any]) -> tuple[str, ...]:
    """What a collective's record and its kernel have in common."""
    return tuple(str(args.get(key, "")) for key in ("Collective name", "dtype", "In msg nelems", "Process Group Name"))


def kernel_of(event: Mapping[str, Any]) -> tuple[tuple[str, ...], float, float] | None:
    """`kernel_key`, start (as recorded) and seconds of a collective's kernel, or None."""
    start, lasted = event.get("ts"), event.get("dur")
    args = _args(event)
    if event.get("cat") != "kernel" or "Collective name" not in args:
        return None
    if not isinstance(start, (int, float)) or not isinstance(lasted, (int, float)):
        return None
    known = math.isfinite(start) and math.isfinite(lasted) and lasted > 0
    return (kernel_key(args), float(start), float(lasted) / 1e6) if known else None


def gpu_span(event: Mapping[str, Any]) -> tuple[bool, float, float] | None:
    """Whether a kernel communicates, its start and its end (seconds); None for what is no kernel or has no times."""
    start, lasted = event.get("ts"), event.get("dur")
    if event.get("cat") != "kernel" or not isinstance(start, (int, float)) or not isinstance(lasted, (int, float)):
        return None
    if not (math.isfinite(start) and math.isfinite(lasted) and lasted > 0):
        return None
    return _COMMUNICATION.search(str(event.get("name"))) is not None, start / 1e6, (start + lasted) / 1e6


def input_bytes(args: Mapping[str, Any]) -> float | None:
    """Bytes of the tensors among an operator's inputs that its first type is of; None where they are not said."""
    dims, width = args.get("Input Dims"), TYPE_BYTES.get(_type(args))
    if width is None or not isinstance(dims, list) or not dims:
        return None
    first = dims[0]
    shapes = first if first and all(isinstance(one, list) for one in first) else [first]
    total = 0.0
    for shape in shapes:
        if not isinstance(shape, list) or not shape or any(not _whole(extent) for extent in shape):
            return None
        total += math.prod(shape) * width
    return total


def _type(args: Mapping[str, Any]) -> str:
    types = args.get("Input type")
    first = types[0] if isinstance(types, list) and types else types
    return str(first[0] if isinstance(first, list) and first else first or "")


def _whole(extent: Any) -> bool:
    return isinstance(extent, int) and not isinstance(extent, bool) and extent >= 0


def _args(event: Mapping[str, Any]) -> Mapping[str, Any]:
    args = event.get("args")
    return args if isinstance(args, dict) else {}


def unnamed_kernels(named: Counter[str], n_operations: int) -> None:
    """Leave of the NCCL kernels those that no operation stands for: one for each is its own."""
    left = named.pop("NCCL kernels", 0) - n_operations
    if left > 0:
        named["NCCL kernels without an operation, which say no size"] = left
