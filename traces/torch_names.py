"""Names in PyTorch's records of collectives: what kind each is, and the bytes of an element of each type."""

COLLECTIVE_KINDS = {
    "allreduce": "all-reduce",
    "all_reduce": "all-reduce",
    "allreduce_coalesced": "all-reduce",
    "allgather": "all-gather",
    "all_gather": "all-gather",
    "_allgather_base": "all-gather",
    "allgather_into_tensor": "all-gather",
    "allgather_coalesced": "all-gather",
    "allgather_into_tensor_coalesced": "all-gather",
    "reduce_scatter": "reduce-scatter",
    "_reduce_scatter_base": "reduce-scatter",
    "reduce_scatter_tensor": "reduce-scatter",
    "reduce_scatter_tensor_coalesced": "reduce-scatter",
    "all_to_all": "all-to-all",
    "all_to_allv": "all-to-all",
    "alltoall": "all-to-all",
    "alltoall_base": "all-to-all",
    "broadcast": "broadcast",
    "_broadcast_oop": "broadcast",
    "reduce": "reduce",
    "_reduce_oop": "reduce",
    "gather": "gather",
    "scatter": "scatter",
    "send": "send-recv",
    "recv": "send-recv",
}
ROOTED = frozenset({"broadcast", "reduce", "gather", "scatter"})
# Records of the same event that move nothing.
NO_TRAFFIC = {"wait": "wait records", "barrier": "barriers", "monitored_barrier": "barriers", "init": "init records"}

# c10::ScalarType names and the bytes of an element.
DTYPE_BYTES = {
    **dict.fromkeys(("Byte", "Char", "Bool", "Float8_e5m2", "Float8_e4m3fn"), 1),
    **dict.fromkeys(("Float8_e5m2fnuz", "Float8_e4m3fnuz", "Float8_e8m0fnu", "QInt8", "QUInt8", "UInt8", "Int8"), 1),
    **dict.fromkeys(("Short", "Half", "BFloat16", "UInt16"), 2),
    **dict.fromkeys(("Int", "Float", "UInt32", "ComplexHalf", "QInt32"), 4),
    **dict.fromkeys(("Long", "Double", "UInt64", "ComplexFloat"), 8),
    "ComplexDouble": 16,
}
